"""All that the page takes from Gradio beside its public interface, in one place.

Gradio's minor version is pinned (`requirements.txt`), since these parts may change with any. `check`, which
is called when the page is built, compares them with what this file was written for: another version stops the
start in words, and nothing goes wrong later and quietly.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import operator
import os
import re
import tempfile
import time
import traceback
from collections import OrderedDict, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

import gradio as gr
import numpy as np
from gradio import processing_utils
from gradio.blocks import Block, BlocksConfig
from gradio.queueing import Event, EventQueue, Queue
from gradio.routes import templates
from gradio.state_holder import StateHolder
from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta, traverse
from PIL import Image
from starlette.exceptions import HTTPException

from facetransfer.base.errors import shortened
from facetransfer.base.images import FORMATS
from facetransfer.ui.cache import used

TESTED = "6.31"  # Gradio's minor version that all of this was tried with
SIGNATURES: dict[Callable[..., Any], tuple[str, ...]] = {
    processing_utils.save_pil_to_cache: ("img", "cache_dir", "name", "format"),
    processing_utils.encode_pil_to_bytes: ("pil_image", "format"),
    processing_utils.hash_bytes: ("bytes",),
    gr.Blocks.preprocess_data: ("self", "block_fn", "inputs", "state", "explicit_call"),
    BlocksConfig.config_for_block: ("_id", "rendered_ids", "block", "renderable"),
    Queue.push: ("self", "body", "request", "username"),
    Queue.get_events: ("self",),
    Queue.clean_events: ("self", "session_hash", "event_id"),
    traverse: ("json_obj", "func", "is_root"),
    is_file_obj_with_meta: ("d",),
    get_upload_folder: (),
}
HOLDER_PARTS = ("session_data", "time_last_used", "lock")
QUEUE_PARTS = (
    "event_queue_per_concurrency_id",
    "event_ids_to_events",
    "pending_event_ids_session",
    "process_time_per_fn",
    "active_jobs",
)
LINE_PARTS = ("queue", "current_concurrency", "start_times_per_fn")
EVENT_PARTS = ("_id", "session_hash", "fn", "concurrency_id", "request", "data")
ONE_EVENT = re.compile(r"/call/.+/([0-9a-f]+)$")  # at the end of a path, which a proxy's may stand before
LISTENING_BEGINS = 3.0  # seconds within which a caller has to listen once its turn has come
MOST_LISTENERS = 20_000  # that are remembered, and as many moments at which jobs joined
listeners: OrderedDict[str, None] = OrderedDict()  # sessions and events whose answers were asked for
joined: OrderedDict[str, float] = OrderedDict()  # events that wait, and when they joined their line
LONG_LINE, PLACES = "work", 2  # the line of jobs that may take minutes; jobs of other lines at work at once
LARGE = 16_000_000  # pixels of a job's pictures from which it is large: one such job is at work at a time
MOST_OPENED = 100  # pictures of a job whose sizes are looked at
# Of the pictures of an event that waits, and of a session's last.
pixels: OrderedDict[str, int] = OrderedDict()
LATELY = 60.0  # seconds for which it counts what somebody had
had: deque[tuple[float, str, str | None, float]] = deque(maxlen=2000)  # when, in which line, who, how much
AS_DATA = "a data: URL, data:image/png;base64,... with the picture's bytes"
HERE = Path(__file__).resolve().parent
PAGE = "frontend/index.html"  # the template that the page is made of
ADDRESS = "{{ config['root'] }}"  # in a template: the page's address, as its visitor knows it
PREVIEW = re.compile(r'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*')
_configuration = BlocksConfig.config_for_block  # of a component, as Gradio works it out
# Those that were worked out already, for all visits.
_configurations: WeakKeyDictionary[Block, dict[str, Any]] = WeakKeyDictionary()
STILL_TO_COME = "nothing, but the stream stays open"  # among the events of a page that is there

log = logging.getLogger(__name__)


def check(blocks: gr.Blocks) -> None:
    """RuntimeError, which names the version that works, where Gradio's inner parts are others."""
    wrong = [
        f"{function.__qualname__} takes {', '.join(found) or 'nothing'}"
        for function, known in SIGNATURES.items()
        if (found := tuple(inspect.signature(function).parameters)) != known
    ]
    queue = getattr(blocks, "_queue", None)
    event = Event.__init__.__code__.co_names  # what it gives itself
    wrong += [f"the queue has no {name}" for name in QUEUE_PARTS if not hasattr(queue, name)]
    wrong += [f"a line has no {name}" for name in LINE_PARTS if not hasattr(EventQueue("line", 1), name)]
    wrong += [f"an event has no {name}" for name in EVENT_PARTS if name not in event]
    if not PREVIEW.search(page := template()) or "</head>" not in page:
        wrong.append("the template of the page has no previews of links")
    wrong += [
        f"the memory of visits has no {name}" for name in HOLDER_PARTS if not hasattr(StateHolder(), name)
    ]
    if wrong:
        raise RuntimeError(
            f"gradio {gr.__version__} differs from the version that this page was written for "
            f"({'; '.join(wrong)}): install the one that works, pip install 'gradio=={TESTED}.*'"
        )


