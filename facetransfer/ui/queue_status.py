"""The line in which heavy jobs wait, in words for the person who waits. Gradio keeps the line; here it is
only looked at.
"""

from __future__ import annotations

import asyncio
import time

from gradio.queueing import Queue

from facetransfer.jobs.time_estimate import in_words

IN_LINE = "In line"
WAITING = 64  # jobs that wait in line, of all visitors: who comes next is asked to come back
FULL = (
    f"The line is full: {WAITING} others wait already. Your pictures and maps stay here: please try again "
    f"in a minute."
)
LOOK_AGAIN, PATIENCE = (
    0.1,
    10.0,
)  # seconds between two looks at a job that is being stopped, and how long it is waited for


def ahead(queue: Queue, line: str, session: str | None) -> tuple[int, float | None] | None:
    """How many jobs come before the session's in that line, with the one that runs, and about how many
    seconds they will take by what earlier ones took (None: there was none yet). None where the session waits
    for nothing.
    """
    waiting = queue.event_queue_per_concurrency_id.get(line)
    if waiting is None:
        return None  # nobody has stood in it yet
    before = list(waiting.queue)
    place = next((i for i, event in enumerate(before) if event.session_hash == session), None)
    if place is None:
        return None
    running = [(fn, began) for fn, times in list(waiting.start_times_per_fn.items()) for began in list(times)]
    usual = {
        fn: queue.process_time_per_fn[fn].avg_time
        for fn in [fn for fn, _ in running] + [event.fn for event in before[:place]]
        if fn in queue.process_time_per_fn
    }
    count = waiting.current_concurrency + place
    if not usual or len(running) + place != count:
        return count, None
    typical = sum(usual.values()) / len(usual)
    left = [max(0.0, usual.get(fn, typical) - (time.time() - began)) for fn, began in running]
    return count, sum(left) + sum(usual.get(event.fn, typical) for event in before[:place])


def waiting_words(queue: Queue, line: str, session: str | None) -> str | None:
    """What a person who waits is told; None where nothing is waited for."""
    found = ahead(queue, line, session)
    if found is None:
        return None
    count, seconds = found
    when = "" if seconds is None else f" Your turn comes in {in_words(seconds)}."
    return (
        f"{IN_LINE}: {count} {'other is' if count == 1 else 'others are'} before you.{when} You may leave "
        f"this page open and come back."
    )


async def left(queue: Queue, line: str, session: str | None) -> None:
    """Returns when no job of the session is in that line any more, neither waiting nor at work, and what was
    said of it has been sent.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and (
        ahead(queue, line, session)
        or any(
            event.session_hash == session and event.concurrency_id == line
            for job in queue.active_jobs
            if job
            for event in job
        )
    ):
        await asyncio.sleep(LOOK_AGAIN)
    await asyncio.sleep(LOOK_AGAIN)
