"""What happens when a button is pressed. Handlers keep nothing: all they know comes in and goes out."""
from __future__ import annotations

import functools
import html
import json
import logging
import random
import shutil
import tempfile
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Iterator

import cv2
import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from PIL import Image, ImageDraw

from facetransfer.animation import Animation
from facetransfer.devices import choose_device
from facetransfer.engine import Step
from facetransfer.errors import InputError
from facetransfer.expected_time import expected_seconds, in_words
from facetransfer.images import fitted_size, open_picture, save_picture
from facetransfer.job import REGIONS, Face, Job, prepare, result_picture
from facetransfer.recipe import read_recipe
from facetransfer.settings import METHODS, PRESETS, TransferSettings, all_settings
from segmentation.advice import advice, shares
from segmentation.classes import NAMES
from segmentation.parsers import Parse, load_parser
from segmentation.semantic_map import SemanticMap, map_path
from ui.map_editor import brush, corrected, editor_value
from ui.pictures import exact_map, legend

KEPT = 3600  # seconds that uploads and results are kept
RESULT_PREFIX = "face-transfer-"
SHOW_EVERY = 0.7  # seconds between two pictures on the way
METHOD_NAMES = {"gatys": "Global texture (Gatys)", "mrf": "Nearest patches (Li and Wand)", "semantic": "Patches from the same part (ours)"}
PLACE_LABELS = {"The picture itself": "alone", "Into the style picture": "style", "Back into the content photo (only its face is worked on)": "content"}
GALLERY = 12  # results of a visit that are kept on the page
REPAINT = 1 / 64  # of the longest side: how far around a repainted part a refinement works
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LastRun:
    """What the page remembers of the last run, to refine it and to say where a patch came from."""

    labels: np.ndarray  # the content map that it used, (h,w)
    style: Image.Image  # as the search saw it: aligned
    sources: np.ndarray | None  # (2,h,w), see `Step.sources`; None where the result was placed elsewhere


