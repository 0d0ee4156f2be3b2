"""How much of the style each class takes: named regions, and strengths given one by one."""

from __future__ import annotations

from facetransfer.base.errors import InputError
from segmentation.classes import CLASSES, INDEX, NAMES

FACE_PARTS = [
    INDEX[n]
    for n in ("skin", "nose", "eye_glasses", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")
]
REGIONS: dict[str, dict[str, float]] = {
    "Everything": {},
    "Keep the background": {"background": 0.0},
    "Keep the eyes": {"l_eye": 0.0, "r_eye": 0.0},
    "Only the face": {c.name: 0.0 for c in CLASSES if c.index not in FACE_PARTS},
    "Only the skin": {
        c.name: 0.0 for c in CLASSES if c.name not in ("skin", "nose", "neck", "l_ear", "r_ear")
    },
}
"""Named strengths by class; classes not named have 1."""
AS_WORDS = {
    name.lower().replace(" ", "-"): strengths for name, strengths in REGIONS.items()
}  # as they are typed


def parsed(text: str) -> dict[str, float]:
    """Strengths as they are typed: "only-the-skin", "hair=0.5,skin=2", or both, the later wins. ValueError
    where the text is none.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        if region := AS_WORDS.get(part.strip()):
            found |= region
        elif part.strip() not in AS_WORDS:
            name, value = part.split("=")
            found[name.strip()] = float(value)
    return found


def as_text(strengths: dict[str, float]) -> str:
    """The strengths that differ from 1, as `parsed` reads them."""
    return ",".join(f"{name}={value:.10g}" for name, value in strengths.items() if value != 1)


def checked(strengths: dict[str, float]) -> dict[str, float]:
    """The strengths that differ from 1. Raises InputError for an unknown class or a value outside 0 to 2."""
    for name, value in strengths.items():
        if name not in INDEX:
            raise InputError(f"no class is called {name!r}: choose from {', '.join(NAMES)}")
        if not isinstance(value, (int, float)) or not 0 <= value <= 2:
            raise InputError(f"the strength of {name} is {value}: give a number from 0 (keep the photo) to 2")
    return {n: float(v) for n, v in strengths.items() if v != 1}
