"""`compact`: our own texture network, VGG-19's layout at a quarter of its width, trained by
`training/texture.py`.
"""

from __future__ import annotations

from facetransfer.base.weights import load_weights
from facetransfer.core.features.layers import VGGLayout

WIDTHS = (16, 32, 64, 128)
MEAN, STD = (0.48, 0.46, 0.42), (0.27, 0.26, 0.27)  # of the input, RGB in [0, 1]


def load() -> VGGLayout:
    """The trained network, from the weights that ship with the program."""
    network = VGGLayout(WIDTHS, MEAN, STD)
    network.load_state_dict(load_weights("texture"))
    return network
