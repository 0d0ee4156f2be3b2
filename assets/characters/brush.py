"""Turns a picture into an oil painting: bristle strokes that follow a direction field, impasto, canvas."""

from __future__ import annotations

import cv2
import numpy as np

TEMPLATE = (40, 160)  # height (across the bristles) and length of a stroke template in pixels


def stroke_templates(rng: np.random.Generator, count: int = 18) -> list[np.ndarray]:
    """Straight and bent strokes, each (40, 160, 3) float32: cover 0..1, paint height 0..1, tone -1..1 per
    bristle.
    """
    h, w = TEMPLATE
    out = []
    for k in range(count):
        v, u = np.mgrid[0:h, 0:w].astype(np.float32)
        v, u = v / (h - 1) * 2 - 1, u / (w - 1)
        v = v + (k % 5 - 2) * 0.16 * (4 * u * (1 - u) - 0.5)  # bend
        row = np.clip(((v + 1) / 2 * 63), 0, 63).astype(int)
        bristle = cv2.GaussianBlur(rng.normal(0, 1, (64, 1)).astype(np.float32), (1, 5), 0, sigmaY=0.9)[:, 0]
        bristle /= np.abs(bristle).max()
        start, stop = 0.05 + 0.06 * rng.random(64), 0.80 + 0.19 * rng.random(64)
        streak = cv2.GaussianBlur(rng.normal(0, 1, (64, w)).astype(np.float32), (0, 0), sigmaX=18, sigmaY=0.8)
        streak /= np.abs(streak).max()
        inside = np.clip((u - start[row]) / 0.05, 0, 1) * np.clip((stop[row] - u) / 0.10, 0, 1)
        body = np.clip((0.90 - np.abs(v)) / 0.16, 0, 1)
        along = streak[row, (u * (w - 1)).astype(int)]
        dry = np.clip(1.15 + 0.9 * bristle[row] - np.clip(u - 0.55, 0, 1) * 1.6 + 0.6 * along, 0, 1)
        cover = cv2.GaussianBlur((inside * body * dry).astype(np.float32), (0, 0), 0.8)
        lip = np.exp(-(((np.abs(v) - 0.74) / 0.12) ** 2)) + 0.7 * np.exp(
            -(((u - stop[row] + 0.07) / 0.05) ** 2)
        )
        height = 0.45 + 0.35 * bristle[row] + 0.30 * lip + 0.15 * along
        out.append(np.dstack([cover, np.clip(height, 0, 1), bristle[row]]).astype(np.float32))
    return out


class Canvas:
    """Paint laid so far: colour (H, W, 3) 0..1 and thickness (H, W)."""

    def __init__(self, ground: np.ndarray, rng: np.random.Generator) -> None:
        self.colour = ground.astype(np.float32).copy()
        self.thickness = np.zeros(ground.shape[:2], np.float32)
        self.templates = stroke_templates(rng)
        self.rng = rng

    def stroke(
        self,
        x: float,
        y: float,
        angle: float,
        length: float,
        width: float,
        tone: np.ndarray,
        load: float,
        opacity: float,
        region: np.ndarray | None,
    ) -> None:
        """One stroke centred on (x, y), sizes in pixels; where `region` (H, W) differs from its centre stays
        clean.
        """
        reach = int(0.5 * np.hypot(length, width)) + 2
        left, top = int(x) - reach, int(y) - reach
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + 2 * reach, self.thickness.shape[1]), min(top + 2 * reach, self.thickness.shape[0])
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        h, w = TEMPLATE
        c, s = np.cos(angle), np.sin(angle)
        sx, sy = length / w, width / h
        move = np.array([[c * sx, -s * sy, 0], [s * sx, c * sy, 0]])
        move[:, 2] = (x - x0, y - y0) - move[:, :2] @ (w / 2, h / 2)
        stamp = cv2.warpAffine(
            self.templates[self.rng.integers(len(self.templates))],
            move,
            (x1 - x0, y1 - y0),
            flags=cv2.INTER_LINEAR,
        )
        cover = stamp[..., 0] * opacity
        if region is not None:
            cover = cover * (region[y0:y1, x0:x1] == region[int(y), int(x)])
        a = cover[..., None]
        spot = self.colour[y0:y1, x0:x1]
        spot += a * (tone * (1 + 0.16 * stamp[..., 2:3]) - spot)
        thick = self.thickness[y0:y1, x0:x1]
        thick += cover * (stamp[..., 1] * load + 0.25 * thick - thick)


