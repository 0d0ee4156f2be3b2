"""Removes scraps of glasses and hats. People wear these whole or not at all, so a region that is far too
small is something else.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from segmentation.classes import FACE_CLASSES, INDEX
from segmentation.parsers import FoundFace

LEAST = {
    "eye_glasses": 0.05,
    "hat": 0.1,
}  # share of the face's area: of 800 painted masks none shows less than 0.057 and 0.117
AROUND = 1.3  # lengths of the face to each side, within which it wears things


def drop_scraps(probabilities: np.ndarray, faces: tuple[FoundFace, ...], chosen: int) -> None:
    """Changes the probabilities in place: where the chosen face would wear a scrap, the second most likely
    class becomes the most likely.

    probabilities: (19,H,W) float32. chosen: counted from 1. Regions that are nearer to another face, measured
    in lengths of that face, or further away than AROUND, are left as they are.
    """
    face = faces[chosen - 1]
    reach = AROUND * face.length
    left, top, right, bottom = (
        max(0, int(n)) for n in (face.x - reach, face.y - reach, face.x + reach, face.y + reach)
    )
    here = probabilities[:, top:bottom, left:right]
    labels = torch.from_numpy(here).argmax(0).numpy()
    x0, y0, x1, y1 = (max(0, int(n)) for n in face.box)
    size = np.isin(labels[y0 - top : y1 - top, x0 - left : x1 - left], FACE_CLASSES).sum()  # of no other face
    for name, least in LEAST.items():
        _, regions, stats, middles = cv2.connectedComponentsWithStats(
            (labels == INDEX[name]).astype(np.uint8), connectivity=8
        )
        own = [k for k, (x, y) in enumerate(middles) if k and nearest(left + x, top + y, faces) == chosen - 1]
        if own and stats[own, cv2.CC_STAT_AREA].sum() < least * size:
            rows, columns = np.nonzero(np.isin(regions, own))
            left_over = here[:, rows, columns]
            left_over[INDEX[name]] = 0
            here[:, rows, columns] = left_over / np.maximum(left_over.sum(0), 1e-6)


def nearest(x: float, y: float, faces: tuple[FoundFace, ...]) -> int:
    """The index of the face that is nearest to a position, measured in lengths of each face."""
    return int(np.argmin([np.hypot(x - f.x, y - f.y) / f.length for f in faces]))