def worded(handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Errors meant for people become a toast; faults of ours are logged and said plainly."""
    @functools.wraps(handler)
    def wrapped(*args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from handler(*args, **kwargs)
        except InputError as error:
            raise gr.Error(html.escape(str(error)), print_exception=False) from None
        except gr.Error:
            raise
        except Exception:
            log.exception("a handler failed")
            raise gr.Error("Something went wrong on our side. Please try again.", print_exception=False) from None
    return wrapped


def picture_at(path: str | None, role: str) -> Image.Image:
    if not path:
        raise InputError(f"There is no {role} picture yet: upload one first.")
    return open_picture(path)


def known_of(picture: Image.Image, parser: str = "compact", face: int = 1) -> Parse:
    """What is known of a picture. Examples bring exact maps."""
    if exact := exact_map(picture):
        return Parse(exact, np.ones(exact.labels.shape, np.float32))
    return load_parser(parser, choose_device())(picture, face)


@worded
def parse(path: str | None, role: str, parser: str = "compact", face: int = 1) -> Iterator[tuple[dict[str, Any] | None, Parse | None]]:
    """The map over its picture for the editor, and what the parser said."""
    if not path:
        yield None, None
        return
    picture = picture_at(path, role)
    known = known_of(picture, parser, face)
    if len(known.faces) > 1 and face == 1:
        gr.Info(f"{len(known.faces)} faces were found in the {role} picture. The largest is used: click another one in the picture to use that.")
    if not known.found_face:
        gr.Warning(f"No face was found in the {role} picture. The transfer still works, but face parts cannot find each other: try a "
                   "picture with a larger, brighter face, or paint its parts.")
    yield editor_value(picture, known.semantic), known


def parse_both(content: str | None, style: str | None, parser: str) -> Iterator[tuple[Any, ...]]:
    """Both pictures' maps anew, by the parser of that name."""
    first = next(parse(content, "content", parser))
    yield *first, *next(parse(style, "style", parser))


def choose_face(path: str | None, known: Parse | None, parser: str, event: gr.SelectData) -> Iterator[Any]:
    """The map anew, of the face that was clicked on; nothing where there is no other."""
    if not path or known is None or len(known.faces) < 2:
        yield gr.skip(), gr.skip()
        return
    x, y = event.index
    nearest = min(range(len(known.faces)), key=lambda i: np.hypot(known.faces[i].x - x, known.faces[i].y - y))
    yield from parse(path, "clicked", parser, nearest + 1) if nearest + 1 != known.chosen else iter([(gr.skip(), gr.skip())])


@worded
def show_unsure(path: str | None, known: Parse | None, drawing: dict[str, Any] | None, wanted: bool) -> Iterator[Any]:
    """The editor with what the parser was unsure of hatched, or plain; strokes stay."""
    if not path or known is None:
        yield gr.skip()
        return
    value = editor_value(picture_at(path, "content"), known.semantic, known.confidence if wanted else None)
    layers = (drawing or {}).get("layers") or []
    yield value | ({"layers": layers} if layers and layers[0].shape == value["layers"][0].shape else {})


def show_advice(content_path: str | None, style_path: str | None, content: Parse | None, style: Parse | None, *values: Any) -> tuple[str, str]:
    """The legend with each class's share, and lines of advice; quiet where pictures or settings are not usable yet."""
    both = [k for k in (content, style) if k is not None]
    key = legend(*(k.semantic for k in both))
    if len(both) < 2:
        return key, ""
    faces = [Face.of(Image.new("L", k.semantic.size), k.semantic, k) for k in both]
    try:
        settings = settings_of(values)
    except InputError as error:
        return key, html.escape(str(error))
    lines = advice(tuple(f.semantic for f in faces), tuple(f.frame for f in faces), tuple(f.picture.size for f in faces), settings)
    table = "".join(f"<tr><td>{label}</td>" + "".join(f"<td>{share:.1%}</td>" for share in each) + "</tr>" for label, each in shares(*(f.semantic for f in faces)))
    notes = "".join(f"<li>{html.escape(line)}</li>" for line in lines) or "<li>Both maps have what they need.</li>"
    return key, (f'<ul class="advice">{notes}</ul><details><summary>How much of each picture each part covers</summary>'
                 f'<table class="shares"><tr><th></th><th>Content</th><th>Style</th></tr>{table}</table></details>')


def choose_class(label: str) -> tuple[Any, Any]:
    """Both editors' brushes in the class with this label."""
    return gr.update(brush=brush(label)), gr.update(brush=brush(label))


def settings_of(values: tuple[Any, ...]) -> TransferSettings:
    """The inputs of the page, in the order of the settings."""
    def one(kind: type, value: Any) -> Any:
        if isinstance(value, list):  # a choice of several
            return ",".join(value)
        return kind(value) if kind in (int, float) and isinstance(value, (int, float)) and value == value else value
    settings = TransferSettings(**{s.name: one(s.kind, v) for s, v in zip(all_settings(), values)})
    return replace(settings, start="content") if settings.start == "image" else settings


def shown(settings: TransferSettings) -> list[Any]:
    """The values of the page's inputs for these settings, in their order."""
    return [getattr(settings, s.name).split(",") if s.several else getattr(settings, s.name) for s in all_settings()]


def preset(name: str) -> list[Any]:
    """The values of all settings under a preset, in their order."""
    return shown(TransferSettings(**PRESETS[name]))


def region(name: str) -> list[float]:
    """The strength of each class under a named region, in the order of the classes."""
    return [REGIONS[name].get(n, 1.0) for n in NAMES]


def dice() -> int:
    """Another seed."""
    return random.randrange(2 ** 31)


def time_text(content: Parse | None, *values: Any) -> str:
    """How long a run with these settings will take here."""
    try:
        settings = settings_of(values)
    except InputError:
        return ""
    size = content.semantic.size if content else (512, 512)
    return f"Expected time here: {in_words(expected_seconds(settings, fitted_size(size, settings.size), choose_device()))}."


def job_of(content_path: str | None, style_path: str | None, content_known: Parse | None, style_known: Parse | None,
           content_drawing: dict[str, Any] | None, style_drawing: dict[str, Any] | None, place: str, *values: Any,
           start: Image.Image | None = None, last: LastRun | None = None) -> Job:
    """The inputs of the page as a job. Raises InputError where something is missing or cannot be used.

    `values` are the strengths of the classes, then the settings. With a `start` the work goes on from that picture, at full
    size, and only where the content's map changed since the `last` run, if it did.
    """
    content, style = picture_at(content_path, "content"), picture_at(style_path, "style")
    strengths, settings = dict(zip(NAMES, values)), settings_of(values[len(NAMES):])
    known = [k or known_of(p) for k, p in ((content_known, content), (style_known, style))]
    maps = [corrected(k.semantic, d) for k, d in zip(known, (content_drawing, style_drawing))]
    faces = [Face.of(p, m, replace(k, semantic=m)) for p, m, k in zip((content, style), maps, known)]
    where = None
    if start is not None:
        settings = replace(settings, start="image", phases=1)
        if last is not None and last.labels.shape == maps[0].labels.shape and (changed := last.labels != maps[0].labels).any():
            side = 2 * max(2, round(max(changed.shape) * REPAINT)) + 1
            where = cv2.dilate(changed.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    job = prepare(*faces, settings, place=PLACE_LABELS[place], strengths=strengths, start=start, region=where, options={
        "into": PLACE_LABELS[place], "strength": ",".join(f"{n}={v:.10g}" for n, v in strengths.items() if v != 1)})
    for note in job.notes:
        gr.Info(note[0].upper() + note[1:] + ".")
    return job


@worded
def run(gallery: list[tuple[str, str]] | None, last: LastRun | None, start: Image.Image | None, film: bool, *inputs: Any) -> Iterator[tuple[Any, ...]]:
    """The picture as it grows, the words beside it, and at the end the files, the pair to compare, the numbers in words, what to
    remember, and the gallery. Inputs as of `job_of`; `start` is the picture to go on from, or None.
    """
    began = time.monotonic()
    job = job_of(*inputs, start=start, last=last)
    step, seen, nothing = None, 0.0, (gr.skip(),) * 5
    yield start or job.content.picture, "Looking for patches ...", gr.update(interactive=False), *nothing
    folder = result_folder()
    animation = Animation(folder / "run.webp", fitted_size(job.size, 320)) if film else None
    for step in job.steps(choose_device()):
        if animation:
            animation.add(step)
        if time.monotonic() - seen >= SHOW_EVERY:
            seen = time.monotonic()
            yield result_picture(step, job.size), progress_text(step, seen - began), gr.skip(), *nothing
    own = result_picture(step, job.size)
    picture = job.placed(own)
    parts = inputs[2:6]
    maps = [corrected(k.semantic, d) if k else f.semantic for k, d, f in zip(parts[:2], parts[2:], job.whole)]
    remembered = LastRun(maps[0].labels, job.style.picture, None if job.place != "alone" or step.sources is None else step.sources.cpu().numpy())
    words = done_text(step, time.monotonic() - began)
    yield picture, words + " Measuring ...", *(gr.skip(),) * 6
    report = job.report(own, step.leak, load_parser("compact", choose_device()))
    if animation:
        animation.save()
    archive = pack(folder, picture, job, maps, report, animation and animation.path)
    pair = (job.whole[0].picture.resize(picture.size), picture) if job.place != "style" else (job.whole[1].picture, picture)
    caption = f"{job.settings.method}, seed {job.settings.seed}, content {job.settings.content_weight:g}, style {job.settings.style_weight:g}, {time.monotonic() - began:.0f} s"
    gallery = [(str(folder / "face-transfer.png"), caption), *(gallery or [])][:GALLERY]
    yield picture, words, gr.update(value=archive, interactive=True), pair, report_words(report), remembered, gallery, gallery


@worded
def compare(*inputs: Any) -> Iterator[tuple[list[tuple[Image.Image, str]], str]]:
    """The same pair by the three methods of the article, at the same budget, one after another. Inputs as of `job_of`."""
    job, seen = job_of(*inputs), 0.0
    done: list[tuple[Image.Image, str]] = []
    for i, method in enumerate(reversed(METHODS)):
        step = None
        for step in job.steps(choose_device(), method=method):
            if time.monotonic() - seen >= SHOW_EVERY:
                seen = time.monotonic()
                yield [*done, (result_picture(step, job.size), METHOD_NAMES[method])], f"Method {i + 1} of {len(METHODS)} · {step.done:.0%}"
        done.append((result_picture(step, job.size), METHOD_NAMES[method]))
    yield done, "Done: one pair, three methods."


def where_from(last: LastRun | None, result: Image.Image | None, event: gr.SelectData) -> Any:
    """The style picture with a ring where the patch under the pointer came from."""
    if last is None or last.sources is None or result is None:
        return gr.skip()
    x, y = event.index
    _, rows, columns = last.sources.shape
    i, j = min(rows - 1, max(0, int(y / result.height * rows))), min(columns - 1, max(0, int(x / result.width * columns)))
    picture = last.style.copy()
    at = last.sources[:, i, j] * picture.size
    draw, radius = ImageDraw.Draw(picture), max(8, max(picture.size) // 24)
    for width, colour in ((6, "black"), (3, "white")):
        draw.ellipse([*(at - radius), *(at + radius)], outline=colour, width=width)
    return gr.update(value=picture, visible=True)


@worded
def restore(path: str | None) -> Iterator[list[Any]]:
    """Settings, strengths and place from a result's recipe: the place, the strengths, the settings, in the page's order."""
    if not path:
        raise InputError("Choose a result of before: a PNG that this program made.")
    recipe = read_recipe(path)
    given = dict(part.split("=", 1) for part in str(recipe.options.get("strength", "")).split(",") if "=" in part)
    try:
        strengths = [min(2.0, max(0.0, float(given.get(n, 1)))) for n in NAMES]
    except ValueError:
        raise InputError("The picture's recipe cannot be read: give a picture that this program made.") from None
    place = next((label for label, value in PLACE_LABELS.items() if value == recipe.options.get("into")), next(iter(PLACE_LABELS)))
    gr.Info("Settings restored. Upload the same two pictures to get the same result.")
    yield [place, *strengths, *shown(replace(recipe.settings, start="content") if recipe.settings.start == "image" else recipe.settings)]


@worded
def save_maps(content_path: str | None, style_path: str | None, content_known: Parse | None, style_known: Parse | None,
              content_drawing: dict[str, Any] | None, style_drawing: dict[str, Any] | None) -> Iterator[Any]:
    """A zip of the maps as they are now, corrections in them, each of its picture's size and named after it."""
    pairs = [(Path(path).name, corrected(known.semantic, drawing)) for path, known, drawing in
             ((content_path, content_known, content_drawing), (style_path, style_known, style_drawing)) if path and known]
    if not pairs:
        raise InputError("There are no maps yet: upload a picture first.")
    folder = result_folder()
    with zipfile.ZipFile(folder / "maps.zip", "w") as archive:
        for name, semantic in pairs:
            add_map(archive, folder, map_path(name).name, semantic)
    yield str(folder / "maps.zip")


def add_map(archive: zipfile.ZipFile, folder: Path, name: str, semantic: SemanticMap) -> None:
    """Two maps of the same name: the second gets a folder of its own."""
    path = folder / Path(name).name
    semantic.save(path)
    archive.write(path, name if name not in archive.namelist() else f"style/{name}")
    path.unlink()


def pack(folder: Path, picture: Image.Image, job: Job, maps: list[SemanticMap], report: dict[str, Any], film: Path | None) -> str:
    """The result, its recipe, its numbers, the maps and the animation in one zip; the path of the zip."""
    result = folder / "face-transfer.png"
    save_picture(picture, result, pnginfo=job.recipe.in_png())
    with zipfile.ZipFile(folder / "face-transfer.zip", "w") as archive:
        archive.write(result, result.name)
        archive.writestr("recipe.json", job.recipe.to_json())
        archive.writestr("command.txt", job.recipe.command("content.png", "style.png", "face-transfer.png") + "\n")
        archive.writestr("report.json", json.dumps(report, indent=1))
        for name, semantic in zip(("content_sem.png", "style_sem.png"), maps):
            add_map(archive, folder, name, semantic)
        if film:
            archive.write(film, "run.webp")
    return str(folder / "face-transfer.zip")


def report_words(report: dict[str, Any]) -> str:
    """The numbers of a result for people."""
    lines = []
    if report["leak"] is not None:
        lines.append(f"**{1 - report['leak']:.0%}** of the patches come from the same part of the face.")
    if report["layout_iou"] is not None:
        word = "kept well" if report["layout_iou"] > 0.6 else "kept roughly" if report["layout_iou"] > 0.4 else "hardly recognised any more"
        lines.append(f"The content's layout is **{word}** (agreement of the maps {report['layout_iou']:.0%}).")
    distance = report["style_distance"]
    lines.append(f"The skin is **{'very near' if distance < 0.25 else 'near' if distance < 0.6 else 'still far from'}** the style's (distance {distance:.2f}; 0 is the same).")
    sharp = report["sharpness"]
    lines.append(f"Its detail is **{'softer than' if sharp < 0.6 else 'stronger than' if sharp > 1.5 else 'as fine as'}** the style's ({sharp:.2f} times).")
    return "  \n".join(lines)


def progress_text(step: Step, seconds: float) -> str:
    left = seconds * (1 - step.done) / max(step.done, 1e-3)
    when = f"about {left:.0f} s left" if step.done > 0.02 else "estimating the time"
    return f"Phase {step.phase} of {step.phases} · {step.done:.0%} · {when} · loss {sum(step.losses.values()):.3f}"


def done_text(step: Step, seconds: float) -> str:
    return f"Done in {seconds:.0f} s."


def result_folder() -> Path:
    """A new folder of ours in gradio's cache. Ours that are past their time are removed on the way."""
    cache = Path(get_upload_folder())
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob(f"{RESULT_PREFIX}*"):
        if time.time() - old.stat().st_mtime > KEPT:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=cache, prefix=RESULT_PREFIX))
