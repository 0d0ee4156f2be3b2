"""The network of our own face parser: a small residual encoder, a feature pyramid, logits at half the input's
size.

Plain 3x3 convolutions rather than separable ones: at this size they run faster on a CPU, forward and
backward.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

STEM = 16  # channels at 1/2
STAGES = ((48, 2), (96, 3), (160, 3), (224, 2))  # channels, residual blocks, at 1/4, 1/8, 1/16, 1/32
PYRAMID = 64
STRIDE = 32  # heights and widths are padded to a multiple of this
MEAN, STD = (0.45, 0.42, 0.40), (0.28, 0.27, 0.27)  # of the input, RGB in [0, 1]


def _conv(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class CompactParserNetwork(nn.Module):
    """Pictures (B,3,H,W) RGB in [0,1], H and W multiples of 32, to logits (B,classes,H/2,W/2)."""

    mean: Tensor
    std: Tensor

    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.stem = _conv(3, STEM, stride=2)
        channels, stages = STEM, []
        for width, blocks in STAGES:
            stages.append(
                nn.Sequential(_conv(channels, width, stride=2), *(_Residual(width) for _ in range(blocks)))
            )
            channels = width
        self.stages = nn.ModuleList(stages)
        # The whole picture's mean tells a crop of a face from a street with a face in it.
        self.context = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, PYRAMID, 1), nn.ReLU(inplace=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, PYRAMID, 1) for width, _ in STAGES)
        self.smooth = nn.ModuleList(_conv(PYRAMID, PYRAMID) for _ in STAGES)
        self.to_half = nn.Conv2d(PYRAMID, STEM, 1)
        self.fuse = _conv(2 * STEM, 32)
        self.logits = nn.Conv2d(32, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        half = self.stem((pictures - self.mean) / self.std)
        levels, x = [], half
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        top = self.context(x)
        for level, lateral, smooth in zip(reversed(levels), reversed(self.lateral), reversed(self.smooth)):
            top = smooth(lateral(level) + F.interpolate(top, size=level.shape[-2:], mode="nearest"))
        up = F.interpolate(self.to_half(top), size=half.shape[-2:], mode="bilinear", align_corners=False)
        return self.logits(self.fuse(torch.cat((up, half), 1)))

    def folded(self) -> CompactParserNetwork:
        """The same network in eval mode, with each normalisation folded into the preceding convolution: it
        computes the same logits faster.
        """
        for block in [m for m in self.modules() if isinstance(m, nn.Sequential)]:
            for i, (layer, after) in enumerate(zip(block[:-1], block[1:])):
                if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                    block[i], block[i + 1] = fuse_conv_bn_eval(layer, after), nn.Identity()
        return self
