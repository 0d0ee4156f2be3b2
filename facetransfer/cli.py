"""The command line. Flags for settings are derived from `TransferSettings`; torch is not imported before it is needed."""
from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from facetransfer import __version__
from facetransfer.batch import contents_in, targets_in
from facetransfer.errors import InputError, complain, in_one_line, shortened
from facetransfer.images import check_writable, open_picture
from facetransfer.settings import PLACES, PRESETS, TransferSettings, all_settings

if TYPE_CHECKING:
    from PIL import Image

    from facetransfer.engine import Step
    from facetransfer.job import Face, Job
    from facetransfer.recipe import Recipe
    from segmentation.parsers import Parse, Parser


def options() -> argparse.ArgumentParser:
    """The command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m facetransfer", description="Puts one picture's skin on another picture's face, patch by patch, each from its own part of the face.",
        epilog="Maps beside the pictures (NAME_sem.png) are used when they are there; otherwise the parser makes them. Without --content, --content-map "
               "alone says what goes where, and with neither the result is the style's texture.")
    files = parser.add_argument_group("pictures")
    files.add_argument("--content", type=Path, nargs="+", metavar="FILE", help="the picture whose shapes are kept; several, or a folder of them, get the style one after another")
    files.add_argument("--style", type=Path, required=True, help="the picture whose skin is taken")
    files.add_argument("--output", type=named, required=True, help="where the result is written; with several contents a folder, each result called NAME.png after its content")
    files.add_argument("--start-image", type=Path, help="a picture to start from: a result to refine, for instance")
    files.add_argument("--content-map", type=Path, help="semantic map of the content (default: NAME_sem.png beside it, if there is one)")
    files.add_argument("--style-map", type=Path, help="semantic map of the style (default: NAME_sem.png beside it, if there is one)")
    files.add_argument("--parser", default="compact", help="makes the maps that are not there: compact, bisenet, parsenet, or none for none (default: compact)")
    files.add_argument("--parser-file", type=Path, help="the weights of bisenet or parsenet (default: downloaded once)")
    files.add_argument("--face", type=int, default=1, metavar="N", help="which face of the content picture, the largest is 1 (default: 1)")
    files.add_argument("--save-maps", action="store_true", help="write the maps that were used beside the output")
    files.add_argument("--recipe", type=Path, help="a result of before: its settings are used again, and the pictures must be the same")
    where = parser.add_argument_group("where")
    where.add_argument("--into", choices=PLACES, help="alone: the result as it is; style: placed into the style picture; content: only the face is worked on, at "
                       "full size, and goes back into the content photo (default: alone)")
    where.add_argument("--strength", type=strengths, metavar="CLASS=N,...", help="how much of the style each class takes, 0 (keep the photo) to 2: "
                       "background=0,skin=1.5; 1 where not named")
    where.add_argument("--region", type=Path, help="a picture, white where to work: elsewhere the start image stays, or the content")
    also = parser.add_argument_group("on the way and beside the result")
    also.add_argument("--print-every", type=int, default=0, metavar="N", help="print the losses every N steps (0: never)")
    also.add_argument("--save-every", type=int, default=0, metavar="N", help="write the picture every N steps beside the output (0: never)")
    also.add_argument("--animation", type=Path, help="write the run as an animation: a .webp, .gif or .mp4 file")
    also.add_argument("--report", type=Path, help="write what the result measures as JSON: leak, layout_iou, style_distance, sharpness")
    parser.add_argument("--device", default="auto", help="auto (the best there is), cpu, gpu0, gpu1 ... (default: auto)")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="Balanced", help="named settings; single settings given beside it win (default: Balanced)")
    parser.add_argument("--version", action="version", version=__version__)
    settings = parser.add_argument_group("settings")
    for s in all_settings():
        default = f"(default: {s.default})"
        if s.several:
            settings.add_argument(s.flag, metavar="A,B,...", help=f"{s.help} Of {', '.join(s.choices)} {default}")
        elif s.choices:
            settings.add_argument(s.flag, choices=s.choices, help=f"{s.help} {default}")
        else:
            settings.add_argument(s.flag, type=s.kind, metavar="N", help=f"{s.help} {s.minimum:.10g} to {s.maximum:.10g} {default}")
    return parser


def named(text: str) -> Path:
    """A path; argparse words the error where there is no name at all."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: name a file, or a folder for several results")
    return Path(text)


