"""The app from a program: /parse, /transfer, /compare and /batch, through gradio_client or as MCP tools.

What language models read of the tools are these docstrings, an argument in one line. They give pictures as
data: URLs; gradio_client uploads files.
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import gradio as gr
from PIL import Image

from facetransfer.base.errors import InputError, shortened
from facetransfer.base.images import as_json, save_picture
from facetransfer.base.settings import METHODS, PRESETS, Setting, TransferSettings, all_settings
from facetransfer.core.engine import Step
from facetransfer.jobs.advice import shares
from facetransfer.jobs.batch import MADE, Outcome
from facetransfer.jobs.class_weights import NAMES_AS_TYPED, checked_strengths, parse_strengths
from facetransfer.jobs.face import Face, check_shape
from facetransfer.jobs.face_files import read_maps
from facetransfer.jobs.job import Job, prepare, result_picture
from facetransfer.jobs.pairs import Pair
from facetransfer.jobs.recipe import options_of
from facetransfer.ui import gpu
from facetransfer.ui.components.many import MOST_PAIRS, PAIRINGS, batch_of, batched
from facetransfer.ui.components.pictures import picture_upload
from facetransfer.ui.components.settings import PLACE_LABELS, named
from facetransfer.ui.files import RESULT, result_folder
from facetransfer.ui.gradio_compat import fill_up
from facetransfer.ui.inputs import as_kind, in_words, known_of, picture_at, worded
from facetransfer.ui.time_left import at_work
from segmentation import PARSERS
from segmentation.parsers import load_parser

FIRST = (
    "phases",
    "iterations",
    "content_weight",
    "style_weight",
    "size",
    "seed",
    "likeness",
)  # settings in the places that they have always had; the others come after the maps, faces and strengths
PRESETS_OWN = "preset"  # what stands for the preset's value where a setting is a choice

PAUSE = 0.5  # seconds between two looks whether the caller is still there


class Report(TypedDict):
    """What /transfer tells of its result, as strict JSON. A number that cannot be measured is null."""

    leak: float | None  # 0 to 1: share of the patches that come from another part of the face
    layout_iou: float | None  # 0 to 1: how far the map of the result agrees with the content's
    style_distance: float | None  # 0 and more: how far the skin is from the style's; 0 is the same
    sharpness: float | None  # 0 and more: fine detail, times that of the style
    weave: float | None  # 0 and more: neighbouring pixels that alternate, times that of the style
    overused: float | None  # 0 to 1: share of the patches that repeat one another too often
    lost: list[str]  # parts of the content that are not seen again in the result
    face_found: bool | None  # whether the face is found again where it was
    likeness: float | None  # -1 to 1: how alike the two faces are by their light and dark
    substitutes: dict[str, str | None]  # the part of the style that stands in for one that it lacks
    kept: list[str]  # parts that stay the photo's own, because the style shows too little of them
    notes: list[str]  # what a person should know of the result
    command: str  # the command line that makes the same picture again


def _settings() -> list[Setting]:
    """The settings that /transfer takes, in the order of its parameters."""
    table = {s.name: s for s in all_settings()}
    return [table[name] for name in FIRST] + [s for s in table.values() if s.name not in FIRST]


def _given(values: Iterable[Any]) -> dict[str, Any]:
    """The settings that are not left to the preset, of values in the order of `_settings`."""
    return {
        s.name: as_kind(s.kind, value)
        for s, value in zip(_settings(), values)
        if value is not None
        and not (value in ("", PRESETS_OWN) if s.choices else isinstance(value, (int, float)) and value < 0)
    }


def _face_number(value: Any, role: str) -> int:
    number = as_kind(int, value)
    if type(number) is not int or number < 1:
        raise InputError(
            f"the face of the {role} is {shortened(repr(value))}: give a whole number, 1 for the first face"
        )
    return number


def _faces(
    pictures: tuple[Image.Image, Image.Image], maps: list[str | None], numbers: tuple[int, int]
) -> tuple[list[Face], list[str]]:
    """Both pictures with the maps that are given, or else the parser's, and what is to be said of them."""
    for path, role in zip(maps, ("content map", "style map")):
        if path:
            picture_at(path, role)
    parser = load_parser("compact", gpu.parser_device())
    files = [Path(path) if path else None for path in maps]
    content_map, style_map, notes = read_maps(files[0], files[1], parser)
    faces = []
    for picture, semantic, number, role in zip(
        pictures, (content_map, style_map), numbers, ("content", "style")
    ):
        if semantic is not None:
            check_shape(semantic, picture, f"the {role} picture")
            faces.append(Face.of(picture, semantic, parser, number))
        else:
            faces.append(Face.of(picture, None, known_of(picture, face=number)))
    if style_map is None and numbers[1] > 1:
        notes.append(
            f"the command line uses the first face of a style: the command does not name face {numbers[1]}"
        )
    return faces, notes


