"""Many pairs, one after another. A batch can be stopped, killed or repeated at any moment.

The results themselves say what is done: a pair is not made again where its result exists and the recipe in it
names the same pictures, maps, settings and options. The log, `run.jsonl` beside the results, records what
became of each pair. Only its failures are read again, so that a pair that failed is not tried in each call.
"""

from __future__ import annotations

import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facetransfer import __version__
from facetransfer.base.errors import DiskFullError, InputError
from facetransfer.base.images import as_json, check_writable, not_written, open_picture, save_picture
from facetransfer.jobs.face import Face
from facetransfer.jobs.face_files import face_of, map_file, read_maps
from facetransfer.jobs.job import prepare, result_picture
from facetransfer.jobs.pairs import Pair
from facetransfer.jobs.recipe import Recipe, carried_recipe, fingerprint, options_of
from segmentation import MAP_ENDING
from segmentation.parsers import load_parser
from segmentation.semantic_map import SemanticMap

KEPT_BYTES = 1_000_000_000  # memory for pictures and maps that later pairs may use again
LOG = "run.jsonl"
MADE, THERE, FAILED, PASSED_OVER = "made", "there", "failed", "passed over"


@dataclass(frozen=True)
class Outcome:
    """What became of a pair.

    state: MADE; THERE, where the same result existed already; FAILED; or PASSED_OVER, where the pair failed
    in an earlier call with the same files and settings. inputs: sha256 of the pictures and maps by role.
    seconds: time spent on this pair. report: the measurements of the result, see `Job.report`.
    """

    pair: Pair
    state: str
    inputs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    report: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    error: str = ""

    def as_line(self) -> dict[str, Any]:
        """The line of the log, as values for JSON. Files are named as they were given."""
        return {
            "content": str(self.pair.content),
            "style": str(self.pair.style),
            "output": str(self.pair.output),
            "state": self.state,
            "asked": asked(self.pair),
            "inputs": self.inputs,
            "seconds": round(self.seconds, 3),
            "report": self.report,
            "notes": self.notes,
            "error": self.error,
        }


def asked(pair: Pair) -> str:
    """A fingerprint of everything that was asked for in a pair, by which an earlier failure is recognised."""
    files = (pair.content, pair.style, pair.content_map, pair.style_map)
    stamps = [str(path and _stamp(path)) for path in files]
    words = (repr(pair.settings), pair.place, repr(sorted(pair.strengths.items())), str(pair.face))
    return fingerprint(np.frombuffer("\n".join((*stamps, *words, __version__)).encode(), np.uint8))[:16]


