"""Draws earrings and necklaces on labelled faces: few faces wear any, no two are alike, and thin ones are
hardly learnt from so few.

Their outlines are drawn by chance, raised into a relief, made of metals, pearls and stones, lit, and hung
from the ears or laid around the neck; hair and clothes may cover them.
"""

from __future__ import annotations

import cv2
import numpy as np

from segmentation.classes import FACE_CLASSES, INDEX
from training.lending import Face

WORN = {"earring": 0.12, "necklace": 0.08}  # share of the faces without
METALS = (
    (225, 180, 90),
    (240, 205, 130),
    (200, 200, 205),
    (150, 150, 160),
    (235, 225, 215),
    (40, 38, 40),
    (190, 120, 90),
)  # gold to copper, pearl
BEFORE = [
    "hat",
    *(n for n in INDEX if INDEX[n] in FACE_CLASSES and n != "skin"),
]  # classes that always cover a jewel
FINE = 16  # steps in a pixel, in which OpenCV's lines are placed


def noise(shape: tuple[int, int], cell: float, rng: np.random.Generator) -> np.ndarray:
    """(H,W) float32 around 0, about 1 at most, of that many pixels a wave."""
    coarse = rng.uniform(-1, 1, [max(2, round(n / cell) + 1) for n in shape]).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


class Canvas:
    """How much of each pixel is covered by what has been drawn: `cover` (H,W) uint8; `whole`, the same with
    what masks call jewel though one sees through it.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.cover, self.holes = np.zeros((2, *shape), np.uint8)

    @property
    def whole(self) -> np.ndarray:
        return np.maximum(self.cover, self.holes)

    def outline(self, points: np.ndarray) -> None:
        """What lies within (n,2) is seen through where nothing else is drawn."""
        cv2.fillPoly(self.holes, [np.round(points * FINE).astype(np.int32)], 255, cv2.LINE_AA, 4)

    def polygon(self, points: np.ndarray) -> None:
        """points: (n,2) x and y."""
        cv2.fillPoly(self.cover, [np.round(points * FINE).astype(np.int32)], 255, cv2.LINE_AA, 4)

    def line(self, points: np.ndarray, thick: float, closed: bool = False) -> None:
        """Through points (n,2), at least a pixel wide."""
        cv2.polylines(
            self.cover,
            [np.round(points * FINE).astype(np.int32)],
            closed,
            255,
            max(1, round(thick)),
            cv2.LINE_AA,
            4,
        )

    def disc(self, x: float, y: float, radius: float) -> None:
        """Of at least a third of a pixel."""
        cv2.circle(
            self.cover,
            (round(x * FINE), round(y * FINE)),
            max(FINE // 3, round(radius * FINE)),
            255,
            cv2.FILLED,
            cv2.LINE_AA,
            4,
        )


def oval(x: float, y: float, across: float, down: float) -> np.ndarray:
    """(24,2) points of an ellipse with these half axes."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack((x + across * np.cos(turn), y + down * np.sin(turn)), 1)


