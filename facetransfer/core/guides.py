"""What steers the search for patches: for each pixel its class, and its place in the face."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Guide:
    """The guide of one picture.

    labels: (H,W) uint8, the class of each pixel.
    vectors: (K,C), a vector of length 1 for each class. The inner product of two says how alike the classes
    are, from 0 to 1: a unit matrix for classes of which none is like another. Both pictures of a pair share
    them.
    position: (2,H,W), x and y from the middle of the face in face sizes, or None where no face is known. Of a
    content, they may be the places in the style's face that correspond to it.
    allowed: (H,W) bool, where patches may be taken from, or None for everywhere. Only the method guided asks
    for it.
    appearance: (H,W) in [0,1], how much the appearance counts at each place, or None for fully everywhere.
    Only the method guided asks for it.
    kept: (H,W) in [0,1], of a content: how much of its own picture, in the style's tones, stays at each
    place, or None for nothing. Only the method guided asks for it.

    Raises ValueError where shapes do not go together.
    """

    labels: Tensor
    vectors: Tensor
    position: Tensor | None = None
    allowed: Tensor | None = None
    appearance: Tensor | None = None
    kept: Tensor | None = None

    def __post_init__(self) -> None:
        if self.labels.dim() != 2 or self.vectors.dim() != 2:
            raise ValueError(
                f"a guide has labels (H,W) and vectors (K,C), not {tuple(self.labels.shape)} and "
                f"{tuple(self.vectors.shape)}"
            )
        height, width = self.labels.shape
        for name, wanted in (
            ("position", (2, height, width)),
            *((name, (height, width)) for name in ("allowed", "appearance", "kept")),
        ):
            values = getattr(self, name)
            if values is not None and values.shape != wanted:
                raise ValueError(f"the guide's {name} has the shape {tuple(values.shape)}, not {wanted}")

    @classmethod
    def of_one_class(cls, size: tuple[int, int]) -> Guide:
        """A guide of (height, width) that tells nothing but the size."""
        return cls(torch.zeros(size, dtype=torch.uint8), torch.ones(1, 1))

    @cached_property
    def classes(self) -> Tensor:
        """(C,H,W): the vector of each pixel's class. It takes C times the memory of a picture's channel."""
        height, width = self.labels.shape
        return self.vectors.T.index_select(1, self.labels.flatten().int()).view(-1, height, width)

    def on_grid(self, height: int, width: int) -> GridGuide:
        """The guide on a grid of (height, width) cells, each the mean of the pixels it covers."""

        def pooled(x: Tensor) -> Tensor:
            return F.adaptive_avg_pool2d(x[None], (height, width))[0]

        return GridGuide(pooled(self.classes), None if self.position is None else pooled(self.position))

    def to(self, device: str) -> Guide:
        """The same guide on another device."""
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: x.to(device) for name, x in tensors.items() if x is not None})


@dataclass(frozen=True)
class GridGuide:
    """A guide on the grid of a feature layer: classes (C,h,w), the mean vector of each cell's pixels, and
    position (2,h,w) or None, see `Guide`.
    """

    classes: Tensor
    position: Tensor | None = None

    @property
    def strongest(self) -> Tensor:
        """(h,w) int64: the channel that is strongest in each cell."""
        return self.classes.argmax(0)
