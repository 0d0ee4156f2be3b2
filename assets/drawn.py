"""Materials that are drawn: ink, engraving, mosaic and watercolour, made from what a rendered head shows: its
colours, the normals of its form, and its classes. Pictures are (H, W[, 3]) float32 from 0 to 1.
"""

from __future__ import annotations

import cv2
import numpy as np

from assets.characters.figure import backdrop_noise
from segmentation.classes import INDEX

INK, PAPER = np.array((0.09, 0.08, 0.11)), np.array((0.95, 0.925, 0.86))
SEPIA, LAID = np.array((0.13, 0.085, 0.055)), np.array((0.93, 0.89, 0.79))


def luminance(picture: np.ndarray) -> np.ndarray:
    """(H, W) of RGB."""
    return (picture @ np.array((0.30, 0.59, 0.11))).astype(np.float32)


def smooth(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smooth step from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def contours(normals: np.ndarray, labels: np.ndarray, width: float) -> np.ndarray:
    """(H, W) 0..1: strong where a class or the form ends, weaker where the form folds."""
    edge = np.zeros(labels.shape, np.uint8)
    for axis in (0, 1):
        edge |= (np.roll(labels, 1, axis) != labels).astype(np.uint8)
    edge[0], edge[:, 0] = 0, 0
    outline = cv2.GaussianBlur(edge.astype(np.float32), (0, 0), width) * 2.2 * width
    n = cv2.GaussianBlur(normals.astype(np.float32), (0, 0), 1.0)
    fold = sum(np.abs(cv2.Sobel(n, cv2.CV_32F, dx, dy)).sum(-1) for dx, dy in ((1, 0), (0, 1)))
    return np.clip(outline * 0.9 + smooth(fold, 1.6, 4.0) * 0.8, 0, 1)


def hatched(
    tone: np.ndarray, phase: np.ndarray, pitch: float, full: float, empty: float, soft: float = 0.9
) -> np.ndarray:
    """(H, W) cover of lines where `phase` (pixels across the lines) passes a multiple of `pitch`: as wide as
    the pitch allows where the tone is at `full`, gone where it is at `empty`.
    """
    gy, gx = np.gradient(phase)
    steep = np.maximum(np.hypot(gx, gy), 0.25)
    away = np.abs((phase / pitch) % 1 - 0.5) * pitch / steep  # pixels from the line's middle
    half = (1 - smooth(tone, full, empty)) * pitch / steep * 0.40
    return np.clip((half - away) / soft + 0.5, 0, 1) * smooth(half, 0.05, 0.35)


def details(cover: np.ndarray, tone: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The cover with the eyes drawn by their darks and lights: they are too small for lines."""
    eyes = np.isin(labels, [INDEX["l_eye"], INDEX["r_eye"]])
    for eye in (INDEX["l_eye"], INDEX["r_eye"]):
        if (labels == eye).any():
            low, middle = np.percentile(tone[labels == eye], (8, 45))
            dark = 1 - smooth(tone, low, max(middle, low + 0.02))
            cover = np.where(labels == eye, dark, cover)
    rim = cv2.dilate(eyes.astype(np.uint8), np.ones((3, 3), np.uint8)) - eyes
    return np.maximum(cover, cv2.GaussianBlur(rim.astype(np.float32), (0, 0), 0.5))


def across(normals: np.ndarray, labels: np.ndarray, angle: float, bulge: float) -> np.ndarray:
    """(H, W) phase of lines that lie at `angle` (radians) on the paper and bow over the form by `bulge`
    pixels.
    """
    y, x = np.mgrid[0 : labels.shape[0], 0 : labels.shape[1]].astype(np.float32)
    n = cv2.GaussianBlur(normals[..., :2].astype(np.float32), (0, 0), 6)
    c, s = np.cos(angle), np.sin(angle)
    wobble = 1.2 * backdrop_noise(labels.shape[0], 9, int(50 + 10 * angle), 2)
    return -x * s + y * c + bulge * (n[..., 0] * s + n[..., 1] * c) + wobble


def ink_drawing(picture: np.ndarray, normals: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Pen and ink: contours, and up to three layers of hatching that bow over the form."""
    tone = cv2.GaussianBlur(luminance(picture), (0, 0), 1.0)
    ground = labels == INDEX["background"]
    cover = contours(normals, labels, 0.9)
    worn = 0.12 * backdrop_noise(labels.shape[0], 60, 31, 2)
    for angle, pitch, full, empty in (
        (0.85, 4.6, -0.1, 0.72),
        (-0.55, 4.9, -0.1, 0.42),
        (0.1, 4.2, -0.1, 0.22),
    ):
        lines = hatched(tone + worn, across(normals, labels, angle, 34), pitch, full, empty)
        cover = np.maximum(cover, np.where(ground, 0, lines))
    shadow = smooth(np.mgrid[0 : tone.shape[0], 0 : tone.shape[1]][1] / tone.shape[1] + worn, 0.45, 1.05)
    behind = hatched(1 - 0.6 * shadow, across(normals, labels, 0.85, 0), 6.5, 0.0, 0.95)
    cover = np.maximum(cover, np.where(ground, behind, 0))
    cover = details(cover, tone, labels)
    grain = 0.025 * backdrop_noise(labels.shape[0], 180, 32, 2)
    cover = np.clip(cover * (0.93 + 2 * grain), 0, 1)[..., None]
    return (PAPER + grain[..., None]) * (1 - cover) + INK * cover


def engraving(picture: np.ndarray, normals: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Copper engraving: long swelling lines round the form, crossed in the shadows, ruled behind."""
    tone = cv2.GaussianBlur(luminance(picture), (0, 0), 1.2)
    ground = labels == INDEX["background"]
    first = hatched(tone, across(normals, labels, 0.12, 46), 4.0, -0.15, 1.0, 0.7)
    second = hatched(tone, across(normals, labels, 1.05, 40), 4.4, -0.2, 0.40, 0.7)
    y = np.mgrid[0 : tone.shape[0], 0 : tone.shape[1]][0].astype(np.float32)
    ruled = hatched(0.35 + 0.35 * y / y.max(), y + 0.0, 3.6, 0.0, 1.0, 0.7)
    cover = np.where(ground, ruled, np.maximum(first, second))
    cover = np.maximum(cover, 0.9 * contours(normals, labels, 0.7))
    cover = details(cover, tone, labels)
    laid = 0.012 * backdrop_noise(labels.shape[0], 140, 41, 2)
    return (LAID + laid[..., None]) * (1 - cover[..., None]) + SEPIA * cover[..., None]


def mosaic(picture: np.ndarray, labels: np.ndarray, side: float = 6.5, seed: int = 7) -> np.ndarray:
    """Tesserae of glass in rows that follow the outlines of the parts, with grout between them, each a
    little tilted against the light. The background is of gold.
    """
    size = labels.shape[0]
    rng = np.random.default_rng(seed)
    out = np.zeros((size, size, 3), np.float32)
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.9)
    for value in np.unique(labels):
        inside = (labels == value).astype(np.uint8)
        depth = cv2.distanceTransform(np.pad(inside, 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
        small = value not in (
            INDEX["background"],
            INDEX["cloth"],
            INDEX["hair"],
            INDEX["skin"],
            INDEX["neck"],
        )
        eye = value in (INDEX["l_eye"], INDEX["r_eye"])
        pitch = side * (0.40 if eye else 0.62 if small else 1.0)
        row = np.floor(depth / pitch)
        flow = cv2.GaussianBlur(depth, (0, 0), 2.0)
        gy, gx = np.gradient(flow)
        taken = np.zeros((size, size), np.uint8)
        places = np.argwhere(inside & (np.abs(depth / pitch - row - 0.5) < 0.5 / pitch))
        places = places[np.argsort(row[places[:, 0], places[:, 1]], kind="stable")]
        for y, x in places:
            if taken[y, x]:
                continue
            cv2.circle(taken, (int(x), int(y)), max(int(round(pitch * 0.92)), 1), 1, -1)
            angle = float(np.degrees(np.arctan2(gy[y, x], gx[y, x]))) + rng.normal(0, 3)
            sides = pitch * 0.84 * rng.uniform(0.9, 1.08), pitch * 0.86 * rng.uniform(0.9, 1.1)
            box = cv2.boxPoints(((float(x), float(y)), sides, angle))
            tone = picture[y, x] * rng.normal(1, 0.10) + rng.normal(0, 0.018, 3)
            if value == INDEX["background"]:
                tone = np.array((0.80, 0.60, 0.22)) * rng.normal(0.92, 0.16) + rng.normal(0, 0.02, 3)
            points = np.round(box * 16).astype(np.int32)
            cv2.fillConvexPoly(out, points, tuple(np.clip(tone, 0.02, 1).tolist()), cv2.LINE_AA, 4)
    filled = smooth(out.sum(-1), 0.0, 0.06)
    relief = cv2.GaussianBlur(filled, (0, 0), 0.9)
    slope = cv2.Sobel(relief, cv2.CV_32F, 1, 0) + cv2.Sobel(relief, cv2.CV_32F, 0, 1)
    grout = np.array((0.23, 0.205, 0.18)) * (1 + 0.25 * backdrop_noise(size, 120, 71, 2))[..., None]
    return np.clip(np.where(filled[..., None] > 0.5, out, grout) + 0.06 * slope[..., None], 0, 1)


def watercolour(picture: np.ndarray, normals: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Transparent washes on rough paper: few tones, pigment that gathers at the edges of a wash and in the
    hollows of the paper, colour that runs a little out of its outline, and a pencil line below.
    """
    size = labels.shape[0]
    drift = [3.5 * backdrop_noise(size, 14, s, 3) for s in (51, 52)]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    moved = (x + drift[0].astype(np.float32), y + drift[1].astype(np.float32))
    wash = cv2.remap(picture.astype(np.float32), *moved, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    for _ in range(3):
        wash = cv2.bilateralFilter(wash, 9, 0.12, 5)
    tone = luminance(wash)
    uneven = tone + 0.05 * backdrop_noise(size, 10, 53, 4)
    levels = np.array((0.08, 0.22, 0.38, 0.56, 0.78, 0.98))
    cuts = np.array((0.10, 0.22, 0.36, 0.52, 0.70))
    stepped = levels[0] + sum(
        (b - a) * smooth(uneven, c - 0.018, c + 0.018) for a, b, c in zip(levels, levels[1:], cuts)
    )
    stepped = 0.55 * stepped + 0.45 * tone
    hue = wash / np.maximum(tone, 0.04)[..., None]
    colour = np.clip(1 - (1 - np.clip(stepped[..., None] * hue, 0, 1)) * 0.92, 0, 1)
    rim = cv2.GaussianBlur(stepped, (0, 0), 2.2) - cv2.GaussianBlur(stepped, (0, 0), 0.7)
    tooth = backdrop_noise(size, 150, 54, 3)
    density = 1 + 2.6 * np.clip(rim, 0, 0.25) + 0.16 * tooth + 0.22 * backdrop_noise(size, 7, 55, 4)
    colour = np.clip(colour, 0.03, 1) ** density[..., None]
    pencil = 0.35 * contours(normals, labels, 0.6) * smooth(tooth, -0.9, 0.1)
    slope = cv2.Sobel(tooth.astype(np.float32), cv2.CV_32F, 1, 1)
    paper = np.array((0.985, 0.972, 0.94)) + 0.012 * np.clip(slope, -2, 2)[..., None]
    return paper * colour * (1 - pencil[..., None] * (1 - np.array((0.25, 0.24, 0.27))))


def inflated(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(H, W, 3) normals guessed for a picture of which only the map is known: each part swells from its
    outline.
    """
    size = labels.shape[0]
    head = labels != INDEX["background"]
    height = cv2.GaussianBlur(cv2.distanceTransform(head.astype(np.uint8), cv2.DIST_L2, 5), (0, 0), size / 28)
    nose = cv2.GaussianBlur((labels == INDEX["nose"]).astype(np.float32), (0, 0), size / 50) * size / 55
    gy, gx = np.gradient(height + nose)
    n = np.dstack([-gx, gy, np.ones_like(gx)])
    n = n / np.linalg.norm(n, axis=-1, keepdims=True)
    return np.where(head[..., None], n, 0).astype(np.float32)


def toned(tone: np.ndarray, ramp: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    """(H, W, 3): the tone 0..1 along evenly spaced colours."""
    places = np.linspace(0, 1, len(ramp))
    return np.dstack([np.interp(tone, places, [colour[i] for colour in ramp]) for i in range(3)])


def embossed(relief: np.ndarray, depth: float) -> np.ndarray:
    """(H, W) factor of the light from the upper left on a relief."""
    r = relief.astype(np.float32)
    return 1 + np.clip((cv2.Sobel(r, cv2.CV_32F, 1, 0) + cv2.Sobel(r, cv2.CV_32F, 0, 1)) * depth, -0.4, 0.4)


def studio(
    labels: np.ndarray, cold: tuple[float, float, float], warm: tuple[float, float, float]
) -> np.ndarray:
    """(H, W, 3) a cloth behind the head, lit in the middle."""
    size = labels.shape[0]
    y, x = np.mgrid[0:size, 0:size] / size
    glow = np.exp(-((x - 0.62) ** 2 + (y - 0.45) ** 2) * 5) + 0.10 * backdrop_noise(size, 5, 21, 4)
    return toned(np.clip(glow, 0, 1), (cold, warm))


def over(front: np.ndarray, behind: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The head before a background, with a soft edge."""
    cover = cv2.GaussianBlur((labels != INDEX["background"]).astype(np.float32), (0, 0), 0.7)[..., None]
    return front * cover + behind * (1 - cover)


def terracotta(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fired clay: orange-brown, sandy, a little smeared by the hand."""
    size = labels.shape[0]
    tone = cv2.bilateralFilter(luminance(picture), 9, 0.10, 4)
    smear = backdrop_noise(size, 24, 61, 3, 0.35)
    tone = np.clip((tone * 1.15) * embossed(smear, 0.05), 0, 1)
    ramp = (
        (0.10, 0.04, 0.03),
        (0.38, 0.15, 0.08),
        (0.68, 0.33, 0.18),
        (0.87, 0.56, 0.37),
        (0.98, 0.83, 0.68),
    )
    clay = toned(tone, ramp) * (1 + 0.05 * backdrop_noise(size, 6, 62, 4))[..., None]
    clay = clay * (1 + 0.05 * backdrop_noise(size, 200, 63, 2))[..., None]
    return over(clay, studio(labels, (0.10, 0.12, 0.13), (0.42, 0.46, 0.45)), labels)


def bronze(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cast bronze: dark metal, bright where it stands out, green where water stayed."""
    size = labels.shape[0]
    tone = luminance(picture)
    tone = np.clip(0.5 + (tone - 0.38) * 1.5, 0, 1) ** 1.5
    ramp = (
        (0.02, 0.012, 0.01),
        (0.20, 0.10, 0.04),
        (0.50, 0.29, 0.11),
        (0.86, 0.62, 0.30),
        (1.0, 0.95, 0.78),
    )
    metal = toned(tone, ramp)
    hollow = cv2.GaussianBlur(tone, (0, 0), 6) - tone + 0.30 * backdrop_noise(size, 9, 95, 5)
    green = toned(0.25 + 0.75 * tone, ((0.04, 0.10, 0.09), (0.22, 0.47, 0.40), (0.55, 0.78, 0.66)))
    share = 0.85 * smooth(hollow, 0.02, 0.26)[..., None]
    return over(
        metal * (1 - share) + green * share, studio(labels, (0.09, 0.09, 0.12), (0.36, 0.34, 0.38)), labels
    )


def red_chalk(picture: np.ndarray, normals: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sanguine on toned paper, rubbed in the shadows, with white chalk in the lights."""
    size = labels.shape[0]
    tone = cv2.GaussianBlur(luminance(picture), (0, 0), 1.2)
    ground = labels == INDEX["background"]
    tooth = backdrop_noise(size, 190, 97, 2)
    rub = 0.75 * smooth(-cv2.GaussianBlur(tone, (0, 0), 2.0), -0.62, 0.0)
    lines = hatched(tone, across(normals, labels, 0.8, 18), 3.4, -0.1, 0.62, 1.3)
    chalk = np.where(ground, 0.0, rub + 0.30 * lines) + 0.55 * contours(normals, labels, 1.1)
    chalk = np.clip(chalk * (0.86 + 0.45 * tooth), 0, 1)[..., None]
    white = np.where(ground, 0, 0.75 * smooth(tone, 0.60, 0.92)) * smooth(tooth, -0.6, 0.5)
    paper = (
        np.array((0.84, 0.76, 0.64)) * (1 + 0.03 * tooth + 0.03 * backdrop_noise(size, 5, 98, 4))[..., None]
    )
    drawn = paper * (1 - chalk) + np.array((0.46, 0.13, 0.075)) * chalk
    return drawn * (1 - white[..., None]) + np.array((0.98, 0.95, 0.90)) * white[..., None]
