"""What a run does: presets, what changes and what stays, where the result goes, and every setting, derived
from their table.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from facetransfer.base.errors import InputError, shortened
from facetransfer.base.images import fitted_size
from facetransfer.base.settings import PRESETS, Setting, TransferSettings, all_settings
from facetransfer.jobs.class_weights import NAMED_STRENGTHS, parse_strengths, strengths_as_text
from facetransfer.jobs.recipe import read_recipe
from facetransfer.jobs.time_estimate import in_words as time_in_words
from facetransfer.ui import gpu
from facetransfer.ui.form import Asked
from facetransfer.ui.inputs import in_words, settings_of, shown
from facetransfer.ui.queue_status import expect
from segmentation.classes import CLASSES, NAMES

PLACE_LABELS = {
    "On its own": "alone",
    "Into the style picture": "style",
    "Back into the content photo (what is around the face changes, its background stays)": "content",
}
FINENESS = ("size", "phases", "iterations")  # settings that every preset decides
PARTS_TITLE = "What changes, and where it goes"
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
def named_strengths(name: str) -> list[float]:
    """The strength of each class under a name of several, in the order of the classes."""
    chosen = named(NAMED_STRENGTHS, name, "region")
    return [chosen.get(n, 1.0) for n in NAMES]


def dice() -> int:
    """Another seed."""
    return random.randrange(2**31)


def of_preset(values: Mapping[str, Any], name: object) -> dict[str, Any]:
    """The values that a preset changes in those of the settings, by their names.

    How fine a run is, it always decides. What another preset brought goes; all else that a person chose
    stays. Raises InputError where there is no such preset.
    """
    chosen, default = named(PRESETS, name, "preset"), TransferSettings()
    found = dict(chosen)
    for preset in PRESETS.values():
        for field, value in preset.items():
            if field in FINENESS or values[field] == value:
                found.setdefault(field, getattr(default, field))
    return found


def choose_preset(asked: Asked, name: object) -> Iterator[dict[str, Any]]:
    """The values of the settings that a preset changes, by their names."""
    with in_words():
        yield of_preset(asked.settings, name)


def about(asked: Asked, request: gr.Request | None = None) -> Iterator[dict[str, Any]]:
    """What the page says of the settings: how long a run will take here, which preset they are, how many
    differ from their defaults, and what a link to them ends in. request: who asks; for those who wait behind.
    """
    try:
        settings = settings_of(asked.settings)
    except InputError:
        yield {"expected": "", "preset": None}
        return
    known = asked.known[0]
    size = known.semantic.size if known else (512, 512)

    def seconds(chosen: TransferSettings) -> float:
        return gpu.expected(chosen, fitted_size(size, chosen.size))

    def words(chosen: TransferSettings) -> str:
        return time_in_words(seconds(chosen))

    own, most = seconds(settings), gpu.most_seconds()
    if request is not None:
        expect(request.session_hash, own)
    presets = {name: replace(settings, **of_preset(shown(settings), name)) for name in PRESETS}
    current = next((name for name, preset in presets.items() if preset == settings), None)
    others = " · ".join(
        f"{name} {words(preset).removeprefix('about ')}"
        for name, preset in presets.items()
        if name != current
    )
    base = replace(TransferSettings(), **PRESETS[current]) if current else TransferSettings()
    changed = sum(getattr(settings, s.name) != getattr(base, s.name) for s in all_settings())
    parts = sum(value != 1 for value in asked.strengths.values()) + (asked.place != next(iter(PLACE_LABELS)))
    too_long = (
        f" Jobs here may take {time_in_words(most)}: choose a smaller size, fewer iterations or a quicker "
        f"preset."
        if 0 < most < own
        else ""
    )
    yield {
        "expected": f"Expected time here: **{words(settings)}**.{too_long} ({others})",
        "preset": current,
        "settings_room": gr.update(label=f"Settings{_marked(changed)}"),
        "parts_room": gr.update(label=f"{PARTS_TITLE}{_marked(parts)}"),
        "query": _query(asked, settings),
    }


def _marked(count: int) -> str:
    return f" ({count} changed)" if count else ""


def _query(asked: Asked, settings: TransferSettings) -> str:
    """The end of an address under which the page opens with these settings, see `read_link`."""
    default = TransferSettings()
    parts = {
        s.name: getattr(settings, s.name)
        for s in all_settings()
        if getattr(settings, s.name) != getattr(default, s.name)
    }
    strengths = {n: v for n, v in asked.strengths.items() if isinstance(v, (int, float)) and v != 1}
    if strengths:
        parts["strength"] = strengths_as_text(strengths)
    if asked.place in PLACE_LABELS and PLACE_LABELS[asked.place] != "alone":
        parts["into"] = PLACE_LABELS[asked.place]
    return f"?{urlencode(parts)}" if parts else "?"


@in_words()
def read_link(query: Mapping[str, str]) -> dict[str, Any]:
    """The values of place, strengths and settings that the page's address asks for, by their names; the rest
    have their defaults. What is not ours in the address is passed over; a value that cannot be is said.
    """
    kinds = {s.name: s.kind for s in all_settings()}
    try:
        given = {name: kinds[name](value) for name, value in query.items() if name in kinds}
    except ValueError:
        raise InputError(
            "the link to this page asks for a setting that is no number: the settings are the usual ones"
        ) from None
    options = {name: query[name] for name in ("into", "strength") if name in query}
    return _values(TransferSettings(**given), options)


def reset() -> dict[str, Any]:
    """The values of place, strengths and settings as they are at first, by their names."""
    return _values(TransferSettings(), {})


def _values(settings: TransferSettings, options: Mapping[str, str]) -> dict[str, Any]:
    """The values of place, strengths and settings, by their names, as a recipe or a link has them. Raises
    InputError where the strengths cannot be read.
    """
    text = options.get("strength", "")
    try:
        given = parse_strengths(text) if text else {}
        strengths = {n: min(2.0, max(0.0, given.get(n, 1.0))) for n in NAMES}
    except (AttributeError, TypeError, ValueError):  # no text, or none of strengths
        raise InputError("The strengths of the parts cannot be read: nothing was changed.") from None
    places = [label for label, value in PLACE_LABELS.items() if value == options.get("into")]
    if settings.start == "image":  # a picture that only the command line can give
        settings = replace(settings, start="content")
    return {"place": places[0] if places else next(iter(PLACE_LABELS)), **strengths, **shown(settings)}


@in_words()
def restore(path: str | None) -> dict[str, Any]:
    """The values of place, strengths and settings from a result's recipe, by their names."""
    if not path:
        raise InputError("Choose a result of before: a PNG that this program made.")
    recipe = read_recipe(path)
    values = _values(recipe.settings, recipe.options)
    gr.Info("Settings restored. Upload the same two pictures to get the same result.")
    return values


