"""The style picture also turned: windows that lie otherwise than the content's find a partner (Li and Wand
2016, 4.3).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.core.guides import Guide

TURN_DEGREES = 12.0
COPIES = {"none": (0.0,), "turned": (0.0, TURN_DEGREES, -TURN_DEGREES)}  # by the setting `turns`: degrees


def turned(grid: Tensor, degrees: float, mode: str = "bilinear") -> Tensor:
    """A grid (C,H,W) turned about its middle (clockwise), of the same size; what lies outside is
    mirrored in. mode: how it is sampled, "bilinear" or "nearest".
    """
    if degrees == 0:
        return grid
    height, width = grid.shape[1:]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rows = [[cosine, sine * height / width, 0], [-sine * width / height, cosine, 0]]
    affine = torch.tensor([rows], device=grid.device, dtype=grid.dtype)
    where = F.affine_grid(affine, [1, 1, height, width], align_corners=False)
    sampled = F.grid_sample(grid[None], where, mode, "reflection", align_corners=False)
    return sampled[0]


def style_copies(style: Tensor, guide: Guide | None, turns: str) -> list[tuple[Tensor, Guide | None]]:
    """The style picture (1,3,H,W) and its guide, as they are and then in every turn of the setting `turns`.

    A place in the face turns with the picture: its own numbers stay.
    """

    def turned_guide(degrees: float) -> Guide | None:
        if guide is None:
            return None
        position = None if guide.position is None else turned(guide.position, degrees)
        labels = turned(guide.labels[None].float(), degrees, "nearest")[0].to(guide.labels.dtype)
        return Guide(labels, guide.vectors, position)

    return [(turned(style[0], degrees)[None], turned_guide(degrees)) for degrees in COPIES[turns]]
