"""The classes of a face, defined once: number, name, colour, the guide class that they belong to, and their
mirror image.

Numbers and names are those of CelebAMask-HQ (Lee et al. 2020, arXiv 1907.11922). `l_` is the person's own
left, so it is on the right of a picture that is not mirrored. Any two colours are at least 120 apart in RGB:
a colour that an anti-aliased edge or a lossy file moved by less than 60 still finds its class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FaceClass:
    """One class. `guide` is its guide class: classes with the same guide class are matched with
    each other.
    """

    index: int
    name: str
    colour: tuple[int, int, int]  # RGB, 0..255
    guide: str
    mirror: str  # the class it becomes when the picture is mirrored
    label: str  # for people


def _table(*rows: tuple[str, tuple[int, int, int], str, str, str]) -> tuple[FaceClass, ...]:
    return tuple(
        FaceClass(i, name, colour, guide, mirror, label)
        for i, (name, colour, guide, mirror, label) in enumerate(rows)
    )


CLASSES = _table(
    ("background", (24, 24, 40), "background", "background", "Background"),
    ("skin", (255, 130, 115), "skin", "skin", "Skin"),
    ("nose", (255, 50, 0), "nose", "nose", "Nose"),
    ("eye_glasses", (0, 115, 125), "eye_glasses", "eye_glasses", "Glasses"),
    ("l_eye", (0, 75, 255), "eye", "r_eye", "Left eye"),
    ("r_eye", (95, 215, 255), "eye", "l_eye", "Right eye"),
    ("l_brow", (115, 105, 0), "brow", "r_brow", "Left brow"),
    ("r_brow", (225, 180, 0), "brow", "l_brow", "Right brow"),
    ("l_ear", (110, 200, 85), "ear", "r_ear", "Left ear"),
    ("r_ear", (240, 255, 100), "ear", "l_ear", "Right ear"),
    ("mouth", (145, 0, 60), "mouth", "mouth", "Inside of the mouth"),
    ("u_lip", (255, 0, 125), "u_lip", "u_lip", "Upper lip"),
    ("l_lip", (255, 110, 240), "l_lip", "l_lip", "Lower lip"),
    ("hair", (65, 5, 175), "hair", "hair", "Hair"),
    ("hat", (170, 10, 255), "hat", "hat", "Hat"),
    ("earring", (255, 235, 255), "ear", "earring", "Earring"),
    ("necklace", (0, 255, 185), "neck", "necklace", "Necklace"),
    ("neck", (145, 100, 165), "neck", "neck", "Neck"),
    ("cloth", (0, 170, 0), "cloth", "cloth", "Clothes"),
)

NAMES = tuple(c.name for c in CLASSES)
INDEX = {c.name: c.index for c in CLASSES}
FACE_CLASSES = [
    INDEX[name]
    for name in (
        "skin",
        "nose",
        "eye_glasses",
        "l_eye",
        "r_eye",
        "l_brow",
        "r_brow",
        "mouth",
        "u_lip",
        "l_lip",
    )
]  # what lies inside the outline of a face
HEAD_CLASSES = [
    c.index for c in CLASSES if c.name not in ("background", "cloth")
]  # what a head has, or wears
PALETTE = np.array([c.colour for c in CLASSES], dtype=np.uint8)  # (19, 3) RGB
MIRROR = np.array([INDEX[c.mirror] for c in CLASSES], dtype=np.uint8)  # (19,) class after a horizontal flip
GUIDES = tuple(dict.fromkeys(c.guide for c in CLASSES))  # the guide classes, in order
GUIDE_OF = np.array([GUIDES.index(c.guide) for c in CLASSES], dtype=np.uint8)  # (19,) guide class of a class

HEAD_GUIDES = frozenset(GUIDES[GUIDE_OF[i]] for i in HEAD_CLASSES)  # the guide classes of a head
# guide classes that are alike, and how much: a part finds its nearest kin where the other picture lacks it
KIN = {
    ("hat", "hair"): 0.5,
    ("hat", "cloth"): 0.3,
    ("brow", "hair"): 0.4,
    ("u_lip", "l_lip"): 0.5,
    ("mouth", "u_lip"): 0.3,
    ("mouth", "l_lip"): 0.3,
    ("eye_glasses", "eye"): 0.4,
    ("eye_glasses", "skin"): 0.2,
    ("nose", "skin"): 0.4,
    ("brow", "skin"): 0.2,
    ("hair", "skin"): 0.15,
    ("ear", "skin"): 0.4,
    ("neck", "skin"): 0.5,
    ("cloth", "background"): 0.2,
    ("cloth", "neck"): 0.2,
}


def affinities(kinship: float = 1.0) -> np.ndarray:
    """How alike two guide classes are, (guides,guides): 1 on the diagonal and `kinship` in [0,1] times KIN
    elsewhere; positive definite.
    """
    alike = np.eye(len(GUIDES))
    for (a, b), value in KIN.items():
        i, j = GUIDES.index(a), GUIDES.index(b)
        alike[i, j] = alike[j, i] = kinship * value
    return alike


def class_vectors(kinship: float = 1.0) -> np.ndarray:
    """A unit vector for each guide class, (guides,guides): the symmetric square root of the affinities, which
    are thus the inner products of the vectors.
    """
    values, vectors = np.linalg.eigh(affinities(kinship))
    return (vectors * np.sqrt(values)) @ vectors.T


def nearest_kin(guide: str, there: set[str]) -> str | None:
    """The guide class among `there` that is most like `guide`, the first in order where two are equally
    alike; None where none is alike.
    """
    best = max(
        (g for g in GUIDES if g in there and g != guide),
        key=lambda other: affinities()[GUIDES.index(guide), GUIDES.index(other)],
        default=None,
    )
    return best if best is not None and affinities()[GUIDES.index(guide), GUIDES.index(best)] > 0 else None


def guide_words(guide: str) -> str:
    """The everyday name of a guide class: upper lip for u_lip, glasses for eye_glasses."""
    return next((c.label for c in CLASSES if c.name == guide), guide).lower()
