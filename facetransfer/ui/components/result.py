"""Third step: run, watch, stop, go on; and what can be done with a result."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
from PIL import Image, ImageDraw

from facetransfer.base.errors import InputError
from facetransfer.base.images import fitted_size, write_json
from facetransfer.base.settings import METHODS
from facetransfer.core.engine import Step
from facetransfer.jobs.animation import Animation
from facetransfer.jobs.class_weights import strengths_as_text
from facetransfer.jobs.job import Face, Job, prepare, result_picture
from facetransfer.jobs.time_estimate import in_words as time_in_words
from facetransfer.ui import gpu
from facetransfer.ui.components.map_editor import corrected
from facetransfer.ui.components.settings import PLACE_LABELS, named, of_preset
from facetransfer.ui.files import (
    KEPT,
    RESULT_PREFIX,
    command_of,
    name_of_result,
    pack,
    result_folder,
)
from facetransfer.ui.form import Asked
from facetransfer.ui.gradio_compat import cache_folder
from facetransfer.ui.inputs import is_place, known_of, picture_at, settings_of, shown, worded
from facetransfer.ui.queue_status import IN_LINE
from facetransfer.ui.share import write_wipe
from facetransfer.ui.theme import said, status
from facetransfer.ui.time_left import at_work
from segmentation.classes import guide_words
from segmentation.parsers import load_parser

SHOW_EVERY = 0.7  # seconds between two pictures on the way
LOOK_EVERY = 1.5  # seconds between two looks at the line
METHOD_NAMES = {
    "gatys": "Global texture (Gatys)",
    "mrf": "Nearest patches (Li and Wand)",
    "semantic": "Patches from the same part (Champandard)",
    "guided": "Guided by part, place and light (ours)",
}
HISTORY = 12  # results of a visit that are kept on the page
VARIANTS = 4  # results of other seeds that are made at once
VARIANT_SIZE = 256  # pixels on their longest side
OVERUSED = 0.4  # share of the patches from which it is told; most results have 0.1 to 0.3
WEAVE = 2.0  # times the style's energy at a period of 2 pixels from which it is told
REPAINT = 1 / 64  # of the longest side: how far around a repainted part a refinement works
# What is said beside a result of other pictures than those on the page. The browser compares them each time
# that one of them changes: an answer of the server could come late.
OTHER_PICTURES = """(content, style, of) => {
  const files = JSON.stringify([content?.path ?? null, style?.path ?? null]);
  return of && of !== files ? "This was made from other pictures. Press <b>Run</b> to make these." : ""; }"""
STARTING = "Starting ..."  # from the press of a button until the server has said something
STOPPED = "Stopped. The picture so far is kept: <b>Continue</b> goes on from it."
FAILED = "Nothing was made."
FIRST_TAB = "result"
MADE = "made.json"  # in a result's folder: what the page says of it, for when the page is loaded again


@dataclass(frozen=True)
class LastRun:
    """What the page remembers of the last run, to refine it and to say where a patch came from."""

    labels: np.ndarray  # the content map that it used, (h,w)
    style: Image.Image  # as the search saw it: aligned
    sources: np.ndarray | None  # (2,h,w), see `Step.sources`; None where the result was placed elsewhere
    size: tuple[int, int]  # (width, height) of the result


@dataclass(frozen=True)
class Made:
    """A result that the page shows or showed: its files, what is said of it, and of which pictures it is.

    before: the picture that it is compared with. archive: the zip; None for a finished example.
    """

    picture: str
    of: tuple[str | None, str | None]
    before: str | None = None
    archive: str | None = None
    card: str | None = None
    numbers: str = ""
    caption: str = ""


NOTHING = Made("", (None, None))


def job_of(asked: Asked, start: Image.Image | None = None, last: LastRun | None = None) -> Job:
    """The form as a job. Raises InputError where something is missing or cannot be used.

    With a `start` the work goes on from that picture, at full size, and only where the content's map changed
    since the `last` run, if it did.
    """
    content, style = (picture_at(path, role) for path, role in zip(asked.pictures, ("content", "style")))
    settings = settings_of(asked.settings)
    known = [k or known_of(p) for k, p in zip(asked.known, (content, style))]
    maps = [corrected(k.semantic, d) for k, d in zip(known, asked.drawn)]
    faces = (
        Face.of(content, maps[0], replace(known[0], semantic=maps[0])),
        Face.of(style, maps[1], replace(known[1], semantic=maps[1])),
    )
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
    into = named(PLACE_LABELS, asked.place, "place")
    job = prepare(
        faces[0],
        faces[1],
        settings,
        place=into,
        strengths=asked.strengths,
        start=start,
        region=where,
        options={
            "into": into,
            "strength": strengths_as_text(asked.strengths),
            "face": str(known[0].chosen) if known[0].chosen > 1 else "",
        },
    )
    gpu.check_budget(job)
    return job


def run(asked: Asked, visit: list[Made] | None, shown: Made | None) -> Iterator[dict[str, Any]]:
    """The picture as it grows and the words beside it; at the end all that belongs to the result, by the
    names of `ResultRoom.outputs`. visit: the results so far. shown: the one on the page, which is there again
    after a failure.
    """
    yield from _run(asked, visit, shown)


@worded
def refine(
    asked: Asked,
    visit: list[Made] | None,
    shown: Made | None,
    begun: Asked | None,
    last: LastRun | None,
    picture: str | None,
) -> Iterator[dict[str, Any]]:
    """As `run`, going on from the `picture` on the page. begun: the form of a run that was stopped.

    Raises InputError where the picture was made of others than those on the page.
    """
    made_of = begun.pictures if begun else shown.of if shown else asked.pictures
    if asked.pictures != made_of:
        raise InputError("The result was made from other pictures than these: press Run to make these.")
    yield from _run(asked, visit, shown, picture or "", last)


def preview(asked: Asked, visit: list[Made] | None, shown: Made | None) -> Iterator[dict[str, Any]]:
    """As `run`, as fine as the preset Preview, whatever the page's own fineness; nothing where there is no
    content picture yet.
    """
    if not asked.pictures[0]:
        yield {"status": gr.skip()}
        return
    quick = replace(asked, settings={**asked.settings, **of_preset(asked.settings, "Preview")})
    yield from _run(quick, visit, shown)


def _run(
    asked: Asked,
    visit: list[Made] | None,
    shown: Made | None,
    start_path: str | None = None,
    last: LastRun | None = None,
) -> Iterator[dict[str, Any]]:
    try:
        yield from _work(asked, visit, start_path, last)
    except Exception:  # What it was, a toast says.
        yield {**on_page(shown or NOTHING), "status": said(FAILED)}
        raise


@worded
def _work(
    asked: Asked, visit: list[Made] | None, start_path: str | None, last: LastRun | None
) -> Iterator[dict[str, Any]]:
    began, seen = time.monotonic(), 0.0
    start = None if start_path is None else picture_at(start_path or None, "result")
    job = job_of(asked, start=start, last=last)
    assert isinstance(job.content, Face), "the page transfers pictures"
    # What is known of the run before is forgotten where this one begins anew: if it is stopped, all of it is
    # left to go on with.
    yield {
        "result": start or job.content.picture,
        "status": said("Looking for patches ...", 0.0),
        "tabs": gr.update(selected=FIRST_TAB),
        "source": gr.update(visible=False),
        "download": gr.update(interactive=False),
        "card": gr.update(interactive=False),
        "numbers": "",
        "begun": asked,
        "of": _files(asked.pictures),
        **({} if start else {"last": None}),
    }
    folder = result_folder()
    animation = Animation(folder / "run.webp", fitted_size(job.size, 320)) if asked.animate else None
    step = None
    with at_work() as left:
        for step in gpu.steps(job):
            seconds = left.at(step.done)
            if animation:
                animation.add(step)
            if (now := time.monotonic()) - seen >= SHOW_EVERY:
                seen = now
                yield {
                    "result": result_picture(step, job.size),
                    "status": said(progress_text(step, seconds), step.done),
                }
        assert step is not None
        yield from _ended(job, asked, step, time.monotonic() - began, animation, folder, visit)


def _ended(
    job: Job,
    asked: Asked,
    step: Step,
    seconds: float,
    animation: Animation | None,
    folder: Path,
    visit: list[Made] | None,
) -> Iterator[dict[str, Any]]:
    """The result of a run whose last step took it to `seconds`, and then all that belongs to it."""
    own = result_picture(step, job.size)
    words = f"Done in {seconds:.0f} s."
    yield {"result": job.placed(own), "status": said(words + " Measuring ...")}
    if animation:
        animation.save()
    sources = None if job.place != "alone" or step.sources is None else step.sources.cpu().numpy()
    caption = f"{job.settings.method}, likeness {job.settings.likeness:g}, seed {job.settings.seed}"
    made = _made(job, asked, own, step, folder, caption, animation.path if animation else None)
    remembered = LastRun(_labels(job), job.style.picture, sources, job.placed(own).size)
    yield {**with_history(made, visit), "status": said(words), "last": remembered}


def _labels(job: Job) -> np.ndarray:
    """The content map that a job of the page uses, as it came."""
    semantic = job.portraits[0].semantic
    assert semantic is not None, "a picture of the page has a map"
    return semantic.labels


def _made(
    job: Job,
    asked: Asked,
    own: Image.Image,
    step: Step | None,
    folder: Path,
    caption: str,
    film: Path | None = None,
) -> Made:
    """The result `own` with its files, written into the folder, and its numbers in words."""
    picture, (content, style) = job.placed(own), job.portraits
    report = job.report(own, step, load_parser("compact", gpu.parser_device()))
    before = content.picture.resize(picture.size) if job.place != "style" else style.picture
    packed = pack(folder, picture, job, before, report, film, name_of_result(*asked.pictures))
    notes = "".join(f"- {note[0].upper()}{note[1:]}.\n" for note in job.notes)
    made = Made(
        picture=str(packed.picture),
        of=asked.pictures,
        before=str(packed.before),
        archive=str(packed.archive),
        card=str(packed.card),
        numbers=f"{notes}\n{report_words(report)}\n\n{command_words(job)}",
        caption=caption,
    )
    write_json(folder / MADE, asdict(made))
    return made


def made_in(name: object) -> Made | None:
    """The result in the folder of that name in the cache; None where there is none, or none any more."""
    if not isinstance(name, str) or not re.fullmatch(rf"{RESULT_PREFIX}[a-z0-9_]+", name):
        return None
    try:
        told = json.loads((cache_folder() / name / MADE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return Made(**{**told, "of": tuple(told["of"])})


def on_page(made: Made) -> dict[str, Any]:
    """All that belongs to a result, by the names of `ResultRoom.outputs`."""
    return {
        "result": made.picture or None,
        "source": gr.update(visible=False),  # it is of the result before
        "download": gr.update(value=made.archive, visible=bool(made.archive), interactive=bool(made.archive)),
        "card": gr.update(value=made.card, visible=bool(made.card), interactive=bool(made.card)),
        "slider": (made.before, made.picture) if made.before else None,
        "clip": None,
        "numbers": made.numbers,
        "shown": made if made.picture else None,
        "begun": None,
        "of": _files(made.of) if made.picture else "",
    }


def _files(pictures: tuple[str | None, str | None]) -> str:
    """The files of two pictures as the page compares them with those that it shows, see `OTHER_PICTURES`."""
    return json.dumps(pictures, separators=(",", ":"), ensure_ascii=False)


def with_history(made: Made, visit: list[Made] | None) -> dict[str, Any]:
    """As `on_page`, with the visit's results, of which it is the newest."""
    visit = [made, *(visit or [])][:HISTORY]
    return {
        **on_page(made),
        "visit": visit,
        "history": gr.update(value=[(one.picture, one.caption) for one in visit], selected_index=None),
    }


