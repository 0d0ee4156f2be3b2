"""Reads the files that a command line names: pictures with their maps, and a recipe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from PIL import Image

from facetransfer.base.errors import InputError, in_one_line, shortened
from facetransfer.cli import flags
from facetransfer.jobs.face import Face
from facetransfer.jobs.face_files import face_of, map_file, read_maps
from facetransfer.jobs.recipe import Recipe, versions
from segmentation.parsers import Parser, load_parser
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
    """Takes flags from the recipe where the command line does not give them. Raises InputError where one of
    them is damaged.
    """
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
    """Notes on why the result may differ from the recipe's. Raises InputError where a picture or map is not
    the one that the recipe was made with.
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
    """The parser that was asked for, or None where maps must not be made."""
    return (
        None
        if args.parser == "none"
        else load_parser(args.parser or "compact", device, args.parser_file and str(args.parser_file))
    )


def find_faces(
    args: argparse.Namespace, content: Image.Image | None, style: Image.Image, parse: Parser | None
) -> tuple[Face | SemanticMap | None, Face]:
    """Content and style with their maps, which are given, lie beside the pictures, or are made by the parser;
    without maps where there are none and no parser. Without a content picture, the content is its map, or
    None where there is none.
    """
    content_map = map_file(args.content_map, args.content, args.semantic_ext)
    style_map = map_file(args.style_map, args.style, args.semantic_ext)
    if content is None and not content_map:
        return None, Face.of(style)  # A texture of the style is made.
    content_semantic, style_semantic, notes = read_maps(content_map, style_map, parse)
    first: Face | SemanticMap | None = content_semantic
    if content is not None:
        first, words = face_of(content, content_semantic, args.content, parse, args.face or 1)
        notes += words
    second, words = face_of(style, style_semantic, args.style, parse)
    for note in notes + words:
        print(f"note: {in_one_line(note)}", file=sys.stderr)
    return first, second
