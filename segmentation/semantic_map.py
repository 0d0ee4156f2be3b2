"""Semantic maps, which give each pixel of a picture a class, and the position of the face in them."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.images import save_picture
from segmentation.classes import CLASSES, INDEX, MIRROR, PALETTE

# Distance from the brow to the eye, as a share of that from the brow to the mouth: the median of 746 painted
# masks; nine in ten lie between 0.13 and 0.25.
EYE_BELOW_BROW = 0.19
MIN_PART_PIXELS = 4  # pixels that a part of a face must have for its middle to be computed
STRAY_DISTANCE = (
    1.5  # as a multiple of the longer side of a part's largest piece: pieces further away are stray pixels
)


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
        """The position in the face of each pixel, (2,H,W) float32: along the face's own axes from its middle,
        in face sizes, limited to +-2.
        """
        x = ((np.arange(width, dtype=np.float32) + 0.5 - self.x) / self.size)[None, :]
        y = ((np.arange(height, dtype=np.float32) + 0.5 - self.y) / self.size)[:, None]
        c, s = math.cos(self.tilt), math.sin(self.tilt)
        return np.stack((x * c + y * s, y * c - x * s)).astype(np.float32).clip(-2, 2)

    def scaled(self, factor: float) -> FaceFrame:
        """The same face after the picture was resized by `factor`."""
        return replace(self, x=self.x * factor, y=self.y * factor, size=self.size * factor)


@dataclass(frozen=True)
class SemanticMap:
    """A class for each pixel.

    labels: (H,W) uint8. colours: None where the labels are the classes of a face; otherwise (K,3) uint8 RGB,
    the map's own colours by label.
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
        """The map in colours, (H,W,3) uint8."""
        return (PALETTE if self.colours is None else self.colours)[self.labels]

    def resized(self, size: tuple[int, int]) -> SemanticMap:
        """The map at (width, height), where each pixel takes the class of the nearest one."""
        return SemanticMap(cv2.resize(self.labels, size, interpolation=cv2.INTER_NEAREST_EXACT), self.colours)

    def mirrored(self) -> SemanticMap:
        """The map flipped from left to right, with left and right classes exchanged."""
        flipped = np.ascontiguousarray(self.labels[:, ::-1])
        return SemanticMap(MIRROR[flipped] if self.is_face else flipped, self.colours)

    def shares(self) -> np.ndarray:
        """The share of the pixels of each class, (K,); they sum to 1."""
        count = len(CLASSES) if self.colours is None else len(self.colours)
        return np.bincount(self.labels.ravel(), minlength=count) / self.labels.size

    def frame(self, within: tuple[float, float, float, float] | None = None) -> FaceFrame | None:
        """Where the face is, computed from eyes, nose and mouth, or from the extent of the skin where these
        are missing; None without a face.

        within: (left, top, right, bottom) in pixels, the part of the map to search; None for all of it.
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
                        # The eyes are more reliable: in a turned head the mouth is not below them.
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
        """The frame computed only from a part of the map."""
        part = np.ascontiguousarray(self.labels[top:bottom, left:right])
        frame = SemanticMap(part).frame() if part.size else None
        return frame and replace(frame, x=frame.x + left, y=frame.y + top)

    def _eyes(self, mouth: np.ndarray | None) -> list[np.ndarray | None]:
        """The middles of the left and the right eye. Where one is missing, it is assumed below its brow, at
        the usual distance.
        """
        eyes, brows = ([self._middle(f"{side}_{part}") for side in "lr"] for part in ("eye", "brow"))
        seen = [brow if eye is None else eye for eye, brow in zip(eyes, brows)]
        if mouth is None or all(s is None for s in seen):
            return seen
        below = EYE_BELOW_BROW * (mouth - np.mean([s for s in seen if s is not None], 0))
        return [brow + below if eye is None and brow is not None else eye for eye, brow in zip(eyes, brows)]

    def _middle(self, *names: str) -> np.ndarray | None:
        """The middle (x, y) of a part of the face; None where the part has too few pixels.

        Stray pixels of its classes, in pieces far from the largest one, are not counted.
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