def _strengths(text: str | None) -> dict[str, float]:
    """Strengths as the command line takes them. Raises InputError where the text is none."""
    try:
        return parse_strengths(text) if text else {}
    except (AttributeError, ValueError):
        raise InputError(
            f"the strengths are {shortened(repr(text))}: give CLASS=NUMBER,CLASS=NUMBER, like "
            f"skin=0.5,hair=0, or one of {', '.join(NAMES_AS_TYPED)}"
        ) from None


def _job(
    content: str | None,
    style: str | None,
    preset: str,
    place: str = "alone",
    given: dict[str, Any] | None = None,
    maps: tuple[str | None, str | None] = (None, None),
    numbers: tuple[Any, Any] = (1, 1),
    strengths: str = "",
) -> tuple[Job, list[str]]:
    """The job, and what is to be said of its maps."""
    settings = replace(TransferSettings(**named(PRESETS, preset, "preset")), **(given or {}))
    if settings.start == "image":
        raise InputError("start is 'image', which the command line alone has: choose content or noise")
    pictures = picture_at(content, "content"), picture_at(style, "style")
    wanted = checked_strengths(_strengths(strengths))
    number = _face_number(numbers[0], "content"), _face_number(numbers[1], "style")
    (content_face, style_face), notes = _faces(pictures, list(maps), number)
    options = options_of(place, wanted, "", number[0] if not maps[0] else 1)
    job = prepare(content_face, style_face, settings, place=place, strengths=wanted, options=options)
    gpu.check_budget(job)
    return job, notes


def _paused(steps: Iterator[Step]) -> Iterator[tuple[Step, bool]]:
    """Each step, and whether it is time to yield: only there can Gradio end the work of a caller who has
    gone.
    """
    seen = time.monotonic()
    for step in steps:
        pause = time.monotonic() - seen >= PAUSE
        seen = time.monotonic() if pause else seen
        yield step, pause


@in_words()
def parse(picture: str, parser: str, face: float = 1) -> tuple[Image.Image, dict[str, Any]]:
    """Makes the semantic map of a face picture. Returns the map as a picture, in the colours of the classes,
    and the share of each class. The map can be painted on, and given to transfer as its content_map or
    style_map.

    Args:
        picture: a picture with a face, at least 32 pixels on a side, as a data: URL.
        parser: compact is ours; bisenet and parsenet are published ones, downloaded once.
        face: which of the faces in the picture, 1 for the first.
    """
    found = known_of(picture_at(picture, "face"), str(parser), _face_number(face, "picture"))
    return Image.fromarray(found.semantic.rgb()), {
        "face": found.found_face,
        "faces": len(found.faces),
        "shares": {label: share for label, (share,) in shares(found.semantic)},
    }


@worded
def transfer(content: str, style: str, preset: str, place: str, *values: Any) -> Iterator[tuple[str, Report]]:
    """Its parameters after the place, and their words, are made from the table of the settings below."""
    first, rest = values[: len(FIRST)], values[len(FIRST) :]
    more = [*rest, *(p.default for p in PARAMETERS[4 + len(values) :])]
    content_map, style_map, content_face, style_face, strengths = more[: len(EXTRAS)]
    job, notes = _job(
        content,
        style,
        preset,
        place,
        _given([*first, *more[len(EXTRAS) :]]),
        (content_map, style_map),
        (content_face, style_face),
        strengths,
    )
    step = None
    with at_work() as left:
        for step, pause in _paused(gpu.steps(job)):
            left.at(step.done)
            if pause:
                yield gr.skip(), gr.skip()
        assert step is not None, "a job has a step at least"
        picture = result_picture(step, job.size)
        path = result_folder() / RESULT
        save_picture(job.placed(picture), path, pnginfo=job.recipe.in_png())
        measured = job.report(picture, step, load_parser("compact", gpu.parser_device()))
    files = {"content": "content.png", "style": "style.png", "output": "result.png"}
    files |= {
        name: f"{name}.png"
        for name, path_of in (("content_map", content_map), ("style_map", style_map))
        if path_of
    }
    report = measured | {"notes": notes + job.notes, "command": job.recipe.command(files)}
    yield str(path), json.loads(as_json(report))


EXTRAS: dict[str, tuple[Any, type, str]] = {
    "content_map": (
        None,
        str,
        "semantic map of the content, in the colours that parse returns; a picture as a data: URL. Without "
        "it the parser makes one.",
    ),
    "style_map": (
        None,
        str,
        "semantic map of the style, as a data: URL. Without it the parser makes one.",
    ),
    "content_face": (1, float, "which face of the content picture, 1 for the first."),
    "style_face": (1, float, "which face of the style picture, 1 for the first."),
    "strengths": (
        "",
        str,
        "how much of the style each class takes, 0 (keep the photo) to 2, 1 where not named, like "
        f"skin=0.5,hair=0, or one of {', '.join(NAMES_AS_TYPED)}.",
    ),
}
"""What /transfer takes beside the preset, the place and the settings: default, type and words by name."""


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=kind, default=default)


