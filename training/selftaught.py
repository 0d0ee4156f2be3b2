"""Maps made by the parser itself as more training data (self-training: Xie et al. 2020, "noisy student").

    python -m training.selftaught --pictures DIR [DIR ...] --out runs/selftaught

The parser sees each picture as it is; training shows it scaled, turned and recoloured. What the parser is
unsure of stays open. Give `--out` to `training.parser` as `--extra`. Goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facetransfer.base.images import open_picture
from segmentation.classes import INDEX
from segmentation.parsers import load_parser
from training.face_pictures import IGNORE

SURE = 0.6  # of the winning class's probability
DOUBTED = [
    INDEX[n] for n in ("earring", "necklace")
]  # half of what the parser calls one is none: stays open too
SIDE = 512  # pixels, as the labelled faces have


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--pictures", type=Path, nargs="+", required=True, help="folders of pictures with a face each"
    )
    options.add_argument("--most", type=int, default=500, help="pictures taken from a folder")
    options.add_argument("--out", type=Path, required=True)
    args = options.parse_args()
    parse = load_parser("compact")
    for part in ("images", "masks"):
        (args.out / part).mkdir(parents=True, exist_ok=True)
    for folder in args.pictures:
        paths = sorted(folder.glob("*.jpg"))
        for path in paths[:: max(1, len(paths) // args.most)][: args.most]:
            mask = args.out / "masks" / f"{folder.name}_{path.stem}.png"
            if mask.exists():
                continue
            picture = open_picture(path)
            scale = SIDE / max(picture.size)
            picture = picture.resize([round(n * scale) for n in picture.size], Image.Resampling.LANCZOS)
            found = parse(picture)
            if not found.faces:
                continue
            labels = found.semantic.labels
            labels = np.where((found.confidence > SURE) & ~np.isin(labels, DOUBTED), labels, IGNORE).astype(
                np.uint8
            )
            picture.save(args.out / "images" / f"{mask.stem}.jpg", quality=92)
            cv2.imwrite(str(mask), labels)
            print(mask.stem, f"{(labels != IGNORE).mean():.0%} known", flush=True)


if __name__ == "__main__":
    main()
