"""`vgg19`: the published network (Simonyan and Zisserman 2014), torchvision's weights IMAGENET1K_V1 (548 MB).

Downloaded once, on request, into torch's own cache (TORCH_HOME), with progress. Checked by the hash in its
name whenever it is read, and read without running anything in it.
"""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import torch

from facetransfer.base.errors import InputError
from facetransfer.base.weights import check_sha256, published_weights
from facetransfer.core.features.layers import LAYERS, VGGLayout

WIDTHS = (64, 128, 256, 512)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CONVS = (
    0,
    2,
    5,
    7,
    10,
    12,
    14,
    16,
    19,
    21,
)  # where torchvision's `features` has the ten convolutions up to conv4_2


def from_torchvision(state: dict[str, torch.Tensor]) -> VGGLayout:
    """The network with the weights of a state dict in torchvision's naming."""
    network = VGGLayout(WIDTHS, MEAN, STD)
    network.load_state_dict(
        {
            f"convs.{name}.{part}": state[f"features.{i}.{part}"]
            for name, i in zip(LAYERS, CONVS)
            for part in ("weight", "bias")
        }
    )
    return network


def load() -> VGGLayout:
    """The published network. Raises InputError when the weights are neither in the cache nor to be had, or
    the package that knows their address is not installed.
    """
    try:
        from torchvision.models import VGG19_Weights  # only here: it takes a second to import
    except ImportError:
        raise InputError(
            "the network vgg19 needs the package torchvision, which is not installed here: choose the "
            "network compact, or pip install 'facetransfer[published]'"
        ) from None

    address = VGG19_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / address.rsplit("/", 1)[1]
    beginning = path.stem.rsplit("-", 1)[1]
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(address, str(path), beginning, progress=True)
        except (URLError, OSError, RuntimeError) as error:
            raise InputError(
                f"the weights of vgg19 could not be downloaded ({getattr(error, 'reason', error)}): choose "
                f"the network compact, or try again with a connection, or put the file from {address} into "
                f"hub/checkpoints in torch's cache folder (TORCH_HOME)"
            ) from None
    check_sha256(path, beginning)
    return from_torchvision(published_weights(path))
