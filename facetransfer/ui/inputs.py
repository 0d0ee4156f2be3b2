"""What comes in from the page, checked and turned into values of the core; errors become toasts here."""

from __future__ import annotations

import errno
import functools
import html
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.images import fitted_size, open_picture
from facetransfer.base.settings import LARGEST_SIZE, TransferSettings, all_settings
from facetransfer.ui.cache import used
from facetransfer.ui.examples import exact_map
from facetransfer.ui.gpu import parser_device
from segmentation.parsers import Parse, load_parser

REMEMBERED = 1536  # pixels on the longest side of a confidence that the page remembers
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
OUR_FAULT = "Something went wrong on our side. Please try again."

log = logging.getLogger(__name__)


@contextmanager
def in_words() -> Iterator[None]:
    """Errors meant for people become a toast; faults of ours are logged and said plainly. Around a block, or
    over a function that returns.
    """
    try:
        yield
    except InputError as error:
        raise gr.Error(html.escape(str(error)), print_exception=False) from None
    except gr.Error:
        raise
    except OSError as error:
        log.exception("a handler failed")
        if error.errno in NO_ROOM:
            raise gr.Error(
                "The server's disk is full or cannot be written to. Please try again later.",
                print_exception=False,
            ) from None
        raise gr.Error(OUR_FAULT, print_exception=False) from None
    except Exception:
        log.exception("a handler failed")
        raise gr.Error(OUR_FAULT, print_exception=False) from None


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
    if not Path(path).exists():
        raise InputError(
            f"The {role} picture is not on the server any more, which keeps pictures for an hour: upload "
            f"it again."
        )
    used(path)
    return open_picture(path)


def is_place(index: object) -> bool:
    """Whether an event's index is a place in a picture, (x, y) in pixels: a program can send anything."""
    return (
        isinstance(index, (list, tuple))
        and len(index) == 2
        and all(isinstance(n, (int, float)) and abs(n) < 1e6 for n in index)
    )


def known_of(picture: Image.Image, parser: str = "compact", face: int = 1) -> Parse:
    """What is known of a picture, the confidence with REMEMBERED pixels on a side at most. Examples bring
    exact maps.
    """
    if exact := exact_map(picture):
        return Parse(exact, np.ones(exact.labels.shape, np.float32))
    found = load_parser(parser, parser_device())(picture, face)
    if max(picture.size) > LARGEST_SIZE:  # no result is larger
        found = found.with_smaller_map(fitted_size(picture.size, LARGEST_SIZE))
    if max(picture.size) > REMEMBERED:  # a page's memory of a photo, which stays for as long as the page does
        small = cv2.resize(
            found.confidence, fitted_size(picture.size, REMEMBERED), interpolation=cv2.INTER_AREA
        )
        found = replace(found, confidence=small)
    return found


def settings_of(values: Mapping[str, Any]) -> TransferSettings:
    """The settings of the page's inputs, by their names. Raises InputError as `TransferSettings` does."""
    settings = TransferSettings(**{s.name: as_kind(s.kind, values[s.name]) for s in all_settings()})
    return replace(settings, start="content") if settings.start == "image" else settings


def as_kind(kind: type, value: Any) -> Any:
    """An input's value as a setting of that kind has it: a slider's 24.0 as 24, 10 as 10.0, several choices
    with commas between them; what cannot be is left for the settings to refuse.
    """
    if isinstance(value, list):
        return ",".join(map(str, value))
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return float(value) if kind is float and type(value) is int and abs(value) < 1e9 else value


def shown(settings: TransferSettings) -> dict[str, Any]:
    """The values of the page's inputs for these settings, by their names."""
    return {
        s.name: getattr(settings, s.name).split(",") if s.several else getattr(settings, s.name)
        for s in all_settings()
    }
