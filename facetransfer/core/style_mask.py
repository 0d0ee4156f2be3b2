"""How much of the style each place takes: parts of the picture are kept, or take less or more."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

SOFT = 1 / 256  # of the longest side: how far the border of a kept part is blended


@dataclass(frozen=True)
class StyleMask:
    """In one phase. map: (1,1,H,W) in [0,2]. kept: (1,3,H,W), the picture that stays where the
    strength is 0.
    """

    map: Tensor
    kept: Tensor

    @classmethod
    def of(cls, strength: Tensor, kept: Tensor, size: tuple[int, ...]) -> StyleMask:
        """From a strength (H,W) and a picture (1,3,H,W) at full size, at (height, width)."""
        return cls(
            F.adaptive_avg_pool2d(strength[None, None], (size[0], size[1])),
            F.interpolate(kept, size=size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1),
        )

    @property
    def free(self) -> Tensor:
        """(1,1,H,W): 1 where the picture may change, 0 where it is kept."""
        return (self.map > 0).to(self.map.dtype)

    def kept_fixed(self, picture: Tensor) -> Tensor:
        """The picture with the kept one where nothing may change."""
        return self.kept + self.free * (picture - self.kept)

    def on_grid(self, height: int, width: int) -> Tensor:
        """(height,width), each cell the mean of the pixels it covers."""
        return F.adaptive_avg_pool2d(self.map, (height, width))[0, 0]

    def blended(self, picture: Tensor) -> Tensor:
        """The picture over the kept one, by strength up to 1, without a visible border."""
        radius = max(1, round(max(self.map.shape[-2:]) * SOFT))
        width = 2 * radius + 1
        inside = -F.max_pool2d(
            -self.map.clamp(max=1), width, stride=1, padding=radius
        )  # what is kept is kept to the byte
        share = F.avg_pool2d(F.pad(inside, (radius,) * 4, mode="replicate"), width, stride=1)
        return self.kept + share * (picture - self.kept)
