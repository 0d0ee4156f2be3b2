"""How well a parser's maps agree with painted ones: IoU, F1 and boundary F of each class, and seconds per picture.

    python -m benchmarks.parsing --faces DIR --held-out --json benchmarks/results/parsing.json
    python -m benchmarks.parsing --faces DIR --parser bisenet --json bisenet.json
    python -m benchmarks.parsing --look DIR --sheet sheet.jpg

DIR holds images/N.jpg and masks/N.png (pixel value = class). The whole way is measured, as the app goes it: the parser
gets the picture and nothing else. --held-out: only the faces that `training/parser.py` never trained on. --look: pictures
without masks, only for the contact sheet of pictures and maps.
"""
from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from benchmarks.machine import conditions, write
from facetransfer.images import open_picture
from segmentation import PARSERS
from segmentation.classes import CLASSES, INDEX, PALETTE
from segmentation.parsers import load_parser
from training.face_pictures import labelled_faces, read_labels

SELDOM = ("earring", "necklace")  # left out of the mean that is compared: hardly any pixels


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


def save_sheet(pictures: list[tuple[Image.Image, np.ndarray]], path: Path, side: int = 200, columns: int = 8) -> None:
    """Pictures and, under each, its map."""
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * side, rows * 2 * side), "white")
    for i, (picture, labels) in enumerate(pictures):
        for j, shown in enumerate((picture, Image.fromarray(PALETTE[labels]))):
            small = shown.copy()
            small.thumbnail((side - 2, side - 2))
            whole.paste(small, (i % columns * side, (i // columns * 2 + j) * side))
    whole.save(path)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--faces", type=Path, help="folder of images/ and masks/")
    options.add_argument("--look", type=Path, nargs="*", default=[], help="folders of pictures for the contact sheet")
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
        pictures = [open_picture(p) for folder in args.look for p in sorted(folder.glob("*.*g")) if not p.stem.endswith("_sem")]
        save_sheet([(p, parse(p).semantic.labels) for p in pictures], args.sheet)
    if not args.faces:
        return
    training, held_out = labelled_faces(args.faces)
    pairs = held_out if args.held_out else training + held_out
    parse, confusion, taken, missed = load_parser(args.parser, "cpu", args.parser_file), np.zeros((len(CLASSES),) * 2), [], 0
    edges = np.zeros((len(CLASSES), 4))
    for image, mask in pairs:
        picture, truth = open_picture(image), read_labels(mask)
        began = time.perf_counter()
        found = parse(picture)
        taken.append(time.perf_counter() - began)
        missed += not found.found_face
        edges += border_counts(found.semantic.labels, truth)
        confusion += np.bincount(truth.ravel().astype(int) * len(CLASSES) + found.semantic.labels.ravel(),
                                 minlength=confusion.size).reshape(confusion.shape)
    hit, painted, parsed = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    there = painted > 0
    iou = np.where(there, hit / np.maximum(painted + parsed - hit, 1), np.nan)
    f1 = np.where(there, 2 * hit / np.maximum(painted + parsed, 1), np.nan)
    precision, recall = edges[:, 0] / np.maximum(edges[:, 1], 1), edges[:, 2] / np.maximum(edges[:, 3], 1)
    boundary = np.where(there, 2 * precision * recall / np.maximum(precision + recall, 1e-9), np.nan)
    core = [c.index for c in CLASSES if c.name not in SELDOM]
    results = {"command": f"python -m benchmarks.parsing --faces DIR{' --held-out' * args.held_out} --parser {args.parser}",
               **conditions(args.threads), "pictures": len(pairs), "faces_missed": missed, "seconds_median": statistics.median(taken),
               "mean_iou_all": float(np.nanmean(iou)), "mean_iou_without_earring_and_necklace": float(np.nanmean(iou[core])),
               "mean_f1_foreground": float(np.nanmean(np.delete(f1, INDEX["background"]))),
               "mean_boundary_f_foreground": float(np.nanmean(np.delete(boundary, INDEX["background"]))),
               "boundary_f": {c.name: round(float(boundary[c.index]), 4) for c in CLASSES},
               "iou": {c.name: round(float(iou[c.index]), 4) for c in CLASSES}, "f1": {c.name: round(float(f1[c.index]), 4) for c in CLASSES}}
    for key in ("pictures", "faces_missed", "seconds_median", "mean_iou_all", "mean_iou_without_earring_and_necklace", "mean_f1_foreground", "mean_boundary_f_foreground", "iou"):
        print(key, results[key])
    if args.json:
        write(args.json, results)


if __name__ == "__main__":
    main()
