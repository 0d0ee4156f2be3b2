"""The line in which heavy jobs wait, in words for the person who waits, or is about to. Gradio keeps the
line; here it is only looked at.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from typing import Any

import gradio as gr

from facetransfer.jobs.time_estimate import in_words
from facetransfer.ui import time_left
from facetransfer.ui.gradio_compat import Line, line_of
from facetransfer.ui.time_left import Told

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
MUCH = 10.0  # turns that somebody had lately from which others are said to go first
MOST_VISITS = 1000  # of which it is remembered what they ask for, and what they were told
RUNS = ("run", "refine")  # functions that take as long as the settings of the visit say

expects: OrderedDict[str | None, float] = OrderedDict()  # by visit: seconds of a run with its settings
_told: OrderedDict[str | None, tuple[int, Told]] = (
    OrderedDict()
)  # by visit: jobs before it, seconds until its turn


def _remember(what: OrderedDict[str | None, Any], session: str | None, value: Any) -> None:
    what[session] = value
    what.move_to_end(session)
    while len(what) > MOST_VISITS:
        what.popitem(last=False)


def expect(session: str | None, seconds: float) -> None:
    """Remembers how long a run of that visit will take: those behind it are told by it when their turn
    comes.
    """
    _remember(expects, session, seconds)


def is_here(address: str | None) -> bool:
    """Whether it is this machine's own, behind which anybody may sit: a proxy, or a test."""
    return address is None or address in ("127.0.0.1", "::1")


def refusal(line: Line, session: str | None, address: str | None) -> str | None:
    """What a job is told that may not join the line; None where it may."""
    if len(line.waiting) >= WAITING:
        return FULL
    if sum(who == session for who, _, _ in line.waiting) >= OF_A_VISIT:
        return ENOUGH
    if not is_here(address) and sum(where == address for _, where, _ in line.waiting) >= OF_AN_ADDRESS:
        return ENOUGH
    return None


def ahead(blocks: gr.Blocks, name: str, session: str | None) -> tuple[int, float | None] | None:
    """How many jobs come before the session's in the line of that name, with the one that runs, and about how
    many seconds they will take (None: not known yet). None where the session waits for nothing.
    """
    line = line_of(blocks, name)
    place = next((i for i, (who, _, _) in enumerate(line.waiting) if who == session), None) if line else None
    if line is None or place is None:
        return None
    return _before(line, place)


def _before(line: Line, place: int) -> tuple[int, float | None]:
    """How many jobs come before the one at that place, with those at work, and their seconds (None: not
    known).

    The job at work is asked itself; until it has measured its pace, and of those that wait, it is what a run
    with the settings of their visit takes, or what others took before them.
    """
    seconds = 0.0
    for fn, began in line.running:
        left = time_left.of_work()
        if math.isinf(left) and fn in line.usual:
            passed = time.time() - began
            left = line.usual[fn] - passed if line.usual[fn] > passed else math.inf
        seconds += left
    typical = sum(line.usual.values()) / len(line.usual) if line.usual else math.inf
    for who, _, fn in line.waiting[:place]:
        known = expects.get(who, math.inf) if getattr(fn, "name", "") in RUNS else math.inf
        seconds += known if math.isfinite(known) else line.usual.get(fn, typical)
    known_all = math.isfinite(seconds) and len(line.running) == line.current
    return line.current + place, seconds if known_all else None


def waiting_words(blocks: gr.Blocks, name: str, session: str | None) -> str | None:
    """What a person who waits is told; None where nothing is waited for."""
    found = ahead(blocks, name, session)
    if found is None:
        _told.pop(session, None)
        return None
    count, seconds = found
    before, told = _told.get(session, (count, Told()))
    if count > before:  # Somebody whose turn it is goes first: the time may be longer.
        told = Told()
    _remember(_told, session, (count, told))
    left = told.tell(math.inf if seconds is None else seconds)
    when = f" Your turn comes in {in_words(left)}." if math.isfinite(left) else ""
    return (
        f"{IN_LINE}: {count} {'other is' if count == 1 else 'others are'} before you.{when} You may leave "
        f"this page open and come back."
    )


def words_before_run(blocks: gr.Blocks, name: str, session: str | None, address: str | None) -> str:
    """What a person is told who has not pressed Run yet; nothing where the job would begin at once, and
    where a job of the same visit waits or is at work: its status says it.
    """
    line = line_of(blocks, name)
    if line is None or not (line.current or line.waiting):
        return ""
    if _is_in(line, session):
        return refusal(line, session, address) or ""
    if words := refusal(line, session, address):
        return words
    count, seconds = _before(line, line.place_of_newcomer(address))
    if not count:
        return ""
    after = len(line.waiting) + line.current - count
    jobs = f"{count} {'job is' if count == 1 else 'jobs are'}"
    words = f"{jobs} before yours" + (f", {after} after it" if after else "")
    words += f": it would begin in {in_words(seconds)}." if seconds is not None else "."
    if line.next_turn.get(address, 0.0) >= MUCH and not is_here(address):
        words += " You had much of the last minute, so others may go first."
    return words


async def left(blocks: gr.Blocks, name: str, session: str | None) -> bool:
    """Whether no job of the session is in that line any more, neither waiting nor at work: waits for it, and
    until what was said of it has been sent, up to PATIENCE.
    """
    until = time.monotonic() + PATIENCE
    while there := _is_in(line_of(blocks, name), session):
        if time.monotonic() > until:
            break
        await asyncio.sleep(LOOK_AGAIN)
    await asyncio.sleep(LOOK_AGAIN)
    return not there


def _is_in(line: Line | None, session: str | None) -> bool:
    return line is not None and session in {who for who, _, _ in line.waiting} | line.at_work
