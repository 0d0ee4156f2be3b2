"""The style picture also turned and scaled: windows that lie otherwise than the content's find a partner (Li and Wand 2016, 4.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.core.guides import Guide

ANGLE, SCALES = 12.0, (0.85, 1.18)  # degrees; sizes
COPIES = {"none": ((0.0, 1.0),), "turned": ((0.0, 1.0), (ANGLE, 1.0), (-ANGLE, 1.0))}
COPIES["turned and scaled"] = (*COPIES["turned"], *((0.0, s) for s in SCALES))


def turned(grid: Tensor, degrees: float, scale: float) -> Tensor:
    """A grid (C,H,W) turned about its middle (clockwise) and scaled, of the same size; what lies outside is mirrored in."""
    if (degrees, scale) == (0.0, 1.0):
        return grid
    height, width = grid.shape[1:]
    c, s = math.cos(math.radians(degrees)) / scale, math.sin(math.radians(degrees)) / scale
    affine = torch.tensor(
        [[[c, s * height / width, 0], [-s * width / height, c, 0]]], device=grid.device, dtype=grid.dtype
    )
    where = F.affine_grid(affine, [1, 1, height, width], align_corners=False)
    return F.grid_sample(grid[None], where, mode="bilinear", padding_mode="reflection", align_corners=False)[
        0
    ]


def style_copies(style: Tensor, guide: Guide | None, turns: str) -> list[tuple[Tensor, Guide | None]]:
    """The style picture (1,3,H,W) and its guide, as they are and then in every turn of the setting `turns`.

    A place in the face turns with the picture: its own numbers stay.
    """

    def turned_guide(degrees: float, scale: float) -> Guide | None:
        return guide and Guide(
            turned(guide.classes, degrees, scale),
            None if guide.position is None else turned(guide.position, degrees, scale),
        )

    return [(turned(style[0], *turn)[None], turned_guide(*turn)) for turn in COPIES[turns]]