@worded
def show_again(visit: list[Made] | None, event: gr.SelectData) -> Iterator[dict[str, Any]]:
    """A result of before, with all that belongs to it."""
    index = event.index
    if type(index) is not int or not visit or index not in range(len(visit)):
        yield {"status": gr.skip()}
        return
    made = visit[index]
    picture_at(made.picture, "chosen")
    yield {**on_page(made), "last": None, "status": said("A result of before.")}


def stopped(picture: str | None, words: object) -> tuple[Any, Any]:
    """Words after Stop, and the button that goes on. words: what the status said before; a job that waited in
    line has made nothing yet.
    """
    if isinstance(words, str) and words.startswith((IN_LINE, STARTING)):  # a program can send anything
        return said("You left the line: nothing was made."), gr.skip()
    if picture is None:
        return said("Stopped."), gr.skip()
    return said(STOPPED), gr.update(value="Continue", interactive=True)


@worded
def keep(
    begun: Asked | None, picture: str | None, words: object, visit: list[Made] | None
) -> Iterator[dict[str, Any]]:
    """The files and numbers of the picture that a stopped run left. begun: the form as it was when the run
    began.
    """
    if words != STOPPED or not isinstance(begun, Asked):
        yield {"visit": gr.skip()}
        return
    job = job_of(begun)
    own = picture_at(picture, "result").resize(job.size)
    answer = with_history(_made(job, begun, own, None, result_folder(), "stopped"), visit)
    del answer["result"]  # It is on the page already, and a run that goes on may show a newer one.
    yield answer


