"""Landmarks of a face, read from its semantic map: corners of the eyes, the line between the lips, the chin,
...

Places are face coordinates (u, v): along the line of the eyes and down the face from its middle, in face
sizes, as `FaceFrame.position` has them. Names say left and right as the picture shows them (`picture_left`),
so that a mirrored picture needs nothing special once its map is mirrored.
"""

from __future__ import annotations

import cv2
import numpy as np

from segmentation.classes import CLASSES, FACE_CLASSES, INDEX
from segmentation.semantic_map import FaceFrame, SemanticMap

Landmarks = dict[str, np.ndarray]  # name to (2,) float64: (u, v)

MIN_PART_PIXELS = 12  # a smaller part says nothing about where its ends are
END_SHARE = 0.04  # of a part's pixels: the end of a part is the mean of that many outermost ones
MIDDLE_BAND = 0.15  # of a part's width to each side of its middle: where its upper and lower rim are measured
MAX_FACE_SIZE = 512  # pixels: a larger face is looked at in a smaller map, which is quicker and as exact
REACH = 1.0  # face sizes from the middle within which parts of this face lie
ROW_BAND = 0.04  # face sizes above and below a height at which the width of the face is measured


def landmarks(semantic: SemanticMap, frame: FaceFrame) -> Landmarks:
    """The landmarks that the map of a face shows. Parts that are missing in the map have none. `frame` is in
    pixels of the map.
    """
    scale = min(1.0, MAX_FACE_SIZE / frame.size)
    if scale < 1:
        semantic = semantic.resized((round(semantic.size[0] * scale), round(semantic.size[1] * scale)))
        frame = frame.scaled(scale)
    place = frame.position(*semantic.size)
    near = np.abs(place).max(0) <= REACH
    found: Landmarks = {}
    for part in ("eye", "brow"):
        for side, name in (("left", f"r_{part}"), ("right", f"l_{part}")):
            found |= _part_landmarks(
                _pixels(semantic, place, near, name), f"{side} {part}", rims=part == "eye"
            )
    found |= _nose(_pixels(semantic, place, near, "nose"))
    found |= _mouth(semantic, place, near)
    found |= _outline(semantic, place, near, found)
    return found


def _pixels(semantic: SemanticMap, place: np.ndarray, near: np.ndarray, *names: str) -> np.ndarray:
    """The face coordinates (N,2) of the pixels in the largest connected piece of these classes; (0,2) where
    there are too few.
    """
    wanted = np.zeros(len(CLASSES), np.uint8)
    wanted[[INDEX[name] for name in names]] = 1
    mask = wanted[semantic.labels] & near
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return np.empty((0, 2))
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    if stats[largest, cv2.CC_STAT_AREA] < MIN_PART_PIXELS:
        return np.empty((0, 2))
    rows, columns = np.nonzero(pieces == largest)
    return place[:, rows, columns].T.astype(np.float64)


def _ends(pixels: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The two ends of a part along an axis: the means of its outermost pixels (N,2), first at the lowest and
    then at the highest values.
    """
    order = pixels[:, axis].argsort()
    count = max(1, round(END_SHARE * len(pixels)))
    return pixels[order[:count]].mean(0), pixels[order[-count:]].mean(0)


def _rims(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positions (2,) of the upper and lower rim of a part at its middle."""
    left, right = np.percentile(pixels[:, 0], (2, 98))
    middle = (left + right) / 2
    band = pixels[np.abs(pixels[:, 0] - middle) <= MIDDLE_BAND * (right - left) + 1e-9]
    band = band if len(band) >= 4 else pixels
    low, high = np.percentile(band[:, 1], (3, 97))
    return np.array([middle, low]), np.array([middle, high])


def _part_landmarks(pixels: np.ndarray, name: str, rims: bool) -> Landmarks:
    """The two ends and the middle of a part, and its upper and lower rim if they are wanted."""
    if not len(pixels):
        return {}
    left, right = _ends(pixels, 0)
    found = {f"{name} left end": left, f"{name} right end": right, f"{name} middle": pixels.mean(0)}
    if rims:
        found[f"{name} top"], found[f"{name} bottom"] = _rims(pixels)
    return found


def _nose(pixels: np.ndarray) -> Landmarks:
    """The lowest position of the nose and the sides of its base."""
    if not len(pixels):
        return {}
    top, bottom = np.percentile(pixels[:, 1], (2, 98))
    base = pixels[pixels[:, 1] > bottom - 0.35 * (bottom - top)]
    left, right = _ends(base, 0)
    return {"nose left": left, "nose right": right, "nose base": _ends(base, 1)[1]}


def _mouth(semantic: SemanticMap, place: np.ndarray, near: np.ndarray) -> Landmarks:
    """The corners and outer rims of the mouth, and the inner rims of both lips, which coincide in a closed
    mouth.
    """
    whole = _pixels(semantic, place, near, "u_lip", "l_lip", "mouth")
    if not len(whole):
        return {}
    left, right = _ends(whole, 0)
    top, bottom = _rims(whole)
    found = {"mouth left": left, "mouth right": right, "mouth top": top, "mouth bottom": bottom}
    upper, lower = (_pixels(semantic, place, near, name) for name in ("u_lip", "l_lip"))
    inside = _pixels(semantic, place, near, "mouth")
    if len(inside) and len(upper) and len(lower):
        found["mouth inner top"], found["mouth inner bottom"] = _rims(inside)
    elif len(upper) and len(lower):
        line = (_rims(upper)[1] + _rims(lower)[0]) / 2
        found["mouth inner top"] = found["mouth inner bottom"] = line
    return found


def _outline(semantic: SemanticMap, place: np.ndarray, near: np.ndarray, found: Landmarks) -> Landmarks:
    """The chin, the hairline, and the rim of the face at the height of the eyes and of the mouth."""
    mask = np.isin(semantic.labels, FACE_CLASSES) & near
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if len(stats) < 2:
        return {}
    inside = pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    u, v = place[0][inside].astype(np.float64), place[1][inside].astype(np.float64)
    outline: Landmarks = {}
    for name, parts in (
        ("eyes", ("left eye middle", "right eye middle")),
        ("mouth", ("mouth left", "mouth right")),
    ):
        heights = [found[part][1] for part in parts if part in found]
        if not heights:
            continue
        row = np.abs(v - np.mean(heights)) <= ROW_BAND
        if row.sum() >= MIN_PART_PIXELS:
            low, high = np.percentile(u[row], (1, 99))
            outline[f"face left at {name}"] = np.array([low, np.mean(heights)])
            outline[f"face right at {name}"] = np.array([high, np.mean(heights)])
    middle = found["nose base"][0] if "nose base" in found else 0.0
    column = np.abs(u - middle) <= 0.1
    if column.sum() >= MIN_PART_PIXELS:
        top, bottom = np.percentile(v[column], (0.5, 99.5))
        outline["hairline"], outline["chin"] = np.array([middle, top]), np.array([middle, bottom])
    return outline
