"""The one error that is meant for people: its text names the value, the limit and the remedy."""

from __future__ import annotations

import sys


class InputError(ValueError):
    """Something a person gave cannot be used. Doors show its text as it is; anything else is a
    fault of ours.
    """


class DiskFullError(InputError):
    """Nothing can be written any more where a result goes."""


LONGEST = 200  # characters of something that was given and is repeated in an error


def shortened(text: str, longest: int = LONGEST) -> str:
    """What was given, as far as an error repeats it: its beginning, in one line."""
    text = " ".join(text[: 2 * longest].split())
    return text if len(text) <= longest else f"{text[:longest]} ..."


def in_one_line(text: object) -> str:
    """A text for a terminal: what would break the line, move the cursor or cannot be encoded, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def complain(error: InputError) -> int:
    """One red line on stderr, as both command lines do; returns the exit status of a wrong call."""
    red, plain = ("\033[31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{red}error: {in_one_line(error)}{plain}", file=sys.stderr)
    return 2