def drop(x: float, top: float, across: float, down: float) -> np.ndarray:
    """(24,2) points of a teardrop that hangs from (x, top), `across` to each side and `down` long."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack(
        (x + across * np.sin(turn) * np.sin(turn / 2) ** 1.5, top + down * (1 - np.cos(turn)) / 2), 1
    )


def link(canvas: Canvas, x: float, top: float, down: float, rng: np.random.Generator) -> None:
    """One part of a hanging piece, `down` pixels long."""
    across, middle = down * rng.uniform(0.15, 0.6), top + down / 2
    kind = rng.integers(8)
    if kind == 0:
        canvas.polygon(oval(x, middle, across, down / 2))
    elif kind == 1:
        canvas.polygon(drop(x, top, across, down))
    elif kind == 2:  # a diamond or a leaf
        widest = rng.uniform(0.3, 0.7) * down
        canvas.polygon(
            np.array([(x, top), (x + across, top + widest), (x, top + down), (x - across, top + widest)])
        )
    elif kind == 3:
        canvas.line(oval(x, middle, across, down / 2), down * rng.uniform(0.03, 0.15), closed=True)
    elif kind == 4:  # a chain
        for y in np.arange(top, top + down, max(1.5, down * rng.uniform(0.06, 0.2))):
            canvas.disc(x, y, down * rng.uniform(0.02, 0.08))
    elif kind == 5:  # a tassel
        for at in np.linspace(-across, across, rng.integers(3, 8)) / 3:
            canvas.line(
                np.array([(x + at / 3, top), (x + at, top + down * rng.uniform(0.7, 1))]), down * 0.04
            )
    elif kind == 6:  # a cluster of stones
        for at, y in rng.uniform((-across, 0), (across, down), (rng.integers(5, 20), 2)):
            canvas.disc(
                x + at * np.sin(np.pi * (0.15 + 0.7 * y / down)), top + y, down * rng.uniform(0.06, 0.14)
            )
    else:
        canvas.line(np.array([(x, top), (x, top + down)]), down * rng.uniform(0.02, 0.2))


def openwork(canvas: Canvas, x: float, top: float, radius: float, rng: np.random.Generator) -> None:
    """A disc or drop of wires and beads that hangs from (x, top)."""
    rim = (
        oval(x, top + radius, radius * rng.uniform(0.6, 1), radius)
        if rng.random() < 0.7
        else drop(x, top, radius * rng.uniform(0.6, 1.2), 2 * radius)
    )
    middle = np.array((x, top + radius * rng.uniform(0.6, 1.4)))
    canvas.outline(rim)
    wire, beads = radius * rng.uniform(0.02, 0.1), rng.random() < 0.5
    canvas.line(rim, radius * rng.uniform(0.03, 0.15), closed=True)
    for share in np.linspace(1, 0, rng.integers(3, 7), endpoint=False):
        ring = middle + share * (rim - middle)
        size = radius * rng.uniform(0.06, 0.16)
        if rng.random() < 0.5:
            canvas.line(ring, wire, closed=True)
        for point in ring[:: rng.integers(1, 4)]:
            if beads:
                canvas.disc(*point, size * rng.uniform(0.4, 0.7))
            else:
                canvas.line(oval(*point, size, size * rng.uniform(0.6, 1.6)), wire, closed=True)
    if rng.random() < 0.5:
        for point in rim[:: rng.integers(1, 5)]:
            canvas.line(np.stack((middle, point)), wire)


def earring(canvas: Canvas, x: float, y: float, unit: float, rng: np.random.Generator) -> None:
    """One that hangs from (x, y). unit: the height of the face's parts in pixels."""
    kind = rng.random()
    if kind < 0.25:
        canvas.disc(x, y, unit * rng.uniform(0.012, 0.045))
    elif kind < 0.4:
        openwork(canvas, x, y, unit * np.exp(rng.uniform(np.log(0.05), np.log(0.3))), rng)
    elif kind < 0.65:
        radius = unit * np.exp(rng.uniform(np.log(0.04), np.log(0.25)))
        canvas.line(
            oval(x, y + radius, radius * rng.uniform(0.25, 1), radius),
            radius * rng.uniform(0.02, 0.2),
            closed=True,
        )
        if rng.random() < 0.3:
            link(canvas, x, y + radius * rng.uniform(0.2, 1.6), radius * rng.uniform(0.4, 1), rng)
    else:
        for length in rng.dirichlet(np.ones(rng.integers(1, 5)) * 3) * unit * rng.uniform(0.1, 0.7):
            link(canvas, x, y, length, rng)
            y += length


