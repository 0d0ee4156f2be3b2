"""`python -m segmentation a.jpg b.jpg --out DIR`: writes the semantic map of each picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from facetransfer.base.errors import InputError, complain, in_one_line
from facetransfer.base.terminal import exit_status, stoppable, unheard_is_fine
from segmentation import PARSERS
from segmentation.classes import CLASSES

if TYPE_CHECKING:
    from segmentation.semantic_map import SemanticMap


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="facetransfer-maps",
        description="Writes the semantic map of each face picture as NAME_sem.png.",
    )
    parser.add_argument("pictures", nargs="+", type=Path, help="picture files")
    parser.add_argument("--out", type=Path, help="folder for the maps (default: beside each picture)")
    parser.add_argument(
        "--parser",
        default="compact",
        help=f"the parser that makes the maps: {', '.join(PARSERS)} (default: compact)",
    )
    parser.add_argument(
        "--parser-file", type=Path, help="the weights of bisenet or parsenet (default: downloaded once)"
    )
    parser.add_argument(
        "--face",
        type=int,
        default=1,
        metavar="N",
        help="which face to look at closely, the largest is 1 (default: 1)",
    )
    parser.add_argument(
        "--labels",
        choices=("palette", "celebamask"),
        default="palette",
        help="palette: coloured, the classes' palette; celebamask: gray, pixel value = class number "
        f"(0 {CLASSES[0].name} ... {len(CLASSES) - 1} {CLASSES[-1].name})",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, gpu0, gpu1 ...")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line. Returns the exit status: 0 done; 2 something could not be read or written; 130
    stopped by Ctrl-C; 143 stopped by SIGTERM.
    """
    args = options().parse_args(arguments)
    with unheard_is_fine(), stoppable():
        try:
            return run(args)
        except KeyboardInterrupt as stopped:
            print("stopped: the maps that were named are written", file=sys.stderr)
            return exit_status(stopped)


def map_targets(args: argparse.Namespace) -> list[Path]:
    """The file of each picture's map. Raises InputError where one cannot be written, or two are the same."""
    from facetransfer.base.images import check_writable, make_folder
    from segmentation.map_files import map_path

    if args.out:
        make_folder(args.out)
    targets = [map_path(args.out / p.name if args.out else p) for p in args.pictures]
    if twice := {t for t in targets if targets.count(t) > 1}:
        raise InputError(
            f"two pictures would both be written to {min(twice)}: run them one by one into different folders"
        )
    for target in targets:
        check_writable(target)
    return targets


def run(args: argparse.Namespace) -> int:
    """Makes the map of each picture. A picture that cannot be read is reported, and the others still get
    their maps.
    """
    from facetransfer.base.devices import choose_device
    from facetransfer.base.images import open_picture
    from segmentation.parsers import load_parser

    failed = 0
    try:
        targets = map_targets(args)
        file = args.parser_file and str(args.parser_file)
        parse = load_parser(args.parser, choose_device(args.device), file)
    except InputError as error:
        return complain(error)
    for path, target in zip(args.pictures, targets):
        try:
            found = parse(open_picture(path), args.face)
            write(found.semantic, target, args.labels)
            remark = ""
            if not found.found_face:
                remark = "  (no face found)"
            elif len(found.faces) > 1:
                remark = f"  ({len(found.faces)} faces)"
            print(in_one_line(target) + remark)
        except InputError as error:
            failed = complain(error)
    return failed


def write(semantic: SemanticMap, target: Path, labels: str) -> None:
    """Writes the map as a palette PNG, or as a gray picture of class numbers."""
    from PIL import Image

    from facetransfer.base.images import save_picture

    if labels == "celebamask":
        save_picture(Image.fromarray(semantic.labels), target)
    else:
        semantic.save(target)


if __name__ == "__main__":
    sys.exit(main())
