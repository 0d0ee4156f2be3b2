"""Third step: run, watch, stop, go on; and what can be done with a result."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import gradio as gr
import numpy as np
from PIL import Image, ImageDraw

from facetransfer.base.images import fitted_size
from facetransfer.base.settings import METHODS, PRESETS, TransferSettings, all_settings
from facetransfer.core.engine import Step
from facetransfer.jobs.animation import Animation
from facetransfer.jobs.class_weights import strengths_as_text
from facetransfer.jobs.job import Face, Job, prepare, result_picture
from facetransfer.ui import gpu
from facetransfer.ui.components.map_editor import corrected
from facetransfer.ui.components.settings import PLACE_LABELS, named, setting_input
from facetransfer.ui.files import RESULT, command_of, pack, result_folder
from facetransfer.ui.inputs import in_words, is_place, known_of, picture_at, settings_of, shown, worded
from facetransfer.ui.queue_status import IN_LINE
from facetransfer.ui.theme import said, status
from segmentation.classes import NAMES
from segmentation.parsers import Parse, load_parser

SHOW_EVERY = 0.7  # seconds between two pictures on the way
LOOK_EVERY = 1.5  # seconds between two looks at the line
METHOD_NAMES = {
    "gatys": "Global texture (Gatys)",
    "mrf": "Nearest patches (Li and Wand)",
    "semantic": "Patches from the same part (Champandard)",
    "guided": "Guided by part, place and light (ours)",
}
GALLERY = 12  # results of a visit that are kept on the page
WEAVE = 2.0  # times the style's energy at a period of 2 pixels from which it is told
REPAINT = 1 / 64  # of the longest side: how far around a repainted part a refinement works


@dataclass(frozen=True)
class LastRun:
    """What the page remembers of the last run, to refine it and to say where a patch came from."""

    labels: np.ndarray  # the content map that it used, (h,w)
    style: Image.Image  # as the search saw it: aligned
    sources: np.ndarray | None  # (2,h,w), see `Step.sources`; None where the result was placed elsewhere
    size: tuple[int, int]  # (width, height) of the result


def job_of(
    content_path: str | None,
    style_path: str | None,
    content_known: Parse | None,
    style_known: Parse | None,
    content_drawn: object,
    style_drawn: object,
    place: str,
    *values: Any,
    start: Image.Image | None = None,
    last: LastRun | None = None,
) -> Job:
    """The inputs of the page as a job. Raises InputError where something is missing or cannot be used.

    `values` are the strengths of the classes, then the settings. With a `start` the work goes on from that
    picture, at full size, and only where the content's map changed since the `last` run, if it did.
    """
    content, style = picture_at(content_path, "content"), picture_at(style_path, "style")
    strengths, settings = dict(zip(NAMES, values)), settings_of(values[len(NAMES) :])
    known = [k or known_of(p) for k, p in ((content_known, content), (style_known, style))]
    maps = [corrected(k.semantic, d) for k, d in zip(known, (content_drawn, style_drawn))]
    faces = [Face.of(p, m, replace(k, semantic=m)) for p, m, k in zip((content, style), maps, known)]
    where = None
    if start is not None:
        settings = replace(settings, start="image", phases=1)
        if (
            last is not None
            and last.labels.shape == maps[0].labels.shape
            and (changed := last.labels != maps[0].labels).any()
        ):
            side = 2 * max(2, round(max(changed.shape) * REPAINT)) + 1
            where = cv2.dilate(changed.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    into = named(PLACE_LABELS, place, "place")
    job = prepare(
        *faces,
        settings,
        place=into,
        strengths=strengths,
        start=start,
        region=where,
        options={
            "into": into,
            "strength": strengths_as_text(strengths),
            "face": str(known[0].chosen) if known[0].chosen > 1 else "",
        },
    )
    gpu.check_budget(job)
    for note in job.notes:
        gr.Info(note[0].upper() + note[1:] + ".")
    return job


@worded
def run(
    gallery: list[tuple[str, str]] | None,
    last: LastRun | None,
    start_path: str | None,
    film: bool,
    *inputs: Any,
) -> Iterator[tuple[Any, ...]]:
    """The picture as it grows, the words beside it, and at the end the files, the pair to compare, the
    numbers in words, what to remember, and the gallery. Inputs as of `job_of`; `start_path` is the file of
    the picture to go on from, or None.
    """
    began, start = time.monotonic(), None
    if start_path is not None:
        start = picture_at(start_path, "result")
    job = job_of(*inputs, start=start, last=last)
    step, seen, nothing = None, 0.0, (gr.skip(),) * 5
    # What is known of the run before is forgotten where this one begins anew: if it is stopped, all of it is
    # left to go on with.
    yield (
        start or job.content.picture,
        said("Looking for patches ...", 0.0),
        gr.update(interactive=False),
        gr.skip(),
        "",
        gr.skip() if start else None,
        gr.skip(),
        gr.skip(),
    )
    folder = result_folder()
    animation = Animation(folder / "run.webp", fitted_size(job.size, 320)) if film else None
    for step in gpu.steps(job):
        if animation:
            animation.add(step)
        if time.monotonic() - seen >= SHOW_EVERY:
            seen = time.monotonic()
            yield (
                result_picture(step, job.size),
                said(progress_text(step, seen - began), step.done),
                gr.skip(),
                *nothing,
            )
    own = result_picture(step, job.size)
    picture = job.placed(own)
    known, drawn = inputs[2:4], inputs[4:6]
    maps = [corrected(k.semantic, d) if k else f.semantic for k, d, f in zip(known, drawn, job.whole)]
    remembered = LastRun(
        maps[0].labels,
        job.style.picture,
        None if job.place != "alone" or step.sources is None else step.sources.cpu().numpy(),
        picture.size,
    )
    words = f"Done in {time.monotonic() - began:.0f} s."
    yield picture, said(words + " Measuring ..."), *(gr.skip(),) * 6
    report = job.report(own, step.leak, load_parser("compact", gpu.parser_device()))
    if animation:
        animation.save()
    archive = pack(folder, picture, job, maps, report, animation and animation.path)
    pair = (
        (job.whole[0].picture.resize(picture.size), picture)
        if job.place != "style"
        else (job.whole[1].picture, picture)
    )
    caption = (
        f"{job.settings.method}, likeness {job.settings.likeness:g}, seed {job.settings.seed}, "
        f"{time.monotonic() - began:.0f} s"
    )
    gallery = [(str(folder / RESULT), caption), *(gallery or [])][:GALLERY]
    yield (
        picture,
        said(words),
        gr.update(value=archive, visible=True, interactive=True),
        pair,
        f"{report_words(report)}\n\n{command_words(job)}",
        remembered,
        gallery,
        gallery,
    )


def preview(
    gallery: list[tuple[str, str]] | None,
    last: LastRun | None,
    start_path: str | None,
    film: bool,
    *inputs: Any,
) -> Iterator[tuple[Any, ...]]:
    """As `run`, as fine as the preset Preview, whatever the page's own fineness; nothing where there is no
    content picture yet.
    """
    if not inputs[0]:
        yield (gr.skip(),) * 8
        return
    count = len(list(all_settings()))
    with in_words():
        own = settings_of(inputs[-count:])
    fine = PRESETS["Preview"]
    quick = replace(own, **{name: getattr(TransferSettings(**fine), name) for name in ("size", *fine)})
    yield from run(gallery, last, None, film, *inputs[:-count], *shown(quick))


@worded
def compare(*inputs: Any) -> Iterator[tuple[list[tuple[Image.Image, str]], str]]:
    """The same pair by the three methods of the article and by ours, one after another. Inputs as of
    `job_of`.
    """
    job, seen = job_of(*inputs), 0.0
    gpu.check_budget(job, METHODS)
    done: list[tuple[Image.Image, str]] = []
    for i, method in enumerate(reversed(METHODS)):
        step = None
        for step in gpu.steps(job, method=method):
            if time.monotonic() - seen >= SHOW_EVERY:
                seen = time.monotonic()
                yield (
                    [*done, (result_picture(step, job.size), METHOD_NAMES[method])],
                    said(
                        f"Method {i + 1} of {len(METHODS)}: {METHOD_NAMES[method]}",
                        (i + step.done) / len(METHODS),
                    ),
                )
        same = "" if step.leak is None else f": {1 - step.leak:.0%} from the same part"
        done.append((result_picture(step, job.size), METHOD_NAMES[method] + same))
    yield done, said("Done: one pair, four methods.")


def where_from(last: LastRun | None, event: gr.SelectData) -> tuple[Any, Any]:
    """The style picture with a ring where the patch under the pointer came from, and its room opened."""
    if last is None or last.sources is None or not is_place(event.index):
        return gr.skip(), gr.skip()
    x, y = event.index
    width, height = last.size
    _, rows, columns = last.sources.shape
    i, j = (
        min(rows - 1, max(0, int(y / height * rows))),
        min(columns - 1, max(0, int(x / width * columns))),
    )
    picture = last.style.copy()
    at = last.sources[:, i, j] * picture.size
    draw, radius = ImageDraw.Draw(picture), max(8, max(picture.size) // 24)
    for width, colour in ((6, "black"), (3, "white")):
        draw.ellipse([*(at - radius), *(at + radius)], outline=colour, width=width)
    return picture, gr.update(open=True)


def report_words(report: dict[str, Any]) -> str:
    """The numbers of a result for people: what went wrong comes first."""
    lines = []
    if report.get("weave", 0.0) > WEAVE:
        lines.append(
            f"Neighbouring pixels alternate like a **weave** ({report['weave']:.1f} times as in the style)."
        )
    if report["leak"] is not None:
        lines.append(f"**{1 - report['leak']:.0%}** of the patches come from the same part of the face.")
    if report["layout_iou"] is not None:
        word = (
            "kept well"
            if report["layout_iou"] > 0.6
            else "kept roughly"
            if report["layout_iou"] > 0.4
            else "hardly recognised any more"
        )
        lines.append(
            f"The content's layout is **{word}** (agreement of the maps {report['layout_iou']:.0%})."
        )
    distance = report["style_distance"]
    if math.isfinite(distance):
        lines.append(
            f"The skin is "
            f"**{'very near' if distance < 0.25 else 'near' if distance < 0.6 else 'still far from'}** the "
            f"style's (distance {distance:.2f}; 0 is the same)."
        )
    sharp = report["sharpness"]
    lines.append(
        f"Its detail is "
        f"**{'softer than' if sharp < 0.6 else 'stronger than' if sharp > 1.5 else 'as fine as'}** the "
        f"style's ({sharp:.2f} times)."
    )
    return "  \n".join(lines)


def command_words(job: Job) -> str:
    """The command line that makes the same, folded, and where the files that it names are."""
    return (
        f"<details><summary>The same on the command line</summary>\n\n```bash\n{command_of(job)}\n```\n\n"
        "Put your pictures as `content.png` and `style.png` beside what is in the download.\n\n</details>"
    )


def progress_text(step: Step, seconds: float) -> str:
    left = seconds * (1 - step.done) / max(step.done, 1e-3)
    when = f"about {left:.0f} s left" if step.done > 0.02 else "estimating the time"
    return (
        f"Phase {step.phase} of {step.phases} · {step.done:.0%} · {when} · loss "
        f"{sum(step.losses.values()):.3f}"
    )


def stopped(last_picture: str | None, words: str) -> tuple[Any, Any]:
    """Words after Stop, and the button that goes on. `words` were there before: a job that waited in line has
    made nothing yet.
    """
    if isinstance(words, str) and words.startswith(IN_LINE):  # a program can send anything
        return said("You left the line: nothing was made."), gr.skip()
    if last_picture is None:
        return said("Stopped."), gr.skip()
    return said("Stopped. The picture so far is kept: <b>Continue</b> goes on from it."), gr.update(
        value="Continue", interactive=True
    )


def buttons(running: bool, picture: str | None = None) -> tuple[Any, Any, Any, Any]:
    """Run, Stop and Refine while work runs and after it, and whether the line is watched. There is something
    to refine where there is a picture.
    """
    refine = (
        gr.update(value="Refine", interactive=False)
        if running
        else gr.update(interactive=picture is not None)
    )
    return (
        gr.update(interactive=not running),
        gr.update(interactive=running),
        refine,
        gr.Timer(active=running),
    )


class ResultRoom:
    """The result, its buttons and its words. Events are wired by the page."""

    def __init__(self) -> None:
        self.result = gr.Image(
            label="Result",
            format="png",
            type="pil",
            interactive=False,
            height=400,
            elem_id="result",
            buttons=["download", "fullscreen"],
        )
        self.status = status("status")
        with gr.Row(elem_id="run-bar"):
            self.run = gr.Button("Run", variant="primary", elem_id="run", min_width=90, scale=2)
            self.stop = gr.Button("Stop", variant="stop", elem_id="stop", min_width=70, interactive=False)
            self.refine = gr.Button("Refine", elem_id="refine", min_width=90, interactive=False)
        self.likeness = setting_input(next(s for s in all_settings() if s.name == "likeness"), "likeness")
        self.words = gr.Markdown("", elem_id="numbers")
        self.download = gr.DownloadButton(
            "Download all: picture, recipe, maps", visible=False, interactive=False, elem_id="download"
        )
        with gr.Accordion(
            "Where did a patch come from? Click on the result", open=False, elem_id="sources-room"
        ) as self.source_room:
            self.source = gr.Image(
                show_label=False, interactive=False, height=300, elem_id="source", buttons=[]
            )
        self.preset = gr.Radio(list(PRESETS), value="Balanced", label="How fine", elem_id="preset")
        self.expected = gr.Markdown("", elem_id="expected")
        self.place = gr.Radio(
            list(PLACE_LABELS), value=next(iter(PLACE_LABELS)), label="Where it goes", elem_id="place"
        )
        self.film = gr.Checkbox(False, label="Also an animation of the run, in the download", elem_id="film")
        with gr.Accordion("Before and after", open=False, elem_id="before-after"):
            self.slider = gr.ImageSlider(show_label=False, elem_id="slider", max_height=460)
        with gr.Accordion("Results of this visit", open=False, elem_id="visit"):
            self.gallery = gr.Gallery(
                columns=3,
                height=300,
                object_fit="contain",
                format="png",
                show_label=False,
                elem_id="gallery",
                buttons=["download", "fullscreen"],
            )
        self.watch = gr.Timer(LOOK_EVERY, active=False)  # at the line, while a job waits in it

    def more(self) -> None:
        """What takes several times as long as a run."""
        with gr.Accordion("Compare the four methods", open=False, elem_id="compare-room"):
            gr.Markdown(
                "The same two pictures by the three methods of the article and by ours, with the settings "
                "above. The "
                "article's optimise the picture under a network and take several times as long."
            )
            self.compare = gr.Button("Compare", elem_id="compare")
            self.compare_status = status("compare-status")
            self.compared = gr.Gallery(
                columns=4,
                height="auto",
                object_fit="contain",
                format="png",
                show_label=False,
                elem_id="compared",
                buttons=["download", "fullscreen"],
            )
