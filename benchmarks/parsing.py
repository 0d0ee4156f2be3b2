"""How well a parser's maps agree with painted ones: IoU and F1 of each class, and seconds per picture.

    python -m benchmarks.parsing --faces DIR --held-out --json benchmarks/results/parsing.json

DIR holds images/N.jpg and masks/N.png (pixel value = class). The whole way is measured, as the app goes it: the parser
gets the picture and nothing else. --held-out: only the faces that `training/parser.py` never trained on.
"""
from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import conditions, write
from facetransfer.images import open_picture
from segmentation.classes import CLASSES, INDEX
from segmentation.parsers import load_parser
from training.face_pictures import labelled_faces, read_labels

SELDOM = ("earring", "necklace")  # left out of the mean that is compared: hardly any pixels


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--faces", type=Path, required=True)
    options.add_argument("--parser", default="compact")
    options.add_argument("--held-out", action="store_true")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--json", type=Path, required=True)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    training, held_out = labelled_faces(args.faces)
    pairs = held_out if args.held_out else training + held_out
    parse, confusion, taken, missed = load_parser(args.parser), np.zeros((len(CLASSES),) * 2), [], 0
    for image, mask in pairs:
        picture, truth = open_picture(image), read_labels(mask)
        began = time.perf_counter()
        found = parse(picture)
        taken.append(time.perf_counter() - began)
        missed += not found.found_face
        confusion += np.bincount(truth.ravel().astype(int) * len(CLASSES) + found.semantic.labels.ravel(),
                                 minlength=confusion.size).reshape(confusion.shape)
    hit, painted, parsed = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    there = painted > 0
    iou = np.where(there, hit / np.maximum(painted + parsed - hit, 1), np.nan)
    f1 = np.where(there, 2 * hit / np.maximum(painted + parsed, 1), np.nan)
    core = [c.index for c in CLASSES if c.name not in SELDOM]
    results = {"command": f"python -m benchmarks.parsing --faces DIR{' --held-out' * args.held_out} --parser {args.parser}",
               **conditions(args.threads), "pictures": len(pairs), "faces_missed": missed, "seconds_median": statistics.median(taken),
               "mean_iou_all": float(np.nanmean(iou)), "mean_iou_without_earring_and_necklace": float(np.nanmean(iou[core])),
               "mean_f1_foreground": float(np.nanmean(np.delete(f1, INDEX["background"]))),
               "iou": {c.name: round(float(iou[c.index]), 4) for c in CLASSES}, "f1": {c.name: round(float(f1[c.index]), 4) for c in CLASSES}}
    for key in ("pictures", "faces_missed", "seconds_median", "mean_iou_all", "mean_iou_without_earring_and_necklace", "mean_f1_foreground", "iou"):
        print(key, results[key])
    write(args.json, results)


if __name__ == "__main__":
    main()
