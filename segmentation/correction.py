"""Corrections of a map: a layer that is painted over the automatic map and kept apart from it, so that the
automatic map can come back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np

from facetransfer.base.errors import InputError
from segmentation.classes import CLASSES
from segmentation.semantic_map import SemanticMap

AUTOMATIC = 255  # the label of pixels where the automatic map shows through
LONGEST = 4096  # pixels on a side of a layer in text; the page's own are smaller
TEXT = re.compile(r"(\d{1,4})x(\d{1,4})((?: \d{1,3}\*\d{1,8})+)")


@dataclass(frozen=True)
class Correction:
    """A layer of painted classes.

    labels: (H,W) uint8, the class where something was painted, and AUTOMATIC elsewhere. The layer may have
    another size than the map.
    """

    labels: np.ndarray

    def __post_init__(self) -> None:
        if not ((self.labels < len(CLASSES)) | (self.labels == AUTOMATIC)).all():
            raise InputError(
                f"the correction has a class that is not there: only 0 to {len(CLASSES) - 1} are; press "
                f"All back to automatic and paint again"
            )

    @classmethod
    def nothing(cls, size: tuple[int, int]) -> Correction:
        """An empty layer of (width, height)."""
        return cls(np.full(size[::-1], AUTOMATIC, np.uint8))

    @classmethod
    def between(cls, automatic: SemanticMap, wanted: SemanticMap) -> Correction:
        """The layer that turns the map `automatic` into `wanted`. Both have the same size."""
        return cls(np.where(automatic.labels == wanted.labels, np.uint8(AUTOMATIC), wanted.labels))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.labels.shape[1], self.labels.shape[0]

    def fits(self, size: tuple[int, int]) -> bool:
        """Whether the layer has the shape of a picture of (width, height); its size may differ."""
        return abs(self.size[0] / self.size[1] - size[0] / size[1]) <= 0.02 * size[0] / size[1] + 1 / min(
            *size, *self.size
        )

    def resized(self, size: tuple[int, int]) -> Correction:
        """The layer at (width, height), where each pixel takes the label of the nearest one."""
        return (
            self
            if size == self.size
            else Correction(cv2.resize(self.labels, size, interpolation=cv2.INTER_NEAREST_EXACT))
        )

    def painted(self, where: np.ndarray, label: int) -> Correction:
        """The layer with the class `label` painted where the mask (H,W) is true."""
        return Correction(np.where(where, np.uint8(label), self.labels))

    def over(self, automatic: SemanticMap) -> SemanticMap:
        """The corrected map, of the size of the automatic one. Raises InputError where the shapes differ."""
        if (self.labels == AUTOMATIC).all():
            return automatic
        if not self.fits(automatic.size):
            raise InputError(
                "the correction does not fit its picture any more: press All back to automatic and paint "
                "again"
            )
        layer = self.resized(automatic.size).labels
        return SemanticMap(np.where(layer == AUTOMATIC, automatic.labels, layer), automatic.colours)

    def to_text(self) -> str:
        return as_text(self.labels)

    @classmethod
    def from_text(cls, text: object) -> Correction:
        """The layer that a text describes. Raises InputError where the text does not describe one."""
        return cls(from_text(text))


def as_text(labels: np.ndarray) -> str:
    """Labels (H,W) as their size and runs, row by row: "4x2 255*6 14*2"."""
    flat = labels.ravel()
    starts = np.concatenate(([0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]))
    runs = " ".join(f"{flat[i]}*{n}" for i, n in zip(starts, np.diff(starts)))
    return f"{labels.shape[1]}x{labels.shape[0]} {runs}"


def from_text(text: object) -> np.ndarray:
    """The labels (H,W) uint8 of a text as `as_text` writes it. Raises InputError for any other text."""
    found = TEXT.fullmatch(text) if isinstance(text, str) and len(text) <= 10 * LONGEST**2 else None
    if found:
        width, height = int(found[1]), int(found[2])
        runs = np.array([run.split("*") for run in found[3].split()], dtype=np.int64)
        if (
            0 < width <= LONGEST
            and 0 < height <= LONGEST
            and runs[:, 0].max() <= 255
            and runs[:, 1].sum() == width * height
        ):
            return np.repeat(runs[:, 0].astype(np.uint8), runs[:, 1]).reshape(height, width)
    raise InputError("the correction cannot be read: press All back to automatic and paint again")
