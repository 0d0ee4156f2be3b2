"""The flags of the command line. Those for settings are derived from `TransferSettings`. This module does not
import torch, so that --help is fast.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from facetransfer import __version__
from facetransfer.base.errors import shortened
from facetransfer.base.settings import (
    GUIDED_SETTINGS,
    PLACES,
    PRESETS,
    STARTS,
    Setting,
    TransferSettings,
    all_settings,
)
from facetransfer.jobs.class_weights import NAMES_AS_TYPED, parse_strengths
from facetransfer.jobs.recipe import Recipe
from segmentation import MAP_ENDING, PARSERS


def options() -> argparse.ArgumentParser:
    """The argument parser of the command without a subcommand. Its groups are in the order in which people
    need them.
    """
    parser = argparse.ArgumentParser(
        prog="facetransfer",
        usage="facetransfer --content FILE --style FILE --output FILE [more, see below]\n"
        "       facetransfer batch --help\n       facetransfer film --help",
        description="Puts one picture's skin on another picture's face, patch by patch, each from its own "
        "part of the face.",
        epilog="Maps beside the pictures (NAME_sem.png) are used when they are there; otherwise the parser "
        "makes them. Without --content, --content-map alone says what goes where, and with neither the "
        "result is the style's texture.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    _add_pictures(parser.add_argument_group("the two pictures, and the result"))
    looks = parser.add_argument_group("how the result looks")
    add_looks(looks)
    maps = parser.add_argument_group("semantic maps")
    _add_map_files(maps)
    add_maps(maps)
    _add_starts(parser.add_argument_group("where a run starts"))
    _add_outputs(parser.add_argument_group("while it runs, and beside the result"))
    add_advanced(parser)
    _add_neural_doodle(
        parser.add_argument_group(
            "as neural-doodle calls them", "what differs there in name or form; the other flags are the same"
        )
    )
    return parser


def add_looks(group: Any) -> None:
    """Adds the flags that most people change: the preset, the settings of the default method, where the
    result goes, and how much of the style each class takes.
    """
    group.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default="Balanced",
        help="named settings; single settings given beside it win (default: Balanced)",
    )
    for setting in all_settings():
        if setting.name in GUIDED_SETTINGS:
            _add_setting(group, setting)
    group.add_argument(
        "--into",
        choices=PLACES,
        help="alone: the result as it is; style: placed into the style picture; content: the part around the "
        "face, with hair and shoulders, is worked on at full size and goes back into the content photo; its "
        "background stays (default: alone)",
    )
    group.add_argument(
        "--strength",
        type=strengths,
        metavar="CLASS=N,...",
        help="how much of the style each class takes, 0 (keep the photo) to 2, 1 where not named: "
        f"background=0,skin=1.5. Or a named region, alone or before them: {', '.join(NAMES_AS_TYPED)}",
    )


def add_maps(group: Any) -> None:
    """Adds the flags for how missing maps are made."""
    group.add_argument(
        "--parser",
        help=f"makes the maps that are not there: {', '.join(PARSERS)}, or none for none "
        f"(default: {PARSERS[0]})",
    )
    group.add_argument(
        "--parser-file", type=Path, help="the weights of bisenet or parsenet (default: downloaded once)"
    )
    group.add_argument(
        "--face",
        type=int,
        metavar="N",
        help="which face of the content picture, the largest is 1 (default: 1)",
    )
    group.add_argument(
        "--semantic-ext",
        type=_ending,
        metavar="ENDING",
        default=MAP_ENDING,
        help=f"how the maps beside the pictures are called after them (default: {MAP_ENDING})",
    )


def add_advanced(parser: argparse.ArgumentParser) -> None:
    """Adds the device, and the settings of the methods that optimise the picture."""
    group = parser.add_argument_group(
        "the machine, and the methods semantic, mrf and gatys",
        "the default method takes none of these settings",
    )
    group.add_argument(
        "--device", default="auto", help="auto (the best there is), cpu, gpu0, gpu1 ... (default: auto)"
    )
    for setting in all_settings():
        if setting.name not in GUIDED_SETTINGS:
            _add_setting(group, setting)


def _add_pictures(group: Any) -> None:
    group.add_argument(
        "--content",
        type=Path,
        nargs="+",
        metavar="FILE",
        help=(
            "the picture whose shapes are kept; several, or a folder of them, get the style one after another"
        ),
    )
    group.add_argument("--style", type=Path, required=True, help="the picture whose skin is taken")
    group.add_argument(
        "--output",
        type=_named,
        required=True,
        help=(
            "where the result is written; with several contents a folder, each result called NAME.png "
            "after its content; the same call goes on where it was stopped"
        ),
    )


def _add_map_files(group: Any) -> None:
    group.add_argument(
        "--content-map",
        type=Path,
        help="semantic map of the content (default: NAME_sem.png beside it, if there is one)",
    )
    group.add_argument(
        "--style-map",
        type=Path,
        help="semantic map of the style (default: NAME_sem.png beside it, if there is one)",
    )
    group.add_argument(
        "--save-maps", action="store_true", help="write the maps that were used beside the output"
    )


def _add_starts(group: Any) -> None:
    group.add_argument(
        "--recipe",
        type=Path,
        help="a result of before: its settings are used again, and the pictures must be the same",
    )
    group.add_argument(
        "--start-image", type=Path, help="a picture to start from: a result to refine, for instance"
    )
    group.add_argument(
        "--region",
        type=Path,
        help="a picture, white where to work: elsewhere the start image stays, or the content",
    )


def _add_outputs(group: Any) -> None:
    group.add_argument(
        "--print-every", type=int, default=0, metavar="N", help="print the losses every N steps (0: never)"
    )
    group.add_argument(
        "--save-every",
        type=int,
        default=0,
        metavar="N",
        help="write the picture every N steps beside the output (0: never)",
    )
    group.add_argument(
        "--animation", type=Path, help="write the run as an animation: a .webp, .gif or .mp4 file"
    )
    group.add_argument(
        "--report",
        type=Path,
        help="write what the result measures as JSON: leak, layout_iou, style_distance, sharpness, weave, "
        "overused, lost, face_found, likeness",
    )


def _add_setting(group: Any, setting: Setting) -> None:
    default = f"(default: {setting.default})"
    if setting.several:
        group.add_argument(
            setting.flag, metavar="A,B,...", help=f"{setting.help} Of {', '.join(setting.choices)} {default}"
        )
    elif setting.choices:
        group.add_argument(setting.flag, choices=setting.choices, help=f"{setting.help} {default}")
    elif setting.name == "seed":  # there the start, here a number: both are understood
        group.add_argument(
            setting.flag,
            type=_seed,
            action=_Sets,
            metavar="N",
            help=f"{setting.help} {setting.minimum:.10g} to {setting.maximum:.10g} {default}. "
            "Or, as in neural-doodle, "
            "what to start from: noise, content, or a picture's file",
        )
    else:
        group.add_argument(
            setting.flag,
            type=setting.kind,
            metavar="N",
            help=f"{setting.help} {setting.minimum:.10g} to {setting.maximum:.10g} {default}",
        )


def _add_neural_doodle(group: Any) -> None:
    """Adds the flags of neural-doodle that have another name or form here."""
    group.add_argument(
        "--output-size",
        type=output_size,
        metavar="WxH",
        help="size of a texture, 512x256 (default: a square of --size); with a content or its map, whose "
        "shape it takes, "
        "the longer of the two is --size",
    )
    group.add_argument(
        "--seed-range",
        type=_seed_range,
        action=_Sets,
        metavar="LOW:HIGH",
        help="--noise-low and --noise-high",
    )
    group.add_argument(
        "--slices",
        type=_slices,
        action=_Sets,
        metavar="N",
        help="Accepted and without effect: the search fits itself into the memory that there is.",
    )
    group.add_argument(
        "--cache",
        type=_cache,
        action=_Sets,
        metavar="0|1",
        help="--match-every 1 (0, search at every step) or 1000 (1, once in each phase)",
    )


class _Sets(argparse.Action):
    """A flag whose type gives a dictionary: what it sets, under whatever names."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        for name, value in values.items():
            setattr(namespace, name, value)


