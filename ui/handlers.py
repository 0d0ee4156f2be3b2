"""What happens when a button is pressed. Handlers keep nothing: all they know comes in and goes out."""
from __future__ import annotations

import functools
import html
import logging
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterator

import gradio as gr
from PIL import Image

from facetransfer.devices import choose_device
from facetransfer.engine import Step, transfer_steps
from facetransfer.errors import InputError
from facetransfer.images import fit, open_picture, save_picture, to_image, to_tensor
from facetransfer.phases import phases_that_fit
from facetransfer.settings import PRESETS, TransferSettings, all_settings
from segmentation.guidance import guides_of
from segmentation.parsers import load_parser
from segmentation.semantic_map import SemanticMap
from ui.pictures import exact_map, legend, overlay

SHOW_EVERY = 0.7  # seconds between two pictures on the way
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
def parse(path: str | None, role: str) -> Iterator[tuple[Image.Image | None, SemanticMap | None]]:
    """The map over its picture, and the map itself."""
    if not path:
        yield None, None
        return
    picture = picture_at(path, role)
    semantic, found = make_map(picture)
    if not found:
        gr.Warning(f"No face was found in the {role} picture. The transfer still works, but face parts cannot find each other: try a "
                   "picture with a larger, brighter face.")
    yield overlay(picture, semantic), semantic


def parse_both(content: str | None, style: str | None) -> Iterator[tuple[Any, ...]]:
    """Both pictures' maps anew, and the legend of their classes."""
    first = next(parse(content, "content"))
    second = next(parse(style, "style"))
    yield *first, *second, legend(first[1], second[1])


def show_legend(content: SemanticMap | None, style: SemanticMap | None) -> str:
    return legend(content, style)


def preset(name: str) -> list[Any]:
    """The values of all settings under a preset, in their order."""
    settings = TransferSettings(**PRESETS[name])
    return [getattr(settings, s.name) for s in all_settings()]


@worded
def run(content_path: str | None, style_path: str | None, content_map: SemanticMap | None, style_map: SemanticMap | None,
        *values: Any) -> Iterator[tuple[Any, str, Any]]:
    """The picture as it grows, the words beside it, and at the end the file to download."""
    began = time.monotonic()
    content, style = picture_at(content_path, "content"), picture_at(style_path, "style")
    settings = TransferSettings(**{s.name: s.kind(v) if s.kind in (int, float) and isinstance(v, (int, float)) else v
                                   for s, v in zip(all_settings(), values)})
    if settings.start == "image":
        settings = replace(settings, start="content")
    small, small_style = fit(content, settings.size), fit(style, settings.size)
    maps = content_map or make_map(content)[0], style_map or make_map(style)[0]
    guides = guides_of(*(m.resized(p.size) for m, p in zip(maps, (small, small_style))))
    tensors = to_tensor(small), to_tensor(small_style)
    if (fitting := phases_that_fit(settings.phases, tensors[0].shape[-2:], tensors[1].shape[-2:])) < settings.phases:
        gr.Info(f"{settings.phases} phases are more than pictures of this size allow: {fitting} are used.")
    step, shown = None, 0.0
    yield small, "Looking for patches ...", gr.update(interactive=False)
    for step in transfer_steps(*tensors, guides, settings, device=choose_device()):
        if time.monotonic() - shown >= SHOW_EVERY:
            shown = time.monotonic()
            yield to_image(step.picture).resize(small.size), progress_text(step, shown - began), gr.skip()
    picture = to_image(step.picture)
    yield picture, done_text(step, time.monotonic() - began), gr.update(value=result_file(picture), interactive=True)


def progress_text(step: Step, seconds: float) -> str:
    left = seconds * (1 - step.done) / max(step.done, 1e-3)
    when = f"about {left:.0f} s left" if step.done > 0.02 else "estimating the time"
    return f"Phase {step.phase} of {step.phases} · {step.done:.0%} · {when}"


def done_text(step: Step, seconds: float) -> str:
    leak = "" if step.leak is None else f" {1 - step.leak:.0%} of the patches come from the same part of the face."
    return f"Done in {seconds:.0f} s.{leak}"


def result_file(picture: Image.Image) -> str:
    """The picture as a file of its own in gradio's cache, which cleans itself."""
    from gradio.utils import get_upload_folder

    Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=get_upload_folder())) / "face-transfer.png"
    save_picture(picture, path)
    return str(path)
