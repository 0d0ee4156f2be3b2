"""Many content pictures in one call: which they are, and where each result goes."""

from __future__ import annotations

import os  # os.path says no of names that pathlib raises at
from pathlib import Path

from facetransfer.base.errors import InputError
from facetransfer.base.images import FORMATS, check_writable, make_folder


def contents_in(paths: list[Path], map_ending: str) -> list[Path]:
    """The pictures, each folder in the list replaced by those that lie in it, by name, but for maps (NAME +
    `map_ending`). Raises InputError for a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        inside = (
            [path]
            if not os.path.isdir(path)
            else sorted(
                p for p in path.iterdir() if _is_picture(p) and not p.stem.endswith(Path(map_ending).stem)
            )
        )
        if not inside:
            raise InputError(f"there is no picture in the folder {path}: give one with pictures in it")
        found += inside
    return found


def _is_picture(path: Path) -> bool:
    from PIL import Image

    kind = Image.registered_extensions().get(path.suffix.lower())
    return path.is_file() and kind in FORMATS and not path.name.startswith(".")


def targets_in(folder: Path, contents: list[Path], style: Path) -> list[Path]:
    """Where each content's result goes: a PNG of its name in the folder, which is made if it is missing.

    Raises InputError before anything is made where two results would have one name, or would replace a
    picture that is read.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise InputError(
            f"{folder} is a file: the results of several content pictures need a folder as output"
        )
    if not os.path.exists(folder) and not os.path.isdir(folder.parent):
        raise InputError(f"the folder {folder.parent} does not exist: make it first or choose another")
    targets = [folder / f"{content.stem}.png" for content in contents]
    read = {path.resolve() for path in (*contents, style)}
    for content, target in zip(contents, targets):
        if targets.count(target) > 1:
            raise InputError(
                f"two content pictures are called {content.stem}: run them one by one into different folders"
            )
        if target.resolve() in read:
            raise InputError(
                f"the result of {content.name} would replace the picture {target}: choose another folder"
            )
    make_folder(folder)
    for target in targets:
        check_writable(target)
    return targets