def _worded(example: str) -> Callable[[Callable[[str], Any]], Callable[[str], Any]]:
    """A flag's type whose ValueError becomes argparse's one line."""

    def around(read: Callable[[str], Any]) -> Callable[[str], Any]:
        def reads(text: str) -> Any:
            try:
                return read(text)
            except ValueError:
                raise argparse.ArgumentTypeError(f"{shortened(repr(text))} is not {example}") from None

        return reads

    return around


def _named(text: str) -> Path:
    """A path; argparse words the error where there is no name at all."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: name a file, or a folder for several results")
    return Path(text)


@_worded("the ending of a map's name, like _sem.png")
def _ending(text: str) -> str:
    if not text or {"/", "\\", "\0"} & set(text):
        raise ValueError(text)
    return text


strengths = _worded("CLASS=NUMBER,CLASS=NUMBER, or one of " + ", ".join(NAMES_AS_TYPED))(parse_strengths)
"""skin=1.5,hair=0 as a dictionary."""


@_worded("a size like 512x256")
def output_size(text: str) -> tuple[int, int]:
    """Reads a size like 512x256 as (width, height)."""
    width, height = (int(n) for n in text.lower().split("x"))
    if min(width, height) < 1:
        raise ValueError(text)
    return width, height


@_worded("a number, noise, content, or the file of a picture to start from")
def _seed(text: str) -> dict[str, Any]:
    if text in STARTS[:2]:
        return {"start": text}
    if os.path.exists(text) and not text.lstrip("-").isdigit():
        return {"start_image": Path(text)}
    return {"seed": int(text)}


@_worded("two numbers like 16:240")
def _seed_range(text: str) -> dict[str, Any]:
    low, high = (int(n) for n in text.split(":"))
    return {"noise_low": low, "noise_high": high}


@_worded("a number of pieces, 1 or more")
def _slices(text: str) -> dict[str, Any]:
    if int(text) < 1:
        raise ValueError(text)
    return {}


@_worded("0 or 1")
def _cache(text: str) -> dict[str, Any]:
    return {"match_every": (1, 1000)[("0", "1").index(text)]}


def settings_from(args: argparse.Namespace, recipe: Recipe | None = None) -> TransferSettings:
    """The settings of the recipe or of the preset, replaced by those that the command line gives."""
    given = {s.name: getattr(args, s.name) for s in all_settings() if getattr(args, s.name) is not None}
    if getattr(args, "start_image", None) and "start" not in given:
        given["start"] = "image"
    if getattr(args, "output_size", None) and "size" not in given:
        given["size"] = max(args.output_size)
    return replace(recipe.settings if recipe else TransferSettings(**PRESETS[args.preset]), **given)
