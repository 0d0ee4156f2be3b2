"""`seeded`: the layout of `compact` with random weights, always the same ones. For tests, and to see what training adds."""

from __future__ import annotations

import torch
from torch import nn

from facetransfer.core.features.compact import MEAN, STD, WIDTHS
from facetransfer.core.features.layers import VGGLayout


def load() -> VGGLayout:
    """A network whose weights depend on nothing but this file."""
    network, generator = VGGLayout(WIDTHS, MEAN, STD), torch.Generator().manual_seed(0)
    for conv in network.convs.values():
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(conv.bias)
    return network
