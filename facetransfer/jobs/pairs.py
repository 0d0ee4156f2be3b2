"""The pairs of a batch: which content gets which style, with what settings, and where the result goes."""

from __future__ import annotations

import csv
import glob
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Formatter
from typing import Any

from PIL import Image

from facetransfer.base.errors import InputError, shortened
from facetransfer.base.images import FORMATS, readable_file
from facetransfer.base.settings import PLACES, PRESETS, Setting, TransferSettings, all_settings
from facetransfer.jobs.class_weights import checked_strengths, parse_strengths
from segmentation import MAP_ENDING

FIELDS = (
    "content",
    "style",
    "preset",
    "size",
    "seed",
    "likeness",
)  # that an output's name may have in braces
LISTS = (".txt", ".lst")  # endings of a file that names a picture in each line
DEFAULT_NAME = "{content}--{style}.png"


@dataclass(frozen=True)
class Pair:
    """A content file and a style file, with everything else that their result depends on.

    place: one of PLACES. strengths: by class name, see `class_weights`. face: which face of the content,
    counted from 1, the largest. preset: the name of the settings, used only in file names and tables.
    problem: an error in the list that the pair comes from; empty where there is none.
    """

    content: Path
    style: Path
    output: Path = Path()
    settings: TransferSettings = TransferSettings()
    content_map: Path | None = None
    style_map: Path | None = None
    place: str = PLACES[0]
    strengths: dict[str, float] = field(default_factory=dict)
    face: int = 1
    preset: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """A short name of the pair for messages."""
        return f"{self.content.name} in the skin of {self.style.name}"


def pictures_in(given: Sequence[str], map_ending: str = MAP_ENDING) -> tuple[list[Path], list[str]]:
    """The pictures that are named by files, folders, patterns like `faces/**/*.jpg` and lists (.txt), each
    once, and notes on what was left out.

    A folder stands for all pictures directly in it, sorted by name, without hidden files and maps. Raises
    InputError where a folder, a pattern or a list names no picture.
    """
    found: list[Path] = []
    notes: list[str] = []
    for text in given:
        path = Path(text)
        if os.path.isdir(path):
            inside = _in_folder(path, map_ending, notes)
        elif not os.path.exists(path) and glob.has_magic(text):
            inside = [
                each for each in sorted(map(Path, glob.glob(text, recursive=True))) if _is_picture(each)
            ]
            inside = [each for each in inside if not _is_map(each, map_ending)]
        elif path.suffix.lower() in LISTS:
            inside = [path.parent / line for line in _lines(path)]
        else:
            inside = [path]
        if not inside:
            raise InputError(f"there is no picture in {text}: give files, folders, patterns or lists of them")
        found += inside
    return list(dict.fromkeys(found)), notes


def _in_folder(folder: Path, map_ending: str, notes: list[str]) -> list[Path]:
    inside = sorted(folder.iterdir())
    pictures = [path for path in inside if _is_picture(path) and not _is_map(path, map_ending)]
    others = [path.name for path in inside if path not in pictures and not _is_map(path, map_ending)]
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        notes.append(f"passed over in {folder}, since they are no pictures: {', '.join(others[:5])}{more}")
    return pictures


def _is_picture(path: Path) -> bool:
    kind = Image.registered_extensions().get(path.suffix.lower())
    return path.is_file() and kind in FORMATS and not path.name.startswith(".")


def _is_map(path: Path, map_ending: str) -> bool:
    return path.stem.endswith(Path(map_ending).stem)


def _lines(path: Path) -> list[str]:
    """The non-empty lines of a text file."""
    try:
        text = readable_file(path).read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8: give a list with a picture in each line") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def product(contents: Sequence[Path], styles: Sequence[Path], like: Pair) -> list[Pair]:
    """Every content with every style. like: a pair with the settings that all of them get."""
    return [replace(like, content=content, style=style) for content in contents for style in styles]


def zipped(contents: Sequence[Path], styles: Sequence[Path], like: Pair) -> list[Pair]:
    """The first content with the first style, the second with the second, and so on. Raises InputError where
    their numbers differ.
    """
    if len(contents) != len(styles):
        raise InputError(
            f"there are {len(contents)} contents and {len(styles)} styles: give as many of each, or every "
            "content with every style (--pairs product)"
        )
    return [replace(like, content=content, style=style) for content, style in zip(contents, styles)]


