"""Keeping the content's colours: the work is done on light and dark alone (Gatys et al. 2016, arXiv 1606.05897, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def luminance(picture: Tensor) -> Tensor:
    """(1,3,H,W) in [0,1] to (1,1,H,W)."""
    return (picture * torch.tensor(LUMA, device=picture.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def grays_of(content: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures in gray, (1,3,H,W); the style's brightness and contrast are moved to the content's."""
    here, there = luminance(content), luminance(style)
    there = (there - there.mean()) / there.std().clamp_min(1e-4) * here.std() + here.mean()
    return here.expand_as(content).contiguous(), there.clamp(0, 1).expand_as(style).contiguous()


def with_colours_of(picture: Tensor, coloured: Tensor) -> Tensor:
    """The picture's light and dark in the other's colours; both (1,3,H,W) of one size."""
    return (coloured + luminance(picture) - luminance(coloured)).clamp(0, 1)
