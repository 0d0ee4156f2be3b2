"""The line in which heavy jobs wait, in words for the person who waits. Gradio keeps the line; here it is
only looked at.
"""

from __future__ import annotations

import asyncio
import time

import gradio as gr

from facetransfer.jobs.time_estimate import in_words
from facetransfer.ui.gradio_compat import Line, line_of

IN_LINE = "In line"
WAITING = 64  # jobs that wait in a line, of all visitors: who comes next is asked to come back
OF_A_VISIT = 2  # of them of one visit
OF_AN_ADDRESS = 8  # of one address, behind which several people may sit; none for the machine's own
FULL = (
    f"The line is full: {WAITING} others wait already. Your pictures and maps stay here: please try again "
    f"later."
)
ENOUGH = "Jobs of yours wait in line already: please let them end, or stop them, before you add another."
LOOK_AGAIN = 0.1  # seconds between two looks at a job that is being stopped
PATIENCE = 10.0  # seconds that such a job is waited for


def refusal(line: Line, session: str | None, address: str | None) -> str | None:
    """What a job is told that may not join the line; None where it may."""
    if len(line.waiting) >= WAITING:
        return FULL
    if sum(who == session for who, _, _ in line.waiting) >= OF_A_VISIT:
        return ENOUGH
    here = address is None or address in ("127.0.0.1", "::1")
    if not here and sum(where == address for _, where, _ in line.waiting) >= OF_AN_ADDRESS:
        return ENOUGH
    return None


def ahead(blocks: gr.Blocks, name: str, session: str | None) -> tuple[int, float | None] | None:
    """How many jobs come before the session's in the line of that name, with the one that runs, and about how
    many seconds they will take by what earlier ones took (None: there was none yet). None where the session
    waits for nothing.
    """
    line = line_of(blocks, name)
    place = next((i for i, (who, _, _) in enumerate(line.waiting) if who == session), None) if line else None
    if line is None or place is None:
        return None
    count = line.current + place
    if not line.usual or len(line.running) + place != count:
        return count, None
    typical = sum(line.usual.values()) / len(line.usual)
    left = [max(0.0, line.usual.get(fn, typical) - (time.time() - began)) for fn, began in line.running]
    return count, sum(left) + sum(line.usual.get(fn, typical) for _, _, fn in line.waiting[:place])


def waiting_words(blocks: gr.Blocks, name: str, session: str | None) -> str | None:
    """What a person who waits is told; None where nothing is waited for."""
    found = ahead(blocks, name, session)
    if found is None:
        return None
    count, seconds = found
    when = "" if seconds is None else f" Your turn comes in {in_words(seconds)}."
    return (
        f"{IN_LINE}: {count} {'other is' if count == 1 else 'others are'} before you.{when} You may leave "
        f"this page open and come back."
    )


async def left(blocks: gr.Blocks, name: str, session: str | None) -> None:
    """Returns when no job of the session is in that line any more, neither waiting nor at work, and what was
    said of it has been sent.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        line = line_of(blocks, name)
        if line is None or session not in {who for who, _, _ in line.waiting} | line.at_work:
            break
        await asyncio.sleep(LOOK_AGAIN)
    await asyncio.sleep(LOOK_AGAIN)
