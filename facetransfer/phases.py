"""One phase: the work at one size. What does not change while it runs is computed once, here."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.features import VGGLayout, stride_of
from facetransfer.guides import Guide
from facetransfer.images import MIN_SIDE
from facetransfer.losses import ContentLoss

STYLE_LAYERS = ("4_1", "3_1", "2_1")  # coarse to fine: a layer's matches are guesses for the next
CONTENT_LAYER = "4_2"
COLOUR_LAYER = STYLE_LAYERS[-1]  # whose matches also say which pixels a place should have


def phases_that_fit(phases: int, content: tuple[int, int], style: tuple[int, int]) -> int:
    """The wanted number of phases, or as many as keep the smallest side of both (height, width) at MIN_SIDE pixels."""
    smallest = min(*content, *style)
    fitting = 1
    while smallest / 2 ** fitting >= MIN_SIDE:
        fitting += 1
    return min(phases, fitting)


def shrunk(picture: Tensor, scale: float) -> Tensor:
    """A picture (1,3,H,W) at `scale` <= 1 of its size, each pixel the mean of those it covers."""
    if scale == 1:
        return picture
    return F.interpolate(picture, size=[max(MIN_SIDE, round(n * scale)) for n in picture.shape[-2:]], mode="area")


def as_cells(picture: Tensor) -> Tensor:
    """A picture (1,3,H,W) as cells of the colour layer: (3*s*s,ceil(H/s),ceil(W/s)), s its stride, a cell its s x s pixels."""
    s = stride_of(COLOUR_LAYER)
    height, width = picture.shape[-2:]
    return F.pixel_unshuffle(F.pad(picture, (0, -width % s, 0, -height % s), mode="replicate"), s)[0]


@dataclass(frozen=True)
class StyleLayer:
    """The style picture on one layer: features (C,H,W), their mean square, and the guides on both pictures' grids."""

    features: Tensor
    scale: Tensor
    result_guide: Guide | None
    style_guide: Guide | None


@dataclass(frozen=True)
class Phase:
    """size (height, width) of the result in this phase."""

    size: tuple[int, int]
    content: Tensor  # (1,3,H,W)
    content_loss: ContentLoss
    style_layers: dict[str, StyleLayer]
    style_cells: Tensor  # (12,h,w), see `as_cells`


@torch.no_grad()
def prepare_phase(network: VGGLayout, content: Tensor, style: Tensor, guides: tuple[Guide, Guide] | None, scale: float) -> Phase:
    """The phase at `scale` of the full pictures (1,3,H,W); pictures and guides are shrunk from the originals."""
    content, style = shrunk(content, scale), shrunk(style, scale)
    content_features = network(content, (CONTENT_LAYER,))[CONTENT_LAYER][0]
    found, layers = network(style, STYLE_LAYERS), {}
    height, width = content.shape[-2:]
    for name in STYLE_LAYERS:
        features, stride = found[name][0].contiguous(), stride_of(name)
        grids = None
        if guides is not None:
            grids = guides[0].on_grid(-(-height // stride), -(-width // stride)), guides[1].on_grid(*features.shape[1:])
        layers[name] = StyleLayer(features, features.square().mean().clamp_min(1e-8), *(grids or (None, None)))
    return Phase((height, width), content, ContentLoss(content_features), layers, as_cells(style))
