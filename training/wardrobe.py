"""Dresses labelled faces in what few of them wear: bodies below the shoulders, wound cloths on the head,
masks before the mouth.

Labelled portraits end at the shoulders, and hardly one has a covered head; what people photograph goes on
below, and often the clothes are as dark as what is behind them.
"""

from __future__ import annotations

import cv2
import numpy as np

from segmentation.classes import FACE_CLASSES, INDEX
from training.jewellery import noise
from training.lending import IGNORE, Face

WORN = {"cloth wound around the head": 0.04, "mask": 0.03}  # share of the faces without
BARE = 0.45  # share of the drawn arms without sleeves
LIKE_BEHIND = 0.25  # share of the clothes that have the colour of the background
BODY = [INDEX[name] for name in ("cloth", "neck", "skin", "necklace")]


class Wardrobe:
    """Calls give a face as it was, or dressed in something; the returned arrays are its own where nothing
    was changed.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __call__(self, picture: np.ndarray, labels: np.ndarray) -> Face:
        """Of a picture (H,W,3) uint8 with labels (H,W) uint8."""
        if box_of(labels) is None:
            return picture, labels
        covered = (labels == INDEX["hat"]).any()
        if not covered and self.rng.random() < WORN["cloth wound around the head"]:
            picture, labels = wound(picture, labels, self.rng)
        if self.rng.random() < WORN["mask"]:
            picture, labels = masked(picture, labels, self.rng)
        return picture, labels


def box_of(labels: np.ndarray) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the parts of the face, None without any."""
    rows, columns = np.nonzero(np.isin(labels, FACE_CLASSES))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


