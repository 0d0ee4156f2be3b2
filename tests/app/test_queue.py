"""What those are told who wait, and who have not pressed Run yet: by what the job at work knows of itself."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gradio.queueing import EventQueue, ProcessTime

from facetransfer.ui import gradio_compat, queue_status, time_left
from facetransfer.ui.components import settings
from tests.support.form import filled_in


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    for module in (time_left, queue_status, gradio_compat):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(gradio_compat, "had", deque())
    monkeypatch.setattr(gradio_compat, "listeners", OrderedDict())
    monkeypatch.setattr(time_left, "_after", [0.0])
    for name in ("expects", "_told"):
        monkeypatch.setattr(queue_status, name, OrderedDict())
    yield clock


class Run:
    """A function of the page, as the line knows it."""

    name = "run"


class Page:
    """A page whose line holds these jobs, each with a name that is its visit and its address."""

    def __init__(self, *waiting: str, running: bool = True, began: float = 0.0) -> None:
        self.line = EventQueue("work", 1)
        self.function = Run()
        if running:
            self.line.current_concurrency = 1
            self.line.start_times_per_fn[self.function].add(began)
        self.usual: dict[Any, ProcessTime] = {}
        self.jobs: list[Any] = [None]
        self._queue = SimpleNamespace(
            event_queue_per_concurrency_id={"work": self.line},
            process_time_per_fn=self.usual,
            active_jobs=self.jobs,
        )
        for who in waiting:
            self.join(who)

    def join(self, who: str) -> None:
        request = SimpleNamespace(client=SimpleNamespace(host=f"192.0.2.{ord(who[0])}"), headers={})
        self.line.queue.append(
            SimpleNamespace(
                _id=who, session_hash=who, fn=self.function, request=request, concurrency_id="work"
            )
        )
        gradio_compat.heard("/queue/data", f"session_hash={who}")

    def before_run(self, who: str) -> str:
        return queue_status.words_before_run(self, "work", who, f"192.0.2.{ord(who[0])}")

    def told(self, who: str) -> tuple[int, float | None] | None:
        return queue_status.ahead(self, "work", who)


@pytest.mark.parametrize("pace", ["steady", "slow at first", "slow at the end"])
def test_the_time_left_falls_and_is_right_at_the_end(clock: Clock, pace: str) -> None:
    """A slow job of a hundred steps, told after each: it only falls, never by more than a third at once, and
    in the second half it is right within a third, whichever half is twice as slow.
    """
    seconds = {"steady": (1.0, 1.0), "slow at first": (2.0, 1.0), "slow at the end": (1.0, 2.0)}[pace]
    left, told, true = time_left.TimeLeft(), [], []
    clock.now += 7.0  # preparing the job, which says nothing of its steps
    for step in range(101):
        true.append(sum(seconds[i >= 50] for i in range(step, 100)))
        told.append(left.at(step / 100))
        clock.now += seconds[step >= 50]
    assert math.isinf(told[0]) and told[-1] == 0
    known = [seconds for seconds in told if math.isfinite(seconds)]
    assert len(known) >= 98 and known == sorted(known, reverse=True)
    assert all(b > a * 2 / 3 or a < 5 for a, b in zip(known, known[1:]))
    assert all(abs(t - a) <= max(2.0, a / 3) for t, a in zip(told[75:], true[75:]))


def test_a_time_that_proves_plainly_wrong_is_told_anew_once(clock: Clock) -> None:
    """A job that becomes ten times as slow: nobody is told "about 1 s" for minutes."""
    left, told = time_left.TimeLeft(), []
    for step in range(101):
        told.append(left.at(step / 100))
        clock.now += 0.1 if step < 90 else 10.0
    rises = [b - a for a, b in zip(told[20:], told[21:]) if b > a]
    assert 1 <= len(rises) <= 2 and told[95] > 5


def test_who_waits_is_told_what_the_job_at_work_knows(clock: Clock) -> None:
    """Others took 3 s before it, this one takes 60: who waits behind it is told what is left of the 60,
    between two of its steps too, and the time only falls; the next in line has the first one's run on top.
    """
    page = Page("a", "b", began=clock.now)
    page.usual[page.function] = ProcessTime()
    page.usual[page.function].add(3.0)
    queue_status.expect("a", 20.0)
    said: list[float] = []
    with time_left.at_work() as left:
        for second in range(61):
            left.at(second / 60)
            clock.now += 0.5
            if second >= 3:
                count, seconds = page.told("a")
                assert count == 1 and seconds == pytest.approx(60 - second - 0.5, abs=2.5)
                assert page.told("b") == (2, pytest.approx(seconds + 20.0))
            words = queue_status.waiting_words(page, "work", "a")
            told = queue_status._told["a"][1].seconds
            assert words.startswith("In line: 1 other is before you.")
            if second >= 3:
                said.append(told)
            clock.now += 0.5
    assert said == sorted(said, reverse=True) and said[0] > 50 and said[-1] < 3


def test_what_a_result_takes_after_its_last_step_counts_too(clock: Clock) -> None:
    with time_left.at_work() as left:
        left.at(0.0)
        clock.now += 10
        left.at(1.0)
        clock.now += 4  # measured and packed
    assert math.isinf(time_left.of_work())
    with time_left.at_work() as left:
        left.at(0.0)
        clock.now += 10
        left.at(0.5)
        assert time_left.of_work() == pytest.approx(14.0)
        clock.now += 10
        left.at(1.0)
        clock.now += 1
        assert time_left.of_work() == pytest.approx(3.0)


def test_who_has_not_pressed_run_is_told_what_the_line_decides(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing where nobody is there; else the jobs before one's own and the seconds; who had much is told
    that others go first; whose jobs wait, and who finds the line full, what to do.
    """
    assert Page(running=False).before_run("m") == ""
    page = Page("a", "b", began=clock.now)
    assert page.before_run("m") == "3 jobs are before yours."  # Nobody knows yet how long.
    page.usual[page.function] = ProcessTime()
    page.usual[page.function].add(10.0)
    clock.now += 4
    assert page.before_run("m") == "3 jobs are before yours: it would begin in about 25 s."
    page.join("m1")
    assert page.before_run("m1") == ""  # Its status says it.
    page.join("m1")
    assert page.before_run("m1") == queue_status.ENOUGH
    # Of one address: three go before its third job, and after all others' first.
    assert page.before_run("m2").startswith("5 jobs are before yours")
    gradio_compat.had.append((clock.now, "work", f"192.0.2.{ord('z')}", 30.0))
    busy = page.before_run("z")
    assert busy.startswith("5 jobs are before yours") and busy.endswith("so others may go first.")
    # Its second job comes before the second one of those who wait already.
    assert page.before_run("n") == "4 jobs are before yours, 1 after it: it would begin in about 35 s."
    monkeypatch.setattr(queue_status, "WAITING", 3)
    assert page.before_run("n") == queue_status.FULL


def test_the_place_that_is_told_is_the_one_that_is_kept(clock: Clock) -> None:
    """Two jobs of one address stand before another's first: that one is told that one goes before it, as it
    will.
    """
    page = Page("a1", "a2", "b", running=False)
    assert [page.told(who)[0] for who in ("a1", "b", "a2")] == [0, 1, 2]
    taken = gradio_compat._in_turn(page, lambda: [job._id for job in page.line.queue])
    assert taken() == ["a1", "b", "a2"]


def test_who_asks_for_more_than_is_allowed_is_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "may take" not in next(settings.about(filled_in()))["expected"]
    monkeypatch.setenv("FACE_TRANSFER_MAX_SECONDS", "0.001")
    assert "Jobs here may take about 1 s: choose" in next(settings.about(filled_in()))["expected"]


def test_a_look_at_the_line_is_cheap() -> None:
    """A full line is looked at by everybody who is here, every few seconds: a thousand looks in two
    seconds.
    """
    page = Page(*(chr(48 + i) for i in range(queue_status.WAITING - 1)), began=time.time())
    began = time.process_time()
    for _ in range(1000):
        assert page.before_run("\u00ff")
    assert time.process_time() - began < 2
