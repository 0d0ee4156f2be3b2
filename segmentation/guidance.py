"""Makes the two guides that steer the transfer from two semantic maps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import cv2
import numpy as np
import torch

from facetransfer.base.errors import InputError
from facetransfer.core.guides import Guide
from facetransfer.core.patch_synthesis import MIN_KIN_SHARE
from segmentation.classes import CLASSES, GUIDE_OF, GUIDES, INDEX, class_vectors, nearest_kin
from segmentation.correspondence import correspondence
from segmentation.landmarks import landmarks
from segmentation.semantic_map import FaceFrame, SemanticMap

# Weight of the appearance in the background and in clothes. They do not show who somebody is, and with a
# lower weight the style's brush strokes stay whole there.
SURROUNDINGS_APPEARANCE = 0.3
# Parts that belong to the person: where the style shows too little of them, the photo's own part stays.
OWN_PARTS = ("eye", "mouth", "eye_glasses")
MIN_OWN_PART_SHARE = (
    0.2  # share of the part's area in the content that the style must have, relative to the size of the faces
)
MIN_OWN_PART_PIXELS = 40  # pixels of the part that the style must have
KEPT_BLUR = 0.004  # width, in face sizes, over which a kept part fades into the result
CORRESPONDENCE_SIDE = (
    96  # side, in cells, of the grid on which positions are computed, since they change slowly
)


def guide_of(semantic: SemanticMap, frame: FaceFrame | None = None, kept: Collection[str] = ()) -> Guide:
    """The guide of one picture: the guide class of each pixel, and its position in the face where the face is
    known.

    The vectors of the guide classes say which of them are alike (`class_vectors`); in a map in colours of its
    own each colour is a class, and none is like another. frame: where the face is; None to find it in
    the map. kept: guide classes whose picture stays as it is; these pixels are guided as skin, which
    surrounds them.
    """
    width, height = semantic.size
    if semantic.colours is None:
        steering = np.array([GUIDES.index("skin" if g in kept else g) for g in GUIDES], np.uint8)
        labels, vectors = steering[GUIDE_OF][semantic.labels], class_vectors().astype(np.float32)
    else:
        labels, vectors = semantic.labels.copy(), np.eye(len(semantic.colours), dtype=np.float32)
    frame = frame or semantic.frame()
    guide = Guide(
        torch.from_numpy(labels),
        torch.from_numpy(vectors),
        torch.from_numpy(frame.position(width, height)) if frame else None,
    )
    if not semantic.is_face:
        return guide
    by_class = np.ones(len(CLASSES), np.float32)
    by_class[[INDEX["background"], INDEX["cloth"]]] = SURROUNDINGS_APPEARANCE
    guide = replace(guide, appearance=torch.from_numpy(by_class[semantic.labels]))
    if kept and frame:
        there = np.isin(GUIDES, list(kept))[GUIDE_OF][semantic.labels].astype(np.float32)
        soft = cv2.GaussianBlur(there, (0, 0), max(0.5, KEPT_BLUR * frame.size))
        guide = replace(guide, kept=torch.from_numpy(soft))
    return guide


def guides_of(
    content: SemanticMap,
    style: SemanticMap,
    frames: tuple[FaceFrame | None, FaceFrame | None] = (None, None),
    kept: Collection[str] = (),
) -> tuple[Guide, Guide]:
    """The guides of a pair. If either picture shows no face, neither guide has positions. kept: guide classes
    where the content's own picture stays, see `parts_to_keep`.

    The positions of the content are those that correspond to its pixels in the style's face, see
    `corresponding_position`.
    """
    own, other = content.colours, style.colours
    same = own is other is None or (own is not None and other is not None and np.array_equal(own, other))
    if not same:
        raise InputError(
            "the two maps do not have the same classes: paint both in the colours of the classes, or both "
            "in the same "
            "colours of your own"
        )
    own_frames = [frame or semantic.frame() for frame, semantic in zip(frames, (content, style), strict=True)]
    first, second = guide_of(content, own_frames[0], kept), guide_of(style, own_frames[1])
    if own_frames[0] is None or own_frames[1] is None:
        return replace(first, position=None), replace(second, position=None)
    if content.is_face:
        position = corresponding_position(content, own_frames[0], style, own_frames[1])
        first = replace(first, position=torch.from_numpy(position))
    return first, second


def corresponding_position(
    content: SemanticMap, frame: FaceFrame, style: SemanticMap, style_frame: FaceFrame
) -> np.ndarray:
    """For each pixel of the content, the corresponding position in the style's face, (2,H,W) float32, in face
    sizes from its middle.

    The corner of an eye corresponds to the corner of an eye, whatever the size of the eyes
    (`segmentation.correspondence`).
    """
    position = frame.position(*content.size)
    moves = correspondence(landmarks(content, frame), landmarks(style, style_frame))
    side = CORRESPONDENCE_SIDE
    coarse = cv2.resize(position.transpose(1, 2, 0), (side, side), interpolation=cv2.INTER_AREA)
    displacement = moves.displacement(coarse.astype(np.float64)).astype(np.float32)
    whole = cv2.resize(displacement, content.size, interpolation=cv2.INTER_LINEAR)
    return position + whole.transpose(2, 0, 1)


def parts_to_keep(
    content: SemanticMap, frame: FaceFrame | None, style: SemanticMap, style_frame: FaceFrame | None
) -> tuple[str, ...]:
    """The guide classes among OWN_PARTS that the content has and of which the style shows too little.

    Teeth made of closed lips, or glasses made of eyes, would look wrong. Frames are in pixels of the maps.
    """
    if not (content.is_face and style.is_face and frame and style_frame):
        return ()
    here, there = (np.bincount(GUIDE_OF[m.labels].ravel(), minlength=len(GUIDES)) for m in (content, style))
    kept = []
    for part in OWN_PARTS:
        own, other = here[GUIDES.index(part)], there[GUIDES.index(part)]
        enough = MIN_OWN_PART_SHARE * own * (style_frame.size / frame.size) ** 2
        if own and other < max(enough, MIN_OWN_PART_PIXELS):
            kept.append(part)
    return tuple(kept)


def substitutes(content: SemanticMap, style: SemanticMap, least: float = 1e-3) -> dict[str, str | None]:
    """For each guide class that covers at least the share `least` of the content and is missing in the style:
    the class that stands in for it, or None where no class is alike.
    """
    if not (content.is_face and style.is_face):
        return {}
    here, there = (
        np.bincount(GUIDE_OF[m.labels].ravel(), minlength=len(GUIDES)) / m.labels.size
        for m in (content, style)
    )
    present = {g: float(share) for g, share in zip(GUIDES, there, strict=True) if share > 0}
    found = {}
    for part, share in zip(GUIDES, here, strict=True):
        if share >= least and part not in present:
            ample = {g for g in present if present[g] >= MIN_KIN_SHARE * share}
            found[part] = nearest_kin(part, ample) or nearest_kin(part, set(present))
    return found
