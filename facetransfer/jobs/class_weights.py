"""How much of the style each class takes: a number for each class, or a named set of such numbers."""

from __future__ import annotations

from facetransfer.base.errors import InputError
from segmentation.classes import CLASSES, FACE_CLASSES, INDEX, NAMES

NAMED_STRENGTHS: dict[str, dict[str, float]] = {
    "Everything": {},
    "Keep the background": {"background": 0.0},
    "Keep the eyes": {"l_eye": 0.0, "r_eye": 0.0},
    "Only the face": {c.name: 0.0 for c in CLASSES if c.index not in FACE_CLASSES},
    "Only the skin": {
        c.name: 0.0 for c in CLASSES if c.name not in ("skin", "nose", "neck", "l_ear", "r_ear")
    },
}
"""Named strengths by class; classes not named have 1."""
NAMES_AS_TYPED = {
    name.lower().replace(" ", "-"): strengths for name, strengths in NAMED_STRENGTHS.items()
}  # the names in the form that people type


def parse_strengths(text: str) -> dict[str, float]:
    """Reads strengths as people type them: "only-the-skin", "hair=0.5,skin=2", or both, where later entries
    override earlier ones. Raises ValueError where the text is neither.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        if named := NAMES_AS_TYPED.get(part.strip()):
            found |= named
        elif part.strip() not in NAMES_AS_TYPED:
            name, value = part.split("=")
            found[name.strip()] = float(value)
    return found


def strengths_as_text(strengths: dict[str, float]) -> str:
    """The strengths that differ from 1, in the form that `parse_strengths` reads."""
    return ",".join(f"{name}={value:.10g}" for name, value in strengths.items() if value != 1)


def checked_strengths(strengths: dict[str, float]) -> dict[str, float]:
    """The strengths that differ from 1. Raises InputError for an unknown class or a value outside 0 to 2."""
    for name, value in strengths.items():
        if name not in INDEX:
            raise InputError(f"no class is called {name!r}: choose from {', '.join(NAMES)}")
        if not isinstance(value, (int, float)) or not 0 <= value <= 2:
            raise InputError(f"the strength of {name} is {value}: give a number from 0 (keep the photo) to 2")
    return {n: float(v) for n, v in strengths.items() if v != 1}