def listed(path: Path, like: Pair) -> list[Pair]:
    """The pairs in a CSV file, whose first line names the columns, or in a file with one JSON object per line
    (.jsonl).

    Columns are content and style, relative to the list, and optionally output, content_map, style_map, into,
    strength, face, preset, and any setting by its name. An empty value counts as missing. A line with an
    error becomes a pair with a `problem`. Raises InputError where the list cannot be read at all.
    """
    pairs = [_listed_pair(values, number, path, like) for number, values in _rows(path)]
    if not pairs:
        raise InputError(f"{path} names no pair: give a line of column names and a line for each pair")
    return pairs


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """The number of each line of a list, and its values by column."""
    lines = _lines(path)
    if path.suffix.lower() == ".jsonl":
        for number, line in enumerate(lines, 1):
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None
        return
    reader = csv.DictReader(lines)
    if not {"content", "style"} <= set(reader.fieldnames or ()):
        raise InputError(
            f"{path} has no columns called content and style: begin it with a line that names its columns"
        )
    for values in reader:
        yield reader.line_num, values


def _listed_pair(values: Any, number: int, path: Path, like: Pair) -> Pair:
    try:
        if not isinstance(values, dict) or None in values:
            raise InputError("it cannot be read: give one value for each column, or a JSON object")
        given = {name: value for name, value in values.items() if value not in (None, "")}
        return _pair_of(given, path.parent, like)
    except InputError as error:
        named = values if isinstance(values, dict) else {}
        content, style = (Path(str(named.get(name) or "?")) for name in ("content", "style"))
        return replace(like, content=content, style=style, problem=f"line {number} of {path.name}: {error}")


def _pair_of(given: dict[str, Any], folder: Path, like: Pair) -> Pair:
    settings = {setting.name: setting for setting in all_settings()}
    own: dict[str, Callable[[Any], dict[str, Any]]] = {
        "content": lambda value: {"content": folder / str(value)},
        "style": lambda value: {"style": folder / str(value)},
        "output": lambda value: {"output": Path(str(value))},
        "content_map": lambda value: {"content_map": folder / str(value)},
        "style_map": lambda value: {"style_map": folder / str(value)},
        "into": lambda value: {"place": _place(value)},
        "strength": lambda value: {"strengths": checked_strengths(_strengths(value))},
        "face": lambda value: {"face": _face_number(value)},
        "preset": lambda value: {"preset": _preset(value)},
    }
    if unknown := set(given) - set(own) - set(settings):
        raise InputError(
            f"there is no column {shortened(sorted(unknown)[0])!r}: choose from "
            f"{', '.join([*own, *settings])}"
        )
    if missing := {"content", "style"} - set(given):
        raise InputError(f"it names no {sorted(missing)[0]}: give the file of a picture")
    changed: dict[str, Any] = {}
    for name in own.keys() & given.keys():
        changed |= own[name](given[name])
    base = TransferSettings(**PRESETS[changed["preset"]]) if "preset" in changed else like.settings
    numbers = {name: _setting(settings[name], value) for name, value in given.items() if name in settings}
    return replace(like, **changed, settings=replace(base, **numbers))


def _place(value: Any) -> str:
    if value not in PLACES:
        raise InputError(f"into is {shortened(str(value))!r}: choose one of {', '.join(PLACES)}")
    return value


def _preset(value: Any) -> str:
    if value not in PRESETS:
        raise InputError(f"there is no preset {shortened(str(value))!r}: choose one of {', '.join(PRESETS)}")
    return value


def _strengths(value: Any) -> dict[str, float]:
    try:
        return parse_strengths(str(value))
    except ValueError:
        raise InputError(
            f"strength is {shortened(str(value))!r}: give CLASS=NUMBER, several with commas between them"
        ) from None


def _face_number(value: Any) -> int:
    if not str(value).isdecimal() or int(value) < 1:
        raise InputError(f"face is {shortened(str(value))}: faces are counted from 1, the largest")
    return int(value)


