"""The styles that stand in a row on the page: our characters, and the pictures of the owner's folder."""

from __future__ import annotations

import base64
import io
import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from facetransfer.base.assets import ASSETS
from facetransfer.base.errors import InputError
from facetransfer.base.images import fit, open_picture, save_picture
from facetransfer.jobs.job import Face
from facetransfer.jobs.pairs import pictures_in
from facetransfer.ui.gpu import parser_device
from facetransfer.ui.gradio_compat import cache_folder
from segmentation.map_files import map_path, read_map
from segmentation.parsers import Parse, load_parser
from segmentation.semantic_map import SemanticMap

FOLDERS = (ASSETS / "examples", ASSETS / "styles")
OWNERS = "FACE_TRANSFER_STYLES"  # the variable that names the owner's folder
MOST = 60  # styles in the row
SMALL_SIDE = 128  # pixels of a picture in the row
IN_WORDS = {"oil": "oil painting"}  # names of files that are not words for people


@dataclass(frozen=True)
class Style:
    """A picture in the row."""

    path: Path

    @property
    def name(self) -> str:
        """What it is called on the page."""
        return IN_WORDS.get(self.path.stem, self.path.stem.replace("-", " ").replace("_", " "))

    def small(self) -> str:
        """The picture as the row shows it, as a data URL."""
        picture = fit(open_picture(self.path), SMALL_SIDE)
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=82)
        return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"

    def file(self) -> str:
        """The picture as a file in gradio's cache, from where the page may show it."""
        folder = cache_folder() / "examples"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"style-{self.path.stem}.png"
        if not path.exists():
            if self.path.suffix.lower() == ".png":
                shutil.copyfile(self.path, path)
            else:
                save_picture(open_picture(self.path), path)
        return str(path)


@lru_cache(maxsize=1)
def styles() -> tuple[Style, ...]:
    """Our characters first, then the owner's pictures, by name. Found once, when the page is built."""
    found: list[Path] = []
    for folder in (*FOLDERS, *filter(None, [_owners_folder()])):
        if any(folder.glob("*")):
            found += pictures_in([str(folder)])[0]
    return tuple(Style(path) for path in found[:MOST])


def _owners_folder() -> Path | None:
    given = os.environ.get(OWNERS)
    if not given:
        return None
    if not Path(given).is_dir():
        raise SystemExit(f"error: {OWNERS} is {given}, which is no folder: name one with pictures in it")
    return Path(given)


def map_of(style: Style) -> SemanticMap | None:
    """The map that lies beside a style; None where there is none, or what lies there is no map."""
    path = map_path(style.path)
    try:
        return read_map(path) if path.exists() else None
    except InputError:
        return None


@lru_cache(maxsize=MOST)
def face_of_style(style: Style) -> Face:
    """The style with its map: the one that lies beside it, or the parser's. Made once."""
    picture, semantic = open_picture(style.path), map_of(style)
    if semantic is None:
        return Face.of(picture, None, load_parser("compact", parser_device()))
    return Face.of(picture, semantic, Parse(semantic, np.ones(semantic.labels.shape, np.float32)))
