"""A semantic map: for each pixel of a picture, its class. Read from and written to `photo_sem.png`."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.images import open_picture, save_picture
from segmentation import MAP_ENDING
from segmentation.classes import CLASSES, INDEX, MIRROR, PALETTE

NEAR = (
    60.0  # RGB distance within which a colour is one of ours, moved by an anti-aliased edge or a lossy file
)
OURS = 0.9  # share of pixels near our palette from which a file counts as painted in it
FLAT = 12  # levels that neighbours in a plain area may differ by, in a lossy file
PART = 1 << 18  # colours that are compared with the palette at once
# share of the way from the brows to the mouth: the median of 746 painted masks, nine in ten lie between 0.13
# and 0.25
EYE_BELOW_BROW = 0.19
MIN_PART_PIXELS = 4  # of a part of a face, for it to have a middle
STRAY_DISTANCE = 1.5  # longer sides of the largest piece of a part: pieces further away are stray pixels
OWN_SHARE, OWN_DISTANCE = (
    5e-4,
    48.0,
)  # a hand-painted colour covers at least this share, this far from every other


@dataclass(frozen=True)
class FaceFrame:
    """Where a face is, in pixels of its picture.

    x, y: its middle, between eyes and mouth. size: 2.5 x eyes to mouth. tilt: radians, clockwise, 0 upright.
    turn: where the nose lies beside the line from eyes to mouth, in face sizes: below 0 the face looks to the
    left of the picture, above 0 to the right.
    """

    x: float
    y: float
    size: float
    tilt: float = 0.0
    turn: float = 0.0

    def position(self, width: int, height: int) -> np.ndarray:
        """Place in the face of each pixel, (2,H,W) float32: along the face's own axes from its middle, in
        face sizes, held within +-2.
        """
        x = ((np.arange(width, dtype=np.float32) + 0.5 - self.x) / self.size)[None, :]
        y = ((np.arange(height, dtype=np.float32) + 0.5 - self.y) / self.size)[:, None]
        c, s = math.cos(self.tilt), math.sin(self.tilt)
        return np.stack((x * c + y * s, y * c - x * s)).astype(np.float32).clip(-2, 2)

    def scaled(self, factor: float) -> FaceFrame:
        """The same face in the picture at `factor` of its size."""
        return replace(self, x=self.x * factor, y=self.y * factor, size=self.size * factor)


@dataclass(frozen=True)
class SemanticMap:
    """labels: (H,W) uint8. colours: None for the classes of a face, else (K,3) uint8 RGB, the map's own
    colours by label.
    """

    labels: np.ndarray
    colours: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(CLASSES) if self.colours is None else len(self.colours)
        if self.labels.ndim != 2 or self.labels.dtype != np.uint8 or not self.labels.size:
            raise ValueError(f"labels are (H,W) uint8, not {self.labels.shape} {self.labels.dtype}")
        if self.labels.max() >= count:
            raise InputError(
                f"the map has a class {self.labels.max()}, but only 0 to {count - 1} exist: paint it in "
                f"the colours of the classes"
            )

    @property
    def is_face(self) -> bool:
        """Whether the labels are the classes of a face."""
        return self.colours is None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.labels.shape[1], self.labels.shape[0]

    def rgb(self) -> np.ndarray:
        """The map as colours, (H,W,3) uint8."""
        return (PALETTE if self.colours is None else self.colours)[self.labels]

    def resized(self, size: tuple[int, int]) -> SemanticMap:
        """The map at (width, height), each pixel the nearest one's class."""
        return SemanticMap(cv2.resize(self.labels, size, interpolation=cv2.INTER_NEAREST_EXACT), self.colours)

    def mirrored(self) -> SemanticMap:
        """Flipped left to right, left and right classes swapped."""
        flipped = np.ascontiguousarray(self.labels[:, ::-1])
        return SemanticMap(MIRROR[flipped] if self.is_face else flipped, self.colours)

    def shares(self) -> np.ndarray:
        """Share of the pixels of each class, (K,), sum 1."""
        count = len(CLASSES) if self.colours is None else len(self.colours)
        return np.bincount(self.labels.ravel(), minlength=count) / self.labels.size

    def frame(self, within: tuple[float, float, float, float] | None = None) -> FaceFrame | None:
        """Where the face is: from eyes, nose and mouth, else from the skin's extent; None without a face.

        within: (left, top, right, bottom) in pixels, where to look; None for everywhere.
        """
        if not self.is_face:
            return None
        if within is not None:
            return self._frame_within(*(max(0, round(n)) for n in within))
        mouth, nose = self._middle("mouth", "u_lip", "l_lip"), self._middle("nose")
        left_eye, right_eye = self._eyes(mouth)
        eyes = [e for e in (left_eye, right_eye) if e is not None] or [
            g for g in (self._middle("eye_glasses"),) if g is not None
        ]
        if eyes and mouth is not None:
            eye = np.mean(eyes, 0)
            down = mouth - eye
            size = 2.5 * float(np.hypot(*down))
            if size >= 8:
                tilt = math.atan2(-down[0], down[1])
                if left_eye is not None and right_eye is not None:
                    across = left_eye - right_eye
                    if np.hypot(*across) > 0.15 * size:
                        # The line through the eyes tells it better: the mouth of a turned head lies aside.
                        tilt = math.atan2(across[1], across[0])
                middle = (eye + mouth) / 2
                beside = (
                    0.0
                    if nose is None
                    else ((nose - middle)[0] * math.cos(tilt) + (nose - middle)[1] * math.sin(tilt)) / size
                )
                return FaceFrame(float(middle[0]), float(middle[1]), size, tilt, float(beside))
        skin = np.argwhere(np.isin(self.labels, [INDEX["skin"], INDEX["nose"]]))
        if len(skin) < 0.002 * self.labels.size:
            return None
        (top, left), (bottom, right) = np.percentile(skin, (2, 98), axis=0)
        return FaceFrame(float(left + right) / 2, float(top + bottom) / 2, max(8.0, float(bottom - top)))

    def _frame_within(self, left: int, top: int, right: int, bottom: int) -> FaceFrame | None:
        """The frame by what lies in a part of the map alone."""
        part = np.ascontiguousarray(self.labels[top:bottom, left:right])
        frame = SemanticMap(part).frame() if part.size else None
        return frame and replace(frame, x=frame.x + left, y=frame.y + top)

    def _eyes(self, mouth: np.ndarray | None) -> list[np.ndarray | None]:
        """The middle of the left and of the right eye, where there is none as far below its brow as
        eyes are.
        """
        eyes, brows = ([self._middle(f"{side}_{part}") for side in "lr"] for part in ("eye", "brow"))
        seen = [brow if eye is None else eye for eye, brow in zip(eyes, brows)]
        if mouth is None or all(s is None for s in seen):
            return seen
        below = EYE_BELOW_BROW * (mouth - np.mean([s for s in seen if s is not None], 0))
        return [brow + below if eye is None and brow is not None else eye for eye, brow in zip(eyes, brows)]

    def _middle(self, *names: str) -> np.ndarray | None:
        """(x, y) of the middle of a part of the face, None if there is hardly anything of it.

        Stray pixels of its classes, in pieces that lie far from the largest one, do not count.
        """
        mask = np.isin(self.labels, [INDEX[n] for n in names]).astype(np.uint8)
        _, _, stats, middles = cv2.connectedComponentsWithStats(mask, connectivity=8)
        areas, middles = stats[1:, cv2.CC_STAT_AREA], middles[1:]
        if areas.sum() < MIN_PART_PIXELS:
            return None
        largest = areas.argmax()
        side = stats[1 + largest, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max()
        kept = np.linalg.norm(middles - middles[largest], axis=1) <= STRAY_DISTANCE * side
        return np.average(middles[kept], axis=0, weights=areas[kept]) + 0.5

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a palette PNG: pixel value = label, colours as in `rgb()`."""
        picture = Image.fromarray(self.labels, "P")
        picture.putpalette((PALETTE if self.colours is None else self.colours).tobytes())
        save_picture(picture, path)


def map_path(picture: str | os.PathLike[str], ending: str = MAP_ENDING) -> Path:
    """Where the map of a picture file lies: photo.jpg has photo_sem.png beside it. Another ending may be
    given.
    """
    picture = Path(picture)
    if not picture.name:
        raise InputError(f"{picture} is a folder: give a picture file")
    return picture.with_name(picture.stem + ending)


def from_colours(rgb: np.ndarray) -> tuple[SemanticMap, float]:
    """The face map nearest to the colours (H,W,3) uint8, and the share of pixels that are near a colour of
    ours.
    """
    labels, distance, inverse = _nearest(rgb, PALETTE)
    return SemanticMap(labels[inverse].reshape(rgb.shape[:2])), float((distance < NEAR)[inverse].mean())


def _packed(rgb: np.ndarray) -> np.ndarray:
    """Colours (...,3) uint8 as one number each, (N,) uint32: sorted in a fraction of the time and memory."""
    flat = rgb.reshape(-1, 3).astype(np.uint32)
    return flat[:, 0] << 16 | flat[:, 1] << 8 | flat[:, 2]


def _unpacked(codes: np.ndarray) -> np.ndarray:
    """The colours (N,3) uint8 of such numbers."""
    return np.stack((codes >> 16, codes >> 8, codes), 1).astype(np.uint8)


def _nearest(rgb: np.ndarray, palette: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each colour in (H,W,3) the nearest of the palette (K,3) and how far it is, (N,); and which of the N
    colours each pixel has.
    """
    codes, inverse = np.unique(_packed(rgb), return_inverse=True)
    labels, nearest, known = (
        np.empty(len(codes), np.uint8),
        np.empty(len(codes), np.float32),
        palette.astype(np.float32),
    )
    for i in range(
        0, len(codes), PART
    ):  # a picture of noise has millions of colours, each with a distance to each class
        colours = _unpacked(codes[i : i + PART]).astype(np.float32)
        squared = (
            (colours**2).sum(1)[:, None] - 2 * colours @ known.T + (known**2).sum(1)
        )  # whole numbers: exact
        labels[i : i + PART], nearest[i : i + PART] = squared.argmin(1), np.sqrt(squared.min(1))
    return labels, nearest, inverse.ravel()


def read_map(path: str | os.PathLike[str]) -> SemanticMap:
    """A map file as a face map. Raises InputError where its colours are not ours; `read_map_pair` takes
    others too.
    """
    semantic, near = from_colours(np.asarray(open_picture(path)))
    if near < OURS:
        raise InputError(
            f"{Path(path).name} is not painted in the colours of the classes (only {near:.0%} of it is): "
            f"use them, or give "
            "hand-painted maps of both pictures with the same colours in both"
        )
    return semantic


def read_map_pair(
    content: str | os.PathLike[str], style: str | os.PathLike[str]
) -> tuple[SemanticMap, SemanticMap]:
    """Two map files. Painted in our palette they are face maps; otherwise the colours of the two together are
    the classes.
    """
    pictures = [np.asarray(open_picture(path)) for path in (content, style)]
    (first, near_first), (second, near_second) = map(from_colours, pictures)
    if min(near_first, near_second) >= OURS:
        return first, second
    if max(near_first, near_second) >= OURS:
        odd = content if near_first < near_second else style
        raise InputError(
            f"{Path(odd).name} is painted in other colours than the other map: paint both in the colours "
            f"of the classes, or "
            "both in the same colours of your own"
        )
    colours = own_colours(pictures)
    return _by_colours(pictures[0], colours), _by_colours(pictures[1], colours)


def own_colours(pictures: list[np.ndarray]) -> np.ndarray:
    """The colours that hand-painted maps use, (K,3) uint8: the frequent ones that are far from every more
    frequent one.

    Counted only where the neighbours have the same colour: the mixed colours of anti-aliased borders are no
    classes.
    """
    block = np.ones((3, 3), np.uint8)
    flat = np.concatenate(
        [_packed(p[(cv2.dilate(p, block) - cv2.erode(p, block)).max(2) <= FLAT]) for p in pictures]
    )
    codes, counts = np.unique(flat, return_counts=True)
    colours = _unpacked(codes)
    chosen: list[np.ndarray] = []
    for i in counts.argsort()[::-1][:4096]:
        if counts[i] < OWN_SHARE * len(flat) or len(chosen) == 64:
            break
        colour = colours[i].astype(np.float32)
        if all(np.linalg.norm(colour - c) >= OWN_DISTANCE for c in chosen):
            chosen.append(colour)
    if len(chosen) < 2:
        raise InputError(
            "the maps have no two clearly different colours: paint each part in a plain colour of its own"
        )
    return np.array(chosen, dtype=np.uint8)


def _by_colours(rgb: np.ndarray, palette: np.ndarray) -> SemanticMap:
    labels, _, inverse = _nearest(rgb, palette)
    return SemanticMap(labels[inverse].reshape(rgb.shape[:2]), palette)