def layer(
    canvas: Canvas,
    target: np.ndarray,
    angle: np.ndarray,
    region: np.ndarray,
    width: float,
    stretch: np.ndarray,
    where: np.ndarray,
    tolerance: float,
    jitter: np.ndarray,
    load: float,
    keep_inside: bool,
) -> int:
    """One pass with one brush over the places in `where` (H, W bool) that still differ from the target.

    width: pixels; stretch (H, W): stroke length in widths; angle (H, W): radians; jitter (H, W): colour
    variation. Gives the number of strokes.
    """
    rng = canvas.rng
    seen = cv2.GaussianBlur(target, (0, 0), max(0.6, width * 0.22))
    laid = cv2.GaussianBlur(canvas.colour, (0, 0), width * 0.2)
    wrong = cv2.GaussianBlur(np.abs(laid - seen).sum(-1), (0, 0), width * 0.35)
    step = width * 0.46
    ys, xs = (np.arange(step / 2, n, step) for n in target.shape[:2])
    ys, xs = np.meshgrid(ys, xs, indexing="ij")
    places = np.stack([xs.ravel(), ys.ravel()], 1) + rng.uniform(-0.5, 0.5, (xs.size, 2)) * step
    places = np.clip(places, 0, (target.shape[1] - 1, target.shape[0] - 1))
    col, row = places[:, 0].astype(int), places[:, 1].astype(int)
    keep = where[row, col] & (wrong[row, col] > tolerance)
    count = 0
    for i in rng.permutation(np.nonzero(keep)[0]):
        x, y, r, c = *places[i], row[i], col[i]
        wild = jitter[r, c]
        tone = seen[r, c] if not keep_inside else 0.5 * (seen[r, c] + target[r, c])
        tone = tone * (1 + rng.normal(0, 0.75 * wild)) + rng.normal(0, 0.24 * wild, 3) * (0.15 + tone)
        canvas.stroke(
            x,
            y,
            angle[r, c] + rng.normal(0, 0.13),
            width * stretch[r, c] * rng.uniform(0.75, 1.25),
            width * rng.uniform(0.75, 1.2),
            np.clip(tone, 0, 1).astype(np.float32),
            load * rng.uniform(0.6, 1.1),
            0.93,
            region if keep_inside else None,
        )
        count += 1
    return count


def weave(shape: tuple[int, int], pitch: float) -> np.ndarray:
    """Plain-woven canvas, height 0..1; `pitch` is the distance of threads in pixels."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    u, v = x / pitch + 0.15 * np.sin(y / pitch / 9), y / pitch + 0.15 * np.sin(x / pitch / 11)
    over = np.sin(np.pi * u) * np.sin(np.pi * v) > 0
    return np.where(over, np.abs(np.sin(np.pi * u)), np.abs(np.sin(np.pi * v))).astype(np.float32)


def raked(canvas: Canvas, pitch: float, depth: float) -> np.ndarray:
    """The painting under gallery light from the upper left: (H, W, 3) 0..1 with the relief of paint and
    canvas.
    """
    cloth = weave(canvas.thickness.shape, pitch)
    paint = cv2.GaussianBlur(canvas.thickness, (0, 0), 0.8)
    relief = paint + 0.085 * cloth * np.clip(1.0 - paint, 0.25, 1)
    gx = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=3) / 8
    gy = cv2.Sobel(relief, cv2.CV_32F, 0, 1, ksize=3) / 8
    slope = (gx + 1.2 * gy) * depth
    lit = 1 + np.clip(slope, -0.32, 0.32)
    glint = np.clip(slope - 0.10, 0, 0.3) * 0.45
    return np.clip(canvas.colour * lit[..., None] + glint[..., None], 0, 1)


def smoothed_direction(
    across_x: np.ndarray, across_y: np.ndarray, weight: np.ndarray, region: np.ndarray, sigma: float
) -> np.ndarray:
    """(H, W) angle perpendicular to a vector field, averaged (as an undirected line) within each region."""
    theta = 2 * (np.arctan2(across_y, across_x) + np.pi / 2)
    out = np.zeros_like(weight)
    for value in np.unique(region):
        inside = (region == value).astype(np.float32) * weight
        c = cv2.GaussianBlur(np.cos(theta).astype(np.float32) * inside, (0, 0), sigma)
        s = cv2.GaussianBlur(np.sin(theta).astype(np.float32) * inside, (0, 0), sigma)
        out = np.where(region == value, 0.5 * np.arctan2(s, c), out)
    return out
