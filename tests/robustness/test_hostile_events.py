"""Hostile data in the page's own events, with pictures on the page: a worded error or nothing at all, never a
fault in the log.
"""

from __future__ import annotations

import asyncio
import logging
import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio import processing_utils
from gradio.blocks import BlockFunction
from gradio.state_holder import SessionState

from facetransfer.base.errors import InputError
from facetransfer.ui.components import pictures, result, style_row
from facetransfer.ui.components.map_editor import glance
from facetransfer.ui.components.result import LastRun
from facetransfer.ui.inputs import OUR_FAULT
from facetransfer.ui.page import build_page
from segmentation.correction import Correction
from segmentation.parsers import FoundFace, Parse
from tests.support.drawn_face import draw_face
from tests.support.figures import FIGURES

SIDE = 96
NUMBERS = (
    None,
    "x",
    "1",
    "",
    [],
    {},
    [1],
    {"a": 1},
    True,
    False,
    1.0,
    1.5,
    -1,
    99,
    -(2**70),
    10**400,
    1e308,
    math.nan,
    math.inf,
    -math.inf,
)
PLACES = (
    [],
    [1],
    [1, 2, 3],
    [None, 1],
    ["a", "b"],
    [[1], [2]],
    [{}, {}],
    [math.nan, 1],
    [math.inf, -math.inf],
    [1e308, -1e308],
    [10**400, 1],
    {"x": 1},
)
NO_DATA = (
    None,
    [],
    "x",
    5,
    True,
    math.nan,
    {},
    {"nothing": 1},
    [{"index": 1}],
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
)
LAYERS = (
    None,
    "x",
    5,
    [],
    {},
    {"layer": None},
    {"layer": 5},
    {"layer": []},
    {"layer": "9999x9999 1*1"},
    {"layer": "4x4 77*16"},
    {"layer": "4x4 1*15"},
    {"layer": "400x2 1*800"},
    {"layer": "0x0 1*0"},
    {"layer": "4x4 " + "9" * 5000},
    {"layer": f"{SIDE}x{SIDE} 255*{SIDE * SIDE - 1} 300*1"},
    {"layer": "4x4 1*16", "of": [1]},
    {"layer": "4x4 1*16", "of": "\x00☃"},
)
STAYS = (
    {"__type__": "update"},
    {"__type__": "update", "props": {"__type__": "update"}},
)  # an output that is left as it was


async def built() -> gr.Blocks:
    return build_page()


