"""The layout that every feature network here shares: VGG-19's convolutions up to conv4_2, whatever their width.

Simonyan and Zisserman 2014 (arXiv 1409.1556) with average pooling instead of maximum pooling (Gatys et al. 2015) and
replicated borders, so that a picture's rim looks like its inside and gets no frame.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facetransfer.base.settings import LAYERS
from facetransfer.core.features.frozen import FrozenFeatures, Layer, pooled_before


def stride_of(layer: str) -> int:
    """Pixels of the picture per feature cell of `layer`: 1, 2, 4 or 8."""
    return 2 ** (int(layer[0]) - 1)


class VGGLayout(nn.Module):
    """`widths` are the channels of the four blocks: (64, 128, 256, 512) is VGG-19, a quarter of it is `compact`.

    Args of `forward`: pictures (B,3,H,W) RGB in [0,1]; names of layers, each "block_conv"; the type to compute in.
    Returns their features after ReLU, {name: (B,C,ceil(H/stride),ceil(W/stride))}.
    """

    def __init__(
        self, widths: tuple[int, int, int, int], mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.convs, channels = nn.ModuleDict(), 3
        self._kept: dict[tuple[torch.dtype, torch.device], dict[str, Layer]] = {}
        for name in LAYERS:
            width = widths[int(name[0]) - 1]
            self.convs[name] = nn.Conv2d(channels, width, 3, padding=1, padding_mode="replicate")
            channels = width

    def forward(
        self, pictures: Tensor, layers: Iterable[str], arithmetic: torch.dtype = torch.float32
    ) -> dict[str, Tensor]:
        wanted = set(layers)
        if unknown := wanted - set(LAYERS):
            raise ValueError(f"layer {sorted(unknown)[0]!r} does not exist: choose from {', '.join(LAYERS)}")
        names, found = LAYERS[: max(map(LAYERS.index, wanted)) + 1], {}
        if not any(self.convs[name].weight.requires_grad for name in names):
            frozen = FrozenFeatures.apply(
                pictures, self.mean, self.std, self._cast(names, arithmetic), wanted
            )
            return dict(zip([name for name in names if name in wanted], frozen))
        x = (pictures - self.mean) / self.std
        for name in names:
            if pooled_before(name):
                x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
            with torch.autocast(x.device.type, arithmetic, enabled=arithmetic != torch.float32):
                x = F.relu(self.convs[name](x))
            if name in wanted:
                found[name] = x
        return found

    def _cast(self, names: tuple[str, ...], arithmetic: torch.dtype) -> list[Layer]:
        """The layers in the type to compute in: as they are, or copies that are kept, since they do not change."""

        def layer(name: str, weight: Tensor, bias: Tensor) -> Layer:
            turned = weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
            return name, weight.to(arithmetic), turned.to(arithmetic), bias.to(arithmetic)

        key = arithmetic, self.mean.device
        if key not in self._kept:
            self._kept[key] = {n: layer(n, c.weight, c.bias) for n, c in self.convs.items()}
        return [self._kept[key][n] for n in names]
