"""First step: two pictures, or an example with its finished result."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from facetransfer.base.errors import InputError
from facetransfer.ui.components.map_editor import shown_map
from facetransfer.ui.components.result import NOTHING, Made, on_page
from facetransfer.ui.examples import example_file, examples, finished_file
from facetransfer.ui.files import KEPT
from facetransfer.ui.form import Asked
from facetransfer.ui.gradio_compat import event_says
from facetransfer.ui.inputs import is_place, known_of, picture_at, worded
from facetransfer.ui.theme import said
from segmentation.parsers import Parse

MOST_UNDONE = 10  # changes of the pictures that can be taken back


def picture_upload(label: str, name: str) -> gr.Image:
    """The input for a picture of the person's."""
    return gr.Image(
        label=label,
        type="filepath",
        image_mode=None,
        sources=["upload", "webcam", "clipboard"],
        height=260,
        elem_id=name,
    )


def example_cards() -> gr.HTML:
    """A card for each example: its result, or what goes in. A click tells which."""
    cards = "".join(
        f'<button type="button" data-example="{i}"><img src="{e.glimpse()}" alt="" loading="lazy">'
        f"<span>{html.escape(e.caption)}</span></button>"
        for i, e in enumerate(examples())
    )
    return gr.HTML(
        "",
        html_template='<div class="cards" role="group" aria-label="Examples: load both pictures, and their '
        f'result where there is one">{cards}</div>',
        elem_id="examples",
        apply_default_css=False,
        js_on_load=(
            "for (const card of element.querySelectorAll('[data-example]')) card.onclick = () => "
            "trigger('choose', {index: Number(card.dataset.example)});"
        ),
    )


@dataclass(frozen=True)
class Before:
    """What stood on the page before something took its place: the files of the pictures, and what was painted
    over their maps.
    """

    pictures: tuple[str | None, str | None]
    drawn: tuple[Any, Any]


def remembered(undo: list[Before] | None, asked: Asked) -> dict[str, Any]:
    """What is on the page, added to what can be brought back, and the button that does so."""
    if not any(asked.pictures):
        return {"undo": undo}
    steps = [*(undo or []), Before(asked.pictures, asked.drawn)][-MOST_UNDONE:]
    return {"undo": steps, "undo_button": gr.update(visible=True)}


@worded
def bring_back(undo: list[Before] | None) -> Iterator[dict[str, Any]]:
    """The pictures and maps that were there before the last change."""
    if not undo:
        raise InputError("There is nothing to bring back.")
    *left, before = undo
    yield {
        **both(before.pictures, before.drawn),
        "undo": left,
        "undo_button": gr.update(visible=bool(left)),
    }


def both(paths: tuple[str | None, str | None], drawn: tuple[Any, Any]) -> dict[str, Any]:
    """Two pictures with their maps and what is known of them, by the names of the page's outputs."""
    found: dict[str, Any] = {}
    for role, path, layer in zip(("content", "style"), paths, drawn):
        path = path if path and Path(path).exists() else None
        view, known = next(parse(path, role, layer))
        found |= {role: path, f"{role}_map": view, f"{role}_known": known}
    return found


@worded
def swap(asked: Asked) -> Iterator[dict[str, Any]]:
    """The content as the style and the style as the content, with what was painted."""
    yield both(asked.pictures[::-1], asked.drawn[::-1])


@worded
def choose_example(asked: Asked, undo: list[Before] | None, event: gr.EventData) -> Iterator[dict[str, Any]]:
    """Both pictures, the finished result and a word on it; and nothing of a run before."""
    index = event_says(event, "index")
    if type(index) is not int or index not in range(len(examples())):
        raise InputError(
            "there is no such example: click one of the cards"
        )  # no skip: after one, a component forgets what was set on it
    example = examples()[index]
    words = (
        f"{example.caption}: made before, with the settings of Balanced. Press <b>Run</b> to make it here."
        if example.result
        else f"{example.caption}: press <b>Run</b> to make it."
    )
    pictures = example_file(example.content), example_file(example.style)
    finished = finished_file(example)
    yield {
        **remembered(undo, asked),
        **on_page(Made(finished, pictures, pictures[0]) if finished else NOTHING),
        "content": pictures[0],
        "style": pictures[1],
        "status": said(words),
        "last": None,
    }


@worded
def parse(
    path: str | None, role: str, drawn: object = None, parser: str = "compact", face: int = 1
) -> Iterator[tuple[dict[str, Any] | None, Parse | None]]:
    """The map over its picture for the page, and what the parser said. What was `drawn` on the same picture
    stays.
    """
    if not path:
        yield None, None
        return
    picture = picture_at(path, role)
    known = known_of(picture, parser, face)
    if len(known.faces) > 1 and face == 1:
        gr.Info(
            f"{len(known.faces)} faces were found in the {role} picture. The largest is used: press "
            f"another one's frame in its map to use that."
        )
    yield shown_map(picture, known, drawn), known


def parse_both(
    content: str | None, style: str | None, content_drawn: object, style_drawn: object, parser: str
) -> Iterator[tuple[Any, ...]]:
    """Both pictures' maps anew, by the parser of that name; what was painted stays."""
    first = next(parse(content, "content", content_drawn, parser))
    yield *first, *next(parse(style, "style", style_drawn, parser))


def choose_face(
    path: str | None, known: Parse | None, drawn: object, parser: str, event: gr.SelectData
) -> Iterator[Any]:
    """The map anew, of the face that was clicked on in the picture; nothing where there is no other."""
    if not path or known is None or len(known.faces) < 2 or not is_place(event.index):
        yield gr.skip(), gr.skip()
        return
    x, y = event.index
    nearest = min(range(len(known.faces)), key=lambda i: np.hypot(known.faces[i].x - x, known.faces[i].y - y))
    yield from other_face(path, known, drawn, parser, nearest + 1)


def choose_framed(
    path: str | None, known: Parse | None, drawn: object, parser: str, event: gr.EventData
) -> Iterator[Any]:
    """The map anew, of the face whose frame in the map was pressed."""
    yield from other_face(path, known, drawn, parser, event_says(event, "face"))


def other_face(
    path: str | None, known: Parse | None, drawn: object, parser: str, face: object
) -> Iterator[Any]:
    """The map anew, of the face of that number; nothing where it is used already or is not there."""
    if (
        not path
        or known is None
        or type(face) is not int
        or face == known.chosen
        or face not in range(1, len(known.faces) + 1)
    ):
        yield gr.skip(), gr.skip()
    else:
        yield from parse(path, "clicked", drawn, parser, face)


class PicturesRoom:
    """Two uploads, and what changes both at once. Events are wired by the page."""

    def __init__(self) -> None:
        with gr.Row(equal_height=False, elem_id="uploads"):
            self.content, self.style = (
                picture_upload("Content: whose face", "content"),
                picture_upload("Style: whose skin", "style"),
            )
        with gr.Row(elem_id="both-pictures"):
            self.swap = gr.Button("Swap the two", size="sm", elem_id="swap", min_width=120)
            self.undo_button = gr.Button(
                "Undo: bring my pictures back",
                size="sm",
                elem_id="undo-pictures",
                visible=False,
                min_width=120,
            )
        self.undo = gr.State(None, time_to_live=KEPT)  # what can be brought back, the newest last
