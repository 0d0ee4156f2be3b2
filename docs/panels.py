"""Rows of pictures with captions in them, for the pages of this folder."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from assets.render_characters import write_whole

PICTURES = Path(__file__).resolve().parent / "pictures"
GAP, ROUND = 8, 10  # pixels between two panels, and of their round corners
TEXT, PLATE = (255, 255, 255), (18, 16, 30, 205)  # a caption and what lies under it
QUALITY = 84

Panel = tuple[str, Image.Image | np.ndarray]  # its caption, which may be empty, and its picture


def image_of(picture: Image.Image | np.ndarray) -> Image.Image:
    """A picture, or an array (H,W,3) or (H,W) in [0,1], as RGB."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(np.round(picture.clip(0, 1) * 255).astype(np.uint8))
    return picture.convert("RGB")


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, so that the pictures are the same on every machine."""
    return ImageFont.load_default(size)


def captioned(picture: Image.Image, caption: str, size: int) -> Image.Image:
    """The picture (RGBA) with round corners and its caption on a plate at the lower left."""
    whole = picture.convert("RGBA")
    if caption:
        plate = Image.new("RGBA", whole.size)
        draw = ImageDraw.Draw(plate)
        left, top, right, bottom = draw.textbbox((0, 0), caption, font(size))
        width, height = right - left + size, bottom - top + size * 0.9
        box = (size * 0.5, whole.height - height - size * 0.5)
        draw.rounded_rectangle((*box, box[0] + width, box[1] + height), size * 0.4, PLATE)
        draw.text((box[0] + size * 0.5 - left, box[1] + size * 0.45 - top), caption, TEXT, font(size))
        whole = Image.alpha_composite(whole, plate)
    corners = Image.new("L", whole.size, 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, whole.width - 1, whole.height - 1), ROUND, 255)
    whole.putalpha(corners)
    return whole


def row(panels: list[Panel], side: int, text: int = 15, columns: int = 0, sharp: bool = False) -> Image.Image:
    """The panels side by side, each `side` pixels high, in rows of `columns` where that is not 0.

    sharp: enlarge by whole pixels, which stay to be seen.
    """
    columns = columns or len(panels)
    tiles = []
    for caption, picture in panels:
        image = image_of(picture)
        size = round(side * image.width / image.height), side
        kind = Image.Resampling.NEAREST if sharp else Image.Resampling.LANCZOS
        tiles.append(captioned(image.resize(size, kind), caption, text))
    lines = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    width = max(sum(t.width for t in line) + GAP * (len(line) - 1) for line in lines)
    whole = Image.new("RGBA", (width, len(lines) * (side + GAP) - GAP))
    for i, line in enumerate(lines):
        x = 0
        for tile in line:
            whole.paste(tile, (x, i * (side + GAP)))
            x += tile.width + GAP
    return whole


def write(name: str, picture: Image.Image) -> None:
    """Write pictures/NAME.webp, whole or not at all."""
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=QUALITY, method=6)
    write_whole(PICTURES / f"{name}.webp", stream.getvalue())
    print(f"{name}: {picture.width}x{picture.height}, {len(stream.getvalue()) / 1000:.0f} kB", flush=True)


def write_chosen(makers: dict[str, Callable[[], Image.Image]], description: str | None) -> None:
    """The command of a script: writes the pictures that these functions make, by name, or the one that
    `--only` names.
    """
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--only", choices=makers, help="one picture; without it all")
    only = options.parse_args().only
    torch.set_num_threads(2)
    for name, make in makers.items():
        if only in (None, name):
            write(name, make())
