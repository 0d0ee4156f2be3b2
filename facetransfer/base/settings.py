"""What a person can set, written once: default, range and help live in the field; flags and sliders are
derived.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from facetransfer.base.errors import InputError, shortened

NETWORKS = ("compact", "vgg19")
GUIDED, SEMANTIC, MRF, GATYS = METHODS = ("guided", "semantic", "mrf", "gatys")
# What the method guided asks for; the other settings belong to those that optimise the picture.
GUIDED_SETTINGS = ("likeness", "size", "colours", "seed", "tones", "align", "method")
LARGEST_SIZE = 4096  # pixels of the longest side of a result
LARGEST_OPTIMISED = 2048  # the same for the methods that optimise pixels under a network
STARTS = ("content", "noise", "image")
LAYERS = (
    "1_1",
    "1_2",
    "2_1",
    "2_2",
    "3_1",
    "3_2",
    "3_3",
    "3_4",
    "4_1",
    "4_2",
)  # of every feature network: block_convolution
PLACES = (
    "alone",
    "style",
    "content",
)  # where a result goes: as it is, into the style picture, back into the full-size content photo
TURNS = ("none", "turned")
ON_OFF = ("on", "off")
COLOURS = ("style", "content")
PRECISIONS = ("auto", "float32", "bfloat16")


class Setting(NamedTuple):
    """One setting as a door needs it."""

    name: str
    default: Any
    label: str
    help: str
    minimum: float  # of a number; 0 of a choice
    maximum: float
    step: float
    choices: tuple[str, ...]  # none of a number
    several: bool  # a list of choices with commas between them
    advanced: bool

    @property
    def kind(self) -> type:
        return type(self.default)

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def _number(
    default: float, label: str, text: str, low: float, high: float, step: float, advanced: bool = False
) -> Any:
    return field(
        default=default,
        metadata=dict(label=label, help=text, minimum=low, maximum=high, step=step, advanced=advanced),
    )


def _choice(default: str, label: str, text: str, choices: tuple[str, ...], advanced: bool = True) -> Any:
    return field(default=default, metadata=dict(label=label, help=text, choices=choices, advanced=advanced))


def _list(default: str, label: str, text: str, choices: tuple[str, ...]) -> Any:
    return field(
        default=default, metadata=dict(label=label, help=text, choices=choices, several=True, advanced=True)
    )


@dataclass(frozen=True)
class TransferSettings:
    """Everything that decides a result, apart from the pictures and their maps.

    Raises InputError where a value is not a number, is outside its range or is not one of its choices.
    """

    method: str = _choice(
        GUIDED,
        "Method",
        "guided: the style's own pixels, chosen by the part of the face, the place in it and the light on "
        "it (Fiser 2017); "
        "semantic: patches of features from the same part of the face (Champandard 2016); mrf: the nearest "
        "patches of "
        "features from anywhere (Li and Wand 2016); gatys: no patches, global texture (Gatys et al. 2015).",
        METHODS,
        advanced=False,
    )
    likeness: float = _number(
        0.5,
        "Likeness",
        "How much one knows the person: 0 keeps only the pose, 1 is unmistakable, and lower values keep "
        "more of the style. "
        "Only the method guided has it.",
        0,
        1,
        0.05,
    )
    phases: int = _number(
        3,
        "Phases",
        "Sizes worked at, each twice the one before: the first decides the layout, the last the detail.",
        1,
        6,
        1,
    )
    iterations: int = _number(
        16, "Iterations", "Steps in each phase. More is cleaner and slower.", 1, 2000, 1
    )
    content_weight: float = _number(
        10.0, "Content weight", "How much the result keeps the content picture's shapes.", 0, 1000, 0.5
    )
    style_weight: float = _number(
        14.0, "Style weight", "How much the result takes the style picture's skin.", 0, 1000, 0.5
    )
    semantic_weight: float = _number(
        10.0,
        "Semantic weight",
        "How strictly each part of the face takes from the same part (0: plain patch transfer).",
        0,
        100,
        0.5,
    )
    position_weight: float = _number(
        0.5,
        "Position weight",
        "How strictly a place in the face takes from the same place: cheek from cheek.",
        0,
        20,
        0.1,
    )
    colour_weight: float = _number(
        15.0,
        "Colour weight",
        "How strictly pixels follow the patches found, beside their features: clean colours, no noise.",
        0,
        100,
        0.1,
    )
    tones: float = _number(
        1.0,
        "Tones",
        "How far each part of the face is first brought to the style's brightness, contrast and colour: "
        "patches fit better, lit skin has no spots.",
        0,
        1,
        0.1,
    )
    smoothness: float = _number(
        1.0, "Smoothness", "How much noise between neighbouring pixels is punished.", 0, 100, 0.1
    )
    colours: str = _choice(
        "style",
        "Colours",
        "style: skin and colours change; content: only light and dark change, the colours stay the "
        "content's.",
        COLOURS,
        advanced=False,
    )
    size: int = _number(
        512,
        "Size",
        "Longest side of the result in pixels (0: as large as the content picture).",
        0,
        LARGEST_SIZE,
        32,
    )
    seed: int = _number(
        0, "Random seed", "The same seed gives the same picture.", 0, 2**31 - 1, 1, advanced=True
    )
    match_every: int = _number(
        4,
        "Match every",
        "Steps between two searches for the nearest patches, more once they settle (1: at every step, as "
        "published).",
        1,
        1000,
        1,
        advanced=True,
    )
    start: str = _choice(
        "content",
        "Start from",
        "The picture the work starts from: the content or noise; on the command line also one that is given.",
        STARTS,
    )
    noise_low: int = _number(
        16,
        "Noise from",
        "Darkest value of the noise that the work may start from, of 255.",
        0,
        255,
        1,
        advanced=True,
    )
    noise_high: int = _number(
        240, "Noise to", "Brightest value of that noise, of 255.", 0, 255, 1, advanced=True
    )
    align: str = _choice(
        "on",
        "Align the faces",
        "on: the style's face is brought to the size, tilt and direction of the content's first.",
        ON_OFF,
    )
    coherence: float = _number(
        0.1,
        "Coherence",
        "How strongly neighbours take from neighbours: whole strokes instead of their average, sharper.",
        0,
        1,
        0.01,
        advanced=True,
    )
    variety: float = _number(
        0.3,
        "Variety",
        "How much a patch is avoided that was just used more often than others: less repetition.",
        0,
        10,
        0.05,
        advanced=True,
    )
    turns: str = _choice(
        "none",
        "Extra patches",
        "Patches of the style also turned by 12 degrees each way, and scaled: more to choose from, slower.",
        TURNS,
    )
    style_layers: str = _list(
        "4_1,3_1,2_1", "Style layers", "Layers of the feature network that carry the style.", LAYERS
    )
    content_layers: str = _list(
        "4_1", "Content layers", "Layers of the feature network that keep the content.", LAYERS
    )
    precision: str = _choice(
        "auto",
        "Precision",
        "Of the feature network's arithmetic: auto takes bfloat16 where the device multiplies it faster, "
        "or else float32.",
        PRECISIONS,
    )
    network: str = _choice(
        "compact",
        "Feature network",
        "compact is ours and ships with the program; vgg19 is the published one (548 MB, downloaded once).",
        NETWORKS,
    )

    def __post_init__(self) -> None:
        for setting in all_settings():
            _check(setting, getattr(self, setting.name))
        if self.noise_low > self.noise_high:
            raise InputError(
                f"noise from is {self.noise_low}, above noise to, {self.noise_high}: give the darker value "
                f"first"
            )
        if not (self.content_weight or self.style_weight):
            raise InputError(
                "content weight and style weight are both 0: at least one must be larger, or nothing is "
                "left to do"
            )


def all_settings() -> Iterator[Setting]:
    """The settings in the order of their fields."""
    for f in fields(TransferSettings):
        m = f.metadata
        yield Setting(
            f.name,
            f.default,
            m["label"],
            m["help"],
            m.get("minimum", 0),
            m.get("maximum", 0),
            m.get("step", 0),
            m.get("choices", ()),
            m.get("several", False),
            m["advanced"],
        )


def _check(setting: Setting, value: Any) -> None:
    name, given = setting.label.lower(), _given(value)
    if setting.several:
        parts = value.split(",") if isinstance(value, str) else []
        if not parts or len(set(parts)) < len(parts) or set(parts) - set(setting.choices):
            raise InputError(
                f"{name} is {given}: give some of {', '.join(setting.choices)}, each once, with commas and "
                f"no spaces between them"
            )
        return
    if setting.choices:
        if not isinstance(value, str) or value not in setting.choices:
            raise InputError(f"{name} is {given}: choose one of {', '.join(setting.choices)}")
        return
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or isinstance(value, float)
        and not math.isfinite(value)
    ):
        missing = "is empty" if value is None else f"is {given}, which is not a number"
        raise InputError(f"{name} {missing}: give one from {setting.minimum:.10g} to {setting.maximum:.10g}")
    if setting.kind is int and value != int(value):
        raise InputError(
            f"{name} is {_shown(value)}: give a whole number from {setting.minimum:.10g} to "
            f"{setting.maximum:.10g}"
        )
    if not setting.minimum <= value <= setting.maximum:
        raise InputError(
            f"{name} is {_shown(value)}: give a number from {setting.minimum:.10g} to {setting.maximum:.10g}"
        )


def _given(value: Any) -> str:
    """Whatever was given, for people."""
    if isinstance(value, int):
        return _shown(value)
    return (
        shortened(repr(value))
        if value is None or isinstance(value, (str, float, list, tuple, dict))
        else f"of the kind {type(value).__name__}"
    )


def _shown(value: float) -> str:
    """A number for people; whole ones may be larger than any float."""
    try:
        return str(value) if isinstance(value, bool) else f"{value:.10g}"
    except OverflowError:
        return "far too large" if value > 0 else "far too small"


PRESETS: dict[str, dict[str, Any]] = {
    "Preview": dict(size=256, phases=2, iterations=10),
    "Balanced": dict(),
    "Fine": dict(size=1024, iterations=40, phases=4, turns="turned"),
    "The article's": dict(method=SEMANTIC, phases=4, iterations=1000, content_weight=10.0, style_weight=10.0),
}
"""Named settings: what differs from the defaults."""
