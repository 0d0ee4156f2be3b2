"""The fill tool: from a stroke to the region around it that ends at the picture's edges."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 512  # longest side that is worked at, pixels: the same reach means the same in pictures of any size
REACH = 20  # levels of CIELAB (8 bit) that a place may differ from the stroke
SEEDS = 24  # places of a stroke that are looked at
EDGE = 80, 200  # thresholds of Canny's edges, at which a fill ends even where colours are alike
HOLE = 0.002  # share of the picture below which a hole in a fill is filled too


def fill_region(picture: np.ndarray, stroke: list[tuple[float, float]], reach: float = REACH) -> np.ndarray:
    """Where a fill from these places goes, (H,W) bool.

    Args:
        picture: (H,W,3) uint8 RGB.
        stroke: places (x, y) as shares of width and height, 0 to 1; at least one.
        reach: colours this far from the stroke's, in levels, still belong to the region.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    small = cv2.resize(
        picture, (max(2, round(width * scale)), max(2, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    lab = cv2.cvtColor(cv2.pyrMeanShiftFiltering(small, 6, 20, maxLevel=1), cv2.COLOR_RGB2LAB)
    edges = np.pad(cv2.Canny(cv2.GaussianBlur(small, (0, 0), 1.0), *EDGE) > 0, 1).astype(np.uint8)
    rows, columns = lab.shape[:2]
    found = np.zeros((rows, columns), np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | 2 << 8
    for x, y in stroke[:: max(1, -(-len(stroke) // SEEDS))]:
        i, j = min(rows - 1, max(0, int(y * rows))), min(columns - 1, max(0, int(x * columns)))
        mask = edges.copy()
        mask[i : i + 3, j : j + 3] = 0  # a stroke on an edge starts all the same
        cv2.floodFill(lab, mask, (j, i), 0, (reach,) * 3, (reach,) * 3, flags)
        found |= (mask[1:-1, 1:-1] == 2).astype(np.uint8)
    found = cv2.morphologyEx(
        cv2.dilate(found, np.ones((3, 3), np.uint8)), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)
    )
    _, parts, stats, _ = cv2.connectedComponentsWithStats(1 - found, connectivity=4)
    small_parts = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < HOLE * found.size)
    found[np.isin(parts, small_parts[small_parts > 0])] = 1
    return cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0
