"""What a result is pulled by. Each loss is complete when it is made; all are free of scale.

Feature losses are divided by the mean square of what they compare with, so the same weights fit every network.
"""
from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ContentLoss:
    """Squared difference of the content layer (Gatys et al. 2015, eq. 1). target (C,h,w)."""

    target: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.target).square().mean() / self.target.square().mean().clamp_min(1e-8)


@dataclass(frozen=True)
class StyleLoss:
    """Squared difference of windows from their matched style windows (Li and Wand 2016, eq. 2), in its voted form.

    targets (C,h,w) from `matching.votes`; scale, the mean square of the style's features. Published, a cell weighs as
    many windows as cover it, which leaves the rim almost free and shows as a frame: here all cells weigh the same, or as
    `strength` (h,w) says.
    """

    targets: Tensor
    scale: Tensor
    strength: Tensor | None = None

    def __call__(self, features: Tensor) -> Tensor:
        difference = (features - self.targets).square()
        return (difference if self.strength is None else difference * self.strength).mean() / self.scale


@dataclass(frozen=True)
class GramLoss:
    """Squared difference of Gram matrices (Gatys et al. 2015, eq. 4): which features occur together, no matter where.

    target (C,C). centre (C,1) is taken off before, 0 as published; of pixels it is their mean, which would hide how they differ.
    """

    target: Tensor
    centre: Tensor | float = 0.0

    @classmethod
    def of(cls, features: Tensor, centred: bool = False) -> GramLoss:
        """Towards features (C,h,w)."""
        centre = features.flatten(1).mean(1, keepdim=True) if centred else 0.0
        return cls(gram(features, centre), centre)

    def __call__(self, features: Tensor) -> Tensor:
        return (gram(features, self.centre) - self.target).square().mean() / self.target.square().mean().clamp_min(1e-8)


def gram(features: Tensor, centre: Tensor | float = 0.0) -> Tensor:
    """(C,h,w) to (C,C): the mean over cells of the products of channels, each less its centre (C,1)."""
    flat = features.flatten(1).float() - centre
    return flat @ flat.T / flat.shape[1]


def smoothness_loss(picture: Tensor) -> Tensor:
    """Mean over pixels of (dx^2 + dy^2)^1.25 (Mahendran and Vedaldi 2015). picture (1,3,H,W) in [0,1]."""
    dx = picture[..., :-1, 1:] - picture[..., :-1, :-1]
    dy = picture[..., 1:, :-1] - picture[..., :-1, :-1]
    return (dx.square() + dy.square() + 1e-8).pow(1.25).mean()
