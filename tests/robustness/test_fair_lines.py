"""One client who asks for everything: others get their turn all the same, jobs that nobody listens to make
room, and what the page remembers has a limit.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.queueing import EventQueue
from gradio.state_holder import StateHolder
from PIL import Image

from facetransfer.ui import gradio_compat, queue_status
from facetransfer.ui.components.result import LastRun
from facetransfer.ui.gradio_compat import forget_visits, weight
from facetransfer.ui.page import WORK, build_page
from segmentation.parsers import Parse
from segmentation.semantic_map import SemanticMap
from tests.support.figures import FIGURES


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
    monkeypatch.setattr(gradio_compat, "pixels", OrderedDict())
    monkeypatch.setattr(gradio_compat, "had", deque())


def test_addresses_take_turns_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for three, and had a turn, comes after who asks for the first; each one's own jobs, and those
    of equal turns, stay in their order. After a minute a turn is forgotten. Who does not listen comes last.
    """
    waiting, clock = EventQueue("work", 1), [1000.0]
    queue = SimpleNamespace(event_queue_per_concurrency_id={"work": waiting}, active_jobs=[None])
    page: Any = SimpleNamespace(_queue=queue)
    monkeypatch.setattr(gradio_compat.time, "monotonic", lambda: clock[0])
    gradio_compat.had.extend([(999.0, "work", "a", 1.0), (999.0, "look", "b", 9.0)])
    take = gradio_compat._in_turn(page, lambda: " ".join(one._id for one in waiting.queue))

    def order_with(name: str) -> str:
        waiting.queue.append(event(name, name[0]))
        gradio_compat.heard("/gradio_api/queue/data", f"session_hash={name}")
        return take()

    orders = [order_with(name) for name in ("a1", "a2", "a3", "b1", "b2", "c1")]
    assert orders[2:] == ["a1 a2 a3", "b1 a1 a2 a3", "b1 a1 b2 a2 a3", "b1 c1 a1 b2 a2 a3"]
    clock[0] += 2 * gradio_compat.LATELY
    assert order_with("d1") == "b1 c1 a1 d1 b2 a2 a3"
    del gradio_compat.listeners["b1"]
    assert take() == "c1 a1 d1 b2 a2 a3 b1"
    gradio_compat.had.extend([(clock[0], "work", "a", 1.0), (clock[0], "work", "a", 12.0)])
    assert take() == "c1 d1 b2 a1 a2 a3 b1"  # who worked for twelve seconds comes after everybody's second


