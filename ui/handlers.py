"""What happens when a button is pressed. Handlers keep nothing: all they know comes in and goes out."""
from __future__ import annotations

import functools
import html
import logging
import shutil
import tempfile
import time
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Iterator

import gradio as gr
from gradio.utils import get_upload_folder
from PIL import Image
from torch import Tensor

from facetransfer.devices import choose_device
from facetransfer.engine import Step, transfer_steps
from facetransfer.errors import InputError
from facetransfer.guides import Guide
from facetransfer.images import fit, open_picture, save_picture, to_image, to_tensor
from facetransfer.phases import phases_that_fit
from facetransfer.settings import METHODS, PRESETS, TransferSettings, all_settings
from segmentation.guidance import guides_of
from segmentation.parsers import load_parser
from segmentation.semantic_map import SemanticMap, map_path
from ui.map_editor import brush, corrected, editor_value
from ui.pictures import exact_map, legend

KEPT = 3600  # seconds that uploads and results are kept
RESULT_PREFIX = "face-transfer-"
SHOW_EVERY = 0.7  # seconds between two pictures on the way
METHOD_NAMES = {"gatys": "Global texture (Gatys)", "mrf": "Nearest patches (Li and Wand)", "semantic": "Patches from the same part (ours)"}
log = logging.getLogger(__name__)


