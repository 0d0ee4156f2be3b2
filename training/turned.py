"""Heads turned aside, up to the profile and a little beyond it, with exact maps: modelled, and given the
skins of labelled portraits.

    python -m training.turned --labelled DIR --others DIR [DIR ...] --count 300 --out runs/turned

Sitters of chance (`training.sitters`) are rendered before other pictures; most are then given the skin, hair
and light of a labelled portrait by the program's own core, guided by the exact map. The result is a folder of
images/ and masks/ for `python -m training.parser --extra`. What is there already is kept: the same command
goes on; --from and --count share it among processes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from facetransfer.base.images import fit, open_picture, save_picture, to_image, to_tensor
from facetransfer.base.settings import TransferSettings
from facetransfer.core.engine import transfer
from segmentation.guidance import guides_of
from segmentation.semantic_map import SemanticMap
from training.face_pictures import WITH_FACES, labelled_faces, read_labels, sides_mended
from training.sitters import Sitter

SIDE = 256  # of the pictures made
LEAST, MOST = 20, 105  # degrees
PLAIN = 0.3  # share left as rendered, beside the statues


def turned(
    number: int, portraits: list[tuple[Path, Path]], others: list[Path]
) -> tuple[Image.Image, SemanticMap]:
    """The picture of that number and its map."""
    rng = np.random.default_rng(number)
    turn = rng.uniform(LEAST, MOST) * rng.choice((-1, 1))
    behind = np.asarray(
        ImageOps.fit(open_picture(others[rng.integers(len(others))]).convert("RGB"), (SIDE, SIDE))
    )
    sitter = Sitter(number)
    plain = sitter.statue or rng.random() < PLAIN
    with torch.no_grad():
        rgb, labels = sitter.seen(SIDE, turn, behind, factor=2 if plain else 1)  # new skin hides jagged edges
    truth = SemanticMap(labels)
    if plain:
        return Image.fromarray(rgb), truth
    image, mask = portraits[rng.integers(len(portraits))]
    style, style_map = (
        fit(open_picture(image), SIDE),
        SemanticMap(sides_mended(read_labels(mask))).resized((SIDE, SIDE)),
    )
    settings = TransferSettings(
        size=SIDE,
        phases=2,
        iterations=int(rng.integers(15, 40)),
        style_weight=float(rng.uniform(8, 30)),
        seed=number,
    )
    return to_image(
        transfer(to_tensor(Image.fromarray(rgb)), to_tensor(style), guides_of(truth, style_map), settings)
    ), truth


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--labelled", type=Path, required=True, help="folder with images/ and masks/")
    options.add_argument(
        "--others",
        type=Path,
        nargs="+",
        required=True,
        help="folders of pictures without faces, for backgrounds",
    )
    options.add_argument("--from", type=int, default=0, dest="first", help="number of the first")
    options.add_argument("--count", type=int, default=300)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--out", type=Path, default=Path("runs/turned"))
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    for name in ("images", "masks"):
        (args.out / name).mkdir(parents=True, exist_ok=True)
    portraits, _ = labelled_faces(args.labelled)
    others = sorted(
        p for folder in args.others for p in folder.rglob("*.jpg") if p.parent.name not in WITH_FACES
    )
    for number in range(args.first, args.first + args.count):
        target = args.out / "images" / f"{number}.png"
        if target.exists():
            continue
        picture, truth = turned(number, portraits, others)
        truth.save(args.out / "masks" / target.name)
        save_picture(picture, target)
        print(f"{number + 1} of {args.first + args.count}", flush=True)


if __name__ == "__main__":
    main()
