"""The one error that is meant for people: its text names the value, the limit and the remedy."""
from __future__ import annotations

import sys


class InputError(ValueError):
    """Something a person gave cannot be used. Doors show its text as it is; anything else is a fault of ours."""


def complain(error: InputError) -> int:
    """One red line on stderr, as both command lines do; returns the exit status of a wrong call."""
    red, plain = ("\033[31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{red}error: {error}{plain}", file=sys.stderr)
    return 2
