"""The command line: it reads and checks everything before it starts to work, transfers, and writes the
result. torch is imported only when it is needed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facetransfer.base.errors import InputError, complain, in_one_line
from facetransfer.base.images import check_writable, open_picture
from facetransfer.base.settings import PLACES
from facetransfer.base.terminal import exit_status, stoppable, unheard_is_fine
from facetransfer.cli.flags import options, settings_from

if TYPE_CHECKING:
    from PIL import Image

    from facetransfer.core.engine import Step
    from facetransfer.jobs.job import Job

FRAME = re.compile(r".*_\d{5,}")  # names of the pictures that --save-every writes
LAST_STEP = 99999  # the longest such name is checked before the run
FOR_ONE = (
    *("content_map", "start_image", "region", "recipe", "animation", "report", "output_size"),
    *("save_maps", "print_every", "save_every"),
)  # flags that only make sense with a single content picture


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line. Returns the exit status: 0 done; 1 some pairs of a batch failed; 2 wrong input;
    130 stopped by Ctrl-C and 143 by SIGTERM, after the picture so far was written.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["batch"]:
        from facetransfer.cli import batch

        args, command = batch.options().parse_args(words[1:]), batch.run
    elif words[:1] == ["film"]:
        from facetransfer.cli import film

        args, command = film.options().parse_args(words[1:]), film.run
    else:
        args, command = options().parse_args(words), run
    with unheard_is_fine(), stoppable():
        try:
            return command(args)
        except InputError as error:
            return complain(error)
        except KeyboardInterrupt as stopped:
            print("stopped before the first picture: no result was written", file=sys.stderr)
            return exit_status(stopped)


def run(args: argparse.Namespace) -> int:
    """Makes one result from one content picture or none, or several results in a folder."""
    check_numbers(args)
    contents = args.content or []
    if len(contents) > 1 or contents and (os.path.isdir(contents[0]) or os.path.isdir(args.output)):
        return run_several(args, contents)
    args.content = contents[0] if contents else None
    check_outputs(args)
    return run_one(args, open_picture(args.style))


def run_several(args: argparse.Namespace, contents: list[Path]) -> int:
    """Makes a batch of all contents with one style. Each result is a PNG with the name of its content, in the
    output folder.
    """
    from facetransfer.cli import batch

    for name in FOR_ONE:
        if getattr(args, name):
            raise InputError(
                f"--{name.replace('_', '-')} belongs to one content picture, and there are several: leave it "
                "out, or run them one by one"
            )
    if os.path.exists(args.output) and not os.path.isdir(args.output):
        raise InputError(
            f"{args.output} is a file: the results of several content pictures need a folder as output"
        )
    usual = vars(batch.options().parse_args(["--output", str(args.output / "{content}.png")]))
    given = {"contents": list(map(str, contents)), "styles": [str(args.style)], "output": usual["output"]}
    return batch.run(argparse.Namespace(**{**usual, **vars(args), **given, "report": None}))


def check_numbers(args: argparse.Namespace) -> None:
    """Raises InputError for a setting or number that is wrong, before any file is opened."""
    settings_from(args)
    for name in ("print_every", "save_every"):
        if getattr(args, name) < 0:
            raise InputError(
                f"{name.replace('_', ' ')} is {getattr(args, name)}: give a number of steps, or 0 for never"
            )
    if args.face is not None and args.face < 1:
        raise InputError(f"face is {args.face}: faces are counted from 1, the largest")


def check_outputs(args: argparse.Namespace) -> None:
    """Raises InputError where an output cannot be written, or where two outputs are the same file."""
    from facetransfer.jobs.animation import check_animation

    check_writable(args.output)
    if args.animation:
        check_animation(args.animation)
    if args.report:
        check_writable(args.report, ())
    maps = [path for path in map_outputs(args) if path] if args.save_maps else []
    frames = [on_the_way(args.output, LAST_STEP)] if args.save_every else []
    for path in (*maps, *frames):
        check_writable(path)
    outputs = [path for path in (args.output, args.animation, args.report, *maps, *frames) if path]
    for i, path in enumerate(outputs):
        if any(same_file(path, other) for other in outputs[:i]):
            raise InputError(f"two results would both be written to {path}: give each a name of its own")
    check_nothing_is_lost(args, outputs)


def check_nothing_is_lost(args: argparse.Namespace, outputs: list[Path]) -> None:
    """Raises InputError where an output would replace a file that is read, even under another name, through a
    link, or in other letters where the file system ignores case.

    The picture given with --start-image may be replaced by the result.
    """
    from segmentation.map_files import map_path

    beside = [map_path(path, args.semantic_ext) for path in (args.content, args.style) if path is not None]
    named = (args.content, args.style, args.content_map, args.style_map, args.region, args.parser_file)
    read = [path for path in (*named, args.recipe, *beside) if path]
    for output in outputs:
        for given in read:
            if same_file(output, given):
                raise InputError(
                    f"{output} is read, and would be replaced by a result: choose another name for the result"
                )
        if args.start_image and output is not args.output and same_file(output, args.start_image):
            raise InputError(f"{output} is the start image: choose another name for what is written")
    if args.save_every:
        for given in (*read, *filter(None, [args.start_image])):
            if FRAME.fullmatch(given.stem) and same_file(
                given.with_stem(args.output.stem), args.output.with_suffix(given.suffix)
            ):
                raise InputError(
                    f"{given} is read, and may be replaced by a picture on the way: choose another output"
                )


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths name the same file, which need not exist yet."""
    try:
        if os.path.exists(one) and os.path.exists(other):
            return os.path.samefile(one, other)
        return os.path.realpath(one) == os.path.realpath(other)
    except (OSError, ValueError):  # The system allows no file with such a name.
        return False


