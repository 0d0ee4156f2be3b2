"""The app from a program: /parse, /transfer and /compare, through gradio_client or as MCP tools.

What language models read of the tools are these docstrings, an argument in one line. They give pictures as
data: URLs; gradio_client uploads files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
from PIL import Image

from facetransfer.base.settings import METHODS, PRESETS, TransferSettings, all_settings
from facetransfer.core.engine import Step
from facetransfer.jobs.advice import shares
from facetransfer.jobs.job import Face, Job, prepare, result_picture
from facetransfer.ui import gpu
from facetransfer.ui.components.pictures import picture_upload
from facetransfer.ui.components.settings import PLACE_LABELS, named
from facetransfer.ui.inputs import as_kind, in_words, known_of, picture_at, worded
from segmentation import PARSERS
from segmentation.parsers import load_parser

OWN = (
    "phases",
    "iterations",
    "content_weight",
    "style_weight",
    "size",
    "seed",
    "likeness",
)  # settings that an endpoint takes beside the preset

PAUSE = 0.5  # seconds between two looks whether the caller is still there


def _job(content: str | None, style: str | None, preset: str, place: str, values: tuple[Any, ...]) -> Job:
    """A value below 0 leaves a setting to the preset."""
    changed = named(PRESETS, preset, "preset")
    pictures = picture_at(content, "content"), picture_at(style, "style")
    kinds = {s.name: s.kind for s in all_settings()}
    given = {
        name: as_kind(kinds[name], value)
        for name, value in zip(OWN, values)
        if value is not None and not (isinstance(value, (int, float)) and value < 0)
    }
    settings = replace(TransferSettings(**changed), **given)
    job = prepare(*(Face.of(p, None, known_of(p)) for p in pictures), settings, place=place)
    gpu.check_budget(job)
    return job


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
def parse(picture: str, parser: str) -> tuple[Image.Image, dict[str, Any]]:
    """Makes the semantic map of a face picture. Returns the map as a picture, in the colours of the classes,
    and the share of each class.

    Args:
        picture: a picture with a face, at least 32 pixels on a side, as a data: URL.
        parser: compact is ours; bisenet and parsenet are published ones, downloaded once.
    """
    found = known_of(picture_at(picture, "picture"), str(parser))
    return Image.fromarray(found.semantic.rgb()), {
        "face": found.found_face,
        "faces": len(found.faces),
        "shares": {label: share for label, (share,) in shares(found.semantic)},
    }


@worded
def transfer(
    content: str,
    style: str,
    preset: str,
    place: str,
    phases: float,
    iterations: float,
    content_weight: float,
    style_weight: float,
    size: float,
    seed: float,
    likeness: float = -1,
) -> Iterator[tuple[Image.Image, dict[str, Any]]]:
    """Puts the style picture's skin on the content picture's face. Numbers below 0 leave a setting to the
    preset. Returns the picture and what it measures: leak, layout_iou, style_distance, sharpness, weave,
    overused, lost, face_found, likeness, and the command line that makes it again.

    Args:
        content: whose face it is; a picture as a data: URL.
        style: whose skin it gets; a picture as a data: URL.
        preset: Preview is quick, Balanced is the page's own, Fine takes longer.
        place: alone gives the picture itself; style or content puts the face into that whole picture.
        phases: sizes that are worked through, from small to large.
        iterations: steps of the optimisation at each size.
        content_weight: how much the content's shapes hold.
        style_weight: how much the style's patches pull.
        size: longest side of the result, pixels.
        seed: another seed is another start.
        likeness: 0 keeps only the pose, 1 is unmistakable; more of the style is left where it is less.
    """
    job, step = (
        _job(
            content,
            style,
            preset,
            place,
            (phases, iterations, content_weight, style_weight, size, seed, likeness),
        ),
        None,
    )
    for step, pause in _paused(gpu.steps(job)):
        if pause:
            yield gr.skip(), gr.skip()
    picture = result_picture(step, job.size)
    yield (
        job.placed(picture),
        job.report(picture, step, load_parser("compact", gpu.parser_device()))
        | {"notes": job.notes, "command": job.recipe.command()},
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
    job, done = _job(content, style, preset, "alone", ()), []
    gpu.check_budget(job, METHODS)
    for method in reversed(METHODS):
        step = None
        for step, pause in _paused(gpu.steps(job, method=method)):
            if pause:
                yield gr.skip()
        done.append((result_picture(step, job.size), method))
    yield done


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
        labels = {s.name: s.label for s in all_settings()}
        own = [gr.Number(-1, label=f"{labels[name]} (-1: the preset's)") for name in OWN]
        picture, told, gallery = (
            gr.Image(format="png", label="Picture"),
            gr.JSON(label="Report"),
            gr.Gallery(format="png", label="By method"),
        )
        gr.Button().click(parse, [content, parser], [picture, told], api_name="parse", **look)
        gr.Button().click(
            transfer, [content, style, preset, place, *own], [picture, told], api_name="transfer", **work
        )
        gr.Button().click(compare, [content, style, preset], gallery, api_name="compare", **work)
