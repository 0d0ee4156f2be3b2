"""Second step: both maps over their pictures, and tools to correct them.

The server keeps the automatic map, the browser a layer over it (`segmentation.correction`), sent as text:
nothing that a browser does to pixels can spoil a map, and the automatic one is always there to come back to.
"""

from __future__ import annotations

import base64
import html
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any

import cv2
import gradio as gr
import numpy as np
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.images import fit
from facetransfer.jobs.advice import advice, no_face, shares
from facetransfer.jobs.face import Face, check_shape
from facetransfer.ui.files import add_map, result_folder
from facetransfer.ui.form import Asked
from facetransfer.ui.gradio_compat import event_says
from facetransfer.ui.inputs import picture_at, settings_of, worded
from segmentation import PARSERS
from segmentation.classes import CLASSES, FACE_CLASSES, INDEX
from segmentation.correction import AUTOMATIC, Correction, as_text
from segmentation.fill import REACH, fill_region
from segmentation.map_files import map_path, reading_of
from segmentation.parsers import Parse
from segmentation.semantic_map import SemanticMap

SIDE = 1024  # longest side of a map on the page, pixels: one of at most this size is painted pixel by pixel
UNSURE_SHARE = 0.03  # of a picture: with more that is unsure, the advice says so
GLANCE, ALIKE = (
    16,
    6.0,
)  # pixels and grey levels: two pictures that differ by less at this size are one picture, at two sizes
SCRIPT = "\n".join(
    (Path(__file__).parent / name).read_text("utf-8") for name in ("regions.js", "view.js", "editor.js")
)
EVENTS = ("fill", "face", "painted")  # of a map, which the server answers
TOOLS = {
    "brush": ("Brush", "B", "Paints the class chosen below."),
    "eraser": ("Eraser", "E", "Brings the automatic map back where it goes."),
    "fill": ("Fill", "F", "One click or stroke paints a region up to the picture's edges."),
    "lasso": ("Lasso", "L", "Draw around a region: all of it becomes the class chosen below."),
    "restore": ("Region back", "A", "Click a painted region: it becomes automatic again."),
}
RANGES = {
    "size": ("Brush size", 1, 100, 8),
    "reach": ("Fill reach", 4, 60, REACH),
    "opacity": ("Map opacity", 0, 100, 55),
    "zoom": ("Zoom", 100, 800, 100),
}
LETTERS = dict(
    background="Bg",
    skin="Sk",
    nose="No",
    eye_glasses="Gl",
    l_eye="LEy",
    r_eye="REy",
    l_brow="LBr",
    r_brow="RBr",
    l_ear="LEa",
    r_ear="REa",
    mouth="Mo",
    u_lip="UL",
    l_lip="LL",
    hair="Hr",
    hat="Ht",
    earring="Er",
    necklace="Nl",
    neck="Nk",
    cloth="Cl",
)  # what stands on the regions of each class, for people who cannot tell its colour from another's


def _template(name: str) -> Template:
    """The markup in a file of this folder; what changes in it stands there as $name."""
    return Template((Path(__file__).parent / name).read_text("utf-8"))


def toolbar() -> gr.HTML:
    """The tools, and every class with its colour. Which are chosen is known to the browser alone."""
    tools = "".join(
        f'<button type="button" data-tool="{name}" title="{text} Key {key}." aria-pressed="false">'
        f"{label}</button>"
        for name, (label, key, text) in TOOLS.items()
    )
    ranges = "".join(
        f'<label><span data-name="{name}">{label}</span>'
        f'<input type="range" name="{name}" min="{low}" max="{high}" value="{value}"></label>'
        for name, (label, low, high, value) in RANGES.items()
    )
    classes = "".join(
        f'<button type="button" class="chip absent" data-class="{c.index}" aria-pressed="false">'
        f'<i style="background:rgb{c.colour}"></i>{c.label}<small aria-hidden="true">{LETTERS[c.name]}'
        "</small></button>"
        for c in CLASSES
    )
    known = json.dumps(
        [
            {
                "label": c.label,
                "colour": c.colour,
                "mirror": INDEX[c.mirror],
                "face": c.index in FACE_CLASSES,
                "letters": LETTERS[c.name],
            }
            for c in CLASSES
        ]
    )
    return gr.HTML(
        "",
        html_template=_template("toolbar.html").substitute(tools=tools, ranges=ranges, classes=classes),
        js_on_load=f"window.faceMaps.toolbar(element, {known});",
        elem_id="map-tools",
        apply_default_css=False,
    )


def map_view(label: str, name: str) -> gr.HTML:
    """An empty map. Its value comes from `shown_map` and goes back as {"layer", "of"}."""
    return gr.HTML(
        None,
        html_template=_template("map.html").substitute(label=label),
        # gradio offers as events of the component the names that stand in quotes in this script.
        js_on_load=f"window.faceMaps.open(element, props, watch, trigger, {list(EVENTS)});",
        elem_id=name,
        apply_default_css=False,
    )