def map_outputs(args: argparse.Namespace) -> list[Path | None]:
    """The files to which --save-maps writes the maps of content and style."""
    return [
        path and args.output.with_name(f"{args.output.stem}_{path.stem}_sem.png")
        for path in (args.content or args.content_map, args.style)
    ]


def run_one(args: argparse.Namespace, style: Image.Image) -> int:
    """Makes one result."""
    from facetransfer.base.devices import shown
    from facetransfer.jobs.job import map_of
    from facetransfer.jobs.time_estimate import expected_seconds, in_words

    content = args.content and open_picture(args.content)
    job, device = made_ready(args, content, style)
    for note in job.notes:
        print(f"note: {in_one_line(note)}", file=sys.stderr)
    if args.recipe:
        print(f"in full: {in_one_line(command_of(args, job))}", file=sys.stderr)
    if args.save_maps:
        for semantic, path in zip(map(map_of, job.whole), map_outputs(args)):
            if semantic and path:
                semantic.save(path)
    time_here = in_words(expected_seconds(job.settings, job.size, device))
    print(f"{job.size[0]}x{job.size[1]} pixels on {shown(device)}, {time_here}", file=sys.stderr)
    return work(args, job, device)


def made_ready(
    args: argparse.Namespace,
    content: Image.Image | None,
    style: Image.Image,
) -> tuple[Job, str]:
    """The job that the command line asks for, and the device that it runs on."""
    import numpy as np

    from facetransfer.base.devices import choose_device
    from facetransfer.cli import inputs as reading
    from facetransfer.jobs.job import prepare
    from facetransfer.jobs.recipe import options_of, read_recipe

    start, region = (path and open_picture(path) for path in (args.start_image, args.region))
    recipe = read_recipe(args.recipe) if args.recipe else None
    if recipe:
        reading.restore(args, recipe)
    settings, device = settings_from(args, recipe), choose_device(args.device)
    parse = reading.parser_of(args, device)
    faces = reading.find_faces(args, content, style, parse)
    asked = options_of(
        args.into or PLACES[0],
        args.strength or {},
        args.parser or "compact",
        args.face or 1,
        args.output_size,
    )
    job = prepare(
        *faces,
        settings,
        place=args.into or PLACES[0],
        strengths=args.strength,
        start=start,
        options=asked,
        region=None if region is None else np.asarray(region.convert("L")) > 127,
        canvas=args.output_size,
    )
    if recipe:
        job.notes.extend(reading.check_same(recipe, job.recipe))
    return job, device