def necklace(
    canvas: Canvas, left: np.ndarray, right: np.ndarray, sag: float, unit: float, rng: np.random.Generator
) -> None:
    """One that hangs between two points (x, y), `sag` pixels deep."""
    share = np.linspace(0, 1, 200)[:, None]
    for strand in range(rng.choice((1, 1, 1, 2, 3))):
        curve = left + share * (right - left) + (0, 4 * (sag + strand * unit * 0.05)) * share * (1 - share)
        thick = unit * np.exp(rng.uniform(np.log(0.006), np.log(0.07)))
        if rng.random() < 0.5:
            canvas.line(curve, thick)
        else:
            along = np.r_[0, np.cumsum(np.hypot(*np.diff(curve, axis=0).T))]
            for at in np.arange(0, along[-1], max(1.5, thick * rng.uniform(1, 2.5))):
                canvas.disc(np.interp(at, along, curve[:, 0]), np.interp(at, along, curve[:, 1]), thick / 2)
    if rng.random() < 0.4:
        link(canvas, *curve[100], unit * rng.uniform(0.04, 0.25), rng)


def made(cover: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What has been drawn, of metal and stones, in light: (H,W,3), 0 to 255 and above."""
    inside = cv2.distanceTransform((cover > 64).astype(np.uint8), cv2.DIST_L2, 3)
    relief = rng.uniform(0.5, 2) * np.sqrt(inside) + rng.uniform(0, 1.5) * noise(
        cover.shape, rng.uniform(1.5, 6), rng
    )
    dy, dx = np.gradient(relief)
    normal = np.stack((-dx, -dy, np.ones_like(dx)), 2) / np.sqrt(dx**2 + dy**2 + 1)[..., None]
    lamp = rng.normal(0, 0.6, 3) + (0, -0.5, 1)
    lit = np.clip(normal @ (lamp / np.linalg.norm(lamp)), 0, 1)[..., None]
    metal, stone = np.array(METALS)[rng.integers(len(METALS), size=2)]
    if rng.random() < 0.4:
        stone = rng.uniform(0, 255, 3)
    where = np.clip(3 * noise(cover.shape, rng.uniform(3, 20), rng) + rng.uniform(-3, 1), 0, 1)[..., None]
    glitter = rng.uniform(0, 160) * (noise(cover.shape, 1.5, rng) > 0.6)[..., None]
    return (
        (metal + where * (stone - metal)) * (rng.uniform(0.2, 0.6) + 0.8 * lit)
        + rng.uniform(0, 250) * lit ** rng.uniform(6, 40)
        + glitter * lit
    )


class Jeweller:
    """Calls give a face as it was, or with earrings or a necklace."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __call__(self, picture: np.ndarray, labels: np.ndarray) -> Face:
        """(H,W,3), (H,W) uint8; the returned arrays are those given where nothing was put on."""
        for name, place in (("earring", self.at_the_ears), ("necklace", self.around_the_neck)):
            if self.rng.random() < WORN[name] and not (labels == INDEX[name]).any():
                rows = np.nonzero(np.isin(labels, FACE_CLASSES).any(1))[0]
                canvas = Canvas(labels.shape)
                covering = place(canvas, labels, np.ptp(rows)) if len(rows) else ()
                if canvas.cover.any():
                    picture, labels = self.put_on(picture, labels, canvas, name, covering)
        return picture, labels

    def at_the_ears(self, canvas: Canvas, labels: np.ndarray, unit: float) -> tuple[str, ...]:
        """Draws a pair, or one of it; gives the classes that cover it."""
        rng, pair = self.rng, self.rng.integers(2**32)
        shown = rng.choice(("l_ear", "r_ear", "both"), p=(0.15, 0.15, 0.7))
        for side in ("l_ear", "r_ear"):
            if shown in (side, "both") and (lobe := lobe_of(labels, side)) is not None:
                earring(canvas, *lobe, unit, np.random.default_rng(pair))
        return tuple(
            name for name, share in (("hair", 0.25), ("skin", 0.85), ("cloth", 0.1)) if rng.random() < share
        )

    def around_the_neck(self, canvas: Canvas, labels: np.ndarray, unit: float) -> tuple[str, ...]:
        """Draws one; gives the classes that cover it."""
        rng, neck = self.rng, labels == INDEX["neck"]
        rows = np.nonzero(neck.any(1))[0]
        if len(rows) < 0.05 * unit:
            return ()
        y = rows[0] + rng.uniform(0.3, 1) * np.ptp(rows)
        columns = np.nonzero(neck[round(y)])[0]
        if len(columns) < 0.1 * unit:
            return ()
        wider, tilt = unit * rng.uniform(-0.02, 0.15), unit * rng.normal(0, 0.03, 2)
        ends = np.array(((columns[0] - wider, y + tilt[0]), (columns[-1] + wider, y + tilt[1])))
        necklace(canvas, *ends, unit * rng.uniform(0.0, 0.8), unit, rng)
        return (
            "skin",
            "background",
            "l_ear",
            "r_ear",
            *(name for name, share in (("hair", 0.9), ("cloth", 0.5)) if rng.random() < share),
        )

    def put_on(
        self, picture: np.ndarray, labels: np.ndarray, canvas: Canvas, name: str, covering: tuple[str, ...]
    ) -> Face:
        """The face with what has been drawn, behind the classes `covering`."""
        rng, (x, y, width, height) = self.rng, cv2.boundingRect(canvas.whole)
        reach = labels.shape[0] // 64
        here = tuple(slice(max(0, a - reach), a + n + reach) for a, n in ((y, height), (x, width)))
        seen = ~np.isin(labels[here], [INDEX[c] for c in (*covering, *BEFORE)])
        cover, whole = canvas.cover[here], canvas.whole[here] * seen
        share = cover * seen
        if not (share > 100).any():
            return picture, labels
        painted = cv2.morphologyEx(
            (whole > 100).astype(np.uint8),
            cv2.MORPH_CLOSE,
            np.ones((max(3, labels.shape[0] // 100),) * 2, np.uint8),
        )
        skin = picture[np.isin(labels, FACE_CLASSES)].mean() / 150  # how bright the light on the face is
        soft = cv2.GaussianBlur(share.astype(np.float32) / 255, (0, 0), rng.uniform(0.3, 1.0))[
            ..., None
        ] * rng.uniform(0.75, 1)
        picture, labels = picture.copy(), labels.copy()
        picture[here] = (
            picture[here] + soft * (made(cover, rng) * np.clip(skin, 0.2, 1.3) - picture[here])
        ).clip(0, 255)
        labels[here][(painted > 0) & seen] = INDEX[name]
        return picture, labels


def lobe_of(labels: np.ndarray, side: str) -> tuple[float, float] | None:
    """(x, y) from which an earring hangs: the lowest place of an ear, or where it is under the hair; None
    where no ear can be.
    """
    rows, columns = np.nonzero(labels == INDEX[side])
    if len(rows) > 30:
        low = rows >= np.percentile(rows, 92)
        return float(columns[low].mean()), float(rows.max() - 0.06 * np.ptp(rows))
    nose, skin = np.nonzero((labels == INDEX["nose"]).any(1))[0], labels == INDEX["skin"]
    other = INDEX["r_eye" if side == "l_ear" else "l_eye"], INDEX["l_eye" if side == "l_ear" else "r_eye"]
    away, near = (np.nonzero(labels == k)[1] for k in other)
    if not len(nose) or not len(away) or not len(near) or not skin[nose[-1]].any():
        return None
    columns = np.nonzero(skin[nose[-1]])[0]
    right = near.mean() > away.mean()  # of the picture
    x = columns[-1] if right else columns[0]
    beside = x + (4 if right else -4)
    if not 0 <= beside < labels.shape[1] or labels[nose[-1], beside] != INDEX["hair"]:
        return None
    return float(beside), float(nose[-1])
