"""Where numba keeps what it compiled, for the next start."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def find_room_for_compiled_code() -> None:
    """Gives numba a folder, before it is imported, where neither the program's nor the home may be written
    to: it would refuse to work at all.

    The folder lies in the temporary folder and is this user's alone; where one of that name is not, a new one
    is made, and everything is compiled anew.
    """
    if "NUMBA_CACHE_DIR" in os.environ or _writable(Path(__file__).parents[1] / "core") or _writable_home():
        return
    folder = (
        Path(tempfile.gettempdir()) / f"face-transfer-numba-{os.getuid() if hasattr(os, 'getuid') else ''}"
    )
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not is_of_this_user_alone(folder):
            folder = Path(tempfile.mkdtemp(prefix="face-transfer-numba-"))
    except OSError:
        return
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


def is_of_this_user_alone(folder: Path) -> bool:
    """Whether nobody else can put files there or move them away."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _writable(folder: Path) -> bool:
    cache = folder / "__pycache__"
    return os.access(cache if cache.exists() else folder, os.W_OK)


def _writable_home() -> bool:
    """Whether numba could make its folder in the user's cache folder."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK)
