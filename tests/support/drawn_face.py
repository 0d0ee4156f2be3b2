"""A drawn face with its exact map: the planted answer of most tests, no picture of anybody is needed."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from segmentation.classes import INDEX
from segmentation.semantic_map import SemanticMap

COLOURS = {
    "background": (90, 120, 150),
    "hair": (60, 40, 30),
    "neck": (200, 150, 120),
    "cloth": (40, 70, 120),
    "skin": (225, 175, 145),
    "l_brow": (70, 45, 30),
    "r_brow": (70, 45, 30),
    "l_eye": (240, 240, 240),
    "r_eye": (240, 240, 240),
    "nose": (210, 150, 125),
    "u_lip": (170, 70, 70),
    "l_lip": (190, 80, 85),
}


def draw_face(
    size: tuple[int, int] = (128, 128), seed: int = 0, tint: tuple[int, int, int] = (0, 0, 0)
) -> tuple[Image.Image, SemanticMap]:
    """A schematic face that fills the picture of (width, height), each part with a texture of its own, and
    its map.
    """
    width, height = size
    labels = np.zeros((height, width), np.uint8)

    def ellipse(name: str, x: float, y: float, rx: float, ry: float) -> None:
        cv2.ellipse(
            labels,
            (round(x * width), round(y * height)),
            (max(1, round(rx * width)), max(1, round(ry * height))),
            0,
            0,
            360,
            INDEX[name],
            -1,
        )

    ellipse("hair", 0.5, 0.38, 0.34, 0.34)
    ellipse("cloth", 0.5, 1.05, 0.5, 0.22)
    ellipse("neck", 0.5, 0.8, 0.12, 0.16)
    ellipse("skin", 0.5, 0.5, 0.25, 0.33)
    for name, x in (("r_brow", 0.39), ("l_brow", 0.61)):
        ellipse(name, x, 0.36, 0.07, 0.018)
    for name, x in (("r_eye", 0.39), ("l_eye", 0.61)):
        ellipse(name, x, 0.43, 0.055, 0.028)
    ellipse("nose", 0.5, 0.54, 0.04, 0.1)
    ellipse("u_lip", 0.5, 0.68, 0.09, 0.02)
    ellipse("l_lip", 0.5, 0.71, 0.08, 0.022)
    rng = np.random.default_rng(seed)
    base = np.zeros((19, 3))
    for name, colour in COLOURS.items():
        base[INDEX[name]] = np.array(colour) + tint
    texture = cv2.GaussianBlur(rng.normal(0, 60, (height, width, 3)), (0, 0), 1.2)
    return Image.fromarray((base[labels] + texture).clip(0, 255).astype(np.uint8)), SemanticMap(labels)
