"""What cannot be installed is said before anything is downloaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check-python.sh"
PRETENDED = """#!/bin/sh
[ "$1" = -c ] || exit 1
exec {python} -c "import platform, sys
sys.version_info = type('Version', (tuple,), {{}})({version})
platform.system, platform.machine = lambda: '{system}', lambda: '{machine}'
$2"
"""


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize(
    "version, system, machine, words",
    [
        ((3, 12), "Linux", "x86_64", ""),
        ((3, 12), "Darwin", "arm64", ""),
        ((3, 14), "Linux", "x86_64", "3.14 is too new"),
        ((3, 9), "Linux", "x86_64", "is not Python 3.10 to 3.13"),
        ((3, 12), "Darwin", "x86_64", "Mac with an Intel processor"),
    ],
)
def test_what_cannot_be_installed_is_said_at_once(
    tmp_path, version: tuple[int, int], system: str, machine: str, words: str
) -> None:
    """A Python that pretends to be another one, on another machine."""
    python = tmp_path / "python3"
    python.write_text(
        PRETENDED.format(python=sys.executable, version=version, system=system, machine=machine)
    )
    python.chmod(0o755)
    done = subprocess.run(["sh", SCRIPT, python], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not words) and words in done.stderr, done.stderr
