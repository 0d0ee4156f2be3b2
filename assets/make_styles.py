"""Draws our characters in other materials: `python -m assets.make_styles` (seconds, no network).

An engraving, a pencil drawing, a pen drawing, a mosaic and a watercolour, each made from a rendered character
by what a hand would do: lines that follow the form and swell where it is dark, stones laid along the edges,
pigment that gathers at the rim of a wash. The maps are the characters' own. It also makes docs/gallery.webp,
where three characters wear each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facetransfer.base.images import open_picture, save_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.jobs.job import Face, prepare, result_picture
from segmentation.classes import INDEX
from segmentation.map_files import map_path, read_map
from segmentation.parsers import load_parser

HERE = Path(__file__).resolve().parent
SIDE = 512  # pixels
LIFT = 4  # times as large as the picture that lines are drawn at
PAPER, INK = np.array([244, 236, 220.0]), np.array([38, 30, 28.0])


def noise(seed: int, scale: float, side: int = SIDE) -> np.ndarray:
    """Smooth noise (side,side) of mean 0 and deviation 1; features are about `scale` pixels wide."""
    values = np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)
    values = cv2.GaussianBlur(values, (0, 0), scale)
    return (values - values.mean()) / values.std()


def tones(picture: np.ndarray) -> np.ndarray:
    """The lightness (H,W) in [0,1], with the contrast that a drawing needs."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    even = cv2.createCLAHE(2.0, (4, 4)).apply(gray).astype(np.float32) / 255
    return cv2.GaussianBlur(even, (0, 0), 0.8)


def on_paper(
    share: np.ndarray, paper: np.ndarray = PAPER, ink: np.ndarray = INK, grain: float = 3.0
) -> np.ndarray:
    """Ink of (H,W) in [0,1] on paper with a grain."""
    base = paper + grain * noise(1, 0.8)[..., None] + grain * noise(2, 12)[..., None]
    return base + np.clip(share, 0, 1)[..., None] * (ink - base)


