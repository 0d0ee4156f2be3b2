"""One phase: the work at one size. What does not change while it runs is computed once, here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.base.images import MIN_SIDE
from facetransfer.base.settings import GATYS, SEMANTIC, TransferSettings
from facetransfer.core.features import LAYERS, VGGLayout, stride_of
from facetransfer.core.guides import GridGuide, Guide
from facetransfer.core.losses import MIN_SCALE, ContentLoss
from facetransfer.core.matching import guide_channels, match_vectors, stacked


def style_layers_of(settings: TransferSettings) -> list[str]:
    """Coarse to fine: a layer's matches are guesses for the next, and those of the last also say which pixels
    a place should have.
    """
    return sorted(settings.style_layers.split(","), key=LAYERS.index, reverse=True)


def phases_that_fit(phases: int, content: tuple[int, ...], style: tuple[int, ...]) -> int:
    """The wanted number of phases, or as many as keep the smallest side of both (height, width) at MIN_SIDE
    pixels.
    """
    smallest = min(*content, *style)
    fitting = 1
    while smallest / 2**fitting >= MIN_SIDE:
        fitting += 1
    return min(phases, fitting)


def shrunk_size(size: tuple[int, ...], scale: float) -> list[int]:
    """(height, width) at `scale`, no side under MIN_SIDE."""
    return [max(MIN_SIDE, round(n * scale)) for n in size]


def shrunk(picture: Tensor, scale: float) -> Tensor:
    """A picture (1,C,H,W) at `scale` <= 1 of its size, each pixel the mean of those it covers."""
    return (
        picture
        if scale == 1
        else F.interpolate(picture, size=shrunk_size(picture.shape[-2:], scale), mode="area")
    )


def as_cells(picture: Tensor, stride: int) -> Tensor:
    """A picture (1,3,H,W) as cells of a layer: (3*stride*stride,ceil(H/stride),ceil(W/stride)), a cell its
    stride x stride pixels.
    """
    height, width = picture.shape[-2:]
    if height % stride or width % stride:
        picture = F.pad(picture, (0, -width % stride, 0, -height % stride), mode="replicate")
    return F.pixel_unshuffle(picture, stride)[0]


def pixels_per_cell(cells: Tensor) -> int:
    """The stride of `as_cells` that made cells (3*stride*stride,h,w)."""
    return int((cells.shape[0] / 3) ** 0.5)


def pixels_of(cells: Tensor, size: tuple[int, ...]) -> Tensor:
    """The picture (1,3,H,W), channels last, whose cells these are: `as_cells` the other way round. size: its
    (height, width).
    """
    return F.pixel_shuffle(cells[None], pixels_per_cell(cells))[..., : size[0], : size[1]].contiguous(
        memory_format=torch.channels_last
    )


def guiding_weights(settings: TransferSettings) -> tuple[float, float]:
    """Semantic and position weight, as far as the method follows guides: mrf has them to measure
    its leak by.
    """
    return (settings.semantic_weight, settings.position_weight) if settings.method == SEMANTIC else (0.0, 0.0)


@dataclass(frozen=True)
class StyleLayer:
    """The style picture on one layer: features (C,H,W), their mean square, and the guides on both pictures'
    grids.

    Features and guide of a style in several copies are `stacked`. What every search needs alike: keys
    (D,H,W), the style's `matching.match_vectors`, and result_channels (G,h,w), the result's
    `matching.guide_channels`; None for the method gatys.
    """

    features: Tensor
    scale: Tensor
    result_guide: GridGuide | None
    style_guide: GridGuide | None
    keys: Tensor | None
    result_channels: Tensor | None


@dataclass(frozen=True)
class Phase:
    """size (height, width) of the result in this phase. content_losses, by layer, are none where there is no
    content.
    """

    size: tuple[int, int]
    content_losses: dict[str, ContentLoss]
    style_layers: dict[str, StyleLayer]  # coarse to fine
    style_cells: Tensor  # (3*s*s,h,w), see `as_cells`, s the stride of the last layer
    copies: int  # of the style

    @property
    def finest_layer(self) -> str:
        """The name of the last style layer, whose matches also say which pixels a place should have."""
        return list(self.style_layers)[-1]

    @property
    def stride(self) -> int:
        """Pixels per cell of the last layer."""
        return pixels_per_cell(self.style_cells)


def _layer_guides(
    result: Guide | None,
    size: tuple[int, ...],
    stride: int,
    styles: list[Guide | None],
    grids: list[Tensor],
) -> tuple[GridGuide | None, GridGuide | None]:
    """The guides on a layer's grids, by its stride: of the result of `size`, and of the styles, stacked."""
    there = [guide.on_grid(*grid.shape[1:]) for grid, guide in zip(grids, styles) if guide is not None]
    if result is None or not there:
        return None, None
    positions = [guide.position for guide in there if guide.position is not None]
    style = GridGuide(stacked([guide.classes for guide in there]), stacked(positions) if positions else None)
    return result.on_grid(-(-size[0] // stride), -(-size[1] // stride)), style


@torch.no_grad()
def prepare_phase(
    network: VGGLayout,
    size: tuple[int, int],
    content: Tensor | None,
    copies: list[tuple[Tensor, Guide | None]],
    result_guide: Guide | None,
    settings: TransferSettings,
    scale: float,
) -> Phase:
    """The phase at `scale` of the full size (height, width); pictures (1,3,H,W) and guides are shrunk from
    the originals.
    """
    height, width = shrunk_size(size, scale) if scale != 1 else size
    content_losses = {}
    if content is not None:
        content_losses = {
            n: ContentLoss(f[0])
            for n, f in network(shrunk(content, scale), settings.content_layers.split(",")).items()
        }
    names = style_layers_of(settings)
    layers: dict[str, StyleLayer] = {}
    styles = [(shrunk(style, scale), guide) for style, guide in copies]
    found = [network(style, names) for style, _ in styles]
    for name in names:
        grids, stride = [f[name][0] for f in found], stride_of(name)
        guides = _layer_guides(result_guide, (height, width), stride, [guide for _, guide in styles], grids)
        features, keys, channels = stacked(grids), None, None
        if settings.method != GATYS:
            weights = guiding_weights(settings)
            keys = match_vectors(features, guides[1], *weights, style=True, copies=len(copies))
            grid = -(-height // stride), -(-width // stride)
            channels = guide_channels(
                grid, features.device, guides[0], *weights, style=False, copies=len(copies)
            )
        layers[name] = StyleLayer(
            features, grids[0].square().mean().clamp_min(MIN_SCALE), *guides, keys, channels
        )
    cells = stacked([as_cells(style, stride_of(names[-1])) for style, _ in styles])
    return Phase((height, width), content_losses, layers, cells, len(copies))