def glance(picture: Image.Image) -> str:
    """What a picture looks like from afar, as text: it says whether a correction was painted on this picture
    or on another.
    """
    return base64.b64encode(
        cv2.resize(np.asarray(picture.convert("L")), (GLANCE, GLANCE), interpolation=cv2.INTER_AREA).tobytes()
    ).decode()


def alike(one: object, other: str) -> bool:
    """Whether two glances are of one picture, at any size."""
    if not isinstance(one, str) or len(one) != len(other):
        return False
    try:
        first, second = (
            np.frombuffer(base64.b64decode(g), np.uint8).astype(np.float32) for g in (one, other)
        )
    except ValueError:
        return False
    return len(first) == len(second) and float(np.abs(first - second).mean()) < ALIKE


def correction_in(drawn: object) -> Correction | None:
    """The layer that the page sent, None where there is no map. Raises InputError where it cannot be read."""
    return Correction.from_text(drawn["layer"]) if isinstance(drawn, dict) and drawn.get("layer") else None


def layer_of(drawn: object) -> object:
    """Of which picture the page says that its layer is; None where it says nothing."""
    return drawn.get("of") if isinstance(drawn, dict) else None


def corrected(semantic: SemanticMap, drawn: object) -> SemanticMap:
    """The map with what was painted over it."""
    correction = correction_in(drawn)
    return correction.over(semantic) if correction else semantic


def shown_map(
    picture: Image.Image, known: Parse, drawn: object = None, correction: Correction | None = None
) -> dict[str, Any]:
    """What the page needs to show a map: the picture, the automatic map, where it is unsure, the layer over
    it.

    The layer is `correction`, or else what was `drawn` if that was on the same picture, at whatever size.
    """
    small = fit(picture, SIDE) if max(picture.size) > SIDE else picture
    file, now = io.BytesIO(), glance(picture)
    small.save(file, "JPEG", quality=88)
    kept = correction_in(drawn) if isinstance(drawn, dict) and alike(drawn.get("of"), now) else None
    layer = correction or (kept if kept and kept.fits(small.size) else Correction.nothing(small.size))
    return {
        "photo": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}",
        "automatic": as_text(known.semantic.resized(small.size).labels),
        "unsure": as_text(unsure_at(known, small.size)),
        "layer": layer.resized(small.size).to_text(),
        "of": now,
        "same": bool(correction or kept),
        "faces": frames(known, picture.size),
        "chosen": known.chosen,
    }


def unsure_at(known: Parse, size: tuple[int, int]) -> np.ndarray:
    """Where the parser is unsure, at (width, height), (H,W) uint8: 1 there and 0 elsewhere."""
    return cv2.resize(known.unsure.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)


def unsure_share(known: Parse, drawn: object) -> float:
    """The share of the picture of which the parser is unsure and where nothing was painted."""
    correction = correction_in(drawn)
    if correction is None:
        return float(known.unsure.mean())
    return float((unsure_at(known, correction.size) * (correction.labels == AUTOMATIC)).mean())


def frames(known: Parse, size: tuple[int, int]) -> list[list[float]]:
    """Where to frame each face, as shares of the picture's (width, height): left, top, width, height. None
    where there is no choice.
    """
    found = []
    for face in known.faces if len(known.faces) > 1 else ():
        left, top, right, bottom = (min(1.0, max(0.0, n / size[i % 2])) for i, n in enumerate(face.box))
        found.append([round(n, 4) for n in (left, top, right - left, bottom - top)])
    return found


@worded
def fill(path: str | None, known: Parse | None, drawn: object, event: gr.EventData) -> Iterator[Any]:
    """The layer with the region around the stroke in its class."""
    correction = correction_in(drawn)
    stroke, label, reach = (event_says(event, name) for name in ("stroke", "label", "reach"))
    usable = (
        isinstance(stroke, list)
        and stroke
        and all(
            isinstance(p, list) and len(p) == 2 and all(isinstance(n, (int, float)) and -9 < n < 9 for n in p)
            for p in stroke
        )
    )
    if (
        not usable
        or type(label) is not int
        or label not in range(len(CLASSES))
        or not isinstance(reach, (int, float))
        or reach != reach
        or correction is None
        or known is None
    ):
        raise InputError(
            "there is nothing to fill here: upload a picture, choose a class and draw into its map"
        )
    picture = picture_at(path, "clicked").resize(correction.size, Image.Resampling.BILINEAR)
    where = fill_region(np.asarray(picture), [tuple(p) for p in stroke], min(255.0, max(0.0, reach)))
    yield {"layer": correction.painted(where, label).to_text(), "of": layer_of(drawn), "filled": True}


