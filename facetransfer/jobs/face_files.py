"""Reads picture files as faces. Their maps are given, lie beside the pictures, or are made by a parser."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.jobs.face import Face, check_shape
from segmentation import MAP_ENDING
from segmentation.map_files import map_path, read_map_pair, reading_of
from segmentation.parsers import Parser
from segmentation.semantic_map import SemanticMap


def map_file(given: Path | None, picture: Path | None, ending: str = MAP_ENDING) -> Path | None:
    """The file of a picture's map: the given one, or else the one beside the picture, if it exists."""
    if given or picture is None:
        return given
    beside = map_path(picture, ending)
    return beside if os.path.exists(beside) else None  # Path.exists raises where the name is too long.


def read_maps(
    content: Path | None, style: Path | None, parse: Parser | None
) -> tuple[SemanticMap | None, SemanticMap | None, list[str]]:
    """The maps of content and style, each None where it has no file, and notes on how they were read. Two
    maps in colours of their own are read together, so that equal colours become the same class.

    Raises InputError where a file is not a map, or where there is only one file and no parser to make the
    other map.
    """
    if content and style:
        return read_map_pair(content, style)
    given = content or style
    if given is None:
        return None, None, []
    if parse is None:
        raise InputError(
            f"only {given} is there, and --parser none makes no other: give both maps or a parser"
        )
    semantic, words = reading_of(given)
    notes = [words] if words else []
    return (semantic, None, notes) if content else (None, semantic, notes)


def face_of(
    picture: Image.Image,
    semantic: SemanticMap | None,
    path: Path,
    parse: Parser | None,
    number: int = 1,
) -> tuple[Face, list[str]]:
    """A picture with its map, and notes for the user. number: which face in the picture, counted from 1."""
    if semantic is not None:
        check_shape(semantic, picture, path.name)
    face = Face.of(picture, semantic, parse, number)
    if semantic is not None or face.semantic is None or face.frame:
        return face, []
    return face, [
        f"no face was found in {path.name}: the map may be wrong; paint {map_path(path).name} yourself, or "
        "use --parser none"
    ]
