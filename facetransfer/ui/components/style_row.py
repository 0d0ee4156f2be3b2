"""A row of styles: one press puts the person into a skin, and one tries all of them."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.settings import PRESETS, TransferSettings
from facetransfer.jobs.job import Face, prepare, result_picture
from facetransfer.ui import gpu
from facetransfer.ui.components.map_editor import corrected
from facetransfer.ui.components.pictures import Before, parse, remembered
from facetransfer.ui.components.result import choices_of_pictures, failure_said, left_words
from facetransfer.ui.form import Asked
from facetransfer.ui.gradio_compat import event_says
from facetransfer.ui.inputs import known_of, picture_at, settings_of, worded
from facetransfer.ui.styles import Style, face_of_style, styles
from facetransfer.ui.theme import said, status
from facetransfer.ui.time_left import at_work

TRY_SIZE = 256  # pixels of a result on the sheet


def style_row() -> gr.HTML:
    """A button for each style. A press tells which."""
    buttons = "".join(
        f'<button type="button" data-style="{i}"><img src="{style.small()}" alt="">'
        f"<span>{html.escape(style.name)}</span></button>"
        for i, style in enumerate(styles())
    )
    return gr.HTML(
        "",
        html_template='<div class="styles" role="group" aria-label="Styles: press one to see yourself in it">'
        f"{buttons}</div>",
        elem_id="styles",
        apply_default_css=False,
        js_on_load=(
            "for (const one of element.querySelectorAll('[data-style]')) one.onclick = () => "
            "trigger('choose', {index: Number(one.dataset.style)});"
        ),
    )


def style_at(index: object) -> Style:
    """The style of that number. InputError where there is none: a program can send anything."""
    if type(index) is not int or index not in range(len(styles())):
        raise InputError("there is no such style: press one in the row")
    return styles()[index]


@worded
def choose(asked: Asked, undo: list[Before] | None, event: gr.EventData) -> Iterator[dict[str, Any]]:
    """The style picture, its map on the page, and what is known of it, of the style that was pressed."""
    yield _chosen(style_at(event_says(event, "index")), asked, undo)


@worded
def choose_tried(asked: Asked, undo: list[Before] | None, event: gr.EventData) -> Iterator[dict[str, Any]]:
    """As `choose`, of the style whose result on the sheet was pressed."""
    yield _chosen(style_at(event_says(event, "index")), asked, undo)


def _chosen(style: Style, asked: Asked, undo: list[Before] | None) -> dict[str, Any]:
    path = style.file()
    view, known = next(parse(path, "style"))
    # Another style of the row in its place takes nothing away that one press does not bring back.
    own = asked.pictures[1] and Path(asked.pictures[1]).parent != Path(path).parent
    kept = remembered(undo, asked) if own else {}
    return {**kept, "style": path, "style_map": view, "style_known": known}


@failure_said("try_status")
@worded
def try_all(asked: Asked) -> Iterator[dict[str, Any]]:
    """A sheet with the content in each style, as it grows, and the line of words."""
    picture, began = picture_at(asked.pictures[0], "content"), time.monotonic()
    known = asked.known[0] or known_of(picture)
    content = Face.of(picture, corrected(known.semantic, asked.drawn[0]), known).fitted(TRY_SIZE)
    likeness = settings_of(asked.settings).likeness
    settings = replace(TransferSettings(**PRESETS["Preview"]), size=TRY_SIZE, likeness=likeness)
    sheet: list[tuple[Image.Image, str]] = []
    with at_work() as left:
        for style in styles():
            job = prepare(content, face_of_style(style), settings)
            gpu.check_budget(job, (settings.method,) * (len(styles()) - len(sheet)))
            step = None
            for step in gpu.steps(job):
                seconds = left.at((len(sheet) + step.done) / len(styles()))
            assert step is not None
            sheet.append((result_picture(step, job.size), style.name))
            words = f"{len(sheet)} of {len(styles())} styles · {left_words(seconds)}"
            yield {"sheet": [*sheet], "try_status": said(words, len(sheet) / len(styles()))}
    words = f"Done in {time.monotonic() - began:.0f} s. Press one to make it fine."
    yield {"sheet": [*sheet], "try_status": said(words)}


class StyleRoom:
    """The row, and the sheet on which all styles are tried. Events are wired by the page."""

    def __init__(self) -> None:
        self.row = style_row()
        with gr.Row(elem_id="try-bar"):
            self.try_all = gr.Button("Try all styles", size="sm", elem_id="try-all", min_width=120)
        self.status = status("try-status")
        self.sheet = choices_of_pictures("tried", 4)
