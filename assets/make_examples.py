"""Makes the finished results that the page shows beside its examples, and its title picture, from our own
characters.

    python -m assets.make_examples [--only NAME]

Each character in each other one's skin, with their exact maps and the default settings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageFilter

from facetransfer.base.images import open_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.jobs.job import Face, prepare, result_picture
from segmentation.map_files import map_path, read_map
from segmentation.parsers import load_parser

ASSETS = Path(__file__).resolve().parent
EXAMPLES = ASSETS / "examples"
NAMES = ("goblin", "bust", "oil")
TITLE = (
    "bust",
    "bust-as-goblin",
    "goblin",
    "goblin-as-oil",
    "oil",
    "oil-as-bust",
)  # what stands in the title picture, from left to right
TITLE_SIZE = 1920, 420


def character(name: str) -> Face:
    path = EXAMPLES / f"{name}.png"
    return Face.of(open_picture(path), read_map(map_path(path)), load_parser())


def make(content: str, style: str) -> Image.Image:
    job, step = prepare(character(content), character(style), TransferSettings()), None
    for step in job.steps():
        pass
    return result_picture(step, job.size)


def title() -> Image.Image:
    """The pictures of TITLE side by side, each fading into the next."""
    width, height = TITLE_SIZE
    column = width // len(TITLE)
    whole = Image.new("RGB", TITLE_SIZE)
    for i, name in enumerate(TITLE):
        path = EXAMPLES / "finished" / f"{name}.webp" if "-as-" in name else EXAMPLES / f"{name}.png"
        picture = open_picture(path)
        picture = picture.resize((round(height * 1.12), round(height * 1.12)), Image.Resampling.LANCZOS)
        mask = Image.new("L", picture.size, 0)
        mask.paste(255, ((picture.width - column) // 2, 0, (picture.width + column) // 2, picture.height))
        whole.paste(
            picture,
            (i * column + (column - picture.width) // 2, -round(height * 0.03)),
            mask.filter(ImageFilter.GaussianBlur(column / 14)),
        )
    return whole


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--only", help="one result, such as goblin-as-bust; without it all, and the title")
    only = options.parse_args().only
    (EXAMPLES / "finished").mkdir(exist_ok=True)
    for content in NAMES:
        for style in NAMES:
            if content != style and only in (None, f"{content}-as-{style}"):
                make(content, style).save(EXAMPLES / "finished" / f"{content}-as-{style}.webp", quality=88)
                print(f"{content} as {style}", flush=True)
    title().save(ASSETS / "title.webp", quality=86)


if __name__ == "__main__":
    main()