@worded
def load_map(file: str | None, path: str | None, known: Parse | None) -> Iterator[Any]:
    """A map from a file, as a correction of the automatic one: what differs is painted."""
    if known is None:
        raise InputError("there is no picture for this map yet: upload the picture first")
    if not file:
        raise InputError("there is no map yet: choose the file of one")
    picture, (wanted, taken_for) = picture_at(path, "chosen"), reading_of(file)
    if taken_for:
        gr.Info(html.escape(taken_for) + ".")
    check_shape(wanted, picture, "this picture")
    yield shown_map(
        picture, known, correction=Correction.between(known.semantic, wanted.resized(known.semantic.size))
    )


def show_advice(asked: Asked) -> Iterator[dict[str, Any]]:
    """Lines of advice and each class's share, with what was painted; quiet where pictures or settings are not
    usable yet.
    """
    yield {"advice": _advice_on(asked)}


def _advice_on(asked: Asked) -> str:
    try:
        both = [
            replace(known, semantic=corrected(known.semantic, drawn))
            for known, drawn in zip(asked.known, asked.drawn)
            if known is not None
        ]
        if len(both) < 2:
            name = "content" if asked.known[0] else "style"
            return f'<ul class="advice"><li>{no_face(name)}</li></ul>' if both and not both[0].frame else ""
        settings = settings_of(asked.settings)
    except InputError as error:
        return html.escape(str(error))
    maps = both[0].semantic, both[1].semantic
    faces = [Face.of(Image.new("L", k.semantic.size), k.semantic, k) for k in both]
    lines = advice(maps, (faces[0].frame, faces[1].frame), (maps[0].size, maps[1].size), settings)
    lines += [
        f"The parser is unsure of {share:.0%} of the {name} picture, which is hatched on its map: paint "
        f"what is wrong there, if anything is."
        for name, known, drawn in zip(("content", "style"), asked.known, asked.drawn)
        if known is not None and (share := unsure_share(known, drawn)) > UNSURE_SHARE
    ]
    table = "".join(
        f"<tr><td>{label}</td>" + "".join(f"<td>{share:.1%}</td>" for share in each) + "</tr>"
        for label, each in shares(*maps)
    )
    notes = (
        "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        or "<li>Both maps have what they need.</li>"
    )
    return (
        f'<ul class="advice">{notes}</ul>'
        "<details><summary>How much of each picture each part covers</summary>"
        f'<table class="shares"><tr><th></th><th>Content</th><th>Style</th></tr>{table}</table></details>'
    )


@worded
def save_maps(
    content_path: str | None,
    style_path: str | None,
    content_known: Parse | None,
    style_known: Parse | None,
    content_drawn: object,
    style_drawn: object,
) -> Iterator[Any]:
    """A zip of the maps as they are now, corrections in them, each of its picture's size and named
    after it.
    """
    pairs = [
        (Path(path).name, corrected(known.semantic, drawn))
        for path, known, drawn in (
            (content_path, content_known, content_drawn),
            (style_path, style_known, style_drawn),
        )
        if path and known
    ]
    if not pairs:
        raise InputError("There are no maps yet: upload a picture first.")
    folder = result_folder()
    with zipfile.ZipFile(folder / "maps.zip", "w") as archive:
        for name, semantic in pairs:
            add_map(archive, folder, map_path(name).name, semantic)
    yield str(folder / "maps.zip")


class MapsRoom:
    """The tools, the two maps, and what is done with maps as files. Events are wired by the page."""

    def __init__(self) -> None:
        with gr.Row(equal_height=False, elem_id="maps"):
            self.content, self.style = (
                map_view("Content map", "content-map"),
                map_view("Style map", "style-map"),
            )
        self.tools = toolbar()
        self.advice = gr.HTML("", elem_id="advice")
        with gr.Accordion("Save, load or make the maps again", open=False, elem_id="map-files"):
            with gr.Row():
                self.save = gr.Button("Save maps", size="sm", elem_id="save-maps")
                self.load_content, self.load_style = (
                    gr.UploadButton(
                        f"Load {role} map", file_types=["image"], size="sm", elem_id=f"load-{role}-map"
                    )
                    for role in ("content", "style")
                )
            with gr.Row(equal_height=False):
                self.parser = gr.Dropdown(
                    list(PARSERS),
                    value=PARSERS[0],
                    label="What makes the maps",
                    elem_id="parser",
                    info="compact is ours; bisenet and parsenet are published ones, downloaded once.",
                )
                self.again = gr.Button("Make maps again", size="sm", elem_id="make-maps")
        self.zipped = gr.DownloadButton(visible="hidden", elem_id="maps-zip")

    @property
    def views(self) -> list[gr.HTML]:
        return [self.content, self.style]