def work(args: argparse.Namespace, job: Job, device: str) -> int:
    """Runs the job, and writes the result and the other files that were asked for. Ctrl-C ends the run early
    and writes the picture so far.
    """
    from facetransfer.jobs.animation import Animation
    from facetransfer.jobs.job import result_picture

    began, step, status = time.monotonic(), None, 0
    film = Animation(args.animation, job.size) if args.animation else None
    try:
        for count, step in enumerate(with_progress(job.steps(device), args.print_every), 1):
            if args.save_every and count % args.save_every == 0:
                save_on_the_way(args, job, step, count)
            if film:
                film.add(step)
    except KeyboardInterrupt as stopped:
        if step is None:
            raise
        status = exit_status(stopped)
        print(
            f"stopped in phase {step.phase} of {step.phases}: the picture so far is written", file=sys.stderr
        )
    assert step is not None
    picture = result_picture(step, job.size)
    save_result(args, job, picture, whole=not status)
    if film:
        film.save()
    if args.report:
        write_report(args, job, picture, step, time.monotonic() - began, device)
    leak = "" if step.leak is None else f"  ({step.leak:.1%} of the patches come from another class)"
    print(f"{in_one_line(args.output)}{leak}")
    return status


def with_progress(steps: Iterator[Step], print_every: int) -> Iterator[Step]:
    """The steps, with a progress bar on stderr, and with the losses on stdout after every `print_every`
    steps.
    """
    from tqdm import tqdm

    shown = 0.0
    with tqdm(total=1.0, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}") as bar:
        for count, step in enumerate(steps, 1):
            if (
                step.done == 1 or time.monotonic() - shown >= bar.mininterval
            ):  # Reading the losses waits for the GPU, so it is not done at every step.
                bar.set_description_str(f"phase {step.phase}/{step.phases}", refresh=False)
                bar.set_postfix_str(f"loss {sum(step.losses.values()):.4f}", refresh=False)
                shown = time.monotonic()
            bar.update(step.done - bar.n)
            if print_every and count % print_every == 0:
                tqdm.write(
                    f"{count}: " + "  ".join(f"{name} {value:.5f}" for name, value in step.losses.items())
                )
            yield step


def save_on_the_way(args: argparse.Namespace, job: Job, step: Step, count: int) -> None:
    """Writes the picture after that many steps beside the output."""
    from facetransfer.base.images import save_picture
    from facetransfer.jobs.job import result_picture

    save_picture(result_picture(step, job.size), on_the_way(args.output, count))


def on_the_way(output: Path, count: int) -> Path:
    """The file for the picture after that many steps."""
    return output.with_name(f"{output.stem}_{count:05d}{output.suffix}")


def save_result(args: argparse.Namespace, job: Job, picture: Image.Image, whole: bool) -> None:
    """Writes the result in its place. A PNG of a complete run carries its recipe."""
    from facetransfer.base.images import save_picture

    carried: dict[str, Any] = (
        {"pnginfo": job.recipe.in_png()} if args.output.suffix.lower() == ".png" and whole else {}
    )
    save_picture(job.placed(picture), args.output, **carried)


def command_of(args: argparse.Namespace, job: Job) -> str:
    """The command line that makes the same result, with the names of the files that were given."""
    files = {
        name: path.name
        for name in (
            "content",
            "style",
            "content_map",
            "style_map",
            "start_image",
            "region",
            "parser_file",
            "output",
        )
        if (path := getattr(args, name))
    }
    return job.recipe.command(files)


def write_report(
    args: argparse.Namespace, job: Job, picture: Image.Image, step: Step, seconds: float, device: str
) -> None:
    """Writes the measurements of the result as JSON."""
    from facetransfer.base.images import write_json
    from facetransfer.cli import inputs as reading

    report = job.report(picture, step, reading.parser_of(args, device))
    report |= {
        "seconds": round(seconds, 2),
        "losses": dict(step.losses),
        "notes": job.notes,
        "command": command_of(args, job),
    }
    write_json(args.report, report)