def dye_of(picture: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour (3,) for clothes, often one that is worn much: black, white, gray, or that of what is
    behind.
    """
    behind = labels == 0
    if behind.any() and rng.random() < LIKE_BEHIND:
        return picture[behind].mean(0) + rng.normal(0, 8, 3)
    return rng.uniform(0, 255, 3) if rng.random() < 0.5 else rng.uniform(5, 250) + rng.normal(0, 10, 3)


def cloth(shape: tuple[int, int], size: float, dye: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H,W,3) float32: folds of that size in pixels in that colour (3,), striped or spotted in some."""
    height, width = shape
    stretched = noise((max(2, height // 3), width), size * 0.3, rng)
    folds = cv2.resize(stretched, (width, height)) + 0.5 * noise(shape, size, rng)
    result = np.broadcast_to(dye, (*shape, 3)).astype(np.float32)
    if rng.random() < 0.25:
        rows, columns = np.indices(shape, dtype=np.float32)
        angle, period = rng.uniform(0, np.pi), size * rng.uniform(0.08, 0.4)
        wave = np.cos(2 * np.pi / period * (columns * np.cos(angle) + rows * np.sin(angle)) + 2 * folds)
        if rng.random() < 0.4:
            wave = wave * np.cos(2 * np.pi / period * (rows * np.cos(angle) - columns * np.sin(angle)))
        result = result + (wave > rng.uniform(-0.3, 0.6))[..., None] * rng.uniform(-120, 120, 3)
    return np.asarray(result * (1 + rng.uniform(0.05, 0.3) * folds[..., None]), np.float32)


def laid(picture: np.ndarray, labels: np.ndarray, here: np.ndarray, cover: np.ndarray, name: str) -> Face:
    """The face with the colours `cover` (H,W,3) where `here` (H,W) is true, named so."""
    share = cv2.GaussianBlur(here.astype(np.float32), (0, 0), 0.8)[..., None]
    mixed = picture + share * (cover - picture)
    return mixed.clip(0, 255).astype(np.uint8), np.where(here, INDEX[name], labels).astype(np.uint8)


def wound(picture: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Face:
    """A scarf or a turban over the hair and the ears, labelled as a hat; a scarf covers the neck too."""
    box = box_of(labels)
    assert box is not None
    left, top, right, bottom = box
    length, scarf = bottom - top, rng.random() < 0.6
    rows = np.arange(labels.shape[0])[:, None]
    head = labels == INDEX["hair"]
    if scarf:
        head = head | np.isin(labels, [INDEX[n] for n in ("l_ear", "r_ear", "neck", "earring", "necklace")])
    else:
        head &= rows < top + rng.uniform(0.25, 0.5) * length
    oval = np.zeros(labels.shape, np.uint8)  # the skull, whether there is hair or not
    centre = (round((left + right) / 2), round(top + (0.45 if scarf else 0.15) * length))
    axes = (round(0.62 * (right - left)), round((0.75 if scarf else rng.uniform(0.4, 0.65)) * length))
    cv2.ellipse(oval, centre, axes, 0, 0, 360, 1, -1)
    face = np.isin(labels, FACE_CLASSES) & ~np.isin(labels, (INDEX["l_ear"], INDEX["r_ear"]))
    brow = rows < top + rng.uniform(0.02, 0.16) * length  # how far down the forehead
    here = (head | (oval > 0)) & (~face | ((labels == INDEX["skin"]) & brow))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(3, length // 16) | 1,) * 2)
    closed = cv2.morphologyEx(here.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
    here = cv2.morphologyEx((closed & (~face | here)).astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    cover = cloth(labels.shape, length / 2, dye_of(picture, labels, rng), rng)
    return laid(picture, labels, here, cover, "hat")


def masked(picture: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Face:
    """A mask of cloth over nose and mouth, to the chin, labelled as clothes; as it was without a nose."""
    rows, columns = np.nonzero(labels == INDEX["nose"])
    if len(rows) < 20:
        return picture, labels
    top = rows.min() + rng.uniform(0.2, 0.6) * np.ptp(rows)
    y, x = np.indices(labels.shape, dtype=np.float32)
    slope = 0.12 * np.abs(x - columns.mean())  # it falls away from the nose
    lower = np.isin(labels, [INDEX[n] for n in ("skin", "nose", "mouth", "u_lip", "l_lip")])
    here = lower & (y > top + slope)
    if here.sum() < 100:
        return picture, labels
    kernel = np.ones((max(3, int(np.ptp(rows)) // 5) | 1,) * 2, np.uint8)
    here = (cv2.morphologyEx(here.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0) & ~np.isin(labels, (0,))
    pale = np.array([(225, 235, 240), (150, 195, 215), (30, 30, 34), (240, 240, 236)], float)
    dye = pale[rng.integers(len(pale))] if rng.random() < 0.7 else dye_of(picture, labels, rng)
    light = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 8)
    cover = cloth(labels.shape, float(np.ptp(rows)), dye, rng)
    cover *= (light / max(light[here].mean(), 1))[..., None] ** rng.uniform(0.3, 1)
    pleats = 1 + 0.08 * np.sin((y - top) / max(3.0, 0.12 * np.ptp(rows))) * (rng.random() < 0.6)
    return laid(picture, labels, here, cover * pleats[..., None], "cloth")


def with_body(picture: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Face:
    """The portrait on a larger canvas, (H',W',3) and (H',W'), its body drawn below and beside it: a torso,
    arms with sleeves or bare ones, which are labelled as the neck is. All else outside is left open
    (IGNORE). As it was where nobody reaches the lower edge.
    """
    box = box_of(labels)
    if box is None or not np.isin(labels[-1], BODY).mean() > 0.15:
        return picture, labels
    left, top, right, bottom = box
    length, middle = float(bottom - top), (left + right) / 2
    height, width = labels.shape
    below, beside = round(length * rng.uniform(0.7, 3.2)), round(length * 1.3)
    shape = height + below, width + 2 * beside
    canvas = cv2.copyMakeBorder(picture, 0, below, beside, beside, cv2.BORDER_REPLICATE)
    named = cv2.copyMakeBorder(labels, 0, below, beside, beside, cv2.BORDER_CONSTANT, value=IGNORE)
    outside = named == IGNORE

    torso = np.zeros(shape, np.uint8)
    shoulder, hip = length * rng.uniform(1.0, 1.45), length * rng.uniform(0.7, 1.3)
    ends = []
    for side in (-1, 1):
        column = labels[:, 0 if side < 0 else -1]
        reaching = np.flatnonzero(np.isin(column, BODY))
        bottom_row = np.flatnonzero(np.isin(labels[-1], BODY))
        if len(reaching):
            start = (-1.0 if side < 0 else width), float(reaching[0])
        else:
            start = float(bottom_row[0 if side < 0 else -1]), float(height - 1)
        x = middle + side * max(shoulder, abs(start[0] - middle) + 0.05 * length)
        ends.append((start, (x, start[1] + length * rng.uniform(0.1, 0.35))))
    waist = height + below + 2.0
    outline = [
        ends[0][0],
        ends[0][1],
        (middle - hip, waist),
        (middle + hip, waist),
        ends[1][1],
        ends[1][0],
    ]
    cv2.fillPoly(torso, [np.round(np.array(outline) + (beside, 0)).astype(np.int32)], 1)

    own = np.isin(labels, INDEX["cloth"])
    near = picture[own].mean(0) if own.mean() > 0.005 else dye_of(picture, labels, rng)
    here = outside & (torso > 0)
    colours = cloth(shape, length, near, rng)
    depth = np.clip((np.arange(shape[0]) - height) / (0.35 * length), 0, 1)[:, None, None]
    _put(canvas, named, here, canvas * (1 - depth) + colours * depth, "cloth")
    bare = rng.random() < BARE
    skin = picture[np.isin(labels, (INDEX["skin"], INDEX["neck"]))].mean(0)
    for _, (x, y) in ends:
        arm, light = _arm(shape, (x + beside, y), length, rng)
        sleeve = arm.copy()
        if bare:
            sleeve[round(y + length * rng.uniform(0.1, 0.9)) :] = False
        _put(canvas, named, outside & sleeve, colours * light[..., None], "cloth")
        _put(canvas, named, outside & arm & ~sleeve, skin * light[..., None], "neck")
    return canvas, named


def _arm(
    shape: tuple[int, int], shoulder: tuple[float, float], length: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where an arm lies that hangs from a shoulder (x, y), bent before the body in some, and how light it
    is, as a cylinder: (H,W) bool and float. `length` is the face's.
    """
    x, y = shoulder
    out = 1 if x > shape[1] / 2 else -1
    thick = length * rng.uniform(0.28, 0.42)
    elbow = x + out * length * rng.uniform(-0.05, 0.35), y + length * rng.uniform(1.1, 1.5)
    hand = elbow[0] - out * length * rng.uniform(-0.3, 1.2), elbow[1] + length * rng.uniform(-0.6, 1.1)
    line = [np.round(np.array([(x - out * thick / 2, y + thick / 2), elbow, hand])).astype(np.int32)]
    arm, core = (np.zeros(shape, np.uint8) for _ in range(2))
    cv2.polylines(arm, line, False, 1, max(1, round(thick)))
    cv2.polylines(core, line, False, 1, max(1, round(thick / 4)))
    ridge = cv2.GaussianBlur(core.astype(np.float32), (0, 0), max(1.0, thick / 4))
    return arm > 0, 0.75 + 0.5 * ridge / max(float(ridge.max()), 1e-6)


def _put(canvas: np.ndarray, named: np.ndarray, here: np.ndarray, colours: np.ndarray, name: str) -> None:
    canvas[here] = np.broadcast_to(colours, canvas.shape)[here].clip(0, 255)
    named[here] = INDEX[name]
