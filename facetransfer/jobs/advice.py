"""Advice on two pictures and their maps before the run, one line for each remark."""

from __future__ import annotations

import numpy as np

from facetransfer.base.images import fitted_size
from facetransfer.base.settings import TransferSettings
from facetransfer.core.features.layers import stride_of
from facetransfer.core.phases import phases_that_fit, style_layers_of
from segmentation.alignment import MIRROR_TURN
from segmentation.classes import CLASSES, GUIDE_OF, GUIDES, HEAD_GUIDES, guide_words
from segmentation.guidance import substitutes
from segmentation.semantic_map import FaceFrame, SemanticMap

SMALL_FACE = 0.15  # a face below this share of the longest side is called small
SIZES = 2.5  # how many times larger one face may be than the other without a remark
WINDOW = 3  # side of a patch, in cells of a layer


def shares(*maps: SemanticMap) -> list[tuple[str, tuple[float, ...]]]:
    """The label of every class that occurs, with its share of the pixels in each map, the largest first."""
    each = [m.shares() for m in maps]
    rows = [
        (c.label, tuple(float(s[c.index]) for s in each))
        for c in CLASSES
        if any(s[c.index] > 0 for s in each)
    ]
    return sorted(rows, key=lambda row: -max(row[1]))


def smallest_phase(
    labels: np.ndarray, name: str, settings: TransferSettings, size: tuple[int, int]
) -> int | None:
    """The last phase in which a guide class is narrower than a window of the finest style layer; None if it
    never is.
    """
    here = GUIDE_OF[labels] == GUIDES.index(name)
    area, phases = float(here.mean()) * size[0] * size[1], phases_that_fit(settings.phases, size, size)
    side = stride_of(style_layers_of(settings)[-1]) * WINDOW
    too_small = [i + 1 for i in range(phases) if area * 4.0 ** (i + 1 - phases) < side**2]
    return too_small[-1] if too_small else None


def no_face(name: str) -> str:
    """What is said of the content or the style, by that name, where no face is known in it."""
    return (
        f"No face is known in the {name} picture: choose a picture with a larger, brighter face, or paint "
        f"its parts. The transfer still works, but face parts cannot find each other."
    )


def advice(
    maps: tuple[SemanticMap, SemanticMap],
    frames: tuple[FaceFrame | None, FaceFrame | None],
    sizes: tuple[tuple[int, int], tuple[int, int]],
    settings: TransferSettings = TransferSettings(),
) -> list[str]:
    """Lines of advice, the most important first; empty when there is nothing to remark. Frames are in pixels
    of the pictures; sizes are their (width, height).
    """
    lines = [no_face(name) for name, frame in zip(("content", "style"), frames) if frame is None]
    if not (maps[0].is_face and maps[1].is_face):
        return lines
    return [
        *lines,
        *_on_small_faces(frames, sizes),
        *_on_alignment(frames, sizes, settings),
        *_on_missing_classes(*maps, without_face=frames[1] is None),
        *_on_small_parts(maps[0], sizes[0], settings),
    ]


def _on_small_faces(
    frames: tuple[FaceFrame | None, FaceFrame | None], sizes: tuple[tuple[int, int], tuple[int, int]]
) -> list[str]:
    """Advice on faces that fill little of their pictures."""
    remedies = (
        "cut the picture closer, or put the result back into the content photo, which works on the face "
        "alone.",
        "cut the picture closer.",
    )
    return [
        f"The face in the {name} picture is small ({frame.size / max(size):.0%} of its longest side): "
        f"{remedy}"
        for name, frame, size, remedy in zip(("content", "style"), frames, sizes, remedies)
        if frame and frame.size < SMALL_FACE * max(size)
    ]


def _on_alignment(
    frames: tuple[FaceFrame | None, FaceFrame | None],
    sizes: tuple[tuple[int, int], tuple[int, int]],
    settings: TransferSettings,
) -> list[str]:
    """Advice on faces that look to opposite sides or differ in size."""
    content, style = frames
    if content is None or style is None:
        return []
    lines = []
    if content.turn * style.turn < 0 and min(abs(content.turn), abs(style.turn)) > MIRROR_TURN:
        lines.append(
            "The faces look to opposite sides"
            + (
                ": the style is mirrored for the search."
                if settings.align == "on"
                else ": switch on Align the faces."
            )
        )
    ratio = (content.size / max(sizes[0])) / (style.size / max(sizes[1]))
    if settings.align == "off" and max(ratio, 1 / ratio) > SIZES:
        lines.append(
            f"One face is {max(ratio, 1 / ratio):.1f} times as large as the other: switch on Align the "
            f"faces, or cut the pictures alike."
        )
    return lines


def _on_missing_classes(content: SemanticMap, style: SemanticMap, without_face: bool) -> list[str]:
    """Advice on guide classes of the content that the style lacks; of a style `without_face` it was said that
    it has none of a head's.
    """
    lines = []
    for part, kin in substitutes(content, style).items():
        if without_face and part in HEAD_GUIDES:
            continue
        there = f"{guide_words(kin)} stands in for it" if kin else "whatever is nearest stands in for it"
        lines.append(
            f"The style picture has no {guide_words(part)}: {there}; paint one if something there could "
            f"serve."
        )
    return lines


def _on_small_parts(content: SemanticMap, size: tuple[int, int], settings: TransferSettings) -> list[str]:
    """Advice on guide classes of the content that are smaller than a patch even in the last phase."""
    fitted = fitted_size(size, settings.size)
    last = phases_that_fit(settings.phases, fitted, fitted)
    lines = []
    for part in dict.fromkeys(GUIDES[g] for g in np.unique(GUIDE_OF[content.labels])):
        phase = smallest_phase(content.labels, part, settings, fitted)
        if phase is not None and phase >= last:
            lines.append(
                f"The content's {guide_words(part)} is smaller than a patch even at the end: a larger size "
                f"shows it."
            )
    return lines
