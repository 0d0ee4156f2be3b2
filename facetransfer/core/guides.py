"""What steers the search for patches: for each pixel its class, and its place in the face."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Guide:
    """The guide of one picture, of any size: it is brought to each layer's grid by averaging.

    classes: (K,H,W) in [0,1], one channel per class; both pictures of a pair share their order.
    position: (2,H,W), x and y from the middle of the face in face sizes, or None where no face is known. Of a
    content, they may be the places in the style's face that correspond to it.
    allowed: (H,W) bool, where patches may be taken from, or None for everywhere. Only the method guided asks
    for it.
    appearance: (H,W) in [0,1], how much the appearance counts at each place, or None for fully everywhere.
    Only the method guided asks for it.
    kept: (H,W) in [0,1], of a content: how much of its own picture, in the style's tones, stays at each
    place, or None for nothing. Only the method guided asks for it.
    labels: (H,W) uint8, the strongest channel at each place; it is computed where it is not given.
    """

    classes: Tensor
    position: Tensor | None = None
    allowed: Tensor | None = None
    appearance: Tensor | None = None
    kept: Tensor | None = None
    labels: Tensor | None = None

    def __post_init__(self) -> None:
        if self.classes.dim() != 3 or (
            self.position is not None and self.position.shape != (2, *self.classes.shape[1:])
        ):
            raise ValueError(
                f"a guide has classes (K,H,W) and a position (2,H,W), not {tuple(self.classes.shape)} and "
                f"{None if self.position is None else tuple(self.position.shape)}"
            )

    @cached_property
    def strongest(self) -> Tensor:
        """(H,W) int64: the class channel that is strongest at each place."""
        return self.classes.argmax(0) if self.labels is None else self.labels.long()

    def on_grid(self, height: int, width: int) -> Guide:
        """The same guide on a grid of (height, width) cells, each the mean of the pixels it covers."""

        def pooled(x: Tensor) -> Tensor:
            return F.adaptive_avg_pool2d(x[None], (height, width))[0]

        return Guide(pooled(self.classes), None if self.position is None else pooled(self.position))

    def to(self, device: str) -> Guide:
        """The same guide on another device."""
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: x.to(device) for name, x in tensors.items() if x is not None})
