"""Where each pixel of a film's frame was in the frame before, and what follows from it for its result.

The flow is OpenCV's DIS (Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search").
"""

from __future__ import annotations

import cv2
import numpy as np

from facetransfer.core.patch_kernels import PATCH
from facetransfer.core.patch_synthesis import PreviousFrame

LEAST_ERROR = 0.5  # pixels that a way there and back may miss its start by, of any length
ERROR_SHARE = 0.05  # and this share of the way
LEAST_CHANGE = 0.08  # of a colour in [0,1]: the same thing under changing light


def flow_to(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From each pixel of the frame `now` to where it was, (H,W,2) float32, x then y in pixels, and how far
    that is certain, (H,W) float32 in [0,1]. Both frames (H,W,3) uint8, of one size.

    It is certain where the way there and back ends where it began, inside the picture, and the less so, the
    more the colour changes: light that wanders over a face has to wander over its result too.
    """
    grays = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, now)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    still = np.zeros((*grays[0].shape, 2), np.float32)
    back = search.calc(grays[1], grays[0], still.copy())
    forth = search.calc(grays[0], grays[1], still.copy())
    missed = np.linalg.norm(back + moved(forth, back), axis=2)
    allowed = LEAST_ERROR + ERROR_SHARE * np.linalg.norm(back, axis=2)
    was = moved(before.astype(np.float32) / 255, back)
    change = cv2.GaussianBlur(np.abs(was - now.astype(np.float32) / 255).mean(2), (0, 0), 1.0)
    height, width = grays[0].shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    inside = (
        (x + back[..., 0] >= 0)
        & (x + back[..., 0] <= width - 1)
        & (y + back[..., 1] >= 0)
        & (y + back[..., 1] <= height - 1)
    )
    found = (missed < allowed) & (change < LEAST_CHANGE) & inside
    certainty = cv2.GaussianBlur(found.astype(np.float32), (0, 0), 1.0) * found
    return back, (certainty * (1 - change / LEAST_CHANGE).clip(0, 1)).astype(np.float32)


def moved(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The picture (H,W,C) float32 as its pixels lie in the frame that the flow starts from."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    there = x + flow[..., 0], y + flow[..., 1]
    return cv2.remap(picture, *there, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def moved_result(
    picture: np.ndarray, field: np.ndarray | None, flow: np.ndarray, certainty: np.ndarray
) -> PreviousFrame:
    """The result of the frame before, its picture (H,W,3) and its windows (2,h,w), where things are now."""
    if field is not None:
        middle = PATCH // 2
        steps = np.round(flow[middle:-middle, middle:-middle]).astype(int)
        rows, columns = np.mgrid[: field.shape[1], : field.shape[2]]
        rows = (rows + steps[..., 1]).clip(0, field.shape[1] - 1)
        columns = (columns + steps[..., 0]).clip(0, field.shape[2] - 1)
        field = np.ascontiguousarray(field[:, rows, columns])
    return PreviousFrame(moved(picture, flow).clip(0, 1), field, certainty)
