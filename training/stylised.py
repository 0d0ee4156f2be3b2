"""Labelled faces in other skins, made by the program's own core: paintings and creatures whose maps are
known.

    python -m training.stylised --labelled DIR --faces DIR --textures DIR --count 120 --out runs/stylised

`--faces` are pictures of faces in other skins, guided by the maps beside them (`_sem.png`) or the parser's;
`--textures` give their texture alone. The result is a folder of images/ and masks/ for `python -m
training.parser --extra`. What is there already is kept: the same command goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from facetransfer.base.images import fit, open_picture, save_picture, to_image, to_tensor
from facetransfer.base.settings import TransferSettings
from facetransfer.core.engine import transfer
from segmentation.guidance import guides_of
from segmentation.map_files import map_path, read_map
from segmentation.parsers import load_parser
from segmentation.semantic_map import SemanticMap
from training.face_pictures import labelled_faces, read_labels

SIDE = 256  # of the pictures made
WITH_FACE = 0.75  # share made from another face rather than from a texture


def style_map(path: Path, picture: Image.Image) -> SemanticMap:
    """The map beside the picture, or else the parser's."""
    return read_map(map_path(path)) if map_path(path).exists() else load_parser()(picture).semantic


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--labelled", type=Path, required=True, help="folder with images/ and masks/")
    options.add_argument(
        "--faces", type=Path, nargs="+", required=True, help="pictures of faces in other skins"
    )
    options.add_argument("--textures", type=Path, required=True, help="folder of textures")
    options.add_argument("--count", type=int, default=120)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--out", type=Path, default=Path("runs/stylised"))
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    for name in ("images", "masks"):
        (args.out / name).mkdir(parents=True, exist_ok=True)

    faces = [
        (picture := fit(open_picture(path), SIDE), style_map(path, picture).resized(picture.size))
        for path in args.faces
    ]
    textures = sorted(args.textures.rglob("*.jpg"))
    training, _ = labelled_faces(args.labelled)
    for number in range(args.count):
        rng = np.random.default_rng(number)
        image, mask = training[rng.integers(len(training))]
        target = args.out / "images" / f"{number}-{image.stem}.png"
        if target.exists():
            continue
        content, truth = fit(open_picture(image), SIDE), SemanticMap(read_labels(mask)).resized((SIDE, SIDE))
        settings = TransferSettings(
            size=SIDE,
            phases=2,
            iterations=int(rng.integers(15, 40)),
            style_weight=float(rng.uniform(10, 40)),
            seed=number,
        )
        if rng.random() < WITH_FACE:
            style, semantic = faces[rng.integers(len(faces))]
            guides = guides_of(truth, semantic)
        else:
            style, guides = fit(open_picture(textures[rng.integers(len(textures))]), SIDE), None
        result = transfer(to_tensor(content), to_tensor(style), guides, settings)
        truth.save(args.out / "masks" / f"{target.stem}.png")
        save_picture(to_image(result), target)
        print(f"{number + 1} of {args.count}", flush=True)


if __name__ == "__main__":
    main()
