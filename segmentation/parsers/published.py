"""`bisenet` and `parsenet`: the published face parsers as facexlib has them, behind our own first look that
finds the face.

BiSeNet: Yu et al. 2018, trained on CelebAMask-HQ by zllrunning; ParseNet: from GFPGAN's authors. Weights come
from facexlib's own releases into torch's cache, once and on request, or from a file. No hash of theirs is
published: the one of the download is remembered beside it. A file is read without running anything in it and
must have exactly the network's tensors.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facetransfer.base.errors import InputError, shortened
from facetransfer.base.weights import check_remembered, published_weights, remember_sha256
from segmentation.classes import INDEX
from segmentation.parsers.compact import CompactParser
from segmentation.parsers.compact import load as load_compact
from segmentation.parsers.crop import Square

SIDE = 512  # pixels of the square that both were trained on
RELEASES = "https://github.com/xinntao/facexlib/releases/download"


@dataclass(frozen=True)
class PublishedNetwork:
    """What a published network expects.

    order: our class names in its numbering. margin: the side of its square, in lengths of the face.
    """

    address: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    order: tuple[str, ...]
    margin: float = 1.9


NETWORKS = {
    "bisenet": PublishedNetwork(
        f"{RELEASES}/v0.2.0/parsing_bisenet.pth",
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
        tuple(
            (
                "background skin l_brow r_brow l_eye r_eye eye_glasses l_ear r_ear earring nose mouth u_lip "
                "l_lip neck necklace cloth hair hat"
            ).split()
        ),
    ),
    "parsenet": PublishedNetwork(
        f"{RELEASES}/v0.2.2/parsing_parsenet.pth",
        (0.5,) * 3,
        (0.5,) * 3,
        tuple(
            (
                "background skin nose eye_glasses l_eye r_eye l_brow r_brow l_ear r_ear mouth u_lip l_lip "
                "hair hat earring necklace neck cloth"
            ).split()
        ),
    ),
}


@dataclass(frozen=True)
class SquareParser:
    """A published network that sees a square of a picture (H,W,3) uint8 and returns class probabilities
    (19,SIDE,SIDE) in our numbering.
    """

    network: nn.Module
    kind: PublishedNetwork
    device: str

    def __call__(self, rgb: np.ndarray, square: Square) -> Tensor:
        seen = torch.from_numpy(square.cut(rgb, SIDE)).to(self.device).permute(2, 0, 1)[None].float() / 255
        mean, std = (
            torch.tensor(v, device=self.device).view(1, 3, 1, 1) for v in (self.kind.mean, self.kind.std)
        )
        found = self.network((seen - mean) / std)[0][0].softmax(0)
        return found[[self.kind.order.index(name) for name in INDEX]].cpu()


def build(name: str) -> nn.Module:
    """The network with untrained weights. Raises InputError where its package is not installed."""
    try:
        from facexlib.parsing import BiSeNet, ParseNet  # only here: heavy
    except ImportError:
        raise InputError(
            f"the parser {name} needs the package facexlib, which is not installed here: choose the parser "
            f"compact, or pip install 'facetransfer[published]'"
        ) from None

    return (
        BiSeNet(num_class=19) if name == "bisenet" else ParseNet(in_size=SIDE, out_size=SIDE, parsing_ch=19)
    )


def load(name: str, device: str, file: str | None = None) -> CompactParser:
    """The parser with its weights. Raises InputError where they are missing, cannot be downloaded, or belong
    to another network.
    """
    if file and not Path(file).exists():
        raise InputError(
            f"{file} does not exist: check the name, or leave it out and the weights are downloaded"
        )
    kind, network = NETWORKS[name], build(name)  # before anything is downloaded for it
    path = Path(file) if file else downloaded(name)
    if not file:
        check_remembered(path)
    state = published_weights(path)
    try:
        network.load_state_dict(state, strict=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} has not the weights of {name} ({shortened(str(error), 80)}): download it from "
            f"{kind.address}"
        ) from None
    compact = load_compact(device)
    square = SquareParser(network.eval().requires_grad_(False).to(device), kind, device)
    return CompactParser(compact.network, device, (kind.margin, square))


def downloaded(name: str) -> Path:
    """The path of the weights in torch's cache, after they were downloaded where necessary, with a progress
    bar.
    """
    address = NETWORKS[name].address
    path = Path(torch.hub.get_dir()) / "checkpoints" / address.rsplit("/", 1)[1]
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(address, os.fspath(path), progress=True)
            remember_sha256(path)
        except OSError as error:
            raise InputError(
                f"the weights of {name} could not be downloaded ({getattr(error, 'reason', error)}): choose "
                f"the parser compact, or try again with a connection, or put the file from {address} into "
                f"hub/checkpoints in torch's cache folder (TORCH_HOME)"
            ) from None
    return path
