"""The content in the style's light: each class at the style's mean and contrast, colour by colour, before patches are searched for.

Gatys et al. 2016 (arXiv 1606.05897, section 3.1) move the whole style's colours to the content's; here it is the content
that moves, class by class. A patch is then found for how bright a place is within its part of the face, not for how bright the
photo is: evenly lit skin takes evenly lit patches, and white cloth may become black.
"""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.guides import Guide

CONTRAST = 0.5, 2.0  # a class's contrast is brought to the style's within these times its own
KIN = 0.3  # a class that the style lacks moves to the classes that are akin by this much at least
BORDER = 1 / 100  # of the shorter side: how wide the border between two classes is blended


@torch.no_grad()
def toned(content: Tensor, style: Tensor, guides: tuple[Guide, Guide], share: float) -> Tensor:
    """The content (1,3,H,W) in [0,1] with the tones of the style (1,3,h,w), where `share` in [0,1] is how far it goes.

    A class of the content's guide that the style's has no kin of keeps its tones.
    """
    if not share:
        return content
    here, there = (_at(guide.classes, picture) for guide, picture in zip(guides, (content, style)))
    strongest, total, weights = here.argmax(0), torch.zeros_like(content), torch.zeros_like(content[:, :1])
    for k in strongest.unique().tolist():
        inside = strongest == k
        like = there[k] >= max(KIN, there[k].max().item() - 1e-3)
        moved = content
        if like.any():
            own, wanted = content[0][:, inside], style[0][:, like]
            contrast = (_deviation(wanted) / _deviation(own).clamp_min(1e-3)).clamp(*CONTRAST)
            moved = (content - own.mean(1).view(1, 3, 1, 1)) * contrast.view(1, 3, 1, 1) + wanted.mean(1).view(1, 3, 1, 1)
        weight = _blurred(inside[None, None].to(content.dtype))
        total, weights = total + weight * moved, weights + weight
    return (content + share * (total / weights - content)).clamp(0, 1)


def _at(classes: Tensor, picture: Tensor) -> Tensor:
    """Channels (K,h,w) at the picture's size."""
    return classes if classes.shape[1:] == picture.shape[2:] else F.interpolate(classes[None], size=picture.shape[2:], mode="nearest")[0]


def _deviation(pixels: Tensor) -> Tensor:
    """Of pixels (3,N), (3,)."""
    return pixels.var(1, correction=0).sqrt()


def _blurred(mask: Tensor) -> Tensor:
    """(1,1,H,W), each the mean of a square around it that ends at the rim."""
    radius = max(1, round(min(mask.shape[-2:]) * BORDER))
    return F.avg_pool2d(mask, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
