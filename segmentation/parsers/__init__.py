"""Face parsers: one file each, its name is its key. `compact` is ours and ships with the program.

A parser is a function from an RGB picture to a `Parse`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from facetransfer.base.errors import InputError
from segmentation import PARSERS
from segmentation.semantic_map import FaceFrame, SemanticMap

PROBABILITIES_SIDE = 384  # pixels: finer than any layer that they guide


@dataclass(frozen=True)
class FoundFace:
    """A face in a picture: its middle and its length, in pixels; tilt: degrees that its top leans to the
    right, 0 where it hardly does.
    """

    x: float
    y: float
    length: float
    tilt: float = 0.0

    def scaled(self, factor: float) -> FoundFace:
        return replace(self, x=self.x * factor, y=self.y * factor, length=self.length * factor)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the square that holds its parts and no other face's."""
        half = 0.65 * self.length
        return self.x - half, self.y - half, self.x + half, self.y + half


@dataclass(frozen=True)
class Parse:
    """What a parser found: the map, of the picture's size; confidence (H,W) float32 in [0,1], the winning
    class's probability; the faces, the largest first, and which of them was looked at closely, counted from
    1.
    """

    semantic: SemanticMap
    confidence: np.ndarray
    faces: tuple[FoundFace, ...] = ()
    chosen: int = 1

    @classmethod
    def of(cls, probabilities: np.ndarray, faces: tuple[FoundFace, ...] = (), chosen: int = 1) -> Parse:
        """From the probabilities (19,H,W) float32 at the picture's size."""
        confidence, labels = (found.numpy() for found in torch.from_numpy(probabilities).max(0))
        return cls(SemanticMap(labels.astype(np.uint8)), confidence, faces, chosen)

    @property
    def frame(self) -> FaceFrame | None:
        """Where the chosen face is. Other faces, and what looks like parts of one beside it, do not count."""
        return self.semantic.frame(self.box)

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """(left, top, right, bottom) of the chosen face, or None where none was found."""
        return self.faces[self.chosen - 1].box if self.faces else None

    @property
    def found_face(self) -> bool:
        """Whether there is a face: skin with eyes or mouth in it."""
        return self.frame is not None


class Parser(Protocol):
    """Raises nothing for a picture without a face: the map is then background, or what looks like parts.
    `face` counts from 1.
    """

    def __call__(self, picture: Image.Image, face: int = 1) -> Parse: ...


@lru_cache(maxsize=3)
def load_parser(name: str = "compact", device: str = "cpu", file: str | None = None) -> Parser:
    """The parser called `name`, ready on `device`. `file` has the weights of a published one; without it they
    are downloaded once. Raises InputError if there is no such parser, or its weights cannot be had.
    """
    if name not in PARSERS:
        raise InputError(f"no parser is called {name!r}: choose from {', '.join(PARSERS)}")
    if name == "compact":
        if file:
            raise InputError(
                "the parser compact has its own weights: leave the file out, or choose bisenet or parsenet"
            )
        return import_module(f"{__name__}.compact").load(device)
    return import_module(f"{__name__}.published").load(name, device, file)