def template() -> str:
    """The template of the page, as it is now."""
    assert templates.env.loader is not None, "Gradio's templates are loaded from somewhere"
    return templates.env.loader.get_source(templates.env, PAGE)[0]


def preview_links(tags: Callable[[str], str]) -> None:
    """The page's head has these tags in place of Gradio's, which show a link as Gradio's own, with a picture
    from another site. They stand in the template, as who makes previews runs no script.

    tags: of the page's address, without a slash at its end.
    """
    loader = templates.env.loader
    assert loader is not None, "Gradio's templates are loaded from somewhere"
    read = type(loader).get_source

    def get_source(environment: Any, name: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        source, file, current = read(loader, environment, name)
        if name == PAGE:
            source = PREVIEW.sub("", source).replace("</head>", f"{tags(ADDRESS)}\n</head>", 1)
        return source, file, current

    loader.get_source = get_source
    if templates.env.cache is not None:
        templates.env.cache.clear()


def cache_folder() -> Path:
    """Gradio's cache: files in it may be shown on the page."""
    return Path(get_upload_folder())


def event_says(event: gr.EventData, name: str) -> Any:
    """What an event says under that name, of any kind; None where it says nothing: a program can send
    anything.
    """
    return event._data.get(name) if isinstance(event._data, dict) else None


@dataclass(frozen=True)
class Line:
    """The line in which jobs of one kind wait, at this moment.

    waiting: session, address and function of each that waits, in the order in which they will be taken if
    nobody else comes. running: function and start (seconds of `time.time`) of each at work. current: how
    many are at work. usual: by function, the seconds that earlier ones took on average. at_work: the
    sessions whose jobs are at work or are just ending. turns: of each that waits, see `_turns`.
    next_turn: by address, that of one more job of it; 0 for those not named.
    """

    waiting: list[tuple[str | None, str | None, Any]]
    running: list[tuple[Any, float]]
    current: int
    usual: dict[Any, float]
    at_work: set[str | None]
    turns: list[tuple[bool, float]] = field(default_factory=list)
    next_turn: dict[str | None, float] = field(default_factory=dict)

    def place_of_newcomer(self, address: str | None) -> int:
        """How many of those that wait would be taken before a job that joins now."""
        return sum(turn <= (False, self.next_turn.get(address, 0.0)) for turn in self.turns)


Refusal = Callable[[Line, "str | None", "str | None"], "str | None"]
"""Of a line, and a session and an address that want to join it: what they are told where they may not."""


def _address(request: Any) -> str | None:
    """Where a request comes from, as the server knows it."""
    client = getattr(request, "client", None)
    return client.host if client else None


def line_of(blocks: gr.Blocks, name: str) -> Line | None:
    """The line of that concurrency id; None where nobody has stood in it yet."""
    queue = blocks._queue
    found = queue.event_queue_per_concurrency_id.get(name)
    if found is None:
        return None
    in_turn, next_turn = _turns(name, list(found.queue))
    waiting: list[tuple[str | None, str | None, Any]] = [
        (event.session_hash, _address(event.request), event.fn) for _, event in in_turn
    ]
    running = [(fn, began) for fn, times in list(found.start_times_per_fn.items()) for began in list(times)]
    functions = [fn for fn, _ in running] + [fn for _, _, fn in waiting]
    usual: dict[Any, float] = {
        fn: queue.process_time_per_fn[fn].avg_time for fn in functions if fn in queue.process_time_per_fn
    }
    jobs = [event for job in queue.active_jobs if job for event in job if event.concurrency_id == name]
    at_work: set[str | None] = {event.session_hash for event in jobs}
    turns = [turn for turn, _ in in_turn]
    return Line(waiting, running, found.current_concurrency, usual, at_work, turns, next_turn)


def from_us(error: Exception) -> bool:
    """Whether it was raised while code of the page was at work, apart from what stands around it: then it is
    a fault of ours and no wrong request.
    """
    frames = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    around = Path(__file__).resolve(), HERE / "middleware.py"
    return any(HERE in f.parents and f not in around for f in frames)


def save_whole(img: Image.Image, cache_dir: str, name: str = "image", format: str = "webp") -> str:
    """In place of Gradio's, which names a file after what is in it and writes it anew each time, while others
    may be reading it: their half went lost.
    """
    data = processing_utils.encode_pil_to_bytes(img, format)
    target = (Path(cache_dir) / processing_utils.hash_bytes(data) / f"{name}.{format}").resolve()
    target.parent.mkdir(exist_ok=True, parents=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
        part.write(data)
    os.replace(part.name, target)  # who reads the one before goes on reading it
    used(target)
    return str(target)


def by_a_page(request: Any) -> bool:
    """Whether a browser asks, no program."""
    return "sec-fetch-mode" in request.headers


def guard(blocks: gr.Blocks, refusal: Refusal) -> None:
    """The page refuses web addresses in place of files, says in words what Gradio cannot make sense of, and
    takes no job for which `refusal` has words.

    Pictures that several visitors get at once reach each of them whole, and what a visitor's page asked for
    reaches it. RuntimeError where Gradio is another than the one known here.
    """
    check(blocks)
    processing_utils.save_pil_to_cache = save_whole
    gr.Image.preprocess = _unread  # type: ignore[method-assign]
    BlocksConfig.config_for_block = staticmethod(_known_configuration)  # type: ignore
    blocks.preprocess_data = _worded(_files_only(blocks.preprocess_data))
    blocks.process_api = _listened_to(blocks, _few_at_once(blocks, _worded(blocks.process_api)))
    blocks._queue.push = _with_room(blocks, _heard(blocks._queue, blocks._queue.push), refusal)
    blocks._queue.get_events = _in_turn(blocks, blocks._queue.get_events)
    blocks._queue.clean_events = _forgotten(blocks._queue, blocks._queue.clean_events)


# Gradio closes the stream on which a page hears of its events when the last has ended, and the page opens
# another for the next. A page that asks for the next before it has read of the closing does not, and never
# hears of it. So a page's stream stays open until the page is closed: to Gradio it looks as if something were
# still to come. Programs keep Gradio's way, since they end by it.
def _heard(
    queue: Queue, push: Callable[..., Awaitable[tuple[bool, Any, str]]]
) -> Callable[..., Awaitable[tuple[bool, Any, str]]]:
    @functools.wraps(push)
    async def heard(body: Any, request: Any, *args: Any, **kwargs: Any) -> tuple[bool, Any, str]:
        found = await push(body, request, *args, **kwargs)
        if found[0] and body.session_hash and by_a_page(request):
            queue.pending_event_ids_session[body.session_hash].add(STILL_TO_COME)
        return found

    return heard


def _forgotten(queue: Queue, clean: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(clean)
    async def forgotten(*, session_hash: str | None = None, event_id: str | None = None) -> None:
        await clean(session_hash=session_hash, event_id=event_id)
        if session_hash and queue.pending_event_ids_session.get(session_hash) == {STILL_TO_COME}:
            del queue.pending_event_ids_session[session_hash]

    return forgotten


def _unread(self: gr.Image, payload: Any) -> str | None:
    """In place of what an image hands over as an input: the path of its file, unread, or None.

    Gradio would open the file itself, with other limits than `open_picture` and without our words, and fail
    where the file is past its time. Of the class, since Gradio makes the components of a visit anew.
    """
    return payload.path if payload else None


def _known_configuration(
    _id: int, rendered_ids: list[int], block: Block, renderable: Any = None
) -> dict[str, Any]:
    """The configuration of a component, a copy of the one that was worked out before where a visit asks.

    A visit begins with the configurations of all components, which Gradio works out anew for each: 50 ms in
    which the server answers nobody. Later it changes values in its own.
    """
    if rendered_ids or renderable is not None:  # The page as a whole asks, or a part that is drawn anew.
        return _configuration(_id, rendered_ids, block, renderable)
    if block not in _configurations:
        _configurations[block] = _configuration(_id, rendered_ids, block)
    known = _configurations[block]
    return {**known, "props": {**known["props"]}}


def _with_room(
    blocks: gr.Blocks, push: Callable[..., Awaitable[tuple[bool, Any, str]]], refusal: Refusal
) -> Callable[..., Awaitable[tuple[bool, Any, str]]]:
    @functools.wraps(push)
    async def with_room(body: Any, request: Any, *args: Any, **kwargs: Any) -> tuple[bool, Any, str]:
        function = blocks.fns.get(body.fn_index)
        name = function.concurrency_id if function else None
        words = _words(blocks, name, refusal, body, request)
        if words is not None:
            await _drop_unheard(blocks, name)
            words = _words(blocks, name, refusal, body, request)
        if words is None:
            size = await asyncio.to_thread(pixels_in, body.data)
            found = await push(body, request, *args, **kwargs)
            if found[0] and isinstance(found[1], str):
                _remember(joined, found[1], time.monotonic())
                # What names no picture may work on one that the visit has shown before.
                size = size or pixels.get(body.session_hash, 0)
                for name in (found[1], body.session_hash):
                    if name:
                        _remember(pixels, name, size)
            return found
        # For a 503 Gradio's page has words of its own, for any other refusal it shows ours. Its client for
        # programs understands the 503 alone.
        if by_a_page(request):
            raise HTTPException(429, words)
        return False, words, "queue_full"

    return with_room


def _remember(memory: OrderedDict[str, Any], name: str, value: Any) -> None:
    """The newest MOST_LISTENERS names and their values are kept."""
    memory[name] = value
    memory.move_to_end(name)
    while len(memory) > MOST_LISTENERS:
        memory.popitem(last=False)


def pixels_in(data: Any) -> int:
    """How many pixels the pictures have, all together, whose uploaded files are named in an event's values.
    Their heads alone are read; what is no picture has none.
    """
    paths: list[Path] = []
    traverse(data, lambda file: paths.append(Path(str(file["path"]))), is_file_obj_with_meta)
    total, cache = 0, cache_folder().resolve()
    for path in paths[:MOST_OPENED]:
        with contextlib.suppress(Exception):  # The job itself says what is wrong with its file.
            if cache in path.resolve().parents:
                with Image.open(path, formats=FORMATS) as picture:
                    total += picture.width * picture.height
    return total


def _words(blocks: gr.Blocks, name: str | None, refusal: Refusal, body: Any, request: Any) -> str | None:
    line = line_of(blocks, name) if name else None
    return refusal(line, body.session_hash, _address(request)) if line else None


def _in_turn(blocks: gr.Blocks, take: Callable[[], Any]) -> Callable[[], Any]:
    """Before a job is taken out of a line, the jobs in it are put in the order of their turns; some are
    passed over for now, see `_must_wait`.
    """

    @functools.wraps(take)
    def taken() -> Any:
        in_order, must_wait = {}, _must_wait(blocks)
        for name, line in blocks._queue.event_queue_per_concurrency_id.items():
            ordered = [event for _, event in _turns(name, line.queue)[0]]
            in_order[name] = ordered, [event for event in ordered if must_wait(event)]
            line.queue[:] = [event for event in ordered if event not in in_order[name][1]]
        found = take()
        for name, (ordered, passed_over) in in_order.items():
            queue = blocks._queue.event_queue_per_concurrency_id[name].queue
            queue[:] = [event for event in ordered if event in queue or event in passed_over]
        return found

    return taken


def _must_wait(blocks: gr.Blocks) -> Callable[[Any], bool]:
    """Whether a job may not be taken yet though its line has a place. Outside LONG_LINE one LARGE job is at
    work at a time, so that a small one never waits for the end of a large one; and of one visit and line one
    job, so that its answers come in the order in which they were asked for.
    """
    at_work = [event for job in blocks._queue.active_jobs if job for event in job]
    short = [event for event in at_work if event.concurrency_id != LONG_LINE]
    busy = any(pixels.get(event._id, 0) > LARGE for event in short)
    visits = {(event.concurrency_id, event.session_hash) for event in short if event.session_hash}

    def must_wait(event: Any) -> bool:
        if event.concurrency_id == LONG_LINE:
            return False
        return (busy and pixels.get(event._id, 0) > LARGE) or (
            event.concurrency_id,
            event.session_hash,
        ) in visits

    return must_wait


def _turns(
    name: str, events: list[Any]
) -> tuple[list[tuple[tuple[bool, float], Any]], dict[str | None, float]]:
    """The jobs of a line, each with its turn, in the order in which they are taken; and the next turn by
    address.

    Addresses take turns: each one's first job goes before anybody's second, and so on, and jobs whose answer
    nobody has asked for yet come after all others. Jobs of one address, and those of equal turns, stay in
    their order. A job of the last LATELY seconds counts as a turn, and as one more for each second that it
    worked.
    """
    since = time.monotonic() - LATELY
    while had and had[0][0] < since:
        had.popleft()
    before = _had(name)
    turns = []
    for event in events:
        address = _address(event.request)
        turns.append(((not _heard_by(event), before[address]), event))
        before[address] += 1
    return sorted(turns, key=lambda turn: turn[0]), before


def _had(line: str | None = None) -> dict[str | None, float]:
    """How much each address had lately, of one line or of all."""
    found: dict[str | None, float] = defaultdict(float)
    for _, of, address, turns in had:
        if line in (None, of):
            found[address] += turns
    return found


def _heard_by(event: Any) -> bool:
    """Whether somebody has asked for an event's answer."""
    return event._id in listeners or event.session_hash in listeners


def _unheard(event: Any) -> bool:
    """Whether nobody has asked for an event's answer, though there was time to."""
    late = time.monotonic() - joined.get(event._id, 0.0) >= LISTENING_BEGINS
    return late and not _heard_by(event)


async def _drop_unheard(blocks: gr.Blocks, name: str | None) -> None:
    """Takes those out of a line whose answers nobody asked for."""
    found = blocks._queue.event_queue_per_concurrency_id.get(name) if name else None
    for event in [event for event in found.queue if _unheard(event)] if found else ():
        await blocks._queue.clean_events(event_id=event._id)


def _listened_to(blocks: gr.Blocks, process: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A job in a line is begun only where somebody listens for its answer: otherwise a program could fill the
    line for days with a few words, and go.
    """

    @functools.wraps(process)
    async def listened_to(*args: Any, **kwargs: Any) -> Any:
        event, session = kwargs.get("event_id"), kwargs.get("session_hash")
        if event is not None and joined.pop(event, None) is not None:  # its turn begins
            until = time.monotonic() + LISTENING_BEGINS
            while event not in listeners and session not in listeners:
                if time.monotonic() > until:
                    words = "Nobody asked for the answer: this job was not begun."
                    raise gr.Error(words, print_exception=False)
                await asyncio.sleep(0.1)
            if found := blocks._queue.event_ids_to_events.get(event):
                had.append((time.monotonic(), found.concurrency_id, _address(found.request), 1.0))
        return await process(*args, **kwargs)

    return listened_to


class Gate:
    """Lets so many through at once. Of those that wait for a place the next is of the address that had least
    lately, and of equals who came first.
    """

    def __init__(self, places: int) -> None:
        self.free = places
        self.waiting: list[tuple[str | None, asyncio.Future[None]]] = []

    @contextlib.asynccontextmanager
    async def place(self, address: str | None) -> AsyncIterator[None]:
        if self.free and not self.waiting:
            self.free -= 1
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append((address, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._next()
                raise
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        """Hands a place on, or keeps it."""
        turns = _had()
        self.waiting = [one for one in self.waiting if not one[1].done()]
        if self.waiting:
            one = min(self.waiting, key=lambda one: turns[one[0]])
            self.waiting.remove(one)
            one[1].set_result(None)
        else:
            self.free += 1


def _few_at_once(blocks: gr.Blocks, process: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Of jobs in all lines but LONG_LINE no more than PLACES are at work, and of those that need no line as
    many: each line by itself lets one in, and somebody who stands in all of them would have everything.
    """
    gate, unqueued = Gate(PLACES), Gate(PLACES)

    async def worked(event: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        began = time.monotonic()
        try:
            return await process(*args, **kwargs)
        finally:
            now = time.monotonic()
            had.append((now, event.concurrency_id, _address(event.request), now - began))

    @functools.wraps(process)
    async def few(*args: Any, **kwargs: Any) -> Any:
        event = blocks._queue.event_ids_to_events.get(kwargs.get("event_id") or "")
        function = getattr(kwargs.get("block_fn"), "fn", None)
        waits = inspect.iscoroutinefunction(function)  # for something else, and works at nothing
        if event is None and waits:
            return await process(*args, **kwargs)
        if event is None:
            async with unqueued.place(_address(kwargs.get("request"))):
                return await process(*args, **kwargs)
        if event.concurrency_id == LONG_LINE:
            return await worked(event, args, kwargs)
        async with gate.place(_address(event.request)):
            return await worked(event, args, kwargs)

    return few


def say_how_tools_take_pictures() -> None:
    """Language models are told that pictures come as data: URLs, which is the one way that is open to them:
    Gradio tells them of web addresses, and of a tool for uploads that is not there.
    """
    from gradio.mcp import GradioMCPServer as Tools

    schema, read = Tools.simplify_filedata_schema, Tools.convert_strings_to_filedata

    @functools.wraps(schema)
    def told(self: Any, given: dict[str, Any]) -> tuple[dict[str, Any], list[list[str | int]]]:
        found, places = schema(self, given)
        for place in places:
            node = functools.reduce(operator.getitem, place, found["properties"])  # type: ignore[arg-type]
            node["format"] = AS_DATA  # type: ignore[index]
        return found, places

    @functools.wraps(read)
    def taken(self: Any, value: Any, places: list[list[str | int]]) -> Any:
        for place in places:
            with contextlib.suppress(KeyError, IndexError, TypeError):
                text = functools.reduce(operator.getitem, place, value)  # type: ignore[arg-type]
                if isinstance(text, str) and not text.startswith("data:"):
                    raise ValueError(
                        f"Pictures come as {AS_DATA}: no web address and no path is opened here."
                    )
        return read(self, value, places)

    Tools.simplify_filedata_schema = told  # type: ignore[method-assign]
    Tools.convert_strings_to_filedata = taken  # type: ignore[method-assign]
    Tools._file_data_tool_description = ""  # type: ignore[assignment]


def files_of_waiting_jobs(blocks: gr.Blocks) -> set[Path]:
    """The files that jobs in lines or at work name."""
    queue, found = blocks._queue, set()

    def note(file: dict[str, Any]) -> dict[str, Any]:
        found.add(Path(str(file["path"])))
        return file

    lines = [list(line.queue) for line in list(queue.event_queue_per_concurrency_id.values())]
    for event in [event for jobs in [*lines, *queue.active_jobs] if jobs for event in jobs]:
        traverse(getattr(event.data, "data", None), note, is_file_obj_with_meta)
    return found


def forget_visits(blocks: gr.Blocks, most: int) -> None:
    """Forgets what the page remembers of the visits that were idle longest, until it takes no more than
    `most` bytes. A visit that goes on makes its maps anew.
    """
    holder = getattr(blocks, "state_holder", None)
    if holder is None:
        return
    taken = {
        name: weight(list(state.state_data.values())) for name, state in list(holder.session_data.items())
    }
    total = sum(taken.values())
    for name, size in taken.items():  # who was idle longest comes first
        if total <= most:
            return
        if size:
            with holder.lock:
                holder.session_data.pop(name, None)
                holder.time_last_used.pop(name, None)
            total -= size


def weight(value: object) -> int:
    """About how many bytes the arrays and pictures take that a value holds."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, Image.Image):
        return value.width * value.height * max(3, len(value.getbands()))
    if isinstance(value, (list, tuple)):
        return sum(map(weight, value))
    if is_dataclass(value):
        return sum(weight(getattr(value, field.name)) for field in fields(value))
    return 0


def heard(path: str, query: str) -> None:
    """Remembers who asks for answers: a session's stream of events, or one event of a program."""
    if path.endswith("/queue/data") and (sessions := parse_qs(query).get("session_hash")):
        name = sessions[0]
    elif found := ONE_EVENT.search(path):
        name = found[1]
    else:
        return
    listeners[name] = None
    listeners.move_to_end(name)
    while len(listeners) > MOST_LISTENERS:
        listeners.popitem(last=False)


def _files_only(read: Callable[..., Awaitable[list[Any]]]) -> Callable[..., Awaitable[list[Any]]]:
    # Here, not at the components: Gradio makes those of a visit anew when they are updated.
    @functools.wraps(read)
    async def checked(block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        traverse(inputs, _no_address, is_file_obj_with_meta)  # as Gradio looks for them
        return await read(block_fn, inputs, *args, **kwargs)

    return checked


def _no_address(file: dict[str, Any]) -> dict[str, Any]:
    if re.match(r"\s*[a-z][a-z0-9+.-]*://", str(file["path"]), re.IGNORECASE):
        raise gr.Error(
            "Web addresses are not opened here: fetch the picture and give the file itself.",
            print_exception=False,
        )
    return file


def fill_up(blocks: gr.Blocks, least: dict[str, int]) -> None:
    """Gradio's client sends every value; a plain HTTP call is a list, and Gradio refuses one that is too
    short. A list of `least` values or more for an endpoint, by its name, gets the rest as they are at first.
    """
    check = blocks.validate_inputs

    def filled(block_fn: Any, inputs: list[Any]) -> None:
        if len(inputs) >= least.get(block_fn.api_name, len(block_fn.inputs)):
            inputs.extend(each.value for each in block_fn.inputs[len(inputs) :])
        check(block_fn, inputs)

    blocks.validate_inputs = filled  # type: ignore[method-assign]


def _worded(process: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(process)
    async def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            return await process(*args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            if from_us(error):
                log.exception("a handler failed")
                raise gr.Error(
                    "Something went wrong on our side. Please try again.", print_exception=False
                ) from None
            log.info("inputs could not be read: %s", shortened(str(error)))
            raise gr.Error(
                "These inputs cannot be used: one is of another kind than it should be, or names a file "
                "that was not uploaded here. Reload the "
                "page, or see how the API describes them.",
                print_exception=False,
            ) from None

    return checked