def failure_said(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Over a handler: where it fails, the status of that name says so, and a toast says why."""

    def decorated(handler: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(handler)
        def answering(*args: Any, **kwargs: Any) -> Iterator[dict[str, Any]]:
            try:
                yield from handler(*args, **kwargs)
            except Exception:
                yield {name: said(FAILED)}
                raise

        return answering

    return decorated


@failure_said("variants_status")
@worded
def variants(asked: Asked) -> Iterator[dict[str, Any]]:
    """Small results of several seeds, from the page's own on."""
    own = settings_of({**asked.settings, **of_preset(asked.settings, "Preview")})
    seeds = [own.seed, *np.random.default_rng().integers(2**31, size=VARIANTS - 1).tolist()]
    found: list[tuple[Image.Image, str]] = []
    with at_work() as left:
        for seed in seeds:
            small = replace(own, size=VARIANT_SIZE, seed=seed)
            job = job_of(replace(asked, settings=shown(small)))
            gpu.check_budget(job, (own.method,) * (VARIANTS - len(found)))
            step = None
            for step in gpu.steps(job):
                left.at((len(found) + step.done) / VARIANTS)
            assert step is not None
            found.append((result_picture(step, job.size), f"seed {seed}"))
            yield {
                "variants": [*found],
                "seeds": seeds,
                "variants_status": said(f"{len(found)} of {VARIANTS}", len(found) / VARIANTS),
            }
    yield {"variants_status": said("Press one to make it with the settings of the page.")}


@worded
def choose_variant(seeds: list[int] | None, event: gr.SelectData) -> Iterator[int]:
    """The seed of the variant that was pressed."""
    index = event.index
    if type(index) is not int or not seeds or index not in range(len(seeds)):
        raise InputError("there is no such variant: make some first")
    yield seeds[index]


@failure_said("compare_status")
@worded
def compare(asked: Asked) -> Iterator[dict[str, Any]]:
    """The same pair by the three methods of the article and by ours, one after another."""
    job, seen = job_of(asked), 0.0
    gpu.check_budget(job, METHODS)
    done: list[tuple[Image.Image, str]] = []
    with at_work() as left:
        for i, (method, share_at) in enumerate(gpu.each_method(job)):
            step = None
            for step in gpu.steps(job, method=method):
                share = share_at(step.done)
                seconds = left.at(share)
                if time.monotonic() - seen >= SHOW_EVERY:
                    seen = time.monotonic()
                    words = (
                        f"Method {i + 1} of {len(METHODS)}: {METHOD_NAMES[method]} · {left_words(seconds)}"
                    )
                    yield {
                        "compared": [*done, (result_picture(step, job.size), METHOD_NAMES[method])],
                        "compare_status": said(words, share),
                    }
            assert step is not None
            same = "" if step.leak is None else f": {1 - step.leak:.0%} from the same part"
            done.append((result_picture(step, job.size), METHOD_NAMES[method] + same))
    yield {"compared": done, "compare_status": said("Done: one pair, four methods.")}


@worded
def make_clip(shown: Made | None) -> Iterator[Any]:
    """A short film that goes from the picture before to the result and back."""
    if shown is None or not shown.before:
        raise InputError("There is no result yet: press Run first.")
    before, after = picture_at(shown.before, "content"), picture_at(shown.picture, "result")
    path = Path(shown.before).with_name("before-and-after.mp4")
    write_wipe(path, before, after)
    yield str(path)


@worded
def where_from(last: LastRun | None, event: gr.SelectData) -> Iterator[Any]:
    """The style picture with a ring where the patch under the pointer came from."""
    if not is_place(event.index):
        yield gr.skip()
        return
    if last is None or last.sources is None:
        gr.Info("Where its patches came from is known of a result right after its run: press Run.")
        yield gr.skip()
        return
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
    yield gr.update(value=picture, visible=True)


def report_words(report: dict[str, Any]) -> str:
    """The numbers of a result for people: what went wrong comes first, and nothing is praised beside it."""
    return "  \n".join((*_faults_in_words(report), *_numbers_in_words(report)))


def _faults_in_words(report: dict[str, Any]) -> list[str]:
    lines = []
    if report.get("face_found") is False:
        lines.append(
            "The face is **not recognised again** in the result: try more likeness, or a larger size."
        )
    if lost := report.get("lost"):
        lines.append(f"Not recognised again: **{', '.join(guide_words(part) for part in lost)}**.")
    if report.get("weave", 0.0) > WEAVE:
        lines.append(
            f"Neighbouring pixels alternate like a **weave** ({report['weave']:.1f} times as in the style)."
        )
    if (report.get("overused") or 0.0) > OVERUSED:
        lines.append(
            f"**{report['overused']:.0%}** of the patches come from a few places of the style, which are "
            f"used again and again."
        )
    return lines


def _numbers_in_words(report: dict[str, Any]) -> list[str]:
    lines = []
    wrong = report.get("lost") or report.get("face_found") is False
    alike = report.get("likeness")
    if alike is not None and not wrong:
        word = "clearly" if alike > 0.8 else "in part" if alike > 0.5 else "hardly"
        lines.append(
            f"The face's features are **{word}** the content's (likeness {alike:.2f}; 1 is the same)."
        )
    if report["leak"] is not None:
        lines.append(f"**{1 - report['leak']:.0%}** of the patches come from the same part of the face.")
    if report["layout_iou"] is not None:
        word = (
            "kept well"
            if report["layout_iou"] > 0.7 and not wrong
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
    steps = (0.6, "much softer than"), (0.8, "softer than"), (1.25, "as fine as"), (1.6, "stronger than")
    word = next((word for most, word in steps if sharp < most), "much stronger than")
    lines.append(f"Its detail is **{word}** the style's ({sharp:.2f} times).")
    return lines


def command_words(job: Job) -> str:
    """The command line that makes the same, folded, and where the files that it names are."""
    return (
        f"<details><summary>The same on the command line</summary>\n\n```bash\n{command_of(job)}\n```\n\n"
        "Put your pictures as `content.png` and `style.png` beside what is in the download.\n\n</details>"
    )


def progress_text(step: Step, left: float) -> str:
    """left: seconds, infinite while they are not known."""
    loss = sum(step.losses.values())
    return f"Phase {step.phase} of {step.phases} · {step.done:.0%} · {left_words(left)} · loss {loss:.3f}"


def left_words(seconds: float) -> str:
    """How long it still takes; infinite where that is not known yet."""
    return f"{time_in_words(seconds)} left" if math.isfinite(seconds) else "estimating the time"


def buttons(running: bool, picture: str | None = None) -> tuple[Any, Any, Any, Any]:
    """Run, Stop and Refine while work runs and after it, and whether the line is watched. There is something
    to refine where there is a picture.
    """
    refine = gr.update(value="Refine", interactive=False) if running else gr.update(interactive=bool(picture))
    return (
        gr.update(interactive=not running),
        gr.update(interactive=running),
        refine,
        gr.Timer(active=running),
    )


class ResultRoom:
    """The result, its buttons and its words. Events are wired by the page."""

    def __init__(self, likeness: gr.components.Component, preset: gr.components.Component) -> None:
        with gr.Column(elem_id="hero"):
            with gr.Row(elem_id="run-bar"):
                self.run = gr.Button("Run", variant="primary", elem_id="run", min_width=90, scale=2)
                self.stop = gr.Button("Stop", variant="stop", elem_id="stop", min_width=70, interactive=False)
                self.refine = gr.Button("Refine", elem_id="refine", min_width=90, interactive=False)
                self.queue = gr.HTML(
                    "",
                    elem_id="queue",
                    apply_default_css=False,
                    js_on_load="window.facePage.lookNowAndThen(() => trigger('look'));",
                )  # what would come before a job, while none of the visit's is on its way
            self.status = status("status")
            self.note = gr.HTML("", elem_id="note", apply_default_css=False)
            self.add_tabs()
        with gr.Row(elem_id="main-settings"):
            likeness.render()
            preset.render()
        self.expected = gr.Markdown("", elem_id="expected")
        with gr.Row(elem_id="take-along"):
            self.download = gr.DownloadButton(
                "Download all", visible=False, interactive=False, size="sm", elem_id="download"
            )
            self.card = gr.DownloadButton(
                "Card: before, style, after", visible=False, interactive=False, size="sm", elem_id="card"
            )
            self.copy = gr.Button("Copy or share", size="sm", elem_id="copy-result")
        self.history = choices_of_pictures("gallery", 6)
        self.numbers = gr.Markdown("", elem_id="numbers")
        self.again = gr.HTML(
            "", apply_default_css=False, js_on_load="window.facePage.comeBack(told => trigger('back', told));"
        )  # after a reload, what the tab knows of the visit
        self.watch = gr.Timer(LOOK_EVERY, active=False)  # at the line, while a job waits in it
        self.of = gr.Textbox(visible="hidden", elem_id="of")  # the files of the pictures that it was made of
        # The run that began, the newest one that ended, the result on the page, those of the visit, seeds.
        self.begun, self.last, self.shown, self.visit, self.seeds = (
            gr.State(None, time_to_live=KEPT) for _ in range(5)
        )

    def add_tabs(self) -> None:
        """The ways to look at a result: as it is, before and after, in variants, by the four methods."""
        with gr.Tabs(elem_id="views") as self.tabs:
            with gr.Tab("Result", id=FIRST_TAB):
                self.result = gr.Image(
                    show_label=False,
                    format="png",
                    type="filepath",
                    interactive=False,
                    height=400,
                    elem_id="result",
                    buttons=["download", "fullscreen"],
                )
                self.source = gr.Image(
                    label="Where it came from",
                    interactive=False,
                    visible=False,
                    elem_id="source",
                    buttons=[],
                )
            with gr.Tab("Before and after", id="before-after", elem_id="before-after"):
                self.slider = gr.ImageSlider(show_label=False, elem_id="slider", max_height=400)
                self.make_clip = gr.Button("Make a short film of it", size="sm", elem_id="make-clip")
                self.clip = gr.Video(
                    show_label=False, interactive=False, autoplay=True, loop=True, elem_id="wipe"
                )
            with gr.Tab(f"{VARIANTS} variants", id="variants", elem_id="variants-tab"):
                gr.Markdown("The same two pictures with other random seeds, small.")
                self.make_variants = gr.Button(
                    f"Make {VARIANTS} variants", size="sm", elem_id="make-variants"
                )
                self.variants_status = status("variants-status")
                self.variants = choices_of_pictures("variants", 2)
            with gr.Tab("Four methods", id="methods", elem_id="compare-room"):
                gr.Markdown(
                    "The same two pictures by the three methods of the article of 2017 and by ours. "
                    "The article's take several times as long."
                )
                self.compare = gr.Button("Compare", size="sm", elem_id="compare")
                self.compare_status = status("compare-status")
                self.compared = gr.Gallery(
                    columns=2,
                    height="auto",
                    object_fit="contain",
                    format="png",
                    show_label=False,
                    elem_id="compared",
                    buttons=["download", "fullscreen"],
                )

    @property
    def outputs(self) -> dict[str, gr.components.Component]:
        """What a run changes, by the names that its answers use."""
        names = (
            "result",
            "status",
            "tabs",
            "download",
            "card",
            "slider",
            "clip",
            "numbers",
            "history",
            "source",
        )
        states = ("begun", "last", "shown", "visit", "of")
        return {name: getattr(self, name) for name in (*names, *states)}


def choices_of_pictures(name: str, columns: int) -> gr.Gallery:
    """A gallery of which a press chooses one."""
    return gr.Gallery(
        columns=columns,
        height="auto",
        object_fit="contain",
        allow_preview=False,
        show_label=False,
        format="webp",
        elem_id=name,
        buttons=[],
    )
