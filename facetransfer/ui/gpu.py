"""A Space on ZeroGPU lends a GPU to one function for a while: the work goes there in one piece. Elsewhere
nothing is changed.

There the parser stays on the CPU: it is small, and a GPU is there inside the lent time alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from facetransfer.base.devices import choose_device
from facetransfer.base.errors import InputError
from facetransfer.base.settings import METHODS
from facetransfer.core.engine import Step
from facetransfer.jobs.job import Job
from facetransfer.jobs.time_estimate import expected_seconds, in_words

# times that a lent GPU is taken to be faster than this machine's CPU: cautious, a task that is over early
# gives it back
FASTER = 8.0
SHORTEST, LONGEST = 20, 120  # seconds that are asked for


def lent() -> bool:
    """Whether this is a Space on ZeroGPU."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true", "yes")


def parser_device() -> str:
    return "cpu" if lent() else choose_device()


def expected(settings: Any, size: tuple[int, int]) -> float:
    """Seconds that a run will take where it runs."""
    return (
        expected_seconds(settings, size, "cpu") / FASTER
        if lent()
        else expected_seconds(settings, size, choose_device())
    )


def each_method(job: Job) -> list[tuple[str, Callable[[float], float]]]:
    """The methods from the plainest to our own, each with a function that tells the share of the whole
    comparison from the share of this method's work that is done: they take very different times.
    """
    times = [expected(replace(job.settings, method=method), job.size) for method in reversed(METHODS)]
    before = [sum(times[:i]) for i in range(len(times))]

    def share_of(i: int) -> Callable[[float], float]:
        return lambda done: (before[i] + done * times[i]) / sum(times)

    return [(method, share_of(i)) for i, method in enumerate(reversed(METHODS))]


def check_budget(job: Job, methods: Sequence[str] = ()) -> None:
    """InputError where a job, or the same by several methods, would take longer here than the owner allows:
    others wait for it to end.
    """
    most = most_seconds()
    each = [replace(job.settings, method=method) for method in methods] or [job.settings]
    seconds = sum(expected(settings, job.size) for settings in each)
    if most and seconds > most:
        raise InputError(
            f"this would take {in_words(seconds)}, and jobs here may take {in_words(most)}: choose a smaller "
            f"size, fewer iterations or a quicker preset"
        )


def most_seconds() -> float:
    """Seconds that one job may take, 0 for any: FACE_TRANSFER_MAX_SECONDS, or ten minutes on a Space."""
    given = os.environ.get("FACE_TRANSFER_MAX_SECONDS", "600" if "SPACE_ID" in os.environ else "0")
    try:
        return max(0.0, float(given))
    except ValueError:
        raise SystemExit(
            f"error: FACE_TRANSFER_MAX_SECONDS is {given}: give a number of seconds, or 0 for any"
        ) from None


def duration(job: Job, **changed: Any) -> int:
    """Seconds to ask for, from the settings: the time expected, half as much again, and what the
    start takes.
    """
    return round(min(LONGEST, max(SHORTEST, 10 + 1.5 * expected(replace(job.settings, **changed), job.size))))


def _steps(job: Job, **changed: Any) -> Iterator[Step]:
    """The job's steps. From a lent GPU they cross to another process: nothing of them stays on it."""
    for step in job.steps(choose_device(), **changed):
        if lent():
            step = replace(
                step,
                picture=step.picture.cpu(),
                losses=dict(step.losses),
                sources=None if step.sources is None else step.sources.cpu(),
            )
        yield step


def on_lent_gpu(work: Callable[..., Iterator[Step]]) -> Callable[..., Iterator[Step]]:
    """The function as the package `spaces` wants it where a GPU is lent, as it is elsewhere."""
    if not lent():
        return work
    import spaces

    return spaces.GPU(duration=duration)(work)


steps = on_lent_gpu(_steps)
