"""The command line. Flags for settings are derived from `TransferSettings`; torch is not imported before it is needed."""
from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from facetransfer import __version__
from facetransfer.errors import InputError, complain
from facetransfer.settings import PRESETS, TransferSettings, all_settings

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from facetransfer.guides import Guide
    from segmentation.semantic_map import SemanticMap


def options() -> argparse.ArgumentParser:
    """The command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m facetransfer", description="Puts one picture's skin on another picture's face, patch by patch, each from its own part of the face.",
        epilog="Maps beside the pictures (NAME_sem.png) are used when they are there; otherwise the parser makes them.")
    files = parser.add_argument_group("pictures")
    files.add_argument("--content", type=Path, required=True, help="the picture whose shapes are kept")
    files.add_argument("--style", type=Path, required=True, help="the picture whose skin is taken")
    files.add_argument("--output", type=Path, required=True, help="where the result is written")
    files.add_argument("--start-image", type=Path, help="a picture to start from (with --start image)")
    files.add_argument("--content-map", type=Path, help="semantic map of the content (default: NAME_sem.png beside it, if there is one)")
    files.add_argument("--style-map", type=Path, help="semantic map of the style (default: NAME_sem.png beside it, if there is one)")
    files.add_argument("--parser", default="compact", help="makes the maps that are not there: compact, or none for none (default: compact)")
    files.add_argument("--save-maps", action="store_true", help="write the maps that were used beside the output")
    parser.add_argument("--device", default="auto", help="auto (the best there is), cpu, gpu0, gpu1 ... (default: auto)")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="Balanced", help="named settings; single settings given beside it win (default: Balanced)")
    parser.add_argument("--version", action="version", version=__version__)
    settings = parser.add_argument_group("settings")
    for s in all_settings():
        default = f"(default: {s.default})"
        if s.choices:
            settings.add_argument(s.flag, choices=s.choices, help=f"{s.help} {default}")
        else:
            settings.add_argument(s.flag, type=s.kind, metavar="N", help=f"{s.help} {s.minimum:.10g} to {s.maximum:.10g} {default}")
    return parser


def settings_from(args: argparse.Namespace) -> TransferSettings:
    """The preset's settings with those given on the command line in their place."""
    given = {s.name: getattr(args, s.name) for s in all_settings() if getattr(args, s.name) is not None}
    if args.start_image and "start" not in given:
        given["start"] = "image"
    return replace(TransferSettings(**PRESETS[args.preset]), **given)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; the exit status: 0 done, 2 wrong input, 130 stopped by Ctrl-C (what there was is written)."""
    args = options().parse_args(arguments)
    try:
        return run(args, settings_from(args))
    except InputError as error:
        return complain(error)
    except KeyboardInterrupt:
        print("stopped before the first picture: nothing was written", file=sys.stderr)
        return 130


def run(args: argparse.Namespace, settings: TransferSettings) -> int:
    """Reads, checks everything before any work, transfers, writes."""
    from facetransfer.images import check_writable, fit, open_picture, to_tensor

    check_writable(args.output)
    content, style = open_picture(args.content), open_picture(args.style)
    start = open_picture(args.start_image) if args.start_image else None
    small_content, small_style = fit(content, settings.size), fit(style, settings.size)
    from facetransfer.devices import choose_device

    device = choose_device(args.device)
    maps = find_maps(args, content, style, device)
    guides = guides_at(maps, (small_content, small_style), device, args.parser) if maps else None
    if maps and args.save_maps:
        for semantic, source in zip(maps, (args.content, args.style)):
            semantic.save(args.output.with_name(f"{args.output.stem}_{source.stem}_sem.png"))
    return work(args.output, to_tensor(small_content), to_tensor(small_style), guides, settings,
                to_tensor(start) if start else None, device)


def find_maps(args: argparse.Namespace, content: Image.Image, style: Image.Image, device: str) -> tuple[SemanticMap, SemanticMap] | None:
    """The maps given or lying beside the pictures; those missing are parsed; None with --parser none and no maps."""
    from segmentation.parsers import load_parser
    from segmentation.semantic_map import map_path, read_map, read_map_pair

    def beside(given: Path | None, picture: Path) -> Path | None:
        path = given or map_path(picture)
        return path if given or path.exists() else None

    paths = [beside(args.content_map, args.content), beside(args.style_map, args.style)]
    if all(paths):
        maps = read_map_pair(*paths)
    elif args.parser == "none":
        if any(paths):
            raise InputError(f"only {next(filter(None, paths))} is there, and --parser none makes no other: give both maps or a parser")
        return None
    else:
        parse = load_parser(args.parser, device)
        maps = tuple(read_map(path) if path else parsed(parse, picture, name)
                     for path, picture, name in zip(paths, (content, style), (args.content, args.style)))
    for semantic, picture, name in zip(maps, (content, style), (args.content, args.style)):
        if semantic.size[0] * picture.height != semantic.size[1] * picture.width and \
                abs(semantic.size[0] / semantic.size[1] - picture.width / picture.height) > 0.02:
            raise InputError(f"the map of {name.name} is {semantic.size[0]}x{semantic.size[1]}, which is another shape than the picture's "
                             f"{picture.width}x{picture.height}: give a map of the same shape")
    return maps


def parsed(parse, picture: Image.Image, name: Path) -> SemanticMap:
    """The automatic map; says so where no face was found."""
    found = parse(picture)
    if not found.found_face:
        print(f"note: no face was found in {name.name}: the map may be wrong; paint {name.stem}_sem.png yourself, or use --parser none", file=sys.stderr)
    return found.semantic


def guides_at(maps: tuple[SemanticMap, SemanticMap], small: tuple[Image.Image, Image.Image], device: str, parser: str) -> tuple[Guide, Guide]:
    """The guides at the working size. Maps in colours of their own do not say where the face is: the parser does."""
    from segmentation.guidance import guides_of
    from segmentation.parsers import load_parser

    sized = [m.resized(p.size) for m, p in zip(maps, small)]
    frames = (None, None)
    if not maps[0].is_face and parser != "none":
        parse = load_parser(parser, device)
        frames = tuple(parse(p).semantic.frame() for p in small)
    return guides_of(*sized, frames)


def work(output: Path, content: Tensor, style: Tensor, guides: tuple[Guide, Guide] | None, settings: TransferSettings,
         start: Tensor | None, device: str) -> int:
    """Transfers with a progress bar and writes the result; Ctrl-C writes the picture so far."""
    from tqdm import tqdm

    from facetransfer.engine import transfer_steps
    from facetransfer.images import save_picture, to_image
    from facetransfer.phases import phases_that_fit

    fitting = phases_that_fit(settings.phases, content.shape[-2:], style.shape[-2:])
    if fitting < settings.phases:
        print(f"note: {settings.phases} phases are more than pictures of this size allow: {fitting} are used", file=sys.stderr)
    step, status = None, 0
    with tqdm(total=1.0, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}") as bar:
        try:
            for step in transfer_steps(content, style, guides, settings, start=start, device=device):
                bar.set_description_str(f"phase {step.phase}/{step.phases}", refresh=False)
                bar.set_postfix_str(f"loss {sum(step.losses.values()):.4f}", refresh=False)
                bar.update(step.done - bar.n)
        except KeyboardInterrupt:
            if step is None:
                raise
            status = 130
    picture = to_image(step.picture)
    if status:
        picture = picture.resize((content.shape[-1], content.shape[-2]))
        print(f"stopped in phase {step.phase} of {step.phases}: the picture so far is written", file=sys.stderr)
    save_picture(picture, output)
    leak = "" if step.leak is None else f"  ({step.leak:.1%} of the patches come from another class)"
    print(f"{output}{leak}")
    return status
