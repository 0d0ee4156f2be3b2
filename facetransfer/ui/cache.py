"""The folder that visitors' files lie in: one for each process, inside a cache that processes may share.

A process holds a lock on its folder for as long as it lives. Whoever starts next removes the folders that
nobody holds: what a process left that was killed, or lost its power.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: folders of killed processes stay until they are removed by hand
    fcntl = None

PREFIX = "visits-"
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
