"""The folder that visitors' files lie in: one for each process, inside a cache that processes may share; and
how much may lie in it.

A process holds a lock on its folder for as long as it lives. Whoever starts next removes the folders that
nobody holds: what a process left that was killed, or lost its power.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: folders of killed processes stay until they are removed by hand
    fcntl = None  # type: ignore[assignment]

PREFIX = "visits-"
MOST_BYTES = 8 << 30  # in the folder, and no more than half of what the disk has free when the app starts
FRESH = 5.0  # seconds that an upload is left alone before anybody has asked for it
IN_USE = 900.0  # seconds that a file is left alone after it was used
MOST_REMEMBERED = 20_000  # files of which it is known when they were used
OURS = ("examples",)  # in the folder, but of no visitor
_held: dict[Path, IO[bytes]] = {}  # the locks of this process


def open_cache(base: Path) -> Path:
    """A new folder in `base`, for this user's eyes alone and locked. Exits with a word where nothing can be
    written there.
    """
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _may_be_moved_by_others(base):
            raise SystemExit(
                f"error: the cache folder {base} belongs to another user, or others may write to it: set "
                f"GRADIO_TEMP_DIR to a folder of your own"
            )
        remove_abandoned(base)
        folder = base / f"{PREFIX}{uuid.uuid4().hex}"
        lock = open(_lock_of(folder), "wb")
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.mkdir(mode=0o700)  # after the lock: a folder that nobody holds belongs to nobody
    except OSError as error:
        raise SystemExit(
            f"error: the cache folder {base} cannot be written to ({error.strerror}): set GRADIO_TEMP_DIR "
            f"to another one"
        ) from None
    _held[folder] = lock
    return folder


def _may_be_moved_by_others(folder: Path) -> bool:
    """Whether another user could take away what lies in it. In a folder like /tmp, which has the sticky bit,
    nobody can.
    """
    found = folder.stat()
    if not hasattr(os, "getuid"):
        return False
    sticky = bool(found.st_mode & stat.S_ISVTX)
    return not sticky and (found.st_uid != os.getuid() or bool(found.st_mode & stat.S_IWOTH))


def close_cache(folder: Path) -> None:
    """Removes the folder with all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    _lock_of(folder).unlink(missing_ok=True)
    if folder in _held:
        _held.pop(folder).close()


def remove_abandoned(base: Path) -> None:
    """Removes the folders of processes that are no more."""
    for folder in base.glob(f"{PREFIX}*/") if fcntl else ():
        try:
            with open(_lock_of(folder), "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                os.unlink(lock.name)
        except OSError:
            continue  # it is held, or being made, or another process removes it


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


_used: OrderedDict[Path, float] = OrderedDict()  # files and folders, and when they were used, the latest last


def used(path: str | os.PathLike[str]) -> None:
    """Remembers that this file, or what is in this folder, is used now."""
    _used[Path(path)] = time.monotonic()
    _used.move_to_end(Path(path))
    while len(_used) > MOST_REMEMBERED:
        _used.popitem(last=False)


def most_bytes(base: Path) -> int:
    """How much may lie in a cache in `base`: FACE_TRANSFER_CACHE_MB, or MOST_BYTES. Exits with a word on what
    is no number of megabytes.
    """
    given = os.environ.get("FACE_TRANSFER_CACHE_MB")
    if given is None:
        disk = next(folder for folder in (base, *base.absolute().parents) if folder.exists())
        return min(MOST_BYTES, shutil.disk_usage(disk).free // 2)
    if not given.isdigit() or int(given) < 100:
        raise SystemExit(f"error: FACE_TRANSFER_CACHE_MB is {given}: give a number of megabytes, 100 or more")
    return int(given) << 20


class Room:
    """Keeps a cache folder below a number of bytes: for an upload that has no room, the oldest entries go,
    first those that nobody ever used. What was used in the last IN_USE seconds stays, and what `needed`
    names: files that waiting jobs will open.
    """

    def __init__(self, cache: Path, most: int, needed: Callable[[], set[Path]] = set) -> None:
        self.cache, self.most, self.needed = cache, most, needed
        self.lock, self.free = threading.Lock(), 0  # bytes that may come before the folder is looked at anew

    def make(self, size: int) -> bool:
        """Whether there is room for so many bytes more, made where it can be."""
        with self.lock:
            if size > self.free:
                self.free = self._look(size)
            if size > self.free:
                return False
            self.free -= size
            return True

    def _look(self, size: int) -> int:
        """Bytes that may come now, a twentieth of all where that many can be had."""
        wanted, needed = self.most - max(size, self.most // 20), self.needed()
        entries = [
            entry for entry in map(_entry, self.cache.iterdir()) if entry and entry[0].name not in OURS
        ]
        total = sum(bytes_ for _, bytes_, _ in entries)
        last: dict[Path, float] = {}
        for path, when in list(_used.items()):
            for folder in (path, path.parent):
                last[folder] = max(when, last.get(folder, 0.0))
        now, wall = time.monotonic(), time.time()
        kept = {folder for path in needed for folder in (path, path.parent)}
        for path, bytes_, made in sorted(entries, key=lambda entry: (last.get(entry[0], 0.0), entry[2])):
            if total <= wanted:
                break
            seen = last.get(path)
            idle = abs(wall - made) > FRESH if seen is None else now - seen > IN_USE
            if bytes_ and path not in kept and idle:  # a run at work has put nothing into its folder yet
                remove(path)
                total -= bytes_
        return max(0, min(self.most - total, self.most - wanted))


def _entry(path: Path) -> tuple[Path, int, float] | None:
    """A file or a folder of the cache, its files' bytes, and when it was last written; None where it is not
    there any more.
    """
    try:
        folder = path.is_dir() and not path.is_symlink()
        inside = [one.lstat() for one in path.iterdir()] if folder else [path.lstat()]
        written = max(path.lstat().st_mtime, *(one.st_mtime for one in inside), 0.0)
    except FileNotFoundError:
        return None
    return path, sum(one.st_size for one in inside), written


def remove(entry: Path) -> None:
    """A file or a whole folder; what another process removed first is no error."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