def _of_setting(setting: Setting) -> inspect.Parameter:
    if setting.choices:
        return _parameter(setting.name, str, PRESETS_OWN)
    return _parameter(setting.name, float, -1)


PARAMETERS = [
    *(_parameter(name, str, inspect.Parameter.empty) for name in ("content", "style")),
    _parameter("preset", str, "Balanced"),
    _parameter("place", str, "alone"),
    *(_of_setting(s) for s in _settings()[: len(FIRST)]),
    *(_parameter(name, kind, default) for name, (default, kind, _) in EXTRAS.items()),
    *(_of_setting(s) for s in _settings()[len(FIRST) :]),
]
_WORDS = {
    "content": "whose face it is; a picture as a data: URL.",
    "style": "whose skin it gets; a picture as a data: URL.",
    "preset": "Preview is quick, Balanced is the page's own, Fine takes longer.",
    "place": "alone gives the picture itself; style or content puts the face into that whole picture.",
    **{name: words for name, (_, _, words) in EXTRAS.items()},
    **{s.name: s.help for s in _settings()},
}
transfer.__signature__ = inspect.Signature(PARAMETERS)  # type: ignore[attr-defined]
transfer.__annotations__ = {p.name: p.annotation for p in PARAMETERS}
transfer.__doc__ = (
    "Puts the style picture's skin on the content picture's face. Numbers below 0, and choices that are "
    f"'{PRESETS_OWN}', leave a setting to the preset. Returns the picture, a PNG that carries its recipe, "
    f"and a report: {', '.join(Report.__annotations__)}; the last is the command line that makes the same "
    "picture again.\n\nArgs:\n" + "\n".join(f"    {p.name}: {_WORDS[p.name]}" for p in PARAMETERS)
)


@worded
def compare(content: str, style: str, preset: str) -> Iterator[list[tuple[Image.Image, str]]]:
    """The same pair by the three methods of the article (gatys, mrf, semantic) and by our own (guided).
    Returns a gallery of four pictures.

    Args:
        content: whose face it is; a picture as a data: URL.
        style: whose skin it gets; a picture as a data: URL.
        preset: Preview is quick, Balanced is the page's own, Fine takes longer.
    """
    job, done = _job(content, style, preset)[0], []
    gpu.check_budget(job, METHODS)
    with at_work() as left:
        for method, share_at in gpu.each_method(job):
            step = None
            for step, pause in _paused(gpu.steps(job, method=method)):
                left.at(share_at(step.done))
                if pause:
                    yield gr.skip()
            assert step is not None, "a job has a step at least"
            done.append((result_picture(step, job.size), method))
    yield done


class BatchReport(TypedDict):
    """What /batch tells of one of its results. A result that failed has an error, and no file."""

    content: str  # the name of the content picture
    style: str  # the name of the style picture
    file: str | None  # the result's name in the zip; a PNG that carries its recipe
    error: str  # why there is none; empty where there is one
    seconds: float  # that it took
    report: dict[str, Any]  # its numbers, as those of /transfer
    notes: list[str]  # what a person should know of it


@worded
def batch(
    contents: list[str], styles: list[str], preset: str, pairs: str, place: str, strengths: str, *values: Any
) -> Iterator[tuple[Any, list[BatchReport]]]:
    """Its parameters after the strengths, and their words, are made from the table of the settings below."""
    many_pairs, _ = batch_of(
        contents,
        styles,
        Pair(
            Path(),
            Path(),
            settings=replace(TransferSettings(**named(PRESETS, preset, "preset")), **_given(values)),
            place=named({label: label for label in PLACE_LABELS.values()}, place, "place"),
            strengths=checked_strengths(_strengths(strengths)),
        ),
        named({name: name for name in PAIRINGS}, pairs, "pairing"),
    )
    for made in batched(many_pairs):
        told = json.loads(as_json([_batch_report(outcome) for outcome in made.outcomes]))
        yield (str(made.archive) if made.ended else gr.skip()), told


def _batch_report(outcome: Outcome) -> BatchReport:
    return {
        "content": outcome.pair.content.name,
        "style": outcome.pair.style.name,
        "file": outcome.pair.output.name if outcome.state == MADE else None,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 2),
        "report": outcome.report,
        "notes": outcome.notes,
    }


