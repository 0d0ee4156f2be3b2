"""From two semantic maps to the two guides that steer the transfer."""
from __future__ import annotations

import numpy as np
import torch

from facetransfer.errors import InputError
from facetransfer.guides import Guide
from segmentation.classes import GUIDE_OF, GUIDES
from segmentation.semantic_map import FaceFrame, SemanticMap


def guide_of(semantic: SemanticMap, frame: FaceFrame | None = None) -> Guide:
    """One channel per guide class (1 where the map has it), and the place in the face where a face is known.

    `frame` says where the face is when the map cannot: a map painted in colours of its own.
    """
    if semantic.is_face:
        labels, count = GUIDE_OF[semantic.labels], len(GUIDES)
    else:
        labels, count = semantic.labels, len(semantic.colours)
    channels = torch.from_numpy(labels[None] == np.arange(count, dtype=np.uint8)[:, None, None]).float()
    frame = frame or semantic.frame()
    position = torch.from_numpy(frame.position(*semantic.size).copy()) if frame else None
    return Guide(channels, position)


def guides_of(content: SemanticMap, style: SemanticMap, frames: tuple[FaceFrame | None, FaceFrame | None] = (None, None)) -> tuple[Guide, Guide]:
    """The guides of a pair. Where one of the two shows no face, neither has a position guide."""
    if content.is_face != style.is_face or (not content.is_face and not np.array_equal(content.colours, style.colours)):
        raise InputError("the two maps do not have the same classes: paint both in the colours of the classes, or both in the same colours of your own")
    first, second = guide_of(content, frames[0]), guide_of(style, frames[1])
    if first.position is None or second.position is None:
        return Guide(first.classes), Guide(second.classes)
    return first, second
