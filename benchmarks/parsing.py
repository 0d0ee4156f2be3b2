"""How well a parser's maps agree with painted ones: IoU, F1 and boundary F of each class, and seconds per
picture.

    python -m benchmarks.parsing --faces DIR --held-out --json benchmarks/results/parsing.json
    python -m benchmarks.parsing --faces DIR --parser bisenet --json bisenet.json
    python -m benchmarks.parsing --look DIR --sheet sheet.jpg

DIR holds images/N.jpg and masks/N.png (pixel value = class). The whole way is measured, as the app goes it:
the parser gets the picture and nothing else. --held-out: only the faces that `training/parser.py` never
trained on. --look: pictures without masks, only for the contact sheet of pictures and maps.

By group, too: the tone of the skin in three steps of the individual typology angle (Chardon et al. 1991), as
the photo shows it; with glasses, a hat, an open mouth; turned aside. CelebAMask-HQ's masks tell nothing of
age or of beards.

Measured twice: against the masks as painted, and (`sides_mended`) with left and right put right where a mask
has them the wrong way round, as one in fifteen of CelebAMask-HQ's has.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from benchmarks.machine import conditions, write
from facetransfer.base.images import open_picture
from segmentation import PARSERS
from segmentation.classes import CLASSES, INDEX, PALETTE
from segmentation.parsers import Parser, load_parser
from segmentation.semantic_map import SemanticMap
from training.face_pictures import labelled_faces, read_labels, sides_mended

SELDOM = ("earring", "necklace")  # left out of the mean that is compared: hardly any pixels
# Classes that nearly every face shows: what groups of faces are compared by.
COMMON = ("skin", "nose", "l_eye", "r_eye", "l_brow", "r_brow", "u_lip", "l_lip", "hair", "neck")
LIGHT, DARK = 41.0, 10.0  # degrees of the individual typology angle: above is light skin, below is dark
TURNED = 0.08  # sizes of the face that the nose lies beside its middle
TOLERANCE = 2 / 512  # of the longest side: how far a border may lie from the painted one


def borders(labels: np.ndarray, k: int) -> np.ndarray:
    """(H,W) bool: the rim of the pixels of class k."""
    here = (labels == k).astype(np.uint8)
    return (here - cv2.erode(here, np.ones((3, 3), np.uint8))) > 0


def border_counts(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(19,4): border pixels found that are near a painted one, found, painted near a found one, painted."""
    reach = max(1, round(TOLERANCE * max(truth.shape)))
    block, counts = np.ones((2 * reach + 1,) * 2, np.uint8), np.zeros((len(CLASSES), 4))
    for k in np.union1d(np.unique(found), np.unique(truth)):
        a, b = borders(found, k), borders(truth, k)
        near = [cv2.dilate(x.astype(np.uint8), block) > 0 for x in (b, a)]
        counts[k] = (a & near[0]).sum(), a.sum(), (b & near[1]).sum(), b.sum()
    return counts


@dataclass
class Agreement:
    """Of parsed maps with painted ones, over all pixels of all pictures."""

    confusion: np.ndarray = field(default_factory=lambda: np.zeros((len(CLASSES),) * 2))
    edges: np.ndarray = field(default_factory=lambda: np.zeros((len(CLASSES), 4)))

    def add(self, found: np.ndarray, truth: np.ndarray) -> None:
        """(H,W) class numbers each."""
        self.edges += border_counts(found, truth)
        self.confusion += np.bincount(
            truth.ravel().astype(int) * len(CLASSES) + found.ravel(), minlength=self.confusion.size
        ).reshape(self.confusion.shape)

    def common_f1(self) -> float:
        """The mean F1 of the classes that nearly every face shows."""
        by_class = self.figures()["f1"]
        assert isinstance(by_class, dict)
        return float(np.mean([by_class[name] for name in COMMON if name in by_class]))

    def figures(self) -> dict[str, float | dict[str, float]]:
        """Means and, by class, IoU, F1 and boundary F; a class that is painted nowhere does not count."""
        hit, painted, parsed = np.diag(self.confusion), self.confusion.sum(1), self.confusion.sum(0)
        precision, recall = (self.edges[:, i] / np.maximum(self.edges[:, i + 1], 1) for i in (0, 2))
        by_class = {
            "iou": hit / np.maximum(painted + parsed - hit, 1),
            "f1": 2 * hit / np.maximum(painted + parsed, 1),
            "boundary_f": 2 * precision * recall / np.maximum(precision + recall, 1e-9),
        }
        there = [c for c in CLASSES if painted[c.index] > 0]

        def mean(name: str, without: tuple[str, ...]) -> float:
            return float(np.mean([by_class[name][c.index] for c in there if c.name not in without]))

        return {
            "mean_iou_all": mean("iou", ()),
            "mean_iou_without_earring_and_necklace": mean("iou", SELDOM),
            "mean_f1_foreground": mean("f1", ("background",)),
            "mean_boundary_f_foreground": mean("boundary_f", ("background",)),
            **{
                name: {c.name: round(float(values[c.index]), 4) for c in there}
                for name, values in by_class.items()
            },
        }