BATCH_PARAMETERS = [
    *(_parameter(name, list[str], inspect.Parameter.empty) for name in ("contents", "styles")),
    _parameter("preset", str, "Balanced"),
    _parameter("pairs", str, "product"),
    _parameter("place", str, "alone"),
    _parameter("strengths", str, ""),
    *(_of_setting(s) for s in _settings()),
]
_BATCH_WORDS = _WORDS | {
    "contents": "whose faces they are; pictures, each as a data: URL.",
    "styles": "whose skins they get; pictures, each as a data: URL.",
    "pairs": "product makes every content in every style; zip the first in the first, the second in "
    "the second, and so on.",
}
batch.__signature__ = inspect.Signature(BATCH_PARAMETERS)  # type: ignore[attr-defined]
batch.__annotations__ = {p.name: p.annotation for p in BATCH_PARAMETERS}
batch.__doc__ = (
    f"Puts many styles' skins on many contents' faces, {MOST_PAIRS} results at most. Numbers below 0, and "
    f"choices that are '{PRESETS_OWN}', leave a setting to the preset. Returns a zip of the results, each a "
    f"PNG that carries its recipe, and a list with what became of each: "
    f"{', '.join(BatchReport.__annotations__)}. "
    "The list grows while the work goes on, and who leaves stops it after the pair at work.\n\nArgs:\n"
    + "\n".join(f"    {p.name}: {_BATCH_WORDS[p.name]}" for p in BATCH_PARAMETERS)
)


def shown_as_example(component: gr.components.Component, *names: str) -> None:
    """The code that the page's "Use via API" prints takes these files of the caller's as its example.
    Gradio's own are addresses on other sites, which this server does not open.
    """
    files = [{"path": n, "url": n, "orig_name": n, "meta": {"_type": "gradio.FileData"}} for n in names]
    several = getattr(component, "file_count", "single") == "multiple"
    component.example_payload = lambda: files if several else files[0]  # type: ignore[method-assign]


def add_endpoints(look: dict[str, Any], work: dict[str, Any]) -> None:
    """Adds the endpoints to the page that is being built; nothing of them shows. `look` and `work` say how
    parsing and transfers queue.
    """
    with gr.Column(visible=False):
        content, style = (
            picture_upload("Content picture", "api-content"),
            picture_upload("Style picture", "api-style"),
        )
        parser, preset = (
            gr.Dropdown(list(PARSERS), value="compact", label="Parser"),
            gr.Dropdown(list(PRESETS), value="Balanced", label="Preset"),
        )
        place = gr.Dropdown(list(PLACE_LABELS.values()), value="alone", label="Where the result goes")
        settings = [_setting_input(s) for s in _settings()]
        more = [
            picture_upload("Content map", "api-content-map"),
            picture_upload("Style map", "api-style-map"),
            gr.Number(1, label="Face of the content"),
            gr.Number(1, label="Face of the style"),
            gr.Textbox("", label="Strengths by class"),
        ]  # in the order of EXTRAS
        own = [*settings[: len(FIRST)], *more, *settings[len(FIRST) :]]
        face = gr.Number(1, label="Face")
        picture, told, gallery = (
            gr.Image(format="png", label="Picture"),
            gr.JSON(label="Report"),
            gr.Gallery(format="png", label="By method"),
        )
        gr.Button().click(parse, [content, parser, face], [picture, told], api_name="parse", **look)
        gr.Button().click(
            transfer, [content, style, preset, place, *own], [picture, told], api_name="transfer", **work
        )
        # A call that has the values up to the last of FIRST, or of /parse up to the parser, gets the rest.
        page = gr.context.Context.root_block
        assert page is not None, "the endpoints are added while the page is built"
        fill_up(page, {"transfer": 4 + len(FIRST), "parse": 2})
        gr.Button().click(compare, [content, style, preset], gallery, api_name="compare", **work)
        many = [
            gr.File(label=label, file_count="multiple", file_types=["image"])
            for label in ("Contents", "Styles")
        ]
        shown_as_example(content, "photo.png")
        shown_as_example(style, "painting.png")
        shown_as_example(many[0], "photo.png", "another-photo.png")
        shown_as_example(many[1], "painting.png")
        pairs = gr.Dropdown(list(PAIRINGS), value="product", label="Which content gets which style")
        gr.Button().click(
            batch,
            [*many, preset, pairs, place, more[-1], *settings],
            [gr.File(label="Results"), gr.JSON(label="What became of each")],
            api_name="batch",
            **work,
        )


def _setting_input(setting: Setting) -> gr.components.Component:
    """A setting's input, which leaves it to the preset at first."""
    label = f"{setting.label} ({PRESETS_OWN if setting.choices else -1}: the preset's)"
    if setting.several:
        return gr.Textbox(PRESETS_OWN, label=label)
    if setting.choices:
        return gr.Dropdown(
            [PRESETS_OWN, *(c for c in setting.choices if c != "image")], value=PRESETS_OWN, label=label
        )
    return gr.Number(-1, label=label)
