"""`facetransfer batch`: many contents and many styles in one call, which can be stopped and continued."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from facetransfer.base.devices import choose_device
from facetransfer.base.errors import DiskFullError, InputError, complain, in_one_line
from facetransfer.base.images import check_writable, make_folder, write_json
from facetransfer.base.settings import PLACES
from facetransfer.base.terminal import exit_status
from facetransfer.cli.flags import add_advanced, add_looks, add_maps, settings_from
from facetransfer.jobs.batch import PASSED_OVER, THERE, Outcome, PairMaker, RunLog, asked, run_batch
from facetransfer.jobs.contact_sheet import batch_report, write_contact_sheet
from facetransfer.jobs.pairs import (
    FIELDS,
    Pair,
    as_template,
    base_folder,
    listed,
    pictures_in,
    product,
    shard,
    with_outputs,
    zipped,
)

WATCH_EVERY = 2.0  # seconds after which the folders are searched for new pictures again
TOLD = 20  # failures that are listed at the end; the log has all of them
FAILED_STATUS = 1  # exit status where some pairs could not be made


def options() -> argparse.ArgumentParser:
    """The parser of `facetransfer batch`."""
    parser = argparse.ArgumentParser(
        prog="facetransfer batch",
        usage="facetransfer batch --contents FOLDER --styles FOLDER --output FOLDER [more, see below]",
        description="Makes many pairs. A result that is there already, from the same pictures and settings, "
        "is not made again: the same call goes on where it was stopped.",
    )
    group = parser.add_argument_group("pictures")
    group.add_argument(
        "--contents",
        nargs="+",
        metavar="FILE",
        help="files, folders, patterns like 'a/*.jpg', or .txt lists",
    )
    group.add_argument("--styles", nargs="+", metavar="FILE", help="likewise")
    group.add_argument(
        "--pairs",
        default="product",
        metavar="HOW",
        help="product: every content with every style; zip: the first with the first, and so on; or a CSV or "
        "JSONL file with a line for each pair: content, style and, where wanted, output, content_map, "
        "style_map, into, strength, face, preset and any setting (default: product)",
    )
    group.add_argument(
        "--output",
        required=True,
        metavar="NAME",
        help="a folder, or a name ending with .png that has some of these in it: "
        + ", ".join(f"{{{name}}}" for name in FIELDS),
    )
    group = parser.add_argument_group("going on")
    group.add_argument("--retry-failed", action="store_true", help="try again what failed in an earlier call")
    group.add_argument(
        "--watch", action="store_true", help="look for new pictures until it is stopped by Ctrl-C"
    )
    group.add_argument(
        "--shard", type=_shard, metavar="K/N", help="make the K-th of N parts: for many machines, one folder"
    )
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="work on a Ray cluster: its address, or auto for the one that this machine belongs to, or for "
        "this machine alone",
    )
    group = parser.add_argument_group("beside the results")
    group.add_argument("--sheet", type=Path, metavar="FILE.html", help="write a page with all results")
    group.add_argument("--report", type=Path, metavar="FILE.json", help="write all numbers as JSON")
    group.add_argument("--no-numbers", action="store_true", help="do not measure the results")
    add_looks(parser.add_argument_group("how the results look"))
    add_maps(parser.add_argument_group("semantic maps"))
    add_advanced(parser)
    return parser


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a part like 3/8")
    return int(found[1]), int(found[2])


def run(args: argparse.Namespace) -> int:
    """Makes the batch that the command line asks for. Returns the exit status."""
    like = Pair(
        Path(),
        Path(),
        settings=settings_from(args),
        style_map=getattr(args, "style_map", None),  # Only the command without a subcommand has this flag.
        place=args.into or PLACES[0],
        strengths=args.strength or {},
        face=args.face or 1,
        preset=args.preset,
    )
    template = as_template(args.output)
    for path, ending in ((args.sheet, ".html"), (args.report, ".json")):
        if path:
            check_writable(path, (ending,))
    pairs, notes = pairs_of(args, like, template)
    for note in notes:
        print(f"note: {in_one_line(note)}", file=sys.stderr)
    name = f"run-{args.shard[0]}-of-{args.shard[1]}.jsonl" if args.shard else "run.jsonl"
    folder = base_folder(template)
    make_folders(folder, pairs)
    log = RunLog(folder / name)
    status = make_pairs(
        outcomes(args, pairs, log, lambda: pairs_of(args, like, template)[0]), len(pairs), folder, args.watch
    )
    if args.sheet:
        write_contact_sheet(args.sheet, pairs, log)
    if args.report:
        write_json(args.report, batch_report(pairs, log))
    return status


def pairs_of(args: argparse.Namespace, like: Pair, template: str) -> tuple[list[Pair], list[str]]:
    """The pairs that exist now, and notes on what was left out."""
    notes: list[str] = []
    if args.pairs in ("product", "zip"):
        if not args.contents or not args.styles:
            raise InputError("--contents and --styles are needed: name files, folders, patterns or lists")
        contents, notes = pictures_in(args.contents, args.semantic_ext)
        styles, more = pictures_in(args.styles, args.semantic_ext)
        notes += more
        pairs = (product if args.pairs == "product" else zipped)(contents, styles, like)
    else:
        if args.contents or args.styles:
            raise InputError("a list of pairs names its pictures: leave --contents and --styles out")
        pairs = listed(Path(args.pairs), like)
    pairs = with_outputs(pairs, template)
    return (shard(pairs, *args.shard) if args.shard else pairs), notes


def make_folders(folder: Path, pairs: Sequence[Pair]) -> None:
    """Makes the folders for the results. Raises InputError where one cannot be made or written to."""
    folders = {pair.output.parent for pair in pairs if not pair.problem} | {folder}
    for each in sorted(folders):
        make_folder(each)
        check_writable(each / "run.jsonl", ())


def outcomes(
    args: argparse.Namespace, pairs: list[Pair], log: RunLog, again: Callable[[], list[Pair]]
) -> Iterator[Outcome]:
    """The outcome of each pair, made on this machine or on a cluster. With --watch, also of pairs that appear
    later.
    """
    device = choose_device(args.device)
    options = dict(
        parser=args.parser or "compact",
        parser_file=args.parser_file and str(args.parser_file),
        device=device,
        map_ending=args.semantic_ext,
        report=not args.no_numbers,
    )
    if args.ray:
        from facetransfer.jobs.cluster import run_on_ray

        yield from run_on_ray(pairs, options, log, args.ray, args.retry_failed)
        return
    maker = PairMaker(**options)
    yield from run_batch(pairs, maker, log, args.retry_failed)
    known = {asked(pair) for pair in pairs}
    while args.watch:
        time.sleep(WATCH_EVERY)
        new = [pair for pair in again() if asked(pair) not in known and _is_settled(pair)]
        known |= {asked(pair) for pair in new}
        yield from run_batch(new, maker, log)


def _is_settled(pair: Pair) -> bool:
    """Whether the pair's pictures have not changed in the last moments; a file that is still being copied is
    not complete.
    """
    files = [path for path in (pair.content, pair.style) if path.exists()]
    return all(time.time() - path.stat().st_mtime > WATCH_EVERY for path in files)


def make_pairs(made: Iterator[Outcome], count: int, folder: Path, endless: bool = False) -> int:
    """Goes through the outcomes of `count` pairs, or of an unlimited number, shows the progress, and prints a
    summary at the end. Returns the exit status.
    """
    counts: Counter[str] = Counter()
    failed: list[Outcome] = []
    status = 0
    try:
        for outcome in with_progress(made, count):
            counts[outcome.state] += 1
            if outcome.error:
                failed.append(outcome)
    except KeyboardInterrupt as stopped:
        status = exit_status(stopped)
    except DiskFullError as error:
        status = complain(error)
    left = count - sum(counts.values())
    words = ", ".join(f"{number} {state}" for state, number in counts.items()) or "nothing was made"
    going_on = f"; {left} are left, and the same command goes on" if left > 0 else ""
    print(f"{in_one_line(folder)}: {words}{going_on}", file=sys.stderr)
    for outcome in failed[:TOLD]:
        print(f"  {in_one_line(outcome.pair.name)}: {in_one_line(outcome.error)}", file=sys.stderr)
    if len(failed) > TOLD:
        print(f"  and {len(failed) - TOLD} more, see {in_one_line(folder / 'run.jsonl')}", file=sys.stderr)
    return status or (FAILED_STATUS if failed else 0)


def with_progress(made: Iterator[Outcome], count: int) -> Iterator[Outcome]:
    """The outcomes, with a progress bar on stderr that counts only pairs that have to be made."""
    from tqdm import tqdm

    with tqdm(total=count, unit="pair") as bar:
        for outcome in made:
            if outcome.state in (THERE, PASSED_OVER):
                bar.total = max(0, bar.total - 1)
                bar.refresh()
            else:
                bar.total = max(bar.total, bar.n + 1)
                bar.set_postfix_str(in_one_line(outcome.pair.name)[:60], refresh=False)
                bar.update()
            yield outcome
