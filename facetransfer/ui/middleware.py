"""What stands between the world and the page: headers, limits, and ways of Gradio's that this page has no use
for.
"""

from __future__ import annotations

import functools
import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils
from gradio.queueing import Queue
from gradio_client.utils import is_file_obj_with_meta, traverse
from starlette.exceptions import HTTPException

from facetransfer.base.errors import shortened
from facetransfer.ui.files import save_whole
from facetransfer.ui.queue_status import FULL

HERE = Path(__file__).resolve().parent
MAX_UPLOAD = 40 << 20  # bytes of one file
MAX_BODY = 64 << 20  # bytes of a request: a file as text, for a language model's tool, is a third larger
# The server opens no address for a visitor (file=http..., proxy=), and keeps no recordings of the screen or
# links to a visit, outside our cache.
CLOSED = re.compile(
    r"^(/gradio_api)?/+(file=/*[a-z][a-z0-9+.-]*:|proxy=|process_recording|deep_link|vibe-|undo-vibe)",
    re.IGNORECASE,
)
DIRECT = re.compile(r"^/gradio_api/(run|api)/")  # where Gradio answers 500 with the words of an error
FRAMES = "frame-ancestors 'self' https://huggingface.co https://*.huggingface.co https://*.hf.space"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": f"{FRAMES}; object-src 'none'; base-uri 'self'",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}

STILL_TO_COME = "nothing, but the stream stays open"  # among the events of a page that is there

log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware: adds HEADERS, answers 403 to what is CLOSED and 413 to bodies over MAX_BODY, read or
    announced.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict]],
        send: Callable[[dict], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answered, got = False, 0

        async def answer(message: dict[str, Any]) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                if message["status"] == 500 and DIRECT.match(scope["path"]):
                    message["status"] = 400
                there = {name.lower() for name, _ in message.get("headers", ())}
                message["headers"] = [
                    *message.get("headers", ()),
                    *((n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in there),
                ]
            await send(message)

        async def limited() -> dict[str, Any]:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > MAX_BODY:
                raise HTTPException(413, too_large())
            return message

        if CLOSED.match(scope["path"]):
            await refuse(answer, 403, "this is not served here")
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > MAX_BODY:
            await refuse(answer, 413, too_large())
            return
        try:
            await self.app(scope, limited, answer)
        except HTTPException as error:
            if answered:
                raise
            await refuse(answer, error.status_code, error.detail)
        except Exception as error:
            if answered or scope["method"] != "POST" or from_us(error):
                raise
            log.info("a request could not be understood: %s", shortened(repr(error)))
            await refuse(
                answer,
                400,
                "this request cannot be understood: see how the API describes itself, on the page or at "
                "/gradio_api/info",
            )


def too_large() -> str:
    return (
        f"a request may have {MAX_BODY >> 20} MB at most, a picture {MAX_UPLOAD >> 20}: make it smaller first"
    )


async def refuse(send: Callable[[dict], Awaitable[None]], status: int, words: str) -> None:
    """A short answer of plain text."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
        }
    )
    await send({"type": "http.response.body", "body": words.encode()})


def from_us(error: Exception) -> bool:
    """Whether it was raised while code of the page was at work, the guard apart: then it is a fault of ours
    and no wrong request.
    """
    frames = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    return any(HERE in f.parents and f != Path(__file__).resolve() for f in frames)


def by_a_page(request: Any) -> bool:
    """Whether a browser asks, no program."""
    return "sec-fetch-mode" in request.headers


def guard(blocks: gr.Blocks) -> None:
    """The page refuses web addresses in place of files, says in words what Gradio cannot make sense of, and
    what to do where the line is full.

    Pictures that several visitors get at once reach each of them whole, and what a visitor's page asked for
    reaches it.
    """
    processing_utils.save_pil_to_cache = save_whole
    blocks.preprocess_data, blocks.process_api = (
        _worded(_files_only(blocks.preprocess_data)),
        _worded(blocks.process_api),
    )
    blocks._queue.push = _told_when_full(_heard(blocks._queue, blocks._queue.push))
    blocks._queue.clean_events = _forgotten(blocks._queue, blocks._queue.clean_events)


# Gradio closes the stream on which a page hears of its events when the last has ended, and the page opens
# another for the next. A page that
# asks for the next before it has read of the closing does not, and never hears of it. So a page's stream
# stays open until the page is
# closed: to Gradio it looks as if something were still to come. Programs keep Gradio's way, which they end
# by.
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
        if queue.pending_event_ids_session.get(session_hash) == {STILL_TO_COME}:
            del queue.pending_event_ids_session[session_hash]

    return forgotten


def _told_when_full(
    push: Callable[..., Awaitable[tuple[bool, Any, str]]],
) -> Callable[..., Awaitable[tuple[bool, Any, str]]]:
    @functools.wraps(push)
    async def told(body: Any, request: Any, *args: Any, **kwargs: Any) -> tuple[bool, Any, str]:
        success, answer, state = await push(body, request, *args, **kwargs)
        if state != "queue_full":
            return success, answer, state
        # For a 503 Gradio's page has words of its own, for any other refusal it shows ours. Its client for
        # programs understands the 503 alone.
        if by_a_page(request):
            raise HTTPException(429, FULL)
        return success, FULL, state

    return told


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
