"""A command in a terminal, or in a script: it can be stopped from outside, and nobody has to listen to it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO

STOPS = ("SIGTERM", "SIGHUP")  # what timeouts, batch systems, containers and closed terminals send


class Stopped(KeyboardInterrupt):
    """The process was asked to end by a signal other than that of Ctrl-C."""

    def __init__(self, number: int) -> None:
        self.number = number


def exit_status(stopped: KeyboardInterrupt) -> int:
    """The status that shells expect of a process that a signal ended: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (stopped.number if isinstance(stopped, Stopped) else signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block STOPS end the work as Ctrl-C does, once; a second one is not waited for."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in STOPS if hasattr(signal, name)]

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    # What is ignored stays so: nohup asks for it.
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


class _Heard:
    """A stream that goes on where its reader has gone, or its disk is full: the words are lost, the work is
    not.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lost = stream, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return len(text) if self._lost else self._stream.write(text)
        except (OSError, ValueError):
            return self._lose(text)

    def flush(self) -> None:
        try:
            if not self._lost:
                self._stream.flush()
        except (OSError, ValueError):
            self._lose("")

    def _lose(self, text: str) -> int:
        self._lost = True
        try:  # Python itself flushes the stream at its end: what is left in it goes nowhere.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            return len(text)
        return len(text)


@contextmanager
def unheard_is_fine() -> Iterator[None]:
    """Within the block nothing fails because stdout or stderr is closed, full or not there."""
    before = sys.stdout, sys.stderr
    nowhere = open(os.devnull, "w", encoding="utf-8")
    sys.stdout, sys.stderr = (_Heard(stream or nowhere) for stream in before)  # type: ignore[assignment]
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
        nowhere.close()