def _stamp(path: Path) -> tuple[str, int, int]:
    """What identifies the state of a file without reading it: path, time of change and length."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.abspath(path), 0, 0
    return os.path.abspath(path), found.st_mtime_ns, found.st_size


class PairMaker:
    """Makes pairs. Networks stay loaded between them, and pictures and maps are kept up to KEPT_BYTES.

    parser, parser_file: see `load_parser`; with "none" only maps that lie beside the pictures are used.
    map_ending: what follows a picture's name in the name of its map. report: whether results are measured.
    tell: called after each step with the share of the pair's work that is done.
    """

    def __init__(
        self,
        parser: str = "compact",
        parser_file: str | None = None,
        device: str = "cpu",
        map_ending: str = MAP_ENDING,
        report: bool = True,
        tell: Callable[[float], None] = lambda share: None,
    ) -> None:
        self.parser, self.device, self.map_ending, self.report = parser, device, map_ending, report
        self.tell = tell
        self.parse = None if parser == "none" else load_parser(parser, device, parser_file)
        self._kept: OrderedDict[tuple[Any, ...], tuple[Any, int]] = OrderedDict()

    def make(self, pair: Pair) -> Outcome:
        """Makes the result of a pair and writes its file. Every failure is reported in the outcome, except
        for a full disk, which raises DiskFullError.
        """
        began = time.monotonic()
        try:
            if pair.problem:
                raise InputError(pair.problem)
            outcome = self._made(pair)
        except DiskFullError:
            raise
        except InputError as error:
            outcome = Outcome(pair, FAILED, error=str(error))
        except MemoryError:
            outcome = Outcome(pair, FAILED, error="there is too little memory: give a smaller size")
        return replace(outcome, seconds=time.monotonic() - began)

    def _made(self, pair: Pair) -> Outcome:
        maps = [
            map_file(pair.content_map, pair.content, self.map_ending),
            map_file(pair.style_map, pair.style, self.map_ending),
        ]
        wanted = self._recipe(pair, maps)
        if (found := self._found(pair, wanted)) is not None:
            return Outcome(pair, THERE, found.inputs)
        check_writable(pair.output)
        content, style, notes = self._faces(pair, maps)
        job = prepare(
            content,
            style,
            pair.settings,
            place=pair.place,
            strengths=pair.strengths,
            options=wanted.options,
        )
        step = None
        for step in job.steps(self.device):
            self.tell(step.done)
        assert step is not None
        picture = result_picture(step, job.size)
        report = job.report(picture, step, self.parse) if self.report else {}
        save_picture(job.placed(picture), pair.output, pnginfo=job.recipe.in_png())
        return Outcome(pair, MADE, job.recipe.inputs, report=report, notes=notes + job.notes)

    def _recipe(self, pair: Pair, maps: list[Path | None]) -> Recipe:
        """The recipe of the result, as far as it is known before a parser has made any map."""
        inputs = {"content": self._picture(pair.content)[1], "style": self._picture(pair.style)[1]}
        if any(maps):
            for role, semantic in zip(("content map", "style map"), self._maps(maps)):
                if semantic is not None:
                    inputs[role] = fingerprint(semantic.labels)
        options = options_of(pair.place, pair.strengths, self.parser, pair.face)
        return Recipe(pair.settings, inputs, options, {"facetransfer": __version__})

    def _found(self, pair: Pair, wanted: Recipe) -> Recipe | None:
        """The recipe of the existing result, if it belongs to this very pair; None where there is no result,
        or one of other settings. Raises InputError where the existing file must not be replaced.
        """
        if not os.path.lexists(pair.output):
            return None
        found = carried_recipe(pair.output)
        if found is None:
            raise InputError(
                f"{pair.output} is there and carries no recipe, so it may not be ours to replace: move it "
                "away, or choose another output"
            )
        for role in ("content", "style"):
            if found.inputs.get(role) != wanted.inputs[role]:
                raise InputError(
                    f"{pair.output} is the result of another {role} picture: move it away, or choose another "
                    "output"
                )
        same = (
            found.settings == wanted.settings
            and not found.retired
            and found.options == wanted.options
            and found.versions.get("facetransfer") == __version__
            and wanted.inputs.items() <= found.inputs.items()
        )
        return found if same else None

    def _picture(self, path: Path) -> tuple[Image.Image, str]:
        """A picture and its fingerprint."""

        def read() -> tuple[Image.Image, str]:
            picture = open_picture(path)
            return picture, fingerprint(np.asarray(picture))

        return self._remembered(("picture", _stamp(path)), read)

    def _maps(self, maps: list[Path | None]) -> tuple[Any, Any]:
        key = ("maps", *(path and _stamp(path) for path in maps))
        return self._remembered(key, lambda: read_maps(maps[0], maps[1], self.parse)[:2])

    def _faces(self, pair: Pair, maps: list[Path | None]) -> tuple[Face, Face, list[str]]:
        """The faces of content and style, and notes on how they were read."""
        given = self._maps(maps)
        content, notes = self._face(pair.content, given[0], pair.face)
        style, more = self._face(pair.style, given[1], 1)
        return content, style, notes + more

    def _face(self, path: Path, semantic: SemanticMap | None, number: int) -> tuple[Face, list[str]]:
        picture = self._picture(path)[0]
        if semantic is not None:
            return face_of(picture, semantic, path, self.parse, number)
        key = ("face", _stamp(path), number)
        return self._remembered(key, lambda: face_of(picture, None, path, self.parse, number))

    def _remembered(self, key: tuple[Any, ...], make: Any) -> Any:
        """The value that `make` returns, kept for the next call with the same key. Where there is no room
        left, the values that were used longest ago are dropped first.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        value = make()
        self._kept[key] = value, _bytes_of(value)
        while len(self._kept) > 1 and sum(size for _, size in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        return value


def _bytes_of(value: Any) -> int:
    """Roughly how much memory a picture, a map, a face, or several of them take."""
    if isinstance(value, (tuple, list)):
        return sum(map(_bytes_of, value))
    if isinstance(value, Image.Image):
        return value.width * value.height * 3
    if isinstance(value, Face):
        return _bytes_of(value.semantic)  # The picture has an entry of its own.
    return value.labels.nbytes if hasattr(value, "labels") else 0


class RunLog:
    """The log of a batch: one line for each pair, written as soon as its outcome is known."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, outcome: Outcome) -> None:
        """Appends the outcome to the log at once. Raises DiskFullError where the disk is full, and InputError
        where the log cannot be written.
        """
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(as_json(outcome.as_line(), indent=None) + "\n")
        except OSError as error:
            raise not_written(self.path, error) from None

    def lines(self) -> list[dict[str, Any]]:
        """All complete lines. The last one is left out where the process was killed while writing it."""
        found = []
        if self.path.exists():
            for line in self.path.read_text("utf-8", "replace").splitlines():
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue
        return [line for line in found if isinstance(line, dict)]

    def failures(self) -> dict[str, str]:
        """The error of each pair that failed the last time it was tried, by the fingerprint of what was
        asked.
        """
        failed: dict[str, str] = {}
        for line in self.lines():
            key = str(line.get("asked"))
            failed.pop(key, None)
            if line.get("state") == FAILED:
                failed[key] = str(line.get("error"))
        return failed


def run_batch(
    pairs: Sequence[Pair], maker: PairMaker, log: RunLog, retry_failed: bool = False
) -> Iterator[Outcome]:
    """Yields the outcome of each pair in order and writes it to the log. Raises DiskFullError where the disk
    is full: finished results are kept, and the same call goes on from there.
    """
    failures = {} if retry_failed else log.failures()
    for pair in pairs:
        if (error := failures.get(asked(pair))) is not None:
            yield Outcome(pair, PASSED_OVER, error=error)
            continue
        outcome = maker.make(pair)
        if outcome.state != THERE:
            log.add(outcome)
        yield outcome
