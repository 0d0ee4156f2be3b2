"""Makes the pictures of docs/tuning.md: one pair of drawn heads with one control at several values.

    python -m docs.make_tuning_figures [--only NAME]

It takes about two minutes on two cores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from assets.make_examples import EXAMPLES, character
from docs.panels import Panel, row, write_chosen
from facetransfer.base.images import open_picture
from facetransfer.base.settings import PRESETS, TransferSettings
from facetransfer.jobs.class_weights import parse_strengths
from facetransfer.jobs.job import Face, prepare, result_picture
from segmentation.alignment import similarity
from segmentation.map_files import map_path, read_map
from segmentation.parsers import load_parser
from segmentation.semantic_map import FaceFrame, SemanticMap

CONTENT, STYLE = "goblin", "oil"
SIDE = 316


def made(style: Face | None = None, strength: str = "", **settings: Any) -> Image.Image:
    """The pair with these settings."""
    job = prepare(
        character(CONTENT),
        style or character(STYLE),
        TransferSettings(**settings),
        strengths=parse_strengths(strength) if strength else {},
    )
    for step in job.steps():
        pass
    return result_picture(step, job.size)


def worn(name: str) -> Face:
    """A style of the gallery with its map."""
    path = next(p for p in (EXAMPLES.parent / "styles").glob(f"{name}.*") if p.suffix != ".md")
    return Face.of(open_picture(path), read_map(map_path(path)), load_parser())


def face(picture: Image.Image) -> Image.Image:
    """The part around the content's face."""
    frame = character(CONTENT).frame
    assert frame
    scale, reach = picture.width / character(CONTENT).picture.width, 0.62 * frame.size
    box = [round(scale * n) for n in (frame.x - reach, frame.y - reach, frame.x + reach, frame.y + reach)]
    return picture.crop(tuple(box))


def likeness() -> Image.Image:
    values = (0.0, 0.25, 0.5, 0.75, 1.0)
    return row([(f"likeness {value:g}", face(made(likeness=value))) for value in values], 250)


def tones() -> Image.Image:
    style = worn("ink")
    panels: list[Panel] = [("the style", style.picture)]
    return row(panels + [(f"tones {v:g}", made(style, tones=v)) for v in (0.0, 0.5, 1.0)], SIDE)


def colours() -> Image.Image:
    panels: list[Panel] = [("content", character(CONTENT).picture), ("style", character(STYLE).picture)]
    return row(panels + [(f"colours {v}", made(colours=v)) for v in ("style", "content")], SIDE)


def strengths() -> Image.Image:
    chosen = ("keep-the-background", "keep-the-eyes", "only-the-face", "skin=0.5")
    return row([(text, made(strength=text)) for text in chosen], SIDE)


def tilted(original: Face) -> Face:
    """The style as if its picture had been taken from further away and held askew."""
    assert original.semantic and original.frame
    source = original.frame
    frame = FaceFrame(source.x * 0.9, source.y, source.size * 0.55, source.tilt + np.radians(24))
    matrix = similarity(source, frame)
    whole = np.vstack((matrix, (0, 0, 1)))
    back = tuple(np.linalg.inv(whole)[:2].ravel())
    size = original.picture.size
    backdrop = original.picture.getpixel((6, 6))
    picture = original.picture.transform(
        size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC, fillcolor=backdrop
    )
    labels = Image.fromarray(original.semantic.labels).transform(size, Image.Transform.AFFINE, back)
    semantic = SemanticMap(np.asarray(labels))
    return replace(Face.of(picture, semantic), frame=semantic.frame())


def align() -> Image.Image:
    style = tilted(character(STYLE))
    panels: list[Panel] = [("a style held askew", style.picture)]
    panels += [(f"align {v}", made(style, align=v)) for v in ("off", "on")]
    return row(panels, 420, 17)


def preset() -> Image.Image:
    names = [name for name in PRESETS if name != "The article's"]
    panels = [
        (f"{name}, {TransferSettings(**PRESETS[name]).size} pixels", face(made(**PRESETS[name])))
        for name in names
    ]
    return row(panels, 420, 17)


FIGURES = {f.__name__: f for f in (likeness, tones, colours, strengths, align, preset)}


def main() -> None:
    write_chosen({f"tuning-{name}": make for name, make in FIGURES.items()}, __doc__)


if __name__ == "__main__":
    main()
