"""The app as a process of its own: for measurements, tests and screenshots."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import ROOT

START = 180  # seconds that a start may take, on a machine that does other things


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def started(
    folder: Path, source: Path = ROOT, open_files: int | None = None, **environment: str
) -> Iterator[tuple[str, subprocess.Popen]]:
    """The app in `source`, which answers, until the block ends: its address and its process.

    Everything that it writes lies in `folder`: home, tmp, cache and log.txt. Of this process's environment it
    gets what it cannot do without. open_files: how many files and connections it may have open, if that is to
    be less than this process may have.
    """
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port = free_port()
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "GRADIO_TEMP_DIR": str(folder / "cache"),
        "GRADIO_SERVER_PORT": str(port),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **environment,
    }
    with open(folder / "log.txt", "a") as log:
        command = [sys.executable, str(source / "app.py")]
        if open_files:
            command = ["sh", "-c", f'ulimit -n {open_files}; exec "$@"', "sh", *command]
        process = subprocess.Popen(command, cwd=folder, env=given, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_up(address, process, folder / "log.txt")
            yield address, process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise


def wait_until_up(address: str, process: subprocess.Popen, log: Path, seconds: float = START) -> None:
    """Raises RuntimeError with the log where the app ends, or does not answer in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            urllib.request.urlopen(f"{address}/config", timeout=10).close()
            return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(
                    f"the app ended with status {process.returncode}: {log.read_text('utf-8', 'replace')}"
                ) from None
            time.sleep(0.2)
    raise RuntimeError(f"the app does not answer after {seconds:.0f} s: {log.read_text('utf-8', 'replace')}")
