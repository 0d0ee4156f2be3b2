"""One client who asks for everything: others get their turn all the same, and jobs that nobody listens to
make room.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.queueing import EventQueue

from facetransfer.ui import gradio_compat, queue_status
from facetransfer.ui.page import build_page
from tests.conftest import FIGURES


def request(address: str) -> Any:
    return SimpleNamespace(headers={}, client=SimpleNamespace(host=address))


def event(name: str, address: str, line: str = "work") -> Any:
    return SimpleNamespace(
        _id=name,
        session_hash=name,
        fn=0,
        concurrency_id=line,
        request=request(address),
        alive=True,
        data=None,
    )


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradio_compat, "listeners", OrderedDict())
    monkeypatch.setattr(gradio_compat, "joined", OrderedDict())
    monkeypatch.setattr(gradio_compat, "begun", deque())


def test_addresses_take_turns_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for three, and had a turn, comes after who asks for the first; each one's own jobs, and those
    of equal turns, stay in their order. After a minute a turn is forgotten.
    """
    waiting, clock = EventQueue("work", 1), [1000.0]
    page: Any = SimpleNamespace(_queue=SimpleNamespace(event_queue_per_concurrency_id={"work": waiting}))
    monkeypatch.setattr(gradio_compat.time, "monotonic", lambda: clock[0])
    gradio_compat.begun.extend([(999.0, "work", "a"), (999.0, "look", "b")])

    def order_with(name: str) -> str:
        waiting.queue.append(event(name, name[0]))
        gradio_compat._in_turn(page, "work")
        return " ".join(one._id for one in waiting.queue)

    orders = [order_with(name) for name in ("a1", "a2", "a3", "b1", "b2", "c1")]
    assert orders[2:] == ["a1 a2 a3", "b1 a1 a2 a3", "b1 a1 b2 a2 a3", "b1 c1 a1 b2 a2 a3"]
    clock[0] += 2 * gradio_compat.LATELY
    assert order_with("d1") == "b1 c1 a1 d1 b2 a2 a3"
    gradio_compat._in_turn(page, "a line that is not there")


def asked(page: gr.Blocks, session: str, address: str) -> Any:
    """What a program is told that asks for a transfer."""
    function = next(i for i, fn in page.fns.items() if fn.api_name == "transfer")
    body = SimpleNamespace(fn_index=function, session_hash=session, request=None, data=[], event_id=None)
    return page._queue.push(body, request(address), None)


def test_jobs_that_nobody_listens_to_make_room_in_a_full_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seventy from nine addresses in a moment; four seconds later one more is taken, and one that is listened
    to stays.
    """
    clock = [time.monotonic()]
    monkeypatch.setattr(gradio_compat.time, "monotonic", lambda: clock[0])

    async def tried() -> tuple[list[bool], bool, list[str]]:
        page = build_page()
        taken = [(await asked(page, f"s{i}", f"192.0.2.{i // 8}"))[0] for i in range(70)]
        gradio_compat.heard("/gradio_api/queue/data", "session_hash=s7")
        early = (await asked(page, "early", "192.0.2.200"))[0]
        clock[0] += gradio_compat.LISTENING_BEGINS + 1
        late = (await asked(page, "late", "192.0.2.201"))[0]
        waiting = page._queue.event_queue_per_concurrency_id["work"].queue
        return [*taken, early], late, [one.session_hash for one in waiting]

    taken, late, waiting = asyncio.run(tried())
    assert sum(taken) == queue_status.WAITING and not taken[-1] and late
    assert waiting == ["s7", "late"]
    FIGURES["jobs that nobody listened to and that made room"] += sum(taken) - 1


def test_a_line_of_jobs_that_nobody_listens_to_takes_no_longer_than_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are given time to listen from when they were asked for, not one after another."""
    monkeypatch.setattr(gradio_compat, "LISTENING_BEGINS", 0.5)

    async def process(**kwargs: Any) -> str:
        return "begun"

    async def tried() -> tuple[float, list[str]]:
        began, said = time.monotonic(), []
        gradio_compat.joined.update((str(i), began) for i in range(8))
        gradio_compat.heard("/gradio_api/call/parse/7", "")
        events = {str(i): event(str(i), "192.0.2.1") for i in range(8)}
        page: Any = SimpleNamespace(_queue=SimpleNamespace(event_ids_to_events=events))
        for i in range(8):
            try:
                heard = gradio_compat._listened_to(page, process)
                said.append(await heard(event_id=str(i), session_hash="s"))
            except gr.Error as error:
                said.append(error.message)
        return time.monotonic() - began, said

    seconds, said = asyncio.run(tried())
    assert said == ["Nobody asked for the answer: this job was not begun."] * 7 + ["begun"]
    assert 0.4 < seconds < 1.5 and len(gradio_compat.begun) == 1
