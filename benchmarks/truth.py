"""How near results come to the right answer, where it can be rendered.

    python -m benchmarks.truth --pictures FOLDER --json benchmarks/results/truth.json

Heads of chance (`training.sitters`) are rendered in pairs: a content, a style, and the content's head in the
style's materials under the style's lamps, which is what a transfer should give. Both pictures of a pair are
turned differently, up to 40 degrees. Of each variant (`benchmarks.variants`) the report tells, over the
person, without the background:

psnr, ssim: of the result against the truth, both blurred by 4 pixels, since no method can know each pore.
colour: the mean over classes of the distance in CIELAB between their mean colours.

Once with exact maps and once with those of the parser: the difference is what the parser costs. The folder
keeps the rendered pictures for the next time.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from skimage.color import rgb2lab
from skimage.metrics import structural_similarity

from benchmarks.judges import contact_sheet
from benchmarks.machine import conditions, write
from benchmarks.variants import VARIANTS
from facetransfer.jobs.job import Face
from segmentation.classes import INDEX, NAMES
from segmentation.map_files import read_map
from segmentation.parsers import load_parser
from segmentation.semantic_map import SemanticMap
from training.sitters import Scene, Sitter

SIDE = 320  # pixels
MOST_TURNED = 40.0  # degrees
BLUR = 4.0  # pixels
FIRST_SEED = 900_000  # no sitter of the parser's training has such a number
MIN_CLASS_PIXELS = 60


def backdrop(rng: np.random.Generator) -> np.ndarray:
    """A wall with a soft gradient, (SIDE,SIDE,3) uint8."""
    corners = rng.uniform(20, 235, (2, 2, 3)).astype(np.float32)
    wall = cv2.resize(corners, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return (wall + rng.normal(0, 3, wall.shape)).clip(0, 255).astype(np.uint8)


def render(number: int, folder: Path) -> None:
    """Writes the content, the style and the truth of a pair with their maps, unless they are there."""
    if (folder / f"{number}-truth.png").exists():
        return
    rng = np.random.default_rng(FIRST_SEED + number)
    first, second = (Sitter(FIRST_SEED + 2 * number + i) for i in (0, 1))
    turns = rng.uniform(-MOST_TURNED, MOST_TURNED, 2)
    walls, scenes = (backdrop(rng), backdrop(rng)), (first.scene(), second.scene())
    wanted = Scene(scenes[0].camera, scenes[1].lights, scenes[1].ambient, scenes[1].exposure)
    with torch.no_grad():
        seen = {
            "content": first.seen_in(scenes[0], SIDE, turns[0], walls[0], 1),
            "style": second.seen_in(scenes[1], SIDE, turns[1], walls[1], 1),
            "truth": first.in_the_skin_of(second).seen_in(wanted, SIDE, turns[0], walls[1], 1),
        }
    for name, (pixels, labels) in seen.items():
        Image.fromarray(SemanticMap(labels).rgb()).save(folder / f"{number}-{name}_sem.png")
        Image.fromarray(pixels).save(folder / f"{number}-{name}.png")


def measure(result: np.ndarray, truth: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """See the top of the file. Pictures (H,W,3) uint8 of one size, labels (H,W)."""
    person = labels != INDEX["background"]
    one, two = (cv2.GaussianBlur(x.astype(np.float32) / 255, (0, 0), BLUR) for x in (result, truth))
    error = np.square(one - two)[person].mean()
    _, alike = structural_similarity(one, two, channel_axis=2, data_range=1.0, full=True)
    lab = [rgb2lab(x) for x in (result, truth)]
    distances = [
        np.linalg.norm(lab[0][own].mean(0) - lab[1][own].mean(0))
        for own in (labels == INDEX[name] for name in NAMES if name != "background")
        if own.sum() >= MIN_CLASS_PIXELS
    ]
    return {
        "psnr": float(-10 * np.log10(max(error, 1e-9))),
        "ssim": float(alike[person].mean()),
        "colour": float(np.mean(distances)),
    }


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0]}


def better_share(rows: list[dict[str, float]], others: list[dict[str, float]]) -> float:
    """Share of the pairs with a higher psnr than another variant's."""
    return round(float(np.mean([a["psnr"] > b["psnr"] for a, b in zip(rows, others, strict=True)])), 3)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, required=True, help="folder for what is rendered")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--variants", default="guided,semantic,champandard,toned content,warped style")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="a contact sheet: content, style, truth, results")
    args = parser.parse_args()
    torch.set_num_threads(2)
    args.pictures.mkdir(parents=True, exist_ok=True)
    parse, names, sheet = load_parser("compact"), args.variants.split(","), []
    rows: dict[str, dict[str, list[dict[str, float]]]] = {
        m: {n: [] for n in names} for m in ("exact", "automatic")
    }
    for number in range(args.pairs):
        render(number, args.pictures)
        content, style, truth = (
            Image.open(args.pictures / f"{number}-{name}.png") for name in ("content", "style", "truth")
        )
        own, other = (read_map(args.pictures / f"{number}-{name}_sem.png") for name in ("content", "style"))
        row = [content, style, truth]
        for kind in rows:
            maps = (own, other) if kind == "exact" else (None, None)
            faces = Face.of(content, maps[0], parse), Face.of(style, maps[1], parse)
            for name in names:
                if not all(face.semantic and face.frame for face in faces):
                    rows[kind][name].append({"psnr": np.nan, "ssim": np.nan, "colour": np.nan})
                    continue
                _, result = VARIANTS[name].run(*faces, SIDE)
                rows[kind][name].append(measure(np.asarray(result), np.asarray(truth), own.labels))
                row += [result] if kind == "exact" else []
        sheet.append(row)
        print(number, {n: round(rows["exact"][n][-1]["psnr"], 1) for n in names}, flush=True)
    report = {kind: summary(by_variant) for kind, by_variant in rows.items()}
    write(args.json, {**conditions(threads=2), "pairs": args.pairs, "side": SIDE, **report})
    if args.sheet:
        contact_sheet(sheet, 200).save(args.sheet)
    print(json.dumps(report, indent=1))
    return 0


def summary(by_variant: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Means of each variant over the pairs in which both faces are known, and the share of the pairs on which
    the first variant is nearer to the truth.
    """
    first = next(iter(by_variant.values()))
    known = [i for i, row in enumerate(first) if np.isfinite(row["psnr"])]
    found = {}
    for name, rows in by_variant.items():
        own, best = [rows[i] for i in known], [first[i] for i in known]
        found[name] = {**means(own), "pairs": len(own), "first_is_better_on": better_share(best, own)}
    return found


if __name__ == "__main__":
    sys.exit(main())
