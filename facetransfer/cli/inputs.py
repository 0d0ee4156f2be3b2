"""The files that a command line names, read: pictures with their maps, and a recipe. Knows the maps and the
parsers, as the doors do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from facetransfer.base.errors import InputError, in_one_line, shortened
from facetransfer.cli import flags
from facetransfer.jobs.job import Face
from facetransfer.jobs.recipe import Recipe, versions
from segmentation.map_files import map_path, read_map_pair, reading_of
from segmentation.parsers import Parse, Parser, load_parser
from segmentation.semantic_map import SemanticMap

RESTORED: dict[str, Callable[[str], Any]] = {
    "into": str,
    "strength": flags.strengths,
    "parser": str,
    "face": int,
    "output_size": flags.output_size,
}
"""The flags that a recipe brings back beside the settings, and how each is read from its text."""


def restore(args: argparse.Namespace, recipe: Recipe) -> None:
    """The recipe's flags where the command line gives none. InputError where one is spoilt."""
    for name, read in RESTORED.items():
        value = recipe.options.get(name)
        if getattr(args, name) is not None or value in (None, ""):
            continue
        if not isinstance(value, str):
            raise InputError(
                f"the recipe's {name} is {shortened(repr(value))}, which is no text: give a picture that "
                f"this program made"
            )
        try:
            setattr(args, name, read(value))
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise InputError(f"the recipe's {name} cannot be read: {shortened(str(error))}") from None


def check_same(recipe: Recipe, now: Recipe) -> list[str]:
    """Notes on what may make other bytes. InputError where a picture or map is not the one that the recipe
    was written for.
    """
    for role, wanted in recipe.inputs.items():
        if role not in now.inputs:
            raise InputError(
                f"the recipe was made with a {role}, and none is given: give the same one, or leave "
                f"--recipe out"
            )
        if now.inputs[role] != wanted:
            raise InputError(
                f"the {role} is not the one that the recipe was made with: give the same file, or leave "
                f"--recipe out"
            )
    others = [
        f"{name} {shortened(str(recipe.versions[name]), 40)}, here {here}"
        for name, here in versions().items()
        if recipe.versions.get(name, here) != here
    ]
    notes = (
        [f"the recipe was made with {', '.join(others)}: the result may differ a little"] if others else []
    )
    if recipe.retired:
        gone = ", ".join(recipe.retired)
        notes.append(f"the recipe has settings that no longer exist ({gone}): the result may differ")
    return notes


def parser_of(args: argparse.Namespace, device: str) -> Parser | None:
    """The parser that was asked for; None for none."""
    return (
        None
        if args.parser == "none"
        else load_parser(args.parser or "compact", device, args.parser_file and str(args.parser_file))
    )


def find_faces(
    args: argparse.Namespace, content: Image.Image | None, style: Image.Image, parse: Parser | None
) -> tuple[Face | None, Face]:
    """Both pictures with their maps: given, lying beside them, or parsed; without maps where there is no
    parser and none lies there.
    """
    paths = [
        _beside(args.content_map, args.content, args.semantic_ext),
        _beside(args.style_map, args.style, args.semantic_ext),
    ]
    if content is None and not paths[0]:
        return None, Face.of(style)  # its texture
    maps, notes = _maps(paths, parse)
    for note in notes:
        print(f"note: {in_one_line(note)}", file=sys.stderr)
    faces = [
        _face(content, maps[0], args.content, parse, args.face or 1),
        _face(style, maps[1], args.style, parse, 1),
    ]
    return faces[0], faces[1]


def _beside(given: Path | None, picture: Path | None, ending: str) -> Path | None:
    """The map's file: the one that is given, or the one beside the picture if there is one."""
    path = given or (picture and map_path(picture, ending))
    return (
        path if given or (path and os.path.exists(path)) else None
    )  # False too where the name is too long for a file


def _maps(paths: list[Path | None], parse: Parser | None) -> tuple[tuple[SemanticMap | None, ...], list[str]]:
    """The maps that there are files of, and what is said of how they were read."""
    if all(paths):
        *maps, notes = read_map_pair(*paths)
        return tuple(maps), notes
    if parse is None and any(paths):
        raise InputError(
            f"only {next(filter(None, paths))} is there, and --parser none makes no other: give both maps "
            f"or a parser"
        )
    readings = [reading_of(path) if path else (None, "") for path in paths]
    return tuple(semantic for semantic, _ in readings), [words for _, words in readings if words]


def _face(
    picture: Image.Image | None,
    semantic: SemanticMap | None,
    path: Path | None,
    parse: Parser | None,
    number: int,
) -> Face:
    """A picture with its map; a map alone where there is no picture."""
    if picture is None:
        return Face(None, semantic, semantic.frame())
    face = Face.of(picture, semantic, parse, number)
    if semantic is None and face.semantic and not face.frame:
        print(
            f"note: no face was found in {in_one_line(path.name)}: the map may be wrong; paint "
            f"{in_one_line(map_path(path).name)} yourself, or use --parser none",
            file=sys.stderr,
        )
    return face


def remembering(picture: Image.Image) -> Callable[[Parser], Parser]:
    """Wraps a parser so that it looks at this picture, which all contents share, only once."""
    known: list[Parse] = []

    def around(parse: Parser) -> Parser:
        def parsed(other: Image.Image, face: int = 1) -> Parse:
            if other is not picture:
                return parse(other, face)
            if not known:
                known.append(parse(picture, face))
            return known[0]

        return parsed

    return around
