"""`facetransfer film`: a clip, or a folder of frames, in a style's skin; its strokes stick to the face."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from facetransfer.base.devices import choose_device
from facetransfer.base.errors import InputError, complain, in_one_line
from facetransfer.base.images import check_writable, open_picture
from facetransfer.base.settings import PLACES
from facetransfer.base.terminal import exit_status
from facetransfer.cli.flags import add_advanced, add_looks, add_maps, settings_from
from facetransfer.jobs.face_files import face_of, map_file
from facetransfer.jobs.film import COHERENCE, FilmMaker, Keyframe
from facetransfer.jobs.film_files import CODECS, open_clip, takes_sound
from facetransfer.jobs.film_run import FilmRun, is_file, room_for
from segmentation.map_files import read_map
from segmentation.parsers import load_parser

FAILED_STATUS = 1  # exit status where the clip is cut short


def options() -> argparse.ArgumentParser:
    """The parser of `facetransfer film`."""
    parser = argparse.ArgumentParser(
        prog="facetransfer film",
        usage="facetransfer film CLIP --style FILE --output FILE [more, see below]",
        description="Makes a film in the skin of a style picture. Frames that are done are kept beside the "
        "output until it is whole: the same call goes on where it was stopped.",
    )
    group = parser.add_argument_group("films")
    group.add_argument("clip", type=Path, help="a film, or a folder of frames, by name")
    group.add_argument("--style", type=Path, help="the picture whose skin is taken")
    group.add_argument(
        "--keyframe",
        action="append",
        default=[],
        type=_keyframe,
        metavar="N=FILE",
        help="the frame of that number, from 0, as you painted it: the frames around it take their strokes "
        "from it; may be given several times, and instead of a style",
    )
    group.add_argument(
        "--output",
        type=Path,
        required=True,
        help=f"the file that is written, ending with {', '.join(CODECS)}, or a folder for frames",
    )
    group.add_argument("--frames", type=int, metavar="N", help="no more than the first N frames")
    group.add_argument(
        "--coherence-in-time",
        type=float,
        default=COHERENCE,
        metavar="N",
        help="how much a frame keeps to the one before it, from 0 (not at all) to 1 "
        f"(default: {COHERENCE:g})",
    )
    group.add_argument(
        "--style-map", type=Path, help="semantic map of the style (default: NAME_sem.png beside it, if there)"
    )
    group.add_argument(
        "--ray", metavar="ADDRESS", help="make the scenes on a Ray cluster: its address, or auto"
    )
    add_looks(parser.add_argument_group("how the results look"))
    add_maps(parser.add_argument_group("semantic maps"))
    add_advanced(parser)
    return parser


def _keyframe(text: str) -> tuple[int, Path]:
    number, _, path = text.partition("=")
    if not number.isdecimal() or not path:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is not like 120=painted.png")
    return int(number), Path(path)


def run(args: argparse.Namespace) -> int:
    """Makes the film that the command line asks for. Returns the exit status."""
    check(args)
    clip = open_clip(args.clip)
    film = FilmRun(clip, maker_of(args, clip), args.output, args.frames)
    folder = film.folder if film.folder.exists() else film.folder.parent
    size = film.maker.size_of(next(clip.frames())[1])
    for note in notes_on(args, clip, room_for(clip, size, folder)):
        print(f"note: {in_one_line(note)}", file=sys.stderr)
    progress = None
    try:
        for progress in with_progress(args, film):
            pass
        film.finish()
    except KeyboardInterrupt as stopped:
        done = f"{progress.done} of {progress.total} frames are done" if progress else "no frame is done"
        print(f"stopped: {done}; the same command goes on", file=sys.stderr)
        return exit_status(stopped)
    if progress and progress.without_face:
        print(f"note: {progress.without_face} of {progress.total} frames show no face", file=sys.stderr)
    print(in_one_line(args.output))
    if film.broken:
        complain(InputError(f"{film.broken}: what came before is in the output"))
        return FAILED_STATUS
    return 0


def check(args: argparse.Namespace) -> None:
    """Raises InputError for whatever can be seen to be wrong before any file is opened or made."""
    if args.into not in (None, PLACES[0]):
        raise InputError("a film goes nowhere but on its own: leave --into out")
    if args.face is not None:
        raise InputError("a film follows the largest face of its first frame: leave --face out")
    if args.style is None and not args.keyframe:
        raise InputError("there is no style: give --style, or --keyframe N=FILE")
    if args.frames is not None and args.frames < 1:
        raise InputError(f"frames is {args.frames}: give how many, from 1 on")
    if args.parser == "none":
        raise InputError("the maps of a film's frames are made by a parser: choose one, not none")
    if is_file(args.output):
        check_writable(args.output, tuple(CODECS))
    elif args.output.suffix:
        raise InputError(
            f"{args.output.name} ends with none of {', '.join(CODECS)}: name a film, or a folder for frames"
        )
    elif args.output.exists() and not args.output.is_dir():
        raise InputError(f"{args.output} is a file: name a folder for frames")
    for path in (args.clip, args.style, *(path for _, path in args.keyframe)):
        if path and path.exists() and args.output.exists() and path.samefile(args.output):
            raise InputError(f"{args.output} is read, and would be replaced by the film: choose another name")


def maker_of(args: argparse.Namespace, clip: Any) -> FilmMaker:
    """The maker of the frames, with all style pictures read."""
    device = choose_device(args.device)
    parse = load_parser(args.parser or "compact", device, args.parser_file and str(args.parser_file))
    keyframes = []
    if args.style:
        file = map_file(args.style_map, args.style, args.semantic_ext)
        semantic = read_map(file) if file else None
        face, notes = face_of(open_picture(args.style), semantic, args.style, parse)
        for note in notes:
            print(f"note: {in_one_line(note)}", file=sys.stderr)
        keyframes.append(Keyframe(0, face))
    for number, path in args.keyframe:
        frame = next((frame for i, (_, frame) in enumerate(clip.frames()) if i == number), None)
        if frame is None:
            raise InputError(f"there is no frame {number} in {clip.path.name}: they are counted from 0")
        painted = open_picture(path)
        if abs(painted.width / painted.height - frame.width / frame.height) > 0.02:
            raise InputError(
                f"{path.name} has another shape ({painted.width}x{painted.height}) than frame {number} "
                f"({frame.width}x{frame.height}), which it is painted over"
            )
        # The map is made from the frame itself, because painted strokes may confuse the parser.
        known = face_of(frame.resize(painted.size), None, args.clip, parse)[0]
        keyframes.append(Keyframe(number, replace(known, picture=painted), own=True))
    return FilmMaker(keyframes, settings_from(args), parse, args.strength, args.coherence_in_time, device)


def notes_on(args: argparse.Namespace, clip: Any, room: str) -> list[str]:
    """What a person should know before the film is made."""
    notes = [room] if room else []
    if clip.sound and is_file(args.output) and not takes_sound(clip, args.output.suffix.lower()):
        notes.append(
            f"a {args.output.suffix} file cannot hold the clip's sound as it is: choose .mkv to keep it"
        )
    return notes


def with_progress(args: argparse.Namespace, film: FilmRun) -> Any:
    """The progress of the film, with a bar on stderr."""
    from tqdm import tqdm

    if args.ray:
        from facetransfer.jobs.cluster import film_on_ray

        steps = film_on_ray(film, args.ray)
    else:
        steps = film.run()
    with tqdm(total=film.clip.count or None, unit="frame") as bar:
        for step in steps:
            bar.total = step.total
            if (
                step.picture is None
            ):  # Frames of an earlier call must not count in the estimate of the remaining time.
                bar.initial = bar.n = step.done
            bar.update(step.done - bar.n)
            yield step
