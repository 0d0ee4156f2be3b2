"""Face parsers. Each has a module of its own, whose name is the name of the parser; `compact` is ours and
ships with the program.

A parser is a function from an RGB picture to a `Parse`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from typing import Protocol

import cv2
import numpy as np
import torch
from PIL import Image

from facetransfer.base.errors import InputError
from segmentation import PARSERS
from segmentation.semantic_map import FaceFrame, SemanticMap

PROBABILITIES_SIDE = 384  # pixels: finer than any layer that they guide
SURE = 0.6  # probability from which a class is sure
UNSURE_WIDTH = 1 / 40  # of the longest side: narrower places are rims of parts, where every parser is unsure


@dataclass(frozen=True)
class FoundFace:
    """A face that was found in a picture.

    x, y: its middle, and length: its length, in pixels. tilt: how many degrees its top leans to the right; 0
    where the tilt is small.
    """

    x: float
    y: float
    length: float
    tilt: float = 0.0

    def scaled(self, factor: float) -> FoundFace:
        return replace(self, x=self.x * factor, y=self.y * factor, length=self.length * factor)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the square that contains the parts of this face and of no other."""
        half = 0.65 * self.length
        return self.x - half, self.y - half, self.x + half, self.y + half


@dataclass(frozen=True)
class Parse:
    """What a parser found in a picture.

    semantic: the map, of the picture's size. confidence: (H,W) float32 in [0,1], the probability of the most
    likely class. faces: the faces in the picture's pixels, the largest first. chosen: the face that was
    parsed at close range, counted from 1. scale: of the map, where it was made smaller than the picture.
    """

    semantic: SemanticMap
    confidence: np.ndarray
    faces: tuple[FoundFace, ...] = ()
    chosen: int = 1
    scale: float = 1.0

    @classmethod
    def of(cls, probabilities: np.ndarray, faces: tuple[FoundFace, ...] = (), chosen: int = 1) -> Parse:
        """The parse that follows from class probabilities (19,H,W) float32 at the size of the picture."""
        confidence, labels = (found.numpy() for found in torch.from_numpy(probabilities).max(0))
        return cls(SemanticMap(labels.astype(np.uint8)), confidence, faces, chosen)

    def with_smaller_map(self, size: tuple[int, int]) -> Parse:
        """The same with the map resized to (width, height)."""
        scale = self.scale * size[0] / self.semantic.size[0]
        return replace(self, semantic=self.semantic.resized(size), scale=scale)

    @property
    def frame(self) -> FaceFrame | None:
        """Where the chosen face is in the map. Other faces, and false parts beside the face, are ignored."""
        face = self.faces[self.chosen - 1].scaled(self.scale) if self.faces else None
        return self.semantic.frame(face.box if face else None)

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """(left, top, right, bottom) of the chosen face, or None where none was found."""
        return self.faces[self.chosen - 1].box if self.faces else None

    @property
    def unsure(self) -> np.ndarray:
        """(H,W) bool, of the confidence's size: the wide places where the most likely class is unsure."""
        disc = [max(3, round(max(self.confidence.shape) * UNSURE_WIDTH))] * 2
        unsure = (self.confidence < SURE).astype(np.uint8)
        return cv2.morphologyEx(
            unsure, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, disc)
        ).astype(bool)

    @property
    def found_face(self) -> bool:
        """Whether there is a face: skin with eyes or mouth in it."""
        return self.frame is not None


class Parser(Protocol):
    """The type of parsers. They do not raise errors for a picture without a face; its map is then background,
    or whatever resembles parts of a face. `face` counts from 1.
    """

    def __call__(self, picture: Image.Image, face: int = 1) -> Parse: ...


@lru_cache(maxsize=3)
def load_parser(name: str = "compact", device: str = "cpu", file: str | None = None) -> Parser:
    """The parser called `name`, ready on `device`. `file` contains the weights of a published parser; without
    it they are downloaded once. Raises InputError where there is no such parser, or where its weights are not
    available.
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
