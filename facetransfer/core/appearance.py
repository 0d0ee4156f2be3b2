"""The appearance guide: the content's light, dark and colour in the style's tones.

It asks, at each place, for a patch that looks there as the content would if it were painted in the style's
tones (Fiser et al. 2017, "Example-Based Synthesis of Stylized Facial Animations", section 4): the light on
the cheek, the lids and the folds, which tell whose face it is.
"""

from __future__ import annotations

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
CONTENT_BLUR = 0.5 / 512  # of the longest side: the content's noise is not part of its light
# Of the longest side, at likeness 0 and 1. Brush strokes are not part of the light on the style's face; the
# less they are blurred, the more they are chosen for how light or dark they are themselves.
STYLE_BLUR = 2 / 512, 1 / 512
MIN_CLASS_PIXELS = 64  # a class with fewer pixels takes its tones from the picture as a whole
COLOUR_SHARE = 0.5  # the weight of each toned colour channel beside that of the luminance
QUANTILES = np.linspace(0, 1, 257)


def appearance_guides(
    content: np.ndarray,
    toned: np.ndarray,
    style: np.ndarray,
    content_labels: np.ndarray,
    style_labels: np.ndarray,
    likeness: float = 0.5,
    class_cost: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The appearance of both pictures, (H,W,4) and (h,w,4) float32: matched luminance, then toned colours.

    content, toned (H,W,3) and style (h,w,3): RGB float32 in [0,1]; `toned` is the content after
    `colour_transfer.toned`. likeness: in [0,1]. Labels (H,W) and (h,w): classes in one numbering. Within
    each class the content's luminance is replaced by the style's of the same rank (histogram matching), which
    also fits styles of few tones; the colours only move by the classes' means and contrasts. class_cost:
    (K,K), see `patch_synthesis.class_costs`: a class that the style lacks takes the tones of its stand-in.
    """
    here = _blurred(content @ LUMA, CONTENT_BLUR)
    style_blur = STYLE_BLUR[0] + likeness * (STYLE_BLUR[1] - STYLE_BLUR[0])
    there = _blurred(style @ LUMA, style_blur)
    matched = _matched(here.ravel(), there.ravel()).reshape(here.shape)
    for label in np.unique(content_labels):
        own = content_labels == label
        other = style_labels == label if class_cost is None else class_cost[label][style_labels] <= 0
        if own.sum() >= MIN_CLASS_PIXELS and other.sum() >= MIN_CLASS_PIXELS:
            matched[own] = _matched(here[own], there[other])
    colours = np.float32(COLOUR_SHARE**0.5) * _blurred(toned, CONTENT_BLUR)
    style_colours = np.float32(COLOUR_SHARE**0.5) * _blurred(style, style_blur)
    return np.dstack((_blurred(matched, CONTENT_BLUR), colours)), np.dstack((there, style_colours))


def _blurred(values: np.ndarray, share: float) -> np.ndarray:
    """Values (H,W) or (H,W,C) blurred by a Gaussian of `share` of the longest side."""
    sigma = share * max(values.shape[:2])
    return cv2.GaussianBlur(values, (0, 0), sigma) if sigma > 0.2 else values


def _matched(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The values (N,) with the distribution of those `wanted` (M,), in the same order."""
    own, wanted = (np.sort(x)[np.round(QUANTILES * (len(x) - 1)).astype(int)] for x in (values, wanted))
    own = (
        own + np.arange(len(own)) * 1e-7
    )  # Interpolation needs growing values, and plain areas have equal ones.
    return np.interp(values, own, wanted).astype(np.float32)
