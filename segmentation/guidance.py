"""From two semantic maps to the two guides that steer the transfer."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from facetransfer.base.errors import InputError
from facetransfer.base.settings import TransferSettings
from facetransfer.core.guides import Guide
from segmentation.classes import CLASSES, GUIDE_OF, GUIDES, class_vectors, nearest_kin
from segmentation.semantic_map import FaceFrame, SemanticMap


def guide_of(
    semantic: SemanticMap,
    frame: FaceFrame | None = None,
    probabilities: np.ndarray | None = None,
    kinship: float = 0.0,
) -> Guide:
    """The classes of each pixel as channels, and the place in the face where a face is known.

    Channels are one per guide class (1 where the map has it); with a kinship in (0,1], classes that are alike share some.
    `frame` says where the face is when the map cannot: a map painted in colours of its own. `probabilities` (19,h,w) of a
    parser soften the borders wherever the map says what the parser said: corrections are certain.
    """
    width, height = semantic.size
    if semantic.is_face:
        labels, count = GUIDE_OF[semantic.labels], len(GUIDES)
    else:
        labels, count = semantic.labels, len(semantic.colours)
    channels = (labels[None] == np.arange(count, dtype=np.uint8)[:, None, None]).astype(np.float32)
    if probabilities is not None and semantic.is_face:
        soft = np.zeros_like(channels)
        for c, p in zip(CLASSES, probabilities):
            soft[GUIDE_OF[c.index]] += cv2.resize(
                p.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
            )
        automatic = soft.argmax(0) == labels
        channels[:, automatic] = soft[:, automatic]
    if kinship and semantic.is_face:
        channels = np.tensordot(class_vectors(kinship).astype(np.float32), channels, 1)
    frame = frame or semantic.frame()
    position = torch.from_numpy(frame.position(width, height)) if frame else None
    return Guide(torch.from_numpy(channels), position)


def guides_of(
    content: SemanticMap,
    style: SemanticMap,
    frames: tuple[FaceFrame | None, FaceFrame | None] = (None, None),
    probabilities: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    settings: TransferSettings = TransferSettings(),
) -> tuple[Guide, Guide]:
    """The guides of a pair. Where one of the two shows no face, neither has a position guide."""
    if content.is_face != style.is_face or (
        not content.is_face and not np.array_equal(content.colours, style.colours)
    ):
        raise InputError(
            "the two maps do not have the same classes: paint both in the colours of the classes, or both in the same colours of your own"
        )
    if settings.edges == "hard":
        probabilities = (None, None)
    first, second = (
        guide_of(m, f, p, settings.kinship) for m, f, p in zip((content, style), frames, probabilities)
    )
    if first.position is None or second.position is None:
        return Guide(first.classes), Guide(second.classes)
    return first, second


def substitutes(content: SemanticMap, style: SemanticMap, least: float = 1e-3) -> dict[str, str | None]:
    """For each guide class of the content (at least that share of its pixels) that the style lacks: the kin it takes from, None for none."""
    if not (content.is_face and style.is_face):
        return {}
    here, there = (
        np.bincount(GUIDE_OF[m.labels].ravel(), minlength=len(GUIDES)) / m.labels.size
        for m in (content, style)
    )
    present = {g for g, share in zip(GUIDES, there) if share > 0}
    return {
        g: nearest_kin(g, present) for g, share in zip(GUIDES, here) if share >= least and g not in present
    }
