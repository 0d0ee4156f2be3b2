"""The square around a face that the networks see. It is cut out upright and later put back in its place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np


@dataclass(frozen=True)
class Square:
    """A square in a picture. Its middle and side are in pixels from the picture's top left corner. tilt: how
    many degrees its top leans to the right.
    """

    x: float
    y: float
    side: float
    tilt: float = 0.0

    def within(self, width: int, height: int) -> Square:
        """The square moved into the picture as far as it fits. A tilted square stays where it is."""

        def moved(middle: float, size: int) -> float:
            room = (size - self.side) / 2
            return size / 2 + float(np.clip(middle - size / 2, -max(0.0, room), max(0.0, room)))

        return self if self.tilt else Square(moved(self.x, width), moved(self.y, height), self.side)

    def to_picture(self, size: int) -> np.ndarray:
        """The (2,3) matrix from positions in the square, at a resolution of `size` pixels, to positions in
        the picture.
        """
        angle, scale = np.deg2rad(self.tilt), self.side / size
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.c_[turn, (self.x, self.y) - turn @ np.full(2, size / 2)]

    def cut(self, rgb: np.ndarray, size: int) -> np.ndarray:
        """The square of the picture (H,W,3) at (size,size,3), upright; what lies outside the picture repeats
        its rim.
        """
        if self.side > 2 * size:  # averaged first, so that nothing aliases
            factor = size * 1.5 / self.side
            left, top, right, bottom = self.box(rgb.shape[1], rgb.shape[0])
            rim = round(4 / factor)
            left, top = max(0, left - rim), max(0, top - rim)
            part = rgb[top : bottom + rim, left : right + rim]
            if 0 < part.size < rgb.size / 2:  # The rest of a large photo need not be made smaller.
                return Square(self.x - left, self.y - top, self.side, self.tilt).cut(part, size)
            # A picture may be a line of one pixel, of which something has to be left.
            smaller = [max(1, round(length * factor)) for length in (rgb.shape[1], rgb.shape[0])]
            small = cv2.resize(rgb, smaller, interpolation=cv2.INTER_AREA)
            across, down = small.shape[1] / rgb.shape[1], small.shape[0] / rgb.shape[0]
            return Square(self.x * across, self.y * down, self.side * factor, self.tilt).cut(small, size)
        return cv2.warpAffine(
            rgb,
            _of_pixels(self.to_picture(size)),
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def scaled(self, across: float, down: float) -> Square:
        """The same square after the picture was resized by these factors, which are nearly the same."""
        return replace(self, x=self.x * across, y=self.y * down, side=self.side * (across + down) / 2)

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of the part of the picture that the square covers."""
        corners = self.to_picture(1) @ np.array([[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]])
        (left, top), (right, bottom) = (
            np.round(corners.min(1)).astype(int),
            np.round(corners.max(1)).astype(int),
        )
        return max(0, left), max(0, top), min(width, right), min(height, bottom)

    def covers(self, width: int, height: int) -> bool:
        """Whether it shows all of the picture, as it is."""
        box = self.box(width, height)
        return box == (0, 0, width, height) and bool(self.fade(box, width, height).min() == 1)

    def back(self, seen: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        """Values in the square (K,S,S), resampled at the pixels of `box` of the picture, (K,h,w)."""
        left, top, right, bottom = box
        matrix = _of_pixels(self.to_picture(seen.shape[1])) - ((0, 0, left), (0, 0, top))
        found = np.empty((len(seen), bottom - top, right - left), seen.dtype)
        for first in range(0, len(seen), 4):  # four channels at once take hardly longer than one
            here = found[first : first + 4]
            warped = cv2.warpAffine(
                cv2.merge(list(seen[first : first + 4])),
                matrix,
                here.shape[:0:-1],
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            cv2.split(warped, list(here)) if warped.ndim == 3 else np.copyto(here[0], warped)
        return found

    def fade(self, box: tuple[int, int, int, int], width: int, height: int) -> np.ndarray:
        """Weights (h,w) float32 at the pixels of `box`: 1 inside and 0 outside. They fall over a 16th of the
        side, except where the rim of the square is that of the picture.
        """
        left, top, right, bottom = box
        x, y = (
            (np.arange(left, right, dtype=np.float32) + 0.5 - self.x)[None],
            (np.arange(top, bottom, dtype=np.float32) + 0.5 - self.y)[:, None],
        )
        turn = (self.to_picture(1)[:, :2] / self.side).astype(np.float32)
        u, v = (
            turn[0, i] * x + turn[1, i] * y for i in (0, 1)
        )  # from the middle of the square, along its sides
        inner = [
            at
            for at, shown in (
                (self.side / 2 + u, left > 0),
                (self.side / 2 - u, right < width),
                (self.side / 2 + v, top > 0),
                (self.side / 2 - v, bottom < height),
            )
            if shown or self.tilt
        ]
        weights = np.ones((bottom - top, right - left), np.float32)
        for distance in inner:
            weights = np.minimum(weights, np.clip(distance / max(2.0, self.side / 16), 0, 1))
        return weights.astype(np.float32)


class Pyramid:
    """A picture (H,W,3) uint8 at its own size, at half of it, a quarter and so on, each made when it is first
    needed. Many looks at most of a large picture would otherwise each reduce all of it.
    """

    def __init__(self, rgb: np.ndarray) -> None:
        self.levels = [rgb]

    def enough_for(self, factor: float) -> np.ndarray:
        """The smallest level from which the picture can still be reduced to `factor` of its size with the
        pixels averaged: at least twice as large as that.
        """
        level = max(0, int(np.log2(max(1.0, 0.5 / factor))))
        while len(self.levels) <= level:
            height, width = self.levels[-1].shape[:2]
            half = max(1, round(width / 2)), max(1, round(height / 2))
            self.levels.append(cv2.resize(self.levels[-1], half, interpolation=cv2.INTER_AREA))
        return self.levels[level]

    def cut(self, square: Square, size: int) -> np.ndarray:
        """The square at (size,size,3), as `Square.cut` gives it."""
        (height, width), level = self.levels[0].shape[:2], self.enough_for(size / square.side)
        return square.scaled(level.shape[1] / width, level.shape[0] / height).cut(level, size)

    def fitted(self, side: int) -> tuple[np.ndarray, float]:
        """The picture with a longest side of `side` pixels, and by how much it was scaled."""
        height, width = self.levels[0].shape[:2]
        scale = side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return cv2.resize(self.enough_for(scale), size, interpolation=cv2.INTER_AREA), scale


def _of_pixels(matrix: np.ndarray) -> np.ndarray:
    """From a map of places to one of pixels, whose middles lie half a pixel inside."""
    return np.c_[matrix[:, :2], matrix[:, 2] + matrix[:, :2].sum(1) / 2 - 0.5]
