"""Face parsers: one file each, its name is its key. `compact` is ours and ships with the program.

A parser is a function from an RGB picture to a `Parse`.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from facetransfer.errors import InputError
from segmentation.semantic_map import SemanticMap

PARSERS = ("compact",)
PROBABILITIES_SIDE = 384  # pixels: finer than any layer that they guide


@dataclass(frozen=True)
class Parse:
    """What a parser found: the map, of the picture's size; confidence (H,W) float32 in [0,1], the winning class's probability;
    probabilities (19,h,w) float16, of all classes, the picture at PROBABILITIES_SIDE pixels at most.
    """

    semantic: SemanticMap
    confidence: np.ndarray
    probabilities: np.ndarray | None = None

    @classmethod
    def of(cls, probabilities: np.ndarray) -> Parse:
        """From the probabilities (19,H,W) float32 at the picture's size."""
        labels, (height, width) = probabilities.argmax(0).astype(np.uint8), probabilities.shape[1:]
        scale = min(1.0, PROBABILITIES_SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in probabilities])
        return cls(SemanticMap(labels), probabilities.max(0), small.astype(np.float16))

    @property
    def found_face(self) -> bool:
        """Whether there is a face: skin with eyes or mouth in it."""
        return self.semantic.frame() is not None


class Parser(Protocol):
    """Raises nothing for a picture without a face: the map is then background, or what looks like parts."""

    def __call__(self, picture: Image.Image) -> Parse: ...


@lru_cache(maxsize=2)
def load_parser(name: str = "compact", device: str = "cpu") -> Parser:
    """The parser called `name`, ready on `device`. Raises InputError if there is none."""
    if name not in PARSERS:
        raise InputError(f"no parser is called {name!r}: choose from {', '.join(PARSERS)}")
    return import_module(f"{__name__}.{name}").load(device)