class Visit:
    """A visitor of the page in this process: both pictures are on it, with two faces each, and a result that
    knows where its patches came from.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.loop, self.file = asyncio.new_event_loop(), str(folder / "face.png")
        self.page = self.loop.run_until_complete(built())  # outside of one gradio makes some, and closes none
        self.state = SessionState(self.page)
        picture, semantic = draw_face((SIDE, SIDE))
        picture.save(self.file)
        known = Parse(
            semantic, np.ones((SIDE, SIDE), np.float32), faces=(FoundFace(48, 48, 50), FoundFace(20, 20, 10))
        )
        patch.setattr(
            pictures, "known_of", lambda picture, parser="compact", face=1: replace(known, chosen=face)
        )  # it need not be looked for each time
        self.layer = {"layer": Correction.nothing((SIDE, SIDE)).to_text(), "of": glance(picture)}
        for role in ("content", "style"):
            self.state[self.event(role, "change").outputs[1]._id] = known
        self.state[self.event("result", "select").inputs[0]._id] = LastRun(
            semantic.labels, picture, np.full((2, 8, 8), 0.5, np.float32), picture.size
        )

    def event(self, name: str, kind: str) -> BlockFunction:
        """What answers that event first."""
        return next(
            fn
            for fn in self.page.fns.values()
            for block, event in fn.targets
            if block in self.page.blocks and self.page.blocks[block].elem_id == name and event == kind
        )

    def usual(self, fn: BlockFunction) -> list[Any]:
        """Inputs as the page would send them."""

        def value(block: gr.blocks.Block) -> Any:
            if isinstance(block, gr.HTML):
                return self.layer
            if isinstance(block, gr.Image):
                return {"path": self.file, "meta": {"_type": "gradio.FileData"}}
            return block.get_config().get("value")

        return [value(block) for block in fn.inputs]

    def send(self, fn: BlockFunction, inputs: list[Any], data: Any = None) -> list[Any] | str:
        """The new values of the outputs, or the words of the error; None for an output that stays
        as it is.
        """
        try:
            with warnings.catch_warnings():  # gradio remarks on inputs of a wrong kind
                warnings.simplefilter("ignore")
                answer = self.loop.run_until_complete(
                    self.page.process_api(
                        fn,
                        inputs,
                        self.state,
                        gr.Request(session_hash="a visit"),
                        event_data=gr.EventData(self.page.blocks.get(fn.targets[0][0]), data),
                    )
                )
        except gr.Error as error:
            return str(error.message)
        return [None if one in STAYS else one for one in answer["data"]]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        visit = Visit(folder, patch)
        yield visit
        visit.loop.close()


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """At the end: no fault of ours was written down."""
    yield
    assert not [r for r in caplog.get_records("call") if r.levelno >= logging.ERROR], caplog.text[:3000]


def refused(answer: list[Any] | str, case: Any) -> None:
    """Said in words, or nothing was changed."""
    if isinstance(answer, str):
        assert len(answer) > 20 and answer != OUR_FAULT and "Traceback" not in answer, (case, answer)
    else:
        assert not any(answer), (case, answer)


# The event, data that is right, what of it is made wrong, and how.
HEARD = [
    ("content", "select", {"index": [20, 20], "value": None}, {"index": (*PLACES, *NUMBERS)}),
    ("style-map", "face", {"face": 2}, {"face": (0, *NUMBERS, *PLACES)}),
    (
        "content-map",
        "fill",
        {"stroke": [[0.5, 0.5]], "label": 1, "reach": 20},
        {
            "stroke": (*NUMBERS, *PLACES, *([p] for p in PLACES), [[0.5, 0.5]] * 9 + [[9, 9e9]]),
            "label": NUMBERS,
            "reach": [n for n in NUMBERS if not isinstance(n, (int, float)) or n != n],
        },
    ),
    ("result", "select", {"index": [20, 20], "value": None}, {"index": (*PLACES, *NUMBERS)}),
    ("examples", "choose", {"index": 0}, {"index": (*NUMBERS, *PLACES)}),
]


@pytest.mark.parametrize(
    ("name", "kind", "right", "wrong"), HEARD, ids=[f"{name}.{kind}" for name, kind, *_ in HEARD]
)
def test_data_that_no_page_sends_is_refused_or_ignored(
    visit: Visit, name: str, kind: str, right: Any, wrong: dict[str, Any]
) -> None:
    fn = visit.event(name, kind)
    answer = visit.send(fn, visit.usual(fn), right)
    assert isinstance(answer, list) and answer[0], answer
    cases = [
        *NO_DATA,
        *({**right, part: value} for part, values in wrong.items() for value in values),
        *({n: v for n, v in right.items() if n != part} for part in wrong),
    ]
    for data in cases:
        refused(visit.send(fn, visit.usual(fn), data), data)
    FIGURES["events with hostile data"] += len(cases)


def wrong_values(block: gr.blocks.Block) -> tuple[Any, ...]:
    """What a program may send in place of an input."""
    if isinstance(block, gr.HTML):
        return LAYERS
    return (
        None,
        "x",
        [],
        {},
        [[]],
        10**400,
        math.nan,
        "\x00",
        *(
            {"path": path, "meta": {"_type": "gradio.FileData"}}
            for path in ("/etc/passwd", "http://example.com/x.png")
        ),
    )


def test_inputs_that_no_page_sends_are_refused_or_ignored(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One input of an event at a time, the others as they should be; no address is opened. The endpoints for
    programs have cases of their own.
    """
    opened: list[str] = []
    monkeypatch.setattr(
        processing_utils, "async_ssrf_protected_download", lambda url, **_: opened.append(url)
    )
    for place in (result, style_row):
        monkeypatch.setattr(
            place, "prepare", lambda *_, **__: (_ for _ in ()).throw(InputError("everything could be read"))
        )
    for fn in visit.page.fns.values():  # what Gradio does to a component that was updated
        for block in fn.inputs:
            if not isinstance(block, gr.State):
                visit.state[block._id] = type(block)(**{**block.constructor_args, "render": False})
    faults, tried, distinct = (
        [],
        0,
        {
            (fn.fn, *(block._id for block in fn.inputs)): fn
            for fn in visit.page.fns.values()
            if fn.fn and fn.api_visibility != "public"
        },
    )
    for fn in distinct.values():
        usual, data = (
            visit.usual(fn),
            next(
                (
                    right
                    for name, kind, right, _ in HEARD
                    if visit.event(name, kind).fn.__name__ == fn.fn.__name__
                ),
                None,
            ),
        )
        kinds = [type(block) for block in fn.inputs]
        for i in {
            of
            for kind in {*kinds} - {gr.State}
            for of in (kinds.index(kind), len(kinds) - 1 - kinds[::-1].index(kind))
        }:  # the first and the last of each kind
            block = fn.inputs[i]
            for value in wrong_values(block):
                answer = visit.send(fn, [*usual[:i], value, *usual[i + 1 :]], data)
                if isinstance(answer, str) and (len(answer) <= 20 or answer == OUR_FAULT):
                    faults.append((fn.api_name, block.elem_id or block.label, value, answer))
                tried += 1
    assert not faults and not opened, (faults, opened)
    FIGURES["inputs of events that no page sends"] += tried