def test_a_small_picture_goes_beside_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One client asks for three large pictures and then one small, each in a visit of its own, then another
    for a small one: while a large one is at work, in whichever line, no second is begun, the small ones are,
    and all stay in their order. A visit's second job waits for its first, and long jobs for none of this.
    """
    look, fill, work = EventQueue("look", 2), EventQueue("fill", 1), EventQueue("work", 1)
    queue: Any = SimpleNamespace(
        event_queue_per_concurrency_id={"look": look, "fill": fill, "work": work}, active_jobs=[None] * 4
    )
    large = gradio_compat.LARGE + 1
    gradio_compat.pixels.update({"a1": large, "a2": large, "a3": large, "fill": large, "long": large})
    gradio_compat.listeners.update(dict.fromkeys(("a1", "a2", "a3", "a4", "b1", "fill", "long", "again")))

    def first() -> Any:
        return next((line.queue.pop(0) for line in (look, fill, work) if line.queue), None)

    take = gradio_compat._in_turn(SimpleNamespace(_queue=queue), first)  # type: ignore[arg-type]

    def names() -> str:
        return " ".join(one._id for one in look.queue)

    look.queue.extend(event(name, name[0], "look") for name in ("a1", "a2", "a3", "a4", "b1"))
    queue.active_jobs[0] = [take()]
    assert queue.active_jobs[0][0]._id == "a1" and names() == "b1 a2 a3 a4"
    queue.active_jobs[1] = [take()]
    assert queue.active_jobs[1][0]._id == "b1" and names() == "a2 a3 a4"
    again = event("again", "b", "look")
    again.session_hash = "b1"
    look.queue.append(again)
    assert take()._id == "a4" and take() is None and names() == "a2 again a3"
    fill.queue.append(event("fill", "c", "fill"))
    work.queue.append(event("long", "a", "work"))
    assert take()._id == "long" and take() is None and len(fill.queue) == 1
    queue.active_jobs[0] = queue.active_jobs[1] = None
    assert take()._id == "a2" and take()._id == "again" and names() == "a3"


def test_how_large_a_job_is_is_known_when_it_joins_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the heads of the uploaded files that it names: twice where it names one twice, and nothing of files
    elsewhere or of what is no picture. A job that names none has the visit's last.
    """
    monkeypatch.setattr(gradio_compat, "cache_folder", lambda: tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    for folder in (tmp_path, tmp_path / "cache"):
        Image.new("L", (300, 200)).save(folder / "x.png")
    (tmp_path / "cache" / "y.png").write_text("no picture")

    def file(path: Path) -> dict[str, Any]:
        return {"path": str(path), "meta": {"_type": "gradio.FileData"}}

    there = file(tmp_path / "cache" / "x.png")
    outside = [file(tmp_path / "x.png"), file(tmp_path / "cache" / ".." / "x.png")]
    assert gradio_compat.pixels_in([there, [there], "compact", None]) == 120_000
    assert gradio_compat.pixels_in([*outside, file(tmp_path / "cache" / "y.png"), file(tmp_path / "z")]) == 0
    many = [there] * (gradio_compat.MOST_OPENED + 5)
    assert gradio_compat.pixels_in(many) == gradio_compat.MOST_OPENED * 60_000

    async def tried() -> list[int]:
        page = build_page()
        fn = next(i for i, fn in page.fns.items() if fn.api_name == "parse")
        found = []
        for session, data in (("s", [there]), ("s", []), ("t", [])):
            body = SimpleNamespace(fn_index=fn, session_hash=session, request=None, data=data, event_id=None)
            taken, name, _ = await page._queue.push(body, request("192.0.2.1"), None)
            assert taken
            found.append(gradio_compat.pixels[name])
        return found

    assert asyncio.run(tried()) == [60_000, 60_000, 0]


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


def test_a_job_is_given_time_to_be_listened_to_when_its_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: the next look at the same job asks no more, and who listened before it waits for nothing."""
    monkeypatch.setattr(gradio_compat, "LISTENING_BEGINS", 0.5)

    async def process(**kwargs: Any) -> str:
        return "begun"

    async def tried() -> tuple[list[float], list[str]]:
        took, said = [], []
        gradio_compat.joined.update((str(i), 0.0) for i in range(3))
        gradio_compat.heard(f"/gradio_api/call/parse/{2}", "")
        events = {str(i): event(str(i), "192.0.2.1") for i in range(3)}
        page: Any = SimpleNamespace(_queue=SimpleNamespace(event_ids_to_events=events))
        process_heard = gradio_compat._listened_to(page, process)
        loop = asyncio.get_running_loop()
        loop.call_later(0.2, gradio_compat.heard, "/gradio_api/call/parse/1", "")
        for name in ("1", "2", "2", "0"):
            began = time.monotonic()
            try:
                said.append(await process_heard(event_id=name, session_hash="s"))
            except gr.Error as error:
                said.append(error.message)
            took.append(time.monotonic() - began)
        return took, said

    took, said = asyncio.run(tried())
    assert said == ["begun", "begun", "begun", "Nobody asked for the answer: this job was not begun."]
    assert 0.15 < took[0] < 0.45 and max(took[1:3]) < 0.1 and 0.45 < took[3] < 1.5
    assert len(gradio_compat.had) == 2


def test_few_short_jobs_are_at_work_at_once_and_addresses_take_turns() -> None:
    """Six of one client and then one of another, for two places: at most two at once, the other's comes as
    soon as there is a place; who leaves while it waits takes nobody's, and long jobs need none.
    """
    assert gradio_compat.LONG_LINE == WORK["concurrency_id"]
    gradio_compat.had.extend((0.0, "look", "a", 1.0) for _ in range(6))
    order, at_work, most = [], set(), 0

    async def process(event_id: str) -> None:
        nonlocal most
        order.append(event_id)
        at_work.add(event_id)
        most = max(most, len(at_work - {"long"}))
        await asyncio.sleep(0.2 if event_id == "long" else 0.05)
        at_work.discard(event_id)

    async def tried() -> None:
        events = {name: event(name, name[0], "look") for name in ("a1", "a2", "a3", "a4", "a5", "a6", "b1")}
        events["long"] = event("long", "a")
        page: Any = SimpleNamespace(_queue=SimpleNamespace(event_ids_to_events=events))
        few = gradio_compat._few_at_once(page, process)
        jobs = {}
        for name in ("long", "a1", "a2", "a3", "a4", "a5", "a6", "b1"):
            jobs[name] = asyncio.create_task(few(event_id=name))
            await asyncio.sleep(0)
        jobs["a4"].cancel()
        await asyncio.gather(*jobs.values(), return_exceptions=True)
        await few(event_id="a1")
        await asyncio.gather(*(few(event_id=f"unqueued{i}") for i in range(5)))

    asyncio.run(tried())
    assert order[:8] == ["long", "a1", "a2", "b1", "a3", "a5", "a6", "a1"]
    assert sum(seconds for _, line, _, seconds in gradio_compat.had if line == "work") >= 0.15
    assert order[8:] == [f"unqueued{i}" for i in range(5)] and most == 2


def parse(side: int) -> Parse:
    return Parse(SemanticMap(np.zeros((side, side), np.uint8)), np.ones((side, side), np.float32))


def test_what_the_page_remembers_has_a_limit_and_who_was_idle_longest_goes_first() -> None:
    """Forty visits, each with two maps of 5 MB and one with a picture: 100 MB may stay."""
    run = LastRun(np.zeros((64, 64), np.uint8), Image.new("RGB", (1000, 1000)), None, (64, 64))
    assert weight(parse(1000)) == 5_000_000 and weight([run, None, "x"]) == 3_000_000 + 64 * 64
    visits = OrderedDict(
        (f"v{i}", SimpleNamespace(state_data={1: parse(1000), 2: parse(1000)})) for i in range(40)
    )
    visits["nothing"] = SimpleNamespace(state_data={1: None, 2: []})
    visits.move_to_end("nothing", last=False)
    holder: Any = StateHolder()
    holder.session_data, holder.time_last_used = visits, dict.fromkeys(visits)
    page: Any = SimpleNamespace(state_holder=holder)
    forget_visits(page, 100 << 20)
    assert list(visits) == ["nothing", *(f"v{i}" for i in range(30, 40))]
    assert set(holder.time_last_used) == set(visits)
    forget_visits(page, 100 << 20)
    assert len(visits) == 11
    forget_visits(SimpleNamespace(), 0)  # type: ignore[arg-type]
    FIGURES["visits forgotten where memory has a limit"] += 30
