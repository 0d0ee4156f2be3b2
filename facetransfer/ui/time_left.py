"""How long the job at work will still take, as it is seen from how far it has come; and times that are told
again and again, so that they fall.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

MEASURED = 0.02  # share of the work from which the time that it takes is known
LATELY = 2 / 3  # Of the work so far, the last third tells the pace: steps are not all alike.
SOON = 0.5  # seconds before which nothing is told of it
SMOOTH = 2.0  # seconds in which about two thirds of what was told too much are taken back
WRONG, SLACK = 2.0, 3.0  # What takes more than so many times what was told, and seconds on top, is told anew.


class Told:
    """A time that is left, each time that it is told. It never rises: what was told too much is taken back
    little by little, and what was told too little stands until it is true.

    Only a time that proves to be plainly wrong is told anew: it would stand at a second for minutes.
    """

    def __init__(self) -> None:
        self.seconds, self.when = math.inf, time.monotonic()

    def tell(self, estimate: float) -> float:
        """The seconds to tell, where the work is now thought to take `estimate` seconds more; infinite where
        nothing is known.
        """
        now = time.monotonic()
        passed, self.when = max(0.0, now - self.when), now
        if not math.isfinite(estimate):  # What was told before holds on.
            self.seconds = max(0.0, self.seconds - passed)
            return self.seconds
        if estimate > WRONG * self.seconds + SLACK or not math.isfinite(self.seconds):
            self.seconds = estimate
            return estimate
        if estimate < self.seconds:
            over = max(0.0, self.seconds - passed - estimate)
            self.seconds = estimate + (over * math.exp(-passed / SMOOTH) if estimate else 0.0)
        return self.seconds


class TimeLeft:
    """The seconds that a job will still take, by the share of it that is done. Counted from the first share:
    what comes before a job's first step is no measure of the others.
    """

    def __init__(self) -> None:
        self.told, self.share = Told(), 0.0
        self.seen: deque[tuple[float, float]] = deque()  # when each share was told, the last third of them
        self.ended = math.nan  # when all steps were done

    def at(self, share: float) -> float:
        """The seconds to tell now that this share is done, 0 to 1; infinite while they are not known."""
        self.share = max(share, self.share)
        self.seen.append((time.monotonic(), self.share))
        while len(self.seen) > 2 and self._tells(*self.seen[1], LATELY * self.share):
            self.seen.popleft()
        if self.share >= 1 and math.isnan(self.ended):
            self.ended = time.monotonic()
        return self.told.tell(self.estimate())

    def estimate(self) -> float:
        """The seconds left as they are measured at this moment, also between two steps; infinite while too
        little is done.
        """
        if self.share >= 1:
            return 0.0
        if not self.seen or not self._tells(*self.seen[0], 1.0):
            return math.inf
        (began, share), (last, _), now = self.seen[0], self.seen[-1], time.monotonic()
        pace = (last - began) / (self.share - share)
        # What is done since the last step, as far as the next one at the most: a job that stalls becomes
        # slower.
        step = min(self.share - self.seen[-2][1], 1 - self.share)
        done = self.share + (min((now - last) / pace, step) if pace else 0.0)
        return (now - began) / (done - share) * (1 - done)

    def _tells(self, began: float, share: float, most: float) -> bool:
        """Whether what was done since a moment, at which that share was, tells the pace. most: the share at
        which it may have been.
        """
        enough = time.monotonic() - began >= SOON and self.share - share >= MEASURED
        return enough and share <= most


_at_work: list[TimeLeft] = []  # in the order in which they began
_after = [0.0]  # seconds that the last job took after its last step: a result is measured and packed
_lock = threading.Lock()


@contextmanager
def at_work() -> Iterator[TimeLeft]:
    """Around a job of the line of heavy work: what it tells of its time is known to those who wait."""
    left = TimeLeft()
    with _lock:
        _at_work.append(left)
    try:
        yield left
    finally:
        with _lock:
            _at_work.remove(left)
            if not math.isnan(left.ended):
                _after[0] = time.monotonic() - left.ended


def of_work() -> float:
    """The seconds that the job at work will still take; infinite where there is none, or it is not known
    yet.
    """
    with _lock:
        newest, after = (_at_work[-1] if _at_work else None), _after[0]
    if newest is None:
        return math.inf
    gone = 0.0 if math.isnan(newest.ended) else time.monotonic() - newest.ended
    return newest.estimate() + max(0.0, after - gone)