def worded(handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Errors meant for people become a toast; faults of ours are logged and said plainly."""
    @functools.wraps(handler)
    def wrapped(*args: Any) -> Iterator[Any]:
        try:
            yield from handler(*args)
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


def make_map(picture: Image.Image) -> tuple[SemanticMap, bool]:
    """The map of a picture, and whether a face was found. Examples bring exact maps."""
    if exact := exact_map(picture):
        return exact, True
    found = load_parser("compact", choose_device())(picture)
    return found.semantic, found.found_face


@worded
def parse(path: str | None, role: str) -> Iterator[tuple[dict[str, Any] | None, SemanticMap | None]]:
    """The map over its picture for the editor, and the map itself."""
    if not path:
        yield None, None
        return
    picture = picture_at(path, role)
    semantic, found = make_map(picture)
    if not found:
        gr.Warning(f"No face was found in the {role} picture. The transfer still works, but face parts cannot find each other: try a "
                   "picture with a larger, brighter face.")
    yield editor_value(picture, semantic), semantic


def parse_both(content: str | None, style: str | None) -> Iterator[tuple[Any, ...]]:
    """Both pictures' maps anew, and the legend of their classes."""
    first = next(parse(content, "content"))
    second = next(parse(style, "style"))
    yield *first, *second, legend(first[1], second[1])


def show_legend(content: SemanticMap | None, style: SemanticMap | None) -> str:
    return legend(content, style)


def choose_class(label: str) -> tuple[Any, Any]:
    """Both editors' brushes in the class with this label."""
    return gr.update(brush=brush(label)), gr.update(brush=brush(label))


def preset(name: str) -> list[Any]:
    """The values of all settings under a preset, in their order."""
    settings = TransferSettings(**PRESETS[name])
    return [getattr(settings, s.name) for s in all_settings()]


@dataclass(frozen=True)
class Job:
    """All that a run needs, read and checked."""

    content: Image.Image  # at the working size
    pictures: tuple[Tensor, Tensor]  # content and style, (1,3,H,W)
    guides: tuple[Guide, Guide]
    settings: TransferSettings

    def steps(self, **changed: Any) -> Iterator[Step]:
        return transfer_steps(*self.pictures, self.guides, replace(self.settings, **changed), device=choose_device())


def job_of(content_path: str | None, style_path: str | None, content_map: SemanticMap | None, style_map: SemanticMap | None,
           content_drawing: dict[str, Any] | None, style_drawing: dict[str, Any] | None, *values: Any) -> Job:
    """The inputs of the page as a job. Raises InputError where something is missing or cannot be used."""
    content, style = picture_at(content_path, "content"), picture_at(style_path, "style")
    settings = TransferSettings(**{s.name: s.kind(v) if s.kind in (int, float) and isinstance(v, (int, float)) else v
                                   for s, v in zip(all_settings(), values)})
    if settings.start == "image":
        settings = replace(settings, start="content")
    small = fit(content, settings.size), fit(style, settings.size)
    maps = corrected(content_map or make_map(content)[0], content_drawing), corrected(style_map or make_map(style)[0], style_drawing)
    guides = guides_of(*(m.resized(p.size) for m, p in zip(maps, small)))
    tensors = to_tensor(small[0]), to_tensor(small[1])
    if (fitting := phases_that_fit(settings.phases, tensors[0].shape[-2:], tensors[1].shape[-2:])) < settings.phases:
        gr.Info(f"{settings.phases} phases are more than pictures of this size allow: {fitting} are used.")
    return Job(small[0], tensors, guides, settings)


@worded
def run(*inputs: Any) -> Iterator[tuple[Any, str, Any]]:
    """The picture as it grows, the words beside it, and at the end the file to download. Inputs as of `job_of`."""
    began = time.monotonic()
    job, step, shown = job_of(*inputs), None, 0.0
    yield job.content, "Looking for patches ...", gr.update(interactive=False)
    for step in job.steps():
        if time.monotonic() - shown >= SHOW_EVERY:
            shown = time.monotonic()
            yield to_image(step.picture).resize(job.content.size), progress_text(step, shown - began), gr.skip()
    picture = to_image(step.picture)
    yield picture, done_text(step, time.monotonic() - began), gr.update(value=result_file(picture), interactive=True)


@worded
def compare(*inputs: Any) -> Iterator[tuple[list[tuple[Image.Image, str]], str]]:
    """The same pair by the three methods of the article, at the same budget, one after another. Inputs as of `job_of`."""
    job, shown = job_of(*inputs), 0.0
    done: list[tuple[Image.Image, str]] = []
    for i, method in enumerate(reversed(METHODS)):
        step = None
        for step in job.steps(method=method):
            if time.monotonic() - shown >= SHOW_EVERY:
                shown = time.monotonic()
                yield [*done, (to_image(step.picture).resize(job.content.size), METHOD_NAMES[method])], \
                    f"Method {i + 1} of {len(METHODS)} · {step.done:.0%}"
        done.append((to_image(step.picture), METHOD_NAMES[method]))
    yield done, "Done: one pair, three methods."


@worded
def save_maps(content_path: str | None, style_path: str | None, content_map: SemanticMap | None, style_map: SemanticMap | None,
              content_drawing: dict[str, Any] | None, style_drawing: dict[str, Any] | None) -> Iterator[Any]:
    """A zip of the maps as they are now, corrections in them, each of its picture's size and named after it."""
    pairs = [(Path(path).name, corrected(semantic, drawing)) for path, semantic, drawing in
             ((content_path, content_map, content_drawing), (style_path, style_map, style_drawing)) if path and semantic]
    if not pairs:
        raise InputError("There are no maps yet: upload a picture first.")
    folder = result_folder()
    with zipfile.ZipFile(folder / "maps.zip", "w") as archive:
        for name, semantic in pairs:
            path = folder / map_path(name).name
            semantic.save(path)
            # two pictures of the same name: the second gets a folder of its own
            archive.write(path, path.name if path.name not in archive.namelist() else f"style/{path.name}")
            path.unlink()
    yield str(folder / "maps.zip")


def progress_text(step: Step, seconds: float) -> str:
    left = seconds * (1 - step.done) / max(step.done, 1e-3)
    when = f"about {left:.0f} s left" if step.done > 0.02 else "estimating the time"
    return f"Phase {step.phase} of {step.phases} · {step.done:.0%} · {when}"


def done_text(step: Step, seconds: float) -> str:
    leak = "" if step.leak is None else f" {1 - step.leak:.0%} of the patches come from the same part of the face."
    return f"Done in {seconds:.0f} s.{leak}"


def result_file(picture: Image.Image) -> str:
    """The picture as a file to download."""
    path = result_folder() / "face-transfer.png"
    save_picture(picture, path)
    return str(path)


def result_folder() -> Path:
    """A new folder of ours in gradio's cache. Ours that are past their time are removed on the way."""
    cache = Path(get_upload_folder())
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob(f"{RESULT_PREFIX}*"):
        if time.time() - old.stat().st_mtime > KEPT:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=cache, prefix=RESULT_PREFIX))
