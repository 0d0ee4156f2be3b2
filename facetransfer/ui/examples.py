"""The examples: pairs of pictures with their finished results, made by `assets.make_examples`, and the exact
maps of our characters.
"""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from facetransfer.base.assets import ASSETS
from facetransfer.base.images import open_picture, save_picture
from facetransfer.ui.gradio_compat import cache_folder
from facetransfer.ui.styles import IN_WORDS, map_of, styles
from segmentation.semantic_map import SemanticMap

FOLDER = ASSETS / "examples"
FINISHED = FOLDER / "finished"  # <content>-as-<style>.webp
PHOTO = "astronaut"  # scikit-image's photo of NASA's Eileen Collins, in the public domain
WITH_PHOTO = ("goblin", "oil")


@dataclass(frozen=True)
class Example:
    """The names of two pictures, and the finished result made of them; None for the photo: no picture made of
    it is kept.
    """

    content: str
    style: str
    result: Path | None = None

    @property
    def caption(self) -> str:
        content, style = (IN_WORDS.get(name, name) for name in (self.content, self.style))
        return f"The {content} as {'an' if style[0] in 'aeiou' else 'a'} {style}"

    def glimpse(self) -> str:
        """What its card shows, as a data URL: the result, or half of each picture."""
        if self.result:
            return as_data(self.result.read_bytes())
        halves, right = _picture(self.content).copy(), _picture(self.style)
        middle = halves.width // 2
        halves.paste(right.resize(halves.size).crop((middle, 0, *halves.size)), (middle, 0))
        file = io.BytesIO()
        halves.save(file, "WEBP", quality=85)
        return as_data(file.getvalue())


def examples() -> list[Example]:
    """All finished results there are, then the photo with some of our characters."""
    finished = []
    for path in sorted(FINISHED.glob("*-as-*.webp")):
        content, style = path.stem.split("-as-")
        finished.append(Example(content, style, path))
    return [*finished, *(Example(PHOTO, style) for style in WITH_PHOTO)]


def photo() -> Image.Image:
    """The face in scikit-image's photo, 320x320."""
    from skimage.data import astronaut

    return Image.fromarray(astronaut()[0:320, 70:390])


def _picture(name: str) -> Image.Image:
    return photo() if name == PHOTO else open_picture(FOLDER / f"{name}.png")


def example_file(name: str) -> str:
    """The picture of that name as a file in gradio's cache, from where the page may show it."""
    path = cache_folder() / "examples" / f"{name}.png"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(_picture(name), path)
    return str(path)


def finished_file(example: Example) -> str | None:
    """An example's result as a file in gradio's cache, None where it has none."""
    if example.result is None:
        return None
    path = cache_folder() / "examples" / f"{example.result.stem}.png"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(open_picture(example.result), path)
    return str(path)


def as_data(webp: bytes) -> str:
    """A .webp file's content as a data URL."""
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"


@lru_cache(maxsize=1)
def _known() -> dict[str, SemanticMap]:
    """The exact maps that lie beside pictures of the row of styles, by the hash of the picture's pixels."""
    maps = {style: map_of(style) for style in styles()}
    return {fingerprint(open_picture(style.path)): found for style, found in maps.items() if found}


def fingerprint(picture: Image.Image) -> str:
    return hashlib.sha256(np.asarray(picture).tobytes()).hexdigest()


def exact_map(picture: Image.Image) -> SemanticMap | None:
    """The map that ships with an example picture, None for any other picture."""
    return _known().get(fingerprint(picture))
