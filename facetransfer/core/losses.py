"""What a result is pulled by. Each loss is complete when it is made; all are free of scale.

Feature losses are divided by the mean square of what they compare with, so the same weights fit every
network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

MIN_SCALE = 1e-8  # a mean square below this would make a loss of nothing but rounding errors


@dataclass(frozen=True)
class ContentLoss:
    """Squared difference of the content layer (Gatys et al. 2015, eq. 1). target (C,h,w) float32."""

    target: Tensor

    @cached_property
    def scale(self) -> Tensor:
        """(): the mean square of the target."""
        return self.target.square().mean().clamp_min(MIN_SCALE)

    def __call__(self, features: Tensor) -> Tensor:
        return (features.float() - self.target).square().mean() / self.scale


@dataclass(frozen=True)
class StyleLoss:
    """Squared difference of windows from their matched style windows (Li and Wand 2016, eq. 2), in its voted
    form.

    targets (C,h,w) from `matching.votes`; scale, the mean square of the style's features. As published, a
    cell weighs as many windows as cover it, which leaves the rim almost free and shows as a frame: here all
    cells weigh the same, or as the `mask` (h,w) says.
    """

    targets: Tensor
    scale: Tensor
    mask: Tensor | None = None

    def __call__(self, features: Tensor) -> Tensor:
        difference = (features.float() - self.targets).square()
        return (difference if self.mask is None else difference * self.mask).mean() / self.scale


@dataclass(frozen=True)
class GramLoss:
    """Squared difference of Gram matrices (Gatys et al. 2015, eq. 4): which features occur together, no
    matter where.

    target (C,C). centre (C,1) is taken off first: 0 as published; of pixels it is their mean, which would
    hide how they differ.
    """

    target: Tensor
    centre: Tensor | float = 0.0

    @classmethod
    def of(cls, features: Tensor, centred: bool = False) -> GramLoss:
        """The loss towards features (C,h,w)."""
        centre = features.flatten(1).mean(1, keepdim=True) if centred else 0.0
        return cls(gram(features, centre), centre)

    def __call__(self, features: Tensor) -> Tensor:
        scale = self.target.square().mean().clamp_min(MIN_SCALE)
        return (gram(features, self.centre) - self.target).square().mean() / scale


def gram(features: Tensor, centre: Tensor | float = 0.0) -> Tensor:
    """(C,h,w) to (C,C): the mean over cells of the products of channels, each less its centre (C,1)."""
    flat = features.flatten(1).float() - centre
    return flat @ flat.T / flat.shape[1]


def smoothness_loss(picture: Tensor) -> Tensor:
    """Mean over pixels of (dx^2 + dy^2)^1.25 (Mahendran and Vedaldi 2015). picture (1,3,H,W) in [0,1]."""
    dx = picture[..., :-1, 1:] - picture[..., :-1, :-1]
    dy = picture[..., 1:, :-1] - picture[..., :-1, :-1]
    energy = dx.square() + dy.square() + 1e-8  # The root of 0 has no gradient.
    return (energy * energy.sqrt().sqrt()).mean()
