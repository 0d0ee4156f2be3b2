"""What a run does: presets, what changes and what stays, where the result goes, and every setting, derived
from their table.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from facetransfer.base.errors import InputError, shortened
from facetransfer.base.images import fitted_size
from facetransfer.base.settings import PRESETS, Setting, TransferSettings, all_settings
from facetransfer.jobs.class_weights import NAMED_STRENGTHS, parse_strengths
from facetransfer.jobs.recipe import read_recipe
from facetransfer.jobs.time_estimate import in_words as time_in_words
from facetransfer.ui import gpu
from facetransfer.ui.inputs import in_words, settings_of, shown, worded
from segmentation.classes import CLASSES, NAMES
from segmentation.parsers import Parse

PLACE_LABELS = {
    "On its own": "alone",
    "Into the style picture": "style",
    "Back into the content photo (only its face is worked on)": "content",
}
# times its default: a setting that may be larger is typed, on a slider all usual values would be one pixel
WIDE = 50
NOT_HERE = ("image",)  # choices for the command line alone


def named(choices: dict[str, Any], name: object, what: str) -> Any:
    """What the choice of that name stands for. Raises InputError where there is none: a program can send
    anything.
    """
    if not isinstance(name, str) or name not in choices:
        raise InputError(f"there is no {what} {shortened(repr(name))}: choose one of {', '.join(choices)}")
    return choices[name]


@in_words()
def region(name: str) -> list[float]:
    """The strength of each class under a named region, in the order of the classes."""
    chosen = named(NAMED_STRENGTHS, name, "region")
    return [chosen.get(n, 1.0) for n in NAMES]


def dice() -> int:
    """Another seed."""
    return random.randrange(2**31)


@in_words()
def choose_preset(name: str, seed: float | None, likeness: float | None) -> list[Any]:
    """The values of all settings under a preset.

    Seed and likeness stay, so that a picture that was liked small can be made fine.
    """
    chosen = TransferSettings(**named(PRESETS, name, "preset"))
    if seed is not None:
        chosen = replace(chosen, seed=int(seed))
    return shown(chosen if likeness is None else replace(chosen, likeness=float(likeness)))


def time_text(content: Parse | None, *values: Any) -> str:
    """How long a run with these settings will take here, and how long with each preset."""
    try:
        settings = settings_of(values)
    except InputError:
        return ""
    size = content.semantic.size if content else (512, 512)

    def words(chosen: TransferSettings) -> str:
        return time_in_words(gpu.expected(chosen, fitted_size(size, chosen.size)))

    presets = {
        name: replace(TransferSettings(**changed), seed=settings.seed) for name, changed in PRESETS.items()
    }
    others = " · ".join(
        f"{name} {words(preset).removeprefix('about ')}"
        for name, preset in presets.items()
        if preset != settings
    )
    return f"Expected time here: **{words(settings)}**. ({others})"


@worded
def restore(path: str | None) -> Iterator[list[Any]]:
    """Settings, strengths and place from a result's recipe: the place, the strengths, the settings, in the
    page's order.
    """
    if not path:
        raise InputError("Choose a result of before: a PNG that this program made.")
    recipe = read_recipe(path)
    text = recipe.options.get("strength", "")
    try:
        given = parse_strengths(text) if text else {}
        strengths = [min(2.0, max(0.0, given.get(n, 1.0))) for n in NAMES]
    except (AttributeError, ValueError):  # no text, or none of strengths
        raise InputError(
            "The picture's recipe cannot be read: give a picture that this program made."
        ) from None
    place = next(
        (label for label, value in PLACE_LABELS.items() if value == recipe.options.get("into")),
        next(iter(PLACE_LABELS)),
    )
    gr.Info("Settings restored. Upload the same two pictures to get the same result.")
    yield [
        place,
        *strengths,
        *shown(
            replace(recipe.settings, start="content") if recipe.settings.start == "image" else recipe.settings
        ),
    ]


def setting_input(setting: Setting, elem_id: str | None = None) -> gr.components.Component:
    """The slider, number or choice of one setting."""
    if setting.several:
        return gr.Dropdown(
            list(setting.choices),
            value=setting.default.split(","),
            multiselect=True,
            label=setting.label,
            info=setting.help,
        )
    if setting.choices:
        return gr.Dropdown(
            [c for c in setting.choices if c not in NOT_HERE],
            value=setting.default,
            label=setting.label,
            info=setting.help,
        )
    if setting.maximum > WIDE * max(1, setting.default):
        return gr.Number(
            value=setting.default,
            label=setting.label,
            info=setting.help,
            precision=0 if setting.kind is int else None,
            step=setting.step,
            minimum=setting.minimum,
            maximum=setting.maximum,
            elem_id=f"set-{setting.name}",
        )
    return gr.Slider(
        setting.minimum,
        setting.maximum,
        value=setting.default,
        step=setting.step,
        label=setting.label,
        info=setting.help,
        elem_id=elem_id,
    )


class SettingsRoom:
    """`values` are the inputs of all settings in their order, `strengths` those of the classes in theirs.

    likeness: the input of that setting, which stands beside the result.
    """

    def __init__(self, likeness: gr.components.Component) -> None:
        with gr.Accordion("What changes, and what stays", open=False, elem_id="parts"):
            self.region = gr.Dropdown(
                list(NAMED_STRENGTHS),
                value=next(iter(NAMED_STRENGTHS)),
                label="What changes",
                elem_id="region",
                info="0 keeps the photo, 1 is normal, 2 takes twice as much.",
            )
            self.strengths = []
            for i in range(0, len(CLASSES), 4):
                with gr.Row():
                    self.strengths += [
                        gr.Slider(0, 2, value=1, step=0.1, label=c.label, min_width=140)
                        for c in CLASSES[i : i + 4]
                    ]
        inputs: dict[str, Any] = {"likeness": likeness}
        with gr.Accordion("Settings", open=False, elem_id="settings"):
            plain = [s for s in all_settings() if not s.advanced and s.name not in inputs]
            for i in range(0, len(plain), 2):
                with gr.Row():
                    for s in plain[i : i + 2]:
                        inputs[s.name] = setting_input(s)
            with gr.Accordion("Advanced", open=False):
                for s in all_settings():
                    if s.advanced:
                        inputs[s.name] = setting_input(s)
                    if s.name == "seed":
                        self.roll = gr.Button("🎲 Another seed", size="sm", elem_id="dice")
            self.restore = gr.UploadButton(
                "Take the settings from a result (PNG)", file_types=[".png"], size="sm", elem_id="restore"
            )
        self.values = [inputs[s.name] for s in all_settings()]
        self.seed = inputs["seed"]
