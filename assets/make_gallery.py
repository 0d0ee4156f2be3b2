"""Makes the styles of the gallery from the project's rendered characters, and the page that shows them.

    python -m assets.make_gallery

Writes NAME.png or NAME.webp with NAME_sem.png and CREDITS.md into assets/styles, then docs/gallery.webp, a
rendered head in each style by the default method, and docs/gallery.md.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from assets import drawn
from assets.make_examples import ASSETS, EXAMPLES
from assets.render_characters import map_png, write_whole
from facetransfer.base.images import open_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.jobs.job import Face, prepare, result_picture
from segmentation.map_files import map_path, read_map
from segmentation.parsers import load_parser

STYLES = ASSETS / "styles"
DOCS = ASSETS.parent / "docs"
TILE, COLUMNS = 288, 4
CREDITS = """# Where these pictures come from

All pictures and maps of this folder are rendered by this project (`python -m assets.make_gallery`), from its
own characters and without any photograph. They are under the project's licence, MIT.
"""
Material = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # of picture, normals and labels


@dataclass(frozen=True)
class Style:
    """One style: which character sits for it, its material, how many colours its file has (0: WebP), and a
    sentence about it.
    """

    name: str
    sitter: str
    make: Material
    colours: int
    about: str


GALLERY = (
    Style("ink", "bust", drawn.ink_drawing, 16, "Pen and ink: hatching that bows over the form."),
    Style("engraving", "oil", drawn.engraving, 16, "Copper engraving: lines that swell with the shade."),
    Style("red_chalk", "oil", drawn.red_chalk, 0, "Sanguine on toned paper, with white chalk in the lights."),
    Style("watercolour", "goblin", drawn.watercolour, 0, "Washes whose pigment gathers at their edges."),
    Style(
        "mosaic", "oil", lambda p, n, m: drawn.mosaic(p, m), 0, "Tesserae in rows along the parts, on gold."
    ),
    Style("terracotta", "bust", lambda p, n, m: drawn.terracotta(p, m), 0, "Fired clay, sandy to the touch."),
    Style(
        "bronze", "goblin", lambda p, n, m: drawn.bronze(p, m), 0, "Cast bronze with green in its hollows."
    ),
)


def picture_bytes(picture: Image.Image, colours: int) -> bytes:
    """A palette PNG of so many colours, or WebP where that is 0."""
    stream = io.BytesIO()
    if colours:
        picture.quantize(colours, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    else:
        picture.save(stream, "WEBP", quality=90, method=6)
    return stream.getvalue()


def make(style: Style) -> None:
    """Write one style and its map."""
    source = EXAMPLES / f"{style.sitter}.png"
    picture = np.asarray(Image.open(source).convert("RGB"), np.float32) / 255
    labels = np.asarray(Image.open(map_path(source)))
    seen = picture
    if style.name == "watercolour":  # paper stays white around the figure
        seen = np.where((labels > 0)[..., None], np.clip(picture * 1.25, 0, 1), 0.86).astype(np.float32)
    elif style.sitter == "oil":
        seen = np.clip(cv2.bilateralFilter(picture, 9, 0.25, 3) * 1.2, 0, 1)
    made = np.clip(style.make(seen, drawn.inflated(picture, labels), labels), 0, 1)
    image = Image.fromarray(np.round(made * 255).astype(np.uint8))
    data = picture_bytes(image, style.colours)
    write_whole(STYLES / f"{style.name}.{'png' if style.colours else 'webp'}", data)
    write_whole(STYLES / f"{style.name}_sem.png", map_png(labels))
    print(f"{style.name}: {len(data) / 1000:.0f} kB", flush=True)


def transferred(style: Style) -> Image.Image:
    """A character that did not sit for it in the skin of the style."""
    content = EXAMPLES / ("oil.png" if style.sitter != "oil" else "bust.png")
    worn = STYLES / f"{style.name}.{'png' if style.colours else 'webp'}"
    faces = [Face.of(open_picture(x), read_map(map_path(x)), load_parser()) for x in (content, worn)]
    job, step = prepare(*faces, TransferSettings()), None
    for step in job.steps():
        pass
    return result_picture(step, job.size)


def sheet() -> None:
    """Write the contact sheet and the page around it."""
    rows = -(-len(GALLERY) // COLUMNS)
    whole = Image.new("RGB", (TILE * COLUMNS, TILE * rows), "white")
    for i, style in enumerate(GALLERY):
        tile = transferred(style).resize((TILE, TILE), Image.Resampling.LANCZOS)
        whole.paste(tile, (i % COLUMNS * TILE, i // COLUMNS * TILE))
    stream = io.BytesIO()
    whole.save(stream, "WEBP", quality=84, method=6)
    write_whole(DOCS / "gallery.webp", stream.getvalue())
    names = "\n".join(f"| `{s.name}` | {s.about} |" for s in GALLERY)
    page = (
        "# The gallery\n\nA rendered head in each style of `assets/styles`, by the default method with\n"
        "default settings; from left to right, from top to bottom, in the order of the table. A style\n"
        "that was made of the painted sitter is worn by the bust, every other one by the painted sitter.\n"
        "`python -m assets.make_gallery` makes the styles, this picture and this page.\n\n"
        "![A rendered head in each style](gallery.webp)\n\n"
        f"| style | material |\n|---|---|\n{names}\n"
    )
    write_whole(DOCS / "gallery.md", page.encode())


def main() -> None:
    torch.set_num_threads(2)
    STYLES.mkdir(exist_ok=True)
    for style in GALLERY:
        make(style)
    write_whole(STYLES / "CREDITS.md", CREDITS.encode())
    sheet()


if __name__ == "__main__":
    main()
