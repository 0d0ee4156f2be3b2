"""What one shows to a friend: a card with before, style and after, and a short film from before to after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from facetransfer.base.images import fitted_size, written_whole
from facetransfer.jobs.film_files import FRAME_RATE, Clip, FilmWriter

CARD_HEIGHT = 512  # pixels of each picture on a card
MARGIN = 16  # pixels around them
PAPER = (250, 247, 242)
FILM_SIDE = 720  # pixels on the longest side of the film
STILL, MOVING = 0.7, 1.4  # seconds that it stands at each end, and that it takes from one to the other


def card(content: Image.Image, style: Image.Image, result: Image.Image) -> Image.Image:
    """The three pictures side by side, of one height."""
    pictures = [
        picture.convert("RGB").resize(
            (max(1, round(CARD_HEIGHT * picture.width / picture.height)), CARD_HEIGHT),
            Image.Resampling.LANCZOS,
        )
        for picture in (content, style, result)
    ]
    width = sum(picture.width for picture in pictures) + MARGIN * (len(pictures) + 1)
    made, left = Image.new("RGB", (width, CARD_HEIGHT + 2 * MARGIN), PAPER), MARGIN
    for picture in pictures:
        made.paste(picture, (left, MARGIN))
        left += picture.width + MARGIN
    return made


def write_wipe(path: Path, before: Image.Image, after: Image.Image) -> None:
    """A film (.mp4) in which a line moves over the picture `before` and leaves `after`, and goes back.

    Raises InputError where PyAV is not installed.
    """
    width, height = (n - n % 2 for n in fitted_size(after.size, min(FILM_SIDE, max(after.size))))
    first, last = (
        np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
        for picture in (before, after)
    )
    still, moving = round(STILL * FRAME_RATE), round(MOVING * FRAME_RATE)
    there = np.concatenate(
        (np.zeros(still), 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, moving)), np.ones(still))
    )
    shares = [*there, *there[::-1]]
    with written_whole(path) as temporary:
        writer = FilmWriter(
            temporary, path.suffix, (width, height), Clip(path.parent, (width, height), 0, 0, False)
        )
        for number, share in enumerate(shares):
            line = round(float(share) * width)
            frame = np.where((np.arange(width) < line)[None, :, None], last, first)
            if 0 < line < width:
                frame[:, max(0, line - 1) : line + 1] = 255
            writer.add(Image.fromarray(frame), number)
        writer.close()
