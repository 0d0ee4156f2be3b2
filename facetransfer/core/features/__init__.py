"""Feature networks: one file each, its name is its key. Frozen and without state: any number of runs can
share one.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from facetransfer.base.settings import NETWORKS
from facetransfer.core.features.layers import LAYERS, VGGLayout, stride_of

__all__ = ["LAYERS", "VGGLayout", "load_network", "stride_of"]


@lru_cache(maxsize=4)
def load_network(name: str, device: str = "cpu") -> VGGLayout:
    """The network called `name` (see settings.NETWORKS), frozen, in channels-last layout on `device`."""
    import torch

    if name not in NETWORKS:
        raise ValueError(f"no feature network is called {name!r}: choose from {', '.join(NETWORKS)}")
    network = import_module(f"{__name__}.{name}").load()
    return network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
