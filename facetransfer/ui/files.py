"""Files that the page gives out: all in gradio's cache folder, each run's in a folder of its own, gone after
a while.
"""

from __future__ import annotations

import io
import logging
import re
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from facetransfer.base.images import as_json, save_picture
from facetransfer.jobs.job import Job
from facetransfer.ui.cache import OURS, remove, used
from facetransfer.ui.gradio_compat import cache_folder
from facetransfer.ui.share import card
from segmentation.semantic_map import SemanticMap

KEPT = 3600  # seconds that uploads and results are kept, at most
SWEEP = 60  # seconds between two looks for what is past its time
STALLED = 120  # seconds after which an upload of which nothing more came will not be finished
UNFINISHED = 24 * KEPT  # seconds after which a folder of ours that is still empty belongs to no run any more
RESULT = "face-transfer.png"
RESULT_PREFIX = "face-transfer-"
NAME_LENGTH = 40  # letters of each picture's name in that of a result

log = logging.getLogger(__name__)


class Sweeper:
    """Removes what visitors left in a cache folder, by a clock that nobody can set: a machine whose time
    jumps loses nothing early and keeps nothing long.
    """

    def __init__(self, cache: Path, also: Callable[[], None] = lambda: None) -> None:
        self.cache, self.also = cache, also
        self.seen: dict[tuple[Path, int], float] = {}  # when each entry, as it was last changed, was seen

    def sweep(self, pattern: str = "*", kept: float = KEPT) -> None:
        """Removes the entries of the cache that are older than `kept` seconds. Others may be doing
        the same.
        """
        now, wall, here = time.monotonic(), time.time(), {}
        for entry in self.cache.glob(pattern):
            try:
                inside = list(entry.iterdir()) if entry.is_dir() and not entry.is_symlink() else []
                made = max(p.lstat().st_mtime_ns for p in (entry, *inside))
            except FileNotFoundError:
                continue  # another process was quicker
            # How old a thing was when first seen only the wall clock can say; from then on it is counted.
            since = self.seen.get((entry, made), now - min(max(0.0, wall - made / 1e9), UNFINISHED + 1))
            here[entry, made] = since
            limit = kept
            if entry.name.startswith(RESULT_PREFIX) and not inside:
                limit = UNFINISHED  # a run at work has put nothing there yet
            elif entry.name.startswith("tmp") and entry.is_file():
                limit = min(kept, STALLED)  # where Gradio puts an upload until it has come whole
            if entry.name not in OURS and now - since > limit:
                remove(entry)
        self.seen = here if pattern == "*" else {**self.seen, **here}

    def run(self, stopped: threading.Event) -> None:
        """Sweeps until it is stopped, and does what is `also` to be done as often."""
        while True:
            try:
                self.sweep(kept=KEPT - SWEEP)
                self.also()
            except Exception:  # whatever it is, the next sweep has to come
                log.exception("the cache could not be swept")
            if stopped.wait(SWEEP):
                return


def result_folder() -> Path:
    """A new folder of ours in gradio's cache. Ours that are past their time are removed on the way."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    Sweeper(cache).sweep(f"{RESULT_PREFIX}*")
    folder = Path(tempfile.mkdtemp(dir=cache, prefix=RESULT_PREFIX))
    used(folder)
    return folder


def lies_here(path: object) -> bool:
    """Whether that is a file in the cache, from where the page shows it to whoever knows its address."""
    if not isinstance(path, str):
        return False
    try:
        return Path(path).is_file() and cache_folder().resolve() in Path(path).resolve().parents
    except (OSError, ValueError):  # too long, or with a zero in it
        return False


def add_map(archive: zipfile.ZipFile, folder: Path, name: str, semantic: SemanticMap) -> None:
    """Two maps of the same name: the second gets a folder of its own."""
    path = folder / Path(name).name
    semantic.save(path)
    archive.write(path, name if name not in archive.namelist() else f"style/{name}")
    path.unlink()


def as_png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def command_of(job: Job) -> str:
    """The command line that makes the same, beside the pictures and what is in the zip."""
    return job.recipe.command(
        {
            "content": "content.png",
            "style": "style.png",
            "output": RESULT,
            **{name: f"{name}.png" for name in job.extras},
        }
    )


@dataclass(frozen=True)
class Packed:
    """The files of a result: the picture with its recipe in it, what it is compared with, the card to show,
    and a zip of all.
    """

    picture: Path
    before: Path
    card: Path
    archive: Path


def pack(
    folder: Path,
    picture: Image.Image,
    job: Job,
    before: Image.Image,
    report: dict[str, Any],
    film: Path | None = None,
    name: str = RESULT,
) -> Packed:
    """Writes a result into the folder: the picture under the `name`, and a zip with it, its recipe, its
    numbers, its maps and its animation.
    """
    content, style = job.portraits
    packed = Packed(folder / name, folder / "before.jpg", folder / "card.png", folder / "face-transfer.zip")
    save_picture(picture, packed.picture, pnginfo=job.recipe.in_png())
    save_picture(before, packed.before)
    save_picture(card(content.picture, style.picture, picture), packed.card)
    with zipfile.ZipFile(packed.archive, "w") as archive:
        archive.write(packed.picture, RESULT)
        archive.write(packed.card, packed.card.name)
        archive.writestr("recipe.json", job.recipe.to_json())
        archive.writestr("command.txt", command_of(job) + "\n")
        for extra_name, extra in job.extras.items():
            archive.writestr(f"{extra_name}.png", as_png(extra))
        archive.writestr("report.json", as_json(report))
        for map_name, face in (("content_sem.png", content), ("style_sem.png", style)):
            if face.semantic is not None:
                add_map(archive, folder, map_name, face.semantic)
        if film:
            archive.write(film, "run.webp")
    return packed


def name_of_result(content: str | None, style: str | None) -> str:
    """What a result of two picture files is called when it is saved."""
    names = (
        re.sub(r"[^\w-]+", "-", Path(path or "").stem).strip("-")[:NAME_LENGTH] for path in (content, style)
    )
    first, second = names
    return f"{first}-as-{second}.png" if first and second else RESULT
