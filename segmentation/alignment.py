"""Brings the style's face to the size, tilt and direction of the content's face. The search compares windows
of one size, so the faces must have the same size too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from facetransfer.base.images import MIN_SIDE
from segmentation.semantic_map import FaceFrame, SemanticMap

LARGEST = 2.0  # largest factor by which a style picture is enlarged: more only blurs
# of the size at which the whole style picture is as large as the content: less costs detail (docs/quality.md)
SMALLEST = 0.75
UPRIGHT = math.radians(4)  # difference in tilt that is left alone: turning a picture costs sharpness
# The style is resampled in coarse steps: the face of the same photo saved again lies 0.2 pixels aside and is
# 0.2 % larger, and with other pixels of the style every window of the result would be another one. Windows
# do not care for a face that is 2 % larger, and where it lies is what the position guide says.
SCALE_STEP = 1.04  # times
TILT_STEP = math.radians(2)
PLACE_STEP = 16  # pixels, so that the coarser levels of the style stay the same too
# The noses must lie this many face sizes beside the middle, to opposite sides, before the style is mirrored.
# Views in three quarters lie at 0.03 to 0.045; of 10,000 pairs of mostly frontal faces 0.6 % are mirrored.
MIRROR_TURN = 0.03
# Share of the picture's shorter side that is cut off at its rim before the picture is mirrored outwards: torn
# paper and thin frames would become lines there.
RIM = 0.01
AROUND = 1.25  # side of the part of the style that is kept, as a multiple of the content's side


def similarity(source: FaceFrame, target: FaceFrame, mirrored: bool = False) -> np.ndarray:
    """The (2,3) matrix that takes positions (x, y) in one face to the same positions in the other; x is
    flipped first where mirrored.
    """
    scale = target.size / source.size
    flip = -1.0 if mirrored else 1.0
    tilt = target.tilt - flip * source.tilt
    c, s = scale * math.cos(tilt), scale * math.sin(tilt)
    matrix = np.array([[c * flip, -s, 0.0], [s * flip, c, 0.0]])
    matrix[:, 2] = (target.x, target.y) - matrix[:, :2] @ (source.x, source.y)
    return matrix


@dataclass(frozen=True)
class Alignment:
    """How a style picture is aligned.

    matrix: (2,3), takes positions in the original style picture to positions in the aligned one, in pixels.
    size: (width, height) of the aligned picture.
    """

    matrix: np.ndarray
    size: tuple[int, int]
    mirrored: bool

    @property
    def scale(self) -> float:
        """The factor by which the style is enlarged."""
        return float(np.hypot(*self.matrix[:, 0]))

    def picture(self, picture: Image.Image) -> Image.Image:
        """The aligned style picture. Areas outside the original are filled with its mirror image."""
        pixels, factor = np.asarray(picture), 1.0
        if self.scale < 1:  # Averaging before the warp prevents aliasing.
            smaller = [max(1, round(n * self.scale)) for n in picture.size]
            factor = smaller[0] / picture.width
            pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
        return Image.fromarray(
            self._warped(pixels, factor, cv2.INTER_CUBIC if self.scale >= 1 else cv2.INTER_LINEAR)
        )

    def map(self, semantic: SemanticMap, width: int) -> SemanticMap:
        """The aligned map of the style picture. `width` is the width of the original picture, whatever the
        size of the map.
        """
        if self.mirrored:  # the warp flips the picture; left and right are swapped here
            semantic = SemanticMap(semantic.mirrored().labels[:, ::-1], semantic.colours)
        return SemanticMap(
            self._warped(semantic.labels, semantic.size[0] / width, cv2.INTER_NEAREST), semantic.colours
        )

    def inside(self, size: tuple[int, int]) -> np.ndarray:
        """Where the aligned picture shows the style picture of (width, height) itself and not its mirror
        image, (H,W) bool.
        """
        whole = np.full(size[::-1], 255, np.uint8)
        return self._warped(whole, 1.0, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) > 0

    def _warped(
        self, pixels: np.ndarray, factor: float, interpolation: int, border: int = cv2.BORDER_REFLECT
    ) -> np.ndarray:
        """Aligned pixels. `factor`: the size of the given pixels relative to the picture. `border`: what
        OpenCV puts outside the picture.
        """
        rim = round(RIM * min(pixels.shape[:2]))
        pixels, matrix = pixels[rim : pixels.shape[0] - rim, rim : pixels.shape[1] - rim], self.matrix.copy()
        matrix[:, :2] /= factor
        matrix[:, 2] += matrix[:, :2].sum(1) * rim
        matrix[:, 2] += (
            matrix[:, :2].sum(1) * 0.5 - 0.5
        )  # places are counted from the picture's corner, OpenCV's from the first pixel's middle
        return cv2.warpAffine(pixels, matrix, self.size, flags=interpolation, borderMode=border)


def align(
    content: FaceFrame, style: FaceFrame, content_size: tuple[int, int], style_size: tuple[int, int]
) -> Alignment:
    """The alignment of a style picture to a content picture. Each frame is in pixels of its own picture;
    sizes are (width, height).
    """
    mirrored = content.turn * style.turn < 0 and min(abs(content.turn), abs(style.turn)) > MIRROR_TURN
    own_tilt = -style.tilt if mirrored else style.tilt
    turn = math.remainder(content.tilt - own_tilt, 2 * math.pi)
    tilt = own_tilt + (0.0 if abs(turn) < UPRIGHT else TILT_STEP * round(turn / TILT_STEP))
    smallest = max(MIN_SIDE / min(style_size), SMALLEST * max(content_size) / max(style_size))
    wanted = SCALE_STEP ** round(math.log(content.size / style.size, SCALE_STEP))
    scale = min(max(wanted, smallest), max(LARGEST, smallest))
    target = FaceFrame(content.x, content.y, style.size * scale, tilt)
    matrix = similarity(style, target, mirrored)
    matrix[:, 2] = PLACE_STEP * np.round(matrix[:, 2] / PLACE_STEP)
    corners = (
        np.array([[0, 0, 1], [style_size[0], 0, 1], [0, style_size[1], 1], [*style_size, 1]], float)
        @ matrix.T
    )
    limit = np.array(content_size) * (AROUND - 1) / 2
    low = np.maximum(np.floor(corners.min(0)), np.floor(-limit))
    high = np.minimum(np.ceil(corners.max(0)), np.ceil(np.array(content_size) + limit))
    short = np.maximum(MIN_SIDE - (high - low), 0)
    low, high = low - np.floor(short / 2), high + np.ceil(short / 2)
    matrix[:, 2] -= low
    width, height = (int(n) for n in high - low)
    return Alignment(matrix, (width, height), mirrored)
