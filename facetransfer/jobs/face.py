"""A picture with its semantic map and the place of the face in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.images import fit
from segmentation.alignment import Alignment
from segmentation.parsers import Parse, Parser
from segmentation.semantic_map import FaceFrame, SemanticMap

AnyFace = TypeVar("AnyFace", bound="Face")


@dataclass(frozen=True)
class Face:
    """A picture and what is known about it.

    semantic: its map, of the picture's shape but of any size; None where no map was given or made.
    frame: where the face is, in the picture's pixels; None where no face was found.
    """

    picture: Image.Image
    semantic: SemanticMap | None = None
    frame: FaceFrame | None = None

    @classmethod
    def of(
        cls,
        picture: Image.Image,
        semantic: SemanticMap | None = None,
        parse: Parser | Parse | None = None,
        face: int = 1,
    ) -> Face:
        """The picture with the given map, or with the parser's map where none is given.

        `parse` is a parser, or what a parser has already found. It also finds the face where the map is in
        colours of its own, since such a map does not show it. `face` says which of the faces in the picture
        is meant, counted from 1, the largest. Raises InputError when the map has another shape than the
        picture.
        """
        found = None
        if isinstance(parse, Parse):
            found = parse
        elif parse is not None and (semantic is None or not semantic.is_face):
            found = parse(picture, face)
        if semantic is None:
            if found is None:
                return Face(picture)
            semantic = found.semantic
        check_shape(semantic, picture)
        if not semantic.is_face:
            frame = found.frame if found else None
            return Face(picture, semantic, frame.scaled(1 / found.scale) if found and frame else None)
        scale = semantic.size[0] / picture.width
        within = None
        if found and found.box:  # The box is in the picture's pixels, the frame in the map's.
            left, top, right, bottom = found.box
            within = left * scale, top * scale, right * scale, bottom * scale
        frame = semantic.frame(within)
        return Face(picture, semantic, frame.scaled(1 / scale) if frame else None)

    @property
    def located(self) -> LocatedFace | None:
        """The same with both its map and its place known; None where one of them is not."""
        if self.semantic is None or self.frame is None:
            return None
        return LocatedFace(self.picture, self.semantic, self.frame)

    def fitted(self: AnyFace, longest: int) -> AnyFace:
        """The same with the longest side of picture and map at `longest` pixels (0: the picture's own)."""
        picture = fit(self.picture, longest)
        return replace(
            self,
            picture=picture,
            semantic=self.semantic.resized(picture.size) if self.semantic else None,
            frame=self.frame.scaled(picture.width / self.picture.width) if self.frame else None,
        )


@dataclass(frozen=True)
class LocatedFace(Face):
    """A picture of which both the map and the place of the face are known."""

    semantic: SemanticMap = field()
    frame: FaceFrame = field()

    def cut(self, box: tuple[int, int, int, int]) -> LocatedFace:
        """The part (left, top, right, bottom) of the picture, with a map of its size."""
        left, top, right, bottom = box
        labels = self.semantic.resized(self.picture.size).labels[top:bottom, left:right]
        return LocatedFace(
            self.picture.crop(box),
            SemanticMap(np.ascontiguousarray(labels), self.semantic.colours),
            replace(self.frame, x=self.frame.x - left, y=self.frame.y - top),
        )

    def box_around(self, side: float) -> tuple[int, int, int, int]:
        """The square (left, top, right, bottom) around the face, `side` face sizes wide and cut at the rim of
        the picture; the whole picture where the square is nearly that.

        Its sides lie on a coarse grid, so that a face that is found a pixel aside gives the same square.
        """
        width, height = self.picture.size
        half = side * self.frame.size / 2
        grid = 2 ** max(0, round(np.log2(half / 8)))

        def on_grid(place: float, size: int) -> int:
            return min(max(0, grid * round(place / grid)), size)

        left, right = on_grid(self.frame.x - half, width), on_grid(self.frame.x + half, width)
        top, bottom = on_grid(self.frame.y - half, height), on_grid(self.frame.y + half, height)
        if (right - left) * (bottom - top) >= 0.8 * width * height:
            return 0, 0, width, height
        return left, top, right, bottom

    def aligned(self, alignment: Alignment) -> LocatedFace:
        """The picture, its map and the place of its face after the alignment of the style."""
        frame, matrix = self.frame, alignment.matrix
        x, y = matrix @ np.array([frame.x, frame.y, 1.0])
        flip = -1 if alignment.mirrored else 1
        turned = float(np.arctan2(matrix[1, 0], matrix[0, 0])) - (np.pi if alignment.mirrored else 0.0)
        tilt = float((flip * frame.tilt + turned + np.pi) % (2 * np.pi) - np.pi)
        return LocatedFace(
            alignment.picture(self.picture),
            alignment.map(self.semantic, self.picture.width),
            FaceFrame(float(x), float(y), frame.size * alignment.scale, tilt, flip * frame.turn),
        )


def check_shape(semantic: SemanticMap, picture: Image.Image, name: str = "a picture") -> None:
    """Raises InputError where the map has another shape than the picture; another size is fine."""
    wanted = picture.width / picture.height
    if abs(semantic.size[0] / semantic.size[1] - wanted) > 0.02 * wanted + 1 / picture.height:
        raise InputError(
            f"the map of {name} is {semantic.size[0]}x{semantic.size[1]}, which is another shape than the "
            f"picture's {picture.width}x{picture.height}: give a map of the same shape"
        )