def _setting(setting: Setting, value: Any) -> Any:
    """The value of a setting, converted to the type of that setting. A value that cannot be converted is
    returned unchanged, and refused when the settings are made.
    """
    try:
        return value if isinstance(value, setting.kind) else setting.kind(value)
    except (TypeError, ValueError):
        raise InputError(f"{setting.name} is {shortened(str(value))!r}, which is no number") from None


def with_outputs(pairs: Sequence[Pair], template: str) -> list[Pair]:
    """The pairs with their output files. The output is a folder, or a file name with some of FIELDS in
    braces.

    {content} and {style} are the names of the pictures without their endings. Where two pictures have the
    same name, the ending is added; where that is not enough, the folder, or a number derived from the full
    path. Thus no two results get the same file. Raises InputError where a field is unknown, where results
    would share a file, or where one would replace a picture that is read.
    """
    template = as_template(template)
    names = {
        "content": _distinct([pair.content for pair in pairs]),
        "style": _distinct([pair.style for pair in pairs]),
    }
    folder, named = base_folder(template), []
    for pair in pairs:
        if pair.problem:
            named.append(pair)
            continue
        values = {name: getattr(pair.settings, name, pair.preset or "Balanced") for name in FIELDS}
        values |= {"content": names["content"][pair.content], "style": names["style"][pair.style]}
        output = Path(template.format(**values)) if pair.output == Path() else folder / pair.output
        named.append(replace(pair, output=output))
    _check_outputs([pair for pair in named if not pair.problem])
    return named


def as_template(output: str) -> str:
    """The output as a file name with fields; for a folder, DEFAULT_NAME in it."""
    try:
        fields = [name for _, name, _, _ in Formatter().parse(output) if name is not None]
    except ValueError:
        raise InputError(f"the output {shortened(output)} has a brace without its other one") from None
    if unknown := [name for name in fields if name not in FIELDS]:
        raise InputError(
            f"the output has {{{shortened(unknown[0])}}} in its name: choose from "
            f"{', '.join(f'{{{name}}}' for name in FIELDS)}"
        )
    template = output if fields else os.path.join(output, DEFAULT_NAME)
    if not template.lower().endswith(".png"):
        raise InputError(
            f"the results would be called {shortened(template)}: end the name with .png, since a result "
            "carries its recipe, by which it is known when the batch goes on"
        )
    return template


def base_folder(template: str) -> Path:
    """The folder that contains all results, including those in subfolders: the part of the template before
    the first brace.
    """
    return Path(os.path.join(os.path.dirname(template.split("{")[0]), "."))


def _distinct(paths: Sequence[Path]) -> dict[Path, str]:
    """A unique name for each file: its stem, with as much of its ending and its folders as is needed.

    Names are compared without regard to case, because some file systems ignore it.
    """
    paths = list(dict.fromkeys(paths))
    names = {path: path.stem for path in paths}
    longer: list[Callable[[Path], str]] = [
        lambda path: path.name.replace(".", "_"),
        lambda path: f"{path.resolve().parent.name}_{path.name.replace('.', '_')}",
        lambda path: f"{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}",
    ]
    for name_of in longer:
        shared = Counter(name.casefold() for name in names.values())
        names |= {path: name_of(path) for path, name in names.items() if shared[name.casefold()] > 1}
    return names


def _check_outputs(pairs: Sequence[Pair]) -> None:
    outputs = Counter(os.path.realpath(pair.output).casefold() for pair in pairs)
    read = {
        os.path.realpath(path)
        for pair in pairs
        for path in (pair.content, pair.style, pair.content_map, pair.style_map)
        if path
    }
    for pair in pairs:
        if outputs[os.path.realpath(pair.output).casefold()] > 1:
            raise InputError(
                f"several results would be written to {pair.output}: name them by {{content}}, {{style}} and "
                "what else sets them apart"
            )
        if os.path.realpath(pair.output) in read:
            raise InputError(
                f"{pair.output} is read, and would be replaced by a result: choose another output"
            )


def shard(pairs: Sequence[Pair], number: int, count: int) -> list[Pair]:
    """Part `number` of `count`, counted from 1. Neighbouring pairs stay together, so that as few machines as
    possible parse the same picture.
    """
    return list(pairs[len(pairs) * (number - 1) // count : len(pairs) * number // count])