def setting_input(setting: Setting) -> gr.components.Component:
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
            step=setting.step,  # no range: what lies outside is refused in our words, which name the setting
            elem_id=f"set-{setting.name}",
        )
    return gr.Slider(
        setting.minimum,
        setting.maximum,
        value=setting.default,
        step=setting.step,
        label=setting.label,
        info=setting.help,
    )


class SettingsRoom:
    """Where the result goes, what changes, and all settings. Events are wired by the page.

    strengths: the inputs of the classes' strengths, by class. inputs: those of the settings, by name.
    `likeness` among them and `preset` stand beside the result, where the page renders them.
    """

    def __init__(self) -> None:
        own = next(s for s in all_settings() if s.name == "likeness")
        self.likeness = gr.Slider(
            own.minimum,
            own.maximum,
            value=own.default,
            step=own.step,
            label=own.label,
            info="0: more of the style. 1: more of me.",
            elem_id="likeness",
            render=False,
        )
        self.preset = gr.Radio(
            list(PRESETS), value="Balanced", label="How fine", elem_id="preset", render=False
        )
        with gr.Accordion(PARTS_TITLE, open=False, elem_id="parts") as self.parts_room:
            self.place = gr.Radio(
                list(PLACE_LABELS), value=next(iter(PLACE_LABELS)), label="Where it goes", elem_id="place"
            )
            self.animate = gr.Checkbox(
                False, label="Also an animation of the run, in the download", elem_id="film"
            )
            self.region = gr.Dropdown(
                list(NAMED_STRENGTHS),
                value=next(iter(NAMED_STRENGTHS)),
                label="What changes",
                elem_id="region",
                info="0 keeps the photo, 1 is normal, 2 takes twice as much.",
            )
            self.strengths = {}
            for i in range(0, len(CLASSES), 4):
                with gr.Row():
                    for c in CLASSES[i : i + 4]:
                        self.strengths[c.name] = gr.Slider(
                            0, 2, value=1, step=0.1, label=c.label, min_width=140
                        )
        inputs: dict[str, Any] = {"likeness": self.likeness}
        with gr.Accordion("Settings", open=False, elem_id="settings") as self.settings_room:
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
            with gr.Row():
                self.restore = gr.UploadButton(
                    "Take the settings from a result (PNG)", file_types=[".png"], size="sm", elem_id="restore"
                )
                self.copy_link = gr.Button("Copy a link to these settings", size="sm", elem_id="copy-link")
                self.reset = gr.Button("Reset", size="sm", elem_id="reset")
        self.query = gr.Textbox(visible="hidden", elem_id="query")
        self.inputs = {s.name: inputs[s.name] for s in all_settings()}

    @property
    def all(self) -> dict[str, gr.components.Component]:
        """The inputs of place, strengths and settings, by their names."""
        return {"place": self.place, **self.strengths, **self.inputs}
