"""Face parsers: one file each, its name is its key. `compact` is ours and ships with the program.

A parser is a function from an RGB picture to a `Parse`.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Protocol

import numpy as np
from PIL import Image

from facetransfer.errors import InputError
from segmentation.semantic_map import SemanticMap

PARSERS = ("compact",)


@dataclass(frozen=True)
class Parse:
    """What a parser found: the map, of the picture's size, and confidence (H,W) float32 in [0,1], the winning class's probability."""

    semantic: SemanticMap
    confidence: np.ndarray

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