def lines(dark: np.ndarray, angle: float, spacing: float, bend: np.ndarray, seed: int) -> np.ndarray:
    """Parallel lines (H,W) in [0,1] whose width follows `dark` in [0,1], bent by (H,W) pixels of the form.

    Drawn LIFT times as large and averaged, so that their edges are smooth.
    """
    side = SIDE * LIFT
    large = cv2.resize(dark, (side, side), interpolation=cv2.INTER_CUBIC)
    bent = cv2.resize(bend + 0.35 * noise(seed, 20), (side, side), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / LIFT
    across = x * np.sin(angle) + y * np.cos(angle) + bent
    ridge = np.abs(((across / spacing) % 1) - 0.5) * 2  # 0 in a line's middle, 1 between two
    drawn = (ridge < large).astype(np.float32)
    return cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def outline(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Lines (H,W) in [0,1] where a part ends or the picture has an edge."""
    gray = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    edge = np.clip(cv2.GaussianBlur(gray, (0, 0), 1.8) - gray - 1.2, 0, None) / 6
    parts = labels.astype(np.float32)
    border = (cv2.morphologyEx(parts, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0).astype(np.float32)
    return np.clip(np.maximum(edge, 0.75 * cv2.GaussianBlur(border, (0, 0), 0.7)), 0, 1)


def engraving(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Lines that swell in the dark and bend over the form, and a second set across the shadows."""
    light = tones(picture)
    bend = 9 * cv2.GaussianBlur(light, (0, 0), 10)
    dark = np.clip(1.06 - 1.15 * light, 0.06, 0.92)
    first = lines(dark, 0.35, 4.4, bend, 3)
    second = lines(np.clip(0.62 - 1.35 * light, 0, 0.7), -0.75, 4.4, -bend, 4)
    return on_paper(np.maximum(np.maximum(first, second), 0.8 * outline(picture, labels)))


def pencil(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Soft strokes in two directions over a smudged shade, on rough paper."""
    light = tones(picture)
    rng = np.random.default_rng(5)
    strokes = np.zeros((SIDE, SIDE), np.float32)
    for angle, weight in ((0.9, 1.0), (-0.5, 0.7)):
        kernel = np.zeros((31, 31), np.float32)
        direction = np.array([np.cos(angle), np.sin(angle)]) * 15
        cv2.line(kernel, *(tuple(np.round(15 + s * direction).astype(int).tolist()) for s in (-1, 1)), 1.0, 1)
        raw = cv2.filter2D(rng.normal(size=(SIDE, SIDE)).astype(np.float32), -1, kernel / kernel.sum())
        strokes += weight * raw / raw.std()
    tooth = noise(6, 0.7)
    behind = cv2.GaussianBlur((labels == INDEX["background"]).astype(np.float32), (0, 0), 14)
    shade = np.clip(1.0 - 1.2 * light, 0, 1) ** 1.3 * (1 - 0.75 * behind)
    contour = outline(picture, labels) * (0.8 + 0.2 * tooth)
    ink = shade * (0.62 + 0.16 * strokes + 0.10 * tooth) + 0.7 * contour
    return on_paper(ink, np.array([246, 244, 240.0]), np.array([56, 56, 62.0]), 2.0)


def pen(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Brown ink: outlines, hatching in three depths, and a pale wash."""
    light = tones(picture)
    bend = 5 * cv2.GaussianBlur(light, (0, 0), 14)
    hatching = np.zeros((SIDE, SIDE), np.float32)
    for depth, angle, seed in ((0.62, 0.75, 7), (0.42, -0.75, 8), (0.24, 0.1, 9)):
        there = np.clip((depth - light) * 6, 0, 1)
        hatching = np.maximum(hatching, lines(0.42 * there, angle, 4.8, bend, seed))
    wash = 0.3 * cv2.GaussianBlur(np.clip(0.75 - light, 0, 1), (0, 0), 4) * (1 + 0.15 * noise(10, 9))
    ink = np.maximum(hatching, np.clip(1.5 * outline(picture, labels), 0, 1))
    paper = on_paper(wash, np.array([239, 224, 196.0]), np.array([140, 90, 50.0]))
    return paper + np.clip(ink, 0, 1)[..., None] * (np.array([58, 32, 18.0]) - paper)


def mosaic(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Stones in rows along the edges of the parts, each of one colour, in a pale grout."""
    parts = cv2.medianBlur(labels, 5)
    border = cv2.morphologyEx(parts, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    away = cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, 5)
    smooth = cv2.GaussianBlur(away, (0, 0), 2)
    size, rng = 7.0, np.random.default_rng(11)
    # Seeds of the stones lie in rows of equal distance from the edges, about as far apart as rows are.
    taken = np.zeros((SIDE, SIDE), bool)
    seeds = []
    order = np.argsort(np.abs((smooth.ravel() / size) % 1 - 0.5) + 0.02 * rng.random(SIDE * SIDE))
    for place in order:
        y, x = divmod(int(place), SIDE)
        if not taken[y, x]:
            seeds.append((y, x))
            low, left = max(0, y - 6), max(0, x - 6)
            near = np.hypot(*np.mgrid[low - y : y + 7 - y, left - x : x + 7 - x]) < size * 0.86
            patch = taken[low : y + 7, left : x + 7]
            patch |= near[: patch.shape[0], : patch.shape[1]]
    marks = np.ones((SIDE, SIDE), np.uint8)
    rows, columns = np.array(seeds).T
    marks[rows, columns] = 0
    _, cells = cv2.distanceTransformWithLabels(marks, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    count = cells.max() + 1
    pixels = np.bincount(cells.ravel(), minlength=count)[:, None].clip(1)
    sums = np.stack([np.bincount(cells.ravel(), picture[..., c].ravel(), count) for c in range(3)], 1)
    stones = sums / pixels * rng.normal(1, 0.07, (count, 1)) + rng.normal(0, 4, (count, 3))
    saturated = stones + 0.35 * (stones - stones.mean(1, keepdims=True)) + 8
    result = saturated[cells]
    gap = cv2.morphologyEx(cells.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2))) > 0
    gap_soft = cv2.GaussianBlur(gap.astype(np.float32), (0, 0), 0.6)[..., None].clip(0, 0.9)
    return result + gap_soft * (np.array([196, 186, 168.0]) - 40 - result)


def watercolour(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Flat washes with pigment at their rims, blooms, and paper that shines through."""
    flat = picture
    for _ in range(4):
        flat = cv2.bilateralFilter(flat, 9, 34, 7)
    wobble = [1.8 * noise(seed, 9) for seed in (12, 13)]
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    flat = cv2.remap(flat, x + wobble[0], y + wobble[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    colour = (flat.astype(np.float32) / 255) ** 0.62
    colour = np.clip(colour + 0.55 * (colour - colour.mean(2, keepdims=True)), 0, 1)
    steps = np.round(colour * 6) / 6
    colour = 0.45 * colour + 0.55 * cv2.GaussianBlur(steps, (0, 0), 0.9)
    gray = colour.mean(2)
    rim = np.abs(cv2.GaussianBlur(gray, (0, 0), 1.2) - cv2.GaussianBlur(gray, (0, 0), 3.0))
    # Behind the person a pale wash of one colour, which runs out towards the paper's rim.
    behind = cv2.GaussianBlur((labels == INDEX["background"]).astype(np.float32), (0, 0), 2.0)[..., None]
    middle = np.exp(-(((x - 250) / 210) ** 4) - ((y - 240) / 250) ** 4)
    middle = middle * np.clip(0.75 + 0.3 * noise(17, 26), 0, 1)
    wash = 1 - middle[..., None] * np.array([0.42, 0.26, 0.14])
    colour = colour + behind * (wash - colour)
    lifted = (1 - colour) * (0.93 + 0.10 * noise(14, 22) + 0.03 * noise(15, 1.0))[..., None]
    lifted = lifted * (1 + 3.0 * rim[..., None] * (1 - behind))
    paper = np.array([251, 248, 242.0]) / 255 + 0.008 * noise(16, 0.8)[..., None]
    return 255 * paper * (1 - lifted.clip(0, 1))


MATERIALS: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "engraving": ("bust", engraving),
    "pencil-drawing": ("oil", pencil),
    "pen-drawing": ("goblin", pen),
    "mosaic": ("oil", mosaic),
    "watercolour": ("oil", watercolour),
}
"""The character that is drawn, and how."""


def gallery() -> Image.Image:
    """Two of the characters in each of the materials."""
    parse, rows = load_parser("compact"), []
    paths = [HERE / "examples" / f"{name}.png" for name in ("goblin", "bust", "oil")]
    paths += [HERE / "styles" / f"{name}.webp" for name in MATERIALS]
    faces = {path.stem: Face.of(open_picture(path), read_map(map_path(path)), parse) for path in paths}
    for content in ("bust", "oil", "goblin"):
        row = []
        for style in ("goblin", "oil", *MATERIALS):
            job = prepare(faces[content], faces[style], TransferSettings())
            for step in job.steps():
                pass
            made = result_picture(step, job.size).resize((240, 240), Image.Resampling.LANCZOS)
            row.append(np.asarray(made))
        rows.append(np.hstack(row))
    return Image.fromarray(np.vstack(rows))


def main() -> None:
    folder = HERE / "styles"
    folder.mkdir(exist_ok=True)
    for name, (character, draw) in MATERIALS.items():
        source = HERE / "examples" / f"{character}.png"
        semantic = read_map(map_path(source))
        drawn = draw(np.asarray(open_picture(source)), semantic.labels)
        path = folder / f"{name}.webp"
        save_picture(Image.fromarray(drawn.clip(0, 255).astype(np.uint8)), path, quality=88, method=6)
        semantic.save(map_path(path))
    save_picture(gallery(), HERE.parent / "docs" / "gallery.webp", quality=80, method=6)


if __name__ == "__main__":
    main()
