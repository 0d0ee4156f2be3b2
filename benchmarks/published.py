"""The method exactly as published (Champandard 2016), as the thing to compare with: every pair of windows at
every evaluation, window vectors instead of shifted sums, the loss over windows instead of votes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.core.features import VGGLayout, stride_of
from facetransfer.core.guides import Guide
from facetransfer.core.losses import ContentLoss, smoothness_loss
from facetransfer.core.matching import WINDOW, match_vectors

STYLE_LAYERS, CONTENT_LAYER = ("3_1", "4_1"), "4_2"
CHUNK = 2048  # windows of the result compared at once


def window_rows(cells: Tensor) -> Tensor:
    """Cell vectors (D,h,w) as windows, one row each: ((h-2)*(w-2), 9D), the nine cells one after another."""
    return (
        cells.permute(1, 2, 0)
        .unfold(0, WINDOW, 1)
        .unfold(1, WINDOW, 1)
        .permute(0, 1, 3, 4, 2)
        .reshape(-1, WINDOW * WINDOW * cells.shape[0])
    )


class PublishedLoss:
    """Loss of a picture as published: content 10, style 25, smoothness 1, semantic weight 10."""

    def __init__(
        self,
        network: VGGLayout,
        content: Tensor,
        style: Tensor,
        guides: tuple[Guide, Guide],
        layers: tuple[str, ...] = STYLE_LAYERS,
    ) -> None:
        self.network, self.layers = network, layers
        with torch.no_grad():
            self.content = ContentLoss(network(content, (CONTENT_LAYER,))[CONTENT_LAYER][0])
            self.style = {n: f[0] for n, f in network(style, layers).items()}
        self.guides = {
            n: (
                guides[0].on_grid(*(-(-side // stride_of(n)) for side in content.shape[-2:])),
                guides[1].on_grid(*f.shape[1:]),
            )
            for n, f in self.style.items()
        }
        self.keys = {
            n: window_rows(match_vectors(f, self.guides[n][1], 10, 0, style=True))
            for n, f in self.style.items()
        }
        self.windows = {n: window_rows(f) for n, f in self.style.items()}

    def __call__(self, picture: Tensor) -> Tensor:
        found = self.network(picture, (*self.layers, CONTENT_LAYER))
        total = 10 * self.content(found[CONTENT_LAYER][0]) + smoothness_loss(picture)
        for name in self.layers:
            features = found[name][0]
            with torch.no_grad():
                query = window_rows(match_vectors(features, self.guides[name][0], 10, 0, style=False))
                nearest = torch.cat([(part @ self.keys[name].T).argmax(1) for part in query.split(CHUNK)])
            total = total + 25 / len(self.layers) * F.mse_loss(
                window_rows(features), self.windows[name][nearest]
            )
        return total