def strengths(text: str) -> dict[str, float]:
    """skin=1.5,hair=0 as a dictionary; argparse words the error."""
    try:
        return {name.strip(): float(value) for name, value in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shortened(repr(text))} is not CLASS=NUMBER,CLASS=NUMBER") from None


def from_recipe(recipe: Recipe, name: str) -> Any:
    """The recipe's option of that name as the command line would have it. InputError where it is spoilt."""
    text = recipe.options.get(name)
    if not isinstance(text, str):
        raise InputError(f"the recipe's {name} is {shortened(repr(text))}, which is no text: give a picture that this program made")
    try:
        return strengths(text) if name == "strength" else text
    except argparse.ArgumentTypeError as error:
        raise InputError(f"the recipe's {name} cannot be read: {error}") from None


def settings_from(args: argparse.Namespace, recipe: Recipe | None = None) -> TransferSettings:
    """The recipe's or the preset's settings with those given on the command line in their place."""
    given = {s.name: getattr(args, s.name) for s in all_settings() if getattr(args, s.name) is not None}
    if args.start_image and "start" not in given:
        given["start"] = "image"
    return replace(recipe.settings if recipe else TransferSettings(**PRESETS[args.preset]), **given)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; the exit status: 0 done, 2 wrong input, 130 stopped by Ctrl-C (what there was is written)."""
    args = options().parse_args(arguments)
    try:
        return run(args)
    except InputError as error:
        return complain(error)
    except KeyboardInterrupt:
        print("stopped before the first picture: nothing was written", file=sys.stderr)
        return 130


def run(args: argparse.Namespace) -> int:
    """One content picture or none into a file, or several into a folder."""
    settings_from(args)  # a wrong setting is said before anything is opened
    for name in ("print_every", "save_every"):
        if getattr(args, name) < 0:
            raise InputError(f"{name.replace('_', ' ')} is {getattr(args, name)}: give a number of steps, or 0 for never")
    if args.face < 1:
        raise InputError(f"face is {args.face}: faces are counted from 1, the largest")
    contents = contents_in(args.content or [])
    several = len(contents) > 1 or contents != (args.content or []) or bool(contents) and os.path.isdir(args.output)
    if not several:
        args.content = contents[0] if contents else None
        check_outputs(args)
        return run_one(args, open_picture(args.style))
    for name in ("content_map", "start_image", "region", "recipe", "animation", "report"):
        if getattr(args, name):
            raise InputError(f"--{name.replace('_', '-')} belongs to one content picture, and there are {len(contents)}: leave it out, or run them one by one")
    return run_each(args, contents, open_picture(args.style))


def run_each(args: argparse.Namespace, contents: list[Path], style: Image.Image) -> int:
    """Each content by itself; one that fails is said in its red line, and the others still get theirs."""
    targets, keep, failed = targets_in(args.output, contents, args.style), remembering(style), 0
    for count, (content, target) in enumerate(zip(contents, targets), 1):
        print(f"{count} of {len(contents)}: {content.name}", file=sys.stderr)
        try:
            one = argparse.Namespace(**{**vars(args), "content": content, "output": target})
            check_outputs(one)
            if (status := run_one(one, style, keep)) == 130:
                return status
        except InputError as error:
            failed += 1
            complain(error if content.name in str(error) else InputError(f"{content.name}: {error}"))
        except KeyboardInterrupt:
            print(f"stopped: {count - 1 - failed} of {len(contents)} pictures are in {args.output}", file=sys.stderr)
            return 130
    print(f"{len(contents) - failed} of {len(contents)} pictures are in {args.output}", file=sys.stderr)
    return 2 if failed else 0


def check_outputs(args: argparse.Namespace) -> None:
    """InputError where a file that will be written cannot be, or two would be the same."""
    from facetransfer.animation import check_animation

    check_writable(args.output)
    if args.animation:
        check_animation(args.animation)
    if args.report:
        check_writable(args.report, ())
    maps = [path for path in map_outputs(args) if path] if args.save_maps else []
    for path in maps:
        check_writable(path)
    outputs = [path.absolute() for path in (args.output, args.animation, args.report, *maps) if path]
    if len(set(outputs)) < len(outputs):
        twice = next(path for path in outputs if outputs.count(path) > 1)
        raise InputError(f"two results would both be written to {twice}: give each a name of its own")


def map_outputs(args: argparse.Namespace) -> list[Path | None]:
    """Where --save-maps writes the maps of content and style."""
    return [path and args.output.with_name(f"{args.output.stem}_{path.stem}_sem.png") for path in (args.content or args.content_map, args.style)]


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


def run_one(args: argparse.Namespace, style: Image.Image, keep: Callable[[Parser], Parser] | None = None) -> int:
    """Reads, checks everything before any work, transfers, writes. `keep` is put around the parser."""
    settings, content = settings_from(args), args.content and open_picture(args.content)
    start, region = (path and open_picture(path) for path in (args.start_image, args.region))
    recipe = None
    if args.recipe:
        from facetransfer.recipe import read_recipe

        recipe = read_recipe(args.recipe)
        settings = settings_from(args, recipe)
        for name in ("into", "strength"):
            if getattr(args, name) is None and recipe.options.get(name):
                setattr(args, name, from_recipe(recipe, name))
    import numpy as np

    from facetransfer.devices import choose_device, shown
    from facetransfer.job import prepare

    device = choose_device(args.device)
    faces = find_faces(args, content, style, device, keep)
    asked = {"into": args.into or "", "strength": ",".join(f"{n}={v:.10g}" for n, v in (args.strength or {}).items()), "parser": args.parser, "face": args.face if args.face != 1 else ""}
    job = prepare(*faces, settings, place=args.into or "alone", strengths=args.strength, start=start, options=asked,
                  region=None if region is None else np.asarray(region.convert("L")) > 127)
    if recipe:
        same_inputs(recipe, job.recipe)
        print(f"in full: {command_of(args, job)}", file=sys.stderr)
    for note in job.notes:
        print(f"note: {note}", file=sys.stderr)
    if args.save_maps:
        for face, path in zip(faces, map_outputs(args)):
            if face is not None and face.semantic:
                face.semantic.save(path)
    print(f"{job.size[0]}x{job.size[1]} pixels on {shown(device)}", file=sys.stderr)
    return work(args, job, device)


def find_faces(args: argparse.Namespace, content: Image.Image | None, style: Image.Image, device: str,
               keep: Callable[[Parser], Parser] | None = None) -> tuple[Face | None, Face]:
    """Both pictures with their maps: given, lying beside them, or parsed; without maps with --parser none and none there."""
    from facetransfer.job import Face
    from segmentation.parsers import load_parser
    from segmentation.semantic_map import map_path, read_map, read_map_pair

    def beside(given: Path | None, picture: Path | None) -> Path | None:
        path = given or (picture and map_path(picture))
        return path if given or (path and os.path.exists(path)) else None  # False too where the name is too long for a file

    paths = [beside(args.content_map, args.content), beside(args.style_map, args.style)]
    parse = None if args.parser == "none" else load_parser(args.parser, device, args.parser_file and str(args.parser_file))
    if parse is not None and keep:
        parse = keep(parse)
    if content is None and not paths[0]:
        return None, Face.of(style)  # its texture
    if all(paths):
        maps = read_map_pair(*paths)
    elif parse is None and any(paths):
        raise InputError(f"only {next(filter(None, paths))} is there, and --parser none makes no other: give both maps or a parser")
    else:
        maps = tuple(read_map(path) if path else None for path in paths)
    faces = []
    for picture, semantic, name in zip((content, style), maps, (args.content, args.style)):
        if picture is None:
            faces.append(Face(None, semantic, None, semantic.frame()))
            continue
        face = Face.of(picture, semantic, parse, args.face if name is args.content else 1)
        if semantic is None and face.semantic and not face.frame:
            print(f"note: no face was found in {in_one_line(name.name)}: the map may be wrong; paint {in_one_line(name.stem)}_sem.png yourself, or use --parser none", file=sys.stderr)
        faces.append(face)
    return tuple(faces)


def same_inputs(recipe: Recipe, now: Recipe) -> None:
    """InputError where a picture or map is not the one that the recipe was written for."""
    for role, wanted in recipe.inputs.items():
        if now.inputs.get(role) != wanted:
            raise InputError(f"the {role} is not the one that the recipe was made with: give the same file, or leave --recipe out")


def work(args: argparse.Namespace, job: Job, device: str) -> int:
    """Transfers with a progress bar and writes the result; Ctrl-C writes the picture so far."""
    from tqdm import tqdm

    from facetransfer.animation import Animation
    from facetransfer.images import save_picture
    from facetransfer.job import result_picture

    began, step, status = time.monotonic(), None, 0
    film = Animation(args.animation, job.size) if args.animation else None
    with tqdm(total=1.0, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}") as bar:
        try:
            for count, step in enumerate(job.steps(device), 1):
                bar.set_description_str(f"phase {step.phase}/{step.phases}", refresh=False)
                bar.set_postfix_str(f"loss {sum(step.losses.values()):.4f}", refresh=False)
                bar.update(step.done - bar.n)
                if args.print_every and count % args.print_every == 0:
                    tqdm.write(f"{count}: " + "  ".join(f"{n} {v:.5f}" for n, v in step.losses.items()))
                if args.save_every and count % args.save_every == 0:
                    save_picture(result_picture(step, job.size), args.output.with_name(f"{args.output.stem}_{count:05d}{args.output.suffix}"))
                if film:
                    film.add(step)
        except KeyboardInterrupt:
            if step is None:
                raise
            status = 130
            print(f"stopped in phase {step.phase} of {step.phases}: the picture so far is written", file=sys.stderr)
    picture = result_picture(step, job.size)
    carried: dict[str, Any] = {"pnginfo": job.recipe.in_png()} if args.output.suffix.lower() == ".png" and not status else {}
    save_picture(job.placed(picture), args.output, **carried)
    if film:
        film.save()
    if args.report:
        write_report(args, job, picture, step, time.monotonic() - began, device)
    leak = "" if step.leak is None else f"  ({step.leak:.1%} of the patches come from another class)"
    print(f"{in_one_line(args.output)}{leak}")
    return status


def command_of(args: argparse.Namespace, job: Job) -> str:
    """The command line that makes the same, beside the pictures."""
    return in_one_line(job.recipe.command(*(p.name if p else "content.png" for p in (args.content, args.style, args.output))))


def write_report(args: argparse.Namespace, job: Job, picture: Image.Image, step: Step, seconds: float, device: str) -> None:
    """The numbers of the result as JSON."""
    from facetransfer.images import write_text
    from segmentation.parsers import load_parser

    parse = None if args.parser == "none" else load_parser(args.parser, device, args.parser_file and str(args.parser_file))
    report = job.report(picture, step.leak, parse)
    report |= {"seconds": round(seconds, 2), "losses": step.losses, "notes": job.notes, "command": command_of(args, job)}
    write_text(args.report, json.dumps(report, indent=1) + "\n")
