"""The layout that every feature network here shares: VGG-19's convolutions up to conv4_2, whatever their
width.

Simonyan and Zisserman 2014 (arXiv 1409.1556) with average pooling instead of maximum pooling (Gatys et al.
2015) and replicated borders, so that a picture's rim looks like its inside and gets no frame.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facetransfer.base.settings import LAYERS


def stride_of(layer: str) -> int:
    """Pixels of the picture per feature cell of `layer`: 1, 2, 4 or 8."""
    return 2 ** (int(layer[0]) - 1)


class VGGLayout(nn.Module):
    """`widths` are the channels of the four blocks: (64, 128, 256, 512) is VGG-19, a quarter of it is
    `compact`.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, widths: tuple[int, int, int, int], mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.convs, channels = nn.ModuleDict(), 3
        self._cast: dict[tuple[torch.dtype, torch.device], dict[str, tuple[Tensor, Tensor]]] = {}
        for name in LAYERS:
            width = widths[int(name[0]) - 1]
            self.convs[name] = nn.Conv2d(channels, width, 3)
            channels = width

    def forward(
        self, pictures: Tensor, layers: Iterable[str], dtype: torch.dtype = torch.float32
    ) -> dict[str, Tensor]:
        """Features after ReLU, by layer: (B,C,ceil(H/stride),ceil(W/stride)) in the type `dtype`.

        pictures: (B,3,H,W) RGB in [0,1]. layers: names, each "block_conv". dtype: the type to compute in.
        Raises ValueError for a layer that does not exist.
        """
        wanted = set(layers)
        if unknown := wanted - set(LAYERS):
            raise ValueError(f"layer {sorted(unknown)[0]!r} does not exist: choose from {', '.join(LAYERS)}")
        weights = self._weights(dtype)
        found: dict[str, Tensor] = {}
        x = ((pictures - self.mean) / self.std).to(dtype)
        for name in LAYERS[: max(map(LAYERS.index, wanted)) + 1]:
            if name.endswith("_1") and name != "1_1":
                # An odd last row or column is averaged alone, so that no pixel is left out, whatever the
                # size.
                x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
            x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), *weights[name]))
            if name in wanted:
                found[name] = x
        return found

    def _weights(self, dtype: torch.dtype) -> dict[str, tuple[Tensor, Tensor]]:
        """Weight and bias by layer in the type to compute in. Those of a frozen network are kept once they
        are cast.
        """
        own: dict[str, tuple[Tensor, Tensor]] = {}
        for name, conv in self.convs.items():
            assert isinstance(conv, nn.Conv2d) and conv.bias is not None
            own[name] = conv.weight, conv.bias
        if dtype == torch.float32 or any(weight.requires_grad for weight, _ in own.values()):
            return {name: (weight.to(dtype), bias.to(dtype)) for name, (weight, bias) in own.items()}
        key = dtype, self.mean.device
        if key not in self._cast:
            self._cast[key] = {
                name: (weight.to(dtype), bias.to(dtype)) for name, (weight, bias) in own.items()
            }
        return self._cast[key]