def skin_angle(picture: np.ndarray, labels: np.ndarray) -> float:
    """The individual typology angle of the skin in a picture (H,W,3) uint8, in degrees: the lighter the skin
    is in the photo, the larger.
    """
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness, _, yellow = np.median(lab[labels == INDEX["skin"]], axis=0)
    return float(np.rad2deg(np.arctan2(lightness - 50, yellow)))


def groups_of(picture: np.ndarray, labels: np.ndarray) -> list[str]:
    """The groups that a face belongs to, by its photo and its painted classes (H,W)."""
    angle, frame = skin_angle(picture, labels), SemanticMap(labels).frame()
    tone = "light" if angle > LIGHT else "dark" if angle < DARK else "medium"
    shares = {name: (labels == INDEX[name]).mean() for name in ("eye_glasses", "hat", "mouth")}
    belongs = {
        "with glasses": shares["eye_glasses"] > 0.004,
        "with a hat": shares["hat"] > 0.02,
        "with an open mouth": shares["mouth"] > 0.002,
        "turned aside": frame is not None and abs(frame.turn) > TURNED,
    }
    return [f"{tone} skin", *(name for name, true in belongs.items() if true)]


def save_sheet(
    pictures: list[tuple[Image.Image, np.ndarray]], path: Path, side: int = 200, columns: int = 8
) -> None:
    """Pictures and, under each, its map."""
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * side, rows * 2 * side), "white")
    for i, (picture, labels) in enumerate(pictures):
        for j, shown in enumerate((picture, Image.fromarray(PALETTE[labels]))):
            small = shown.copy()
            small.thumbnail((side - 2, side - 2))
            whole.paste(small, (i % columns * side, (i // columns * 2 + j) * side))
    whole.save(path)


def measured(parse: Parser, pairs: list[tuple[Path, Path]]) -> dict[str, Any]:
    """All figures of the parser on pictures and their painted masks."""
    taken, missed, as_painted, mended = [], 0, Agreement(), Agreement()
    groups: dict[str, Agreement] = {}
    counts: dict[str, int] = {}
    for image, mask in pairs:
        picture, truth = open_picture(image), read_labels(mask)
        began = time.perf_counter()
        found = parse(picture)
        taken.append(time.perf_counter() - began)
        missed += not found.found_face
        as_painted.add(found.semantic.labels, truth)
        truth = sides_mended(truth)
        mended.add(found.semantic.labels, truth)
        for group in groups_of(np.asarray(picture.convert("RGB")), truth):
            counts[group] = counts.get(group, 0) + 1
            groups.setdefault(group, Agreement()).add(found.semantic.labels, truth)
    return {
        "pictures": len(pairs),
        "faces_missed": missed,
        "seconds_median": statistics.median(taken),
        **as_painted.figures(),
        "sides_mended": mended.figures(),
        "groups": {
            name: {"pictures": counts[name], "mean_f1_of_common_classes": round(group.common_f1(), 4)}
            for name, group in sorted(groups.items())
        },
    }


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--faces", type=Path, help="folder of images/ and masks/")
    options.add_argument(
        "--look", type=Path, nargs="*", default=[], help="folders of pictures for the contact sheet"
    )
    options.add_argument("--sheet", type=Path, help="contact sheet, a .jpg or .png file")
    options.add_argument("--parser", default="compact", choices=PARSERS)
    options.add_argument("--parser-file", help="weights of a published parser")
    options.add_argument("--held-out", action="store_true")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--json", type=Path)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    if args.sheet:
        parse = load_parser(args.parser, "cpu", args.parser_file)
        pictures = [
            open_picture(p)
            for folder in args.look
            for p in sorted(folder.glob("*.*g"))
            if not p.stem.endswith("_sem")
        ]
        save_sheet([(p, parse(p).semantic.labels) for p in pictures], args.sheet)
    if not args.faces:
        return
    training, held_out = labelled_faces(args.faces)
    pairs = held_out if args.held_out else training + held_out
    results = {
        "command": (
            f"python -m benchmarks.parsing --faces DIR{' --held-out' * args.held_out} --parser {args.parser}"
        ),
        **conditions(args.threads),
        **measured(load_parser(args.parser, "cpu", args.parser_file), pairs),
    }
    for name, figures in (("as painted", results), ("sides mended", results["sides_mended"])):
        print(
            name,
            {key: round(value, 4) for key, value in figures.items() if isinstance(value, float)},
            figures["iou"],
        )
    print(results["groups"])
    if args.json:
        write(args.json, results)


if __name__ == "__main__":
    main()
