"""Pictures as if they were drawn: in pencil, charcoal, ink, hatching, dots, flat colours, tiles, watercolour
or dabs of oil.

The labels of a face stay true, as nothing is moved. The parser learns from these that a face is a matter of
shapes rather than of skin, and, as pictures without a face are drawn too, that not every oval is one.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from segmentation.classes import INDEX
from training.jewellery import noise

Draw = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], np.ndarray]

FINEST, COARSEST = 0.7, 2.6  # pixels: the width of a line
FINER = 0.4  # share that are drawn larger and then reduced, so that the lines melt together
IN_COLOUR = 0.3  # share of the drawings of one tone whose paper or ink is coloured


def drawn(picture: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture (H,W,3) uint8 RGB with labels (H,W) uint8 in a technique of chance; of the same size."""
    height, width = picture.shape[:2]
    if rng.random() < FINER:
        scale = rng.uniform(1.3, 2.0)
        larger = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        named = cv2.resize(labels, larger.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    else:
        larger, named = picture, labels
    technique = TECHNIQUES[rng.integers(len(TECHNIQUES))]
    line = np.exp(rng.uniform(np.log(FINEST), np.log(COARSEST)))
    result = technique(larger, named, line, rng)
    return cv2.resize(result, (width, height), interpolation=cv2.INTER_AREA)


def gray_of(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H,W) float32, 0 to 1, its contrast raised in most, locally in some."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if rng.random() < 0.5:
        gray = cv2.createCLAHE(rng.uniform(1.5, 4), (4, 4)).apply(gray)
    low, high = np.percentile(gray, (2, 98))
    return np.clip((gray.astype(np.float32) - low) / max(high - low, 16), 0, 1)


def inked(tone: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H,W,3) uint8 of a drawing (H,W) of one tone, 0 ink and 1 paper, on paper of chance."""
    paper, ink = rng.uniform(0.85, 1, 3), rng.uniform(0, 0.25, 3)
    if rng.random() > IN_COLOUR:
        paper[:], ink[:] = paper[0], ink[0]
    elif rng.random() < 0.5:
        paper = rng.uniform(0.45, 0.95, 3)
    else:
        ink = rng.uniform(0, 0.6, 3)
    if rng.random() < 0.06:  # white chalk on a board, a linocut's negative
        paper, ink = ink, paper
    tone = 1 - rng.uniform(0.35, 1) ** 0.5 * (1 - tone)  # a pale drawing in some
    grain = 1 + rng.uniform(0, 0.06) * noise(tone.shape, rng.uniform(1, 3), rng)
    return _bytes((ink + (paper - ink) * tone[..., None]) * grain[..., None])


def edges_of(gray: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """(H,W) 0 to 1, dark at edges: an extended difference of Gaussians (Winnemoeller et al. 2012)."""
    fine, wide = (cv2.GaussianBlur(gray, (0, 0), line * factor) for factor in (1, 1.6))
    sharpened = fine + rng.uniform(8, 25) * (fine - wide)
    threshold = rng.uniform(0.3, 0.75)
    soft = 1 + np.tanh(rng.uniform(3, 15) * (sharpened - threshold))
    return np.where(sharpened >= threshold, 1, soft).clip(0, 1)


def pencil(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """A picture divided by its own blur: contours, and light shading where it is dark."""
    gray = gray_of(picture, rng)
    contours = (gray / (cv2.GaussianBlur(gray, (0, 0), line * rng.uniform(2, 8)) + 0.02)).clip(0, 1)
    shade = 1 - rng.uniform(0, 0.6) * (1 - gray) * (1 + 0.5 * noise(gray.shape, line, rng))
    return inked((contours ** rng.uniform(1, 4) * shade).clip(0, 1), rng)


def charcoal(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """Soft dark shading that the paper's grain breaks up."""
    gray = cv2.GaussianBlur(gray_of(picture, rng), (0, 0), line * rng.uniform(0.5, 1.2))
    tooth = 0.5 + 0.5 * noise(gray.shape, line * rng.uniform(0.8, 1.5), rng)
    tone = 1 / (1 + np.exp(-rng.uniform(5, 14) * (gray - rng.uniform(0.25, 0.5) - 0.4 * (tooth - 0.5))))
    return inked(tone.astype(np.float32), rng)


def ink_lines(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    return inked(edges_of(gray_of(picture, rng), line, rng), rng)


def hatched(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """One to three layers of parallel lines, each laid where it is darker and bent by the form."""
    gray = cv2.GaussianBlur(gray_of(picture, rng), (0, 0), 0.8)
    rows, columns = np.indices(gray.shape, dtype=np.float32)
    bent = cv2.GaussianBlur(gray, (0, 0), 8) * rng.uniform(0, 25) + noise(gray.shape, 40, rng)
    tone, angle = np.ones_like(gray), rng.uniform(0, np.pi)
    for below in np.linspace(0.85, 0.35, rng.integers(1, 4)):
        across = columns * np.cos(angle) + rows * np.sin(angle) + bent
        wave = 0.5 + 0.5 * np.cos(2 * np.pi * across / (line * rng.uniform(2, 3)))
        dark = np.clip((below - gray) / below, 0, 1)
        tone *= 1 - np.clip((dark - wave) * 6 + 0.5, 0, 1) * rng.uniform(0.7, 1)
        angle += rng.uniform(0.5, 1.2)
    if rng.random() < 0.6:
        tone = np.minimum(tone, edges_of(gray, line, rng))
    return inked(tone, rng)


def dotted(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """Stipples of chance, or the screen of a newspaper; in colour in some."""
    rows, columns = np.indices(picture.shape[:2], dtype=np.float32)

    def screen(tone: np.ndarray) -> np.ndarray:
        if rng.random() < 0.4:
            threshold = cv2.GaussianBlur(rng.random(tone.shape, np.float32), (0, 0), line * 0.5)
            threshold = (threshold - threshold.min()) / np.ptp(threshold)
        else:
            angle, period = rng.uniform(0, np.pi), line * rng.uniform(2, 3.5)
            across, along = (
                2 * np.pi / period * (columns * np.cos(a) + rows * np.sin(a))
                for a in (angle, angle + np.pi / 2)
            )
            threshold = 0.5 + 0.25 * (np.cos(across) + np.cos(along))
        return np.clip((tone - threshold) * 5 + 0.5, 0, 1).astype(np.float32)

    if rng.random() < 0.7:
        return inked(screen(gray_of(picture, rng)), rng)
    return _bytes(np.stack([screen(channel) for channel in np.moveaxis(picture / np.float32(255), 2, 0)], 2))


def woodcut(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """Two to four flat tones with smooth borders."""
    gray = cv2.GaussianBlur(gray_of(picture, rng), (0, 0), line * 1.2)
    steps = rng.integers(1, 4)
    levels = np.sort(rng.uniform(0.2, 0.75, steps))
    tone = sum(np.clip((gray - level) * 12 + 0.5, 0, 1) for level in levels) / steps
    return inked(np.asarray(tone, np.float32), rng)


def flat_colours(
    picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator
) -> np.ndarray:
    """Few colours, outlined in most: a comic, a poster, a silkscreen."""
    smooth = cv2.medianBlur(picture, 2 * int(line) + 3)
    steps = int(rng.integers(3, 7))
    flat = np.floor(smooth / np.float32(256) * steps) / (steps - 1)
    if rng.random() < 0.25:  # the colours of a screen print, by lightness
        palette = rng.random((steps, 3)).astype(np.float32)
        palette = palette[np.argsort(palette.sum(1))]
        tone = cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY).astype(int) * steps // 256
        flat = palette[tone]
    if rng.random() < 0.7:
        flat = flat * edges_of(gray_of(picture, rng), line, rng)[..., None]
    return _bytes(flat)


def outlined(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """A simple drawing: each part of the face in its mean colour or left white, its border drawn, with
    pupils in the eyes. A picture without labels is drawn in ink.
    """
    known = np.where(labels < len(INDEX), labels, 0)
    if not known.any():
        return ink_lines(picture, labels, line, rng)
    counts = np.maximum(np.bincount(known.ravel(), minlength=len(INDEX)), 1)
    means = np.stack(
        [
            np.bincount(known.ravel(), channel.ravel(), len(INDEX)) / counts
            for channel in np.moveaxis(picture.astype(np.float32), 2, 0)
        ],
        1,
    )
    kept = rng.uniform(0, 0.6)  # of the picture's own shading
    flat = means[known] * (1 - kept) + cv2.medianBlur(picture, 5) * kept
    if rng.random() < 0.35:
        flat[:] = rng.uniform(215, 255)
    borders = cv2.morphologyEx(known, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    for name in ("l_eye", "r_eye"):
        rows, columns = np.nonzero(known == INDEX[name])
        if len(rows) > 8:
            radius = max(1, round(0.4 * (np.ptp(rows) + 1)))
            centre = round(columns.mean()), round(rows.mean())
            borders |= cv2.circle(np.zeros(known.shape, np.uint8), centre, radius, 1, -1) > 0
    drawing = cv2.GaussianBlur(borders.astype(np.float32), (0, 0), max(0.6, line * 0.7))
    drawing = np.clip(drawing * rng.uniform(1, 2.5), 0, 1)[..., None]
    return (flat * (1 - drawing) + rng.uniform(0, 60) * drawing).astype(np.uint8)


def tiled(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """A mosaic, or stained glass: cells of one colour each around places of chance, joints between them."""
    height, width = picture.shape[:2]
    cell = rng.uniform(0.012, 0.04) * max(height, width)
    rows, columns = np.mgrid[cell / 2 : height : cell, cell / 2 : width : cell]
    jitter = rng.choice((0.0, 0.25, 0.5))
    seeds = np.ones((height, width), np.uint8)
    moved = np.stack((rows, columns)) + rng.uniform(-jitter, jitter, (2, *rows.shape)) * cell
    y, x = (np.clip(v.astype(int), 0, n - 1) for v, n in zip(moved, (height, width), strict=True))
    seeds[y, x] = 0
    _, cells = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    counts = np.maximum(np.bincount(cells.ravel()), 1)
    tiles = np.stack(
        [
            np.bincount(cells.ravel(), channel.ravel()) / counts
            for channel in np.moveaxis(picture.astype(np.float32), 2, 0)
        ],
        1,
    )
    tiles *= 1 + rng.normal(0, rng.uniform(0, 0.12), (len(tiles), 1))
    result = tiles[cells]
    if rng.random() < 0.7:
        joints = cv2.morphologyEx(cells.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
        result[joints] = rng.uniform(10, 220)
    return result.clip(0, 255).astype(np.uint8)


def watercolour(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth pale washes with dark rims, pigment that gathers, paper that shows."""
    smooth = cv2.bilateralFilter(cv2.medianBlur(picture, 2 * int(line) + 3), 7, 50, 3) / np.float32(255)
    gray = smooth.mean(2)
    rim = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), line * 2))
    pigment = 1 + rng.uniform(0.05, 0.25) * (
        noise(gray.shape, 30, rng) + 0.5 * noise(gray.shape, 2 * line, rng)
    )
    pale = 1 - (1 - smooth) * (rng.uniform(0.5, 1) * pigment + rng.uniform(0, 3) * rim)[..., None]
    return _bytes(pale)


def dabbed(picture: np.ndarray, labels: np.ndarray, line: float, rng: np.random.Generator) -> np.ndarray:
    """Short strokes of oil along the forms (Litwinowicz 1997)."""
    gray = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 3)
    along = np.arctan2(cv2.Sobel(gray, cv2.CV_32F, 0, 1), cv2.Sobel(gray, cv2.CV_32F, 1, 0)) + np.pi / 2
    smooth = cv2.medianBlur(picture, 5)
    result, (height, width) = smooth.copy(), gray.shape
    thick = max(2, round(line * 1.5))
    for y, x in zip(*(rng.integers(0, n, round(height * width / (thick * 14))) for n in (height, width))):
        angle, length = along[y, x] + rng.normal(0, 0.3), thick * rng.uniform(1, 3)
        step = np.array((np.cos(angle), np.sin(angle))) * length
        colour = np.clip(smooth[y, x] + rng.normal(0, 9), 0, 255).tolist()
        ends = [(round(x + sign * step[0]), round(y + sign * step[1])) for sign in (-1, 1)]
        cv2.line(result, ends[0], ends[1], colour, thick, cv2.LINE_AA)
    return result


TECHNIQUES: tuple[Draw, ...] = (
    pencil,
    charcoal,
    ink_lines,
    hatched,
    dotted,
    woodcut,
    flat_colours,
    outlined,
    tiled,
    watercolour,
    dabbed,
)


def _bytes(picture: np.ndarray) -> np.ndarray:
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)
