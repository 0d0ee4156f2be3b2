"""Pictures as the page shows and takes them: an upload that leaves reading to us, the classes' legend, examples."""
from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

from facetransfer.images import open_picture
from segmentation.classes import CLASSES
from segmentation.semantic_map import SemanticMap, map_path, read_map

EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"


def picture_upload(label: str, name: str) -> gr.Image:
    """An image input that hands over the uploaded file unread, so that a broken one gets our words and EXIF is obeyed."""
    upload = gr.Image(label=label, type="filepath", image_mode=None, sources=["upload", "clipboard"], height=300, elem_id=name)
    upload.preprocess = lambda payload: payload.path if payload else None
    return upload


def legend(*maps: SemanticMap | None) -> str:
    """The classes that occur in the maps, each with its colour, as HTML."""
    there = [m for m in maps if m is not None]
    shares = sum((m.shares() for m in there), np.zeros(len(CLASSES)))
    chips = "".join(f'<span class="chip"><i style="background:rgb{c.colour}"></i>{c.label}</span>' for c in CLASSES if shares[c.index] > 0)
    return f'<div class="legend" data-maps="{len(there)}">{chips}</div>'


@lru_cache(maxsize=1)
def _known() -> dict[str, SemanticMap]:
    """The exact maps that ship with pictures, by the hash of the picture's pixels."""
    return {fingerprint(open_picture(p)): read_map(map_path(p)) for p in sorted(EXAMPLES.glob("*.png"))
            if not p.stem.endswith("_sem") and map_path(p).exists()}


def fingerprint(picture: Image.Image) -> str:
    return hashlib.sha256(np.asarray(picture).tobytes()).hexdigest()


def exact_map(picture: Image.Image) -> SemanticMap | None:
    """The map that ships with an example picture, None for any other picture."""
    return _known().get(fingerprint(picture))


def example_pairs(folder: Path) -> list[list[str]]:
    """(content, style) files to click on. The content, NASA's photo of Eileen Collins, comes with scikit-image."""
    from skimage.data import astronaut

    from facetransfer.images import save_picture

    content = folder / "astronaut.png"
    if not content.exists():
        folder.mkdir(parents=True, exist_ok=True)
        save_picture(Image.fromarray(astronaut()[0:320, 70:390]), content)
    styles = [p for p in sorted(EXAMPLES.glob("*.png")) if not p.stem.endswith("_sem")]
    return [[str(content), str(style)] for style in styles]
