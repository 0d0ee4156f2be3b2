"""What comes in from the page, checked and turned into values of the core; errors become toasts here."""
from __future__ import annotations

import functools
import html
import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Callable, Iterator

import gradio as gr
import numpy as np
from PIL import Image

from facetransfer.errors import InputError
from facetransfer.images import open_picture
from facetransfer.settings import TransferSettings, all_settings
from segmentation.parsers import Parse, load_parser
from ui.examples import exact_map
from ui.gpu import parser_device

log = logging.getLogger(__name__)


@contextmanager
def in_words() -> Iterator[None]:
    """Errors meant for people become a toast; faults of ours are logged and said plainly. Around a block, or over a function that returns."""
    try:
        yield
    except InputError as error:
        raise gr.Error(html.escape(str(error)), print_exception=False) from None
    except gr.Error:
        raise
    except Exception:
        log.exception("a handler failed")
        raise gr.Error("Something went wrong on our side. Please try again.", print_exception=False) from None


def worded(handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """`in_words` over a function that yields."""
    @functools.wraps(handler)
    def wrapped(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with in_words():
            yield from handler(*args, **kwargs)
    return wrapped


def picture_at(path: str | None, role: str) -> Image.Image:
    if not path:
        raise InputError(f"There is no {role} picture yet: upload one first.")
    return open_picture(path)


def known_of(picture: Image.Image, parser: str = "compact", face: int = 1) -> Parse:
    """What is known of a picture. Examples bring exact maps."""
    if exact := exact_map(picture):
        return Parse(exact, np.ones(exact.labels.shape, np.float32))
    return load_parser(parser, parser_device())(picture, face)


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
