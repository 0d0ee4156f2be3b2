"""What stands between the world and the page: headers, limits, and ways of Gradio's that this page has no
use for.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from facetransfer.base.errors import shortened
from facetransfer.ui.cache import Room
from facetransfer.ui.gradio_compat import from_us, heard
from facetransfer.ui.inputs import NO_ROOM

MAX_UPLOAD = 40 << 20  # bytes of one file
MAX_BODY = 64 << 20  # bytes of a request: a file as text, for a language model's tool, is a third larger
# The server opens no address for a visitor (file=http..., proxy=), and keeps no recordings of the screen or
# links to a visit, outside our cache.
CLOSED = re.compile(
    r"^(/gradio_api)?/+(file=/*[a-z][a-z0-9+.-]*:|proxy=|process_recording|deep_link|vibe-|undo-vibe|"
    r"monitoring|dev/)",
    re.IGNORECASE,
)
DIRECT = re.compile(r"^/gradio_api/(run|api)/")  # where Gradio answers 500 with the words of an error
UPLOAD = re.compile(r"/upload/?$")
FULL_DISK = "the server's disk is full: please try again later"
FRAMES = "frame-ancestors 'self' https://huggingface.co https://*.huggingface.co https://*.hf.space"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": f"{FRAMES}; object-src 'none'; base-uri 'self'",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}

log = logging.getLogger(__name__)


def words_for(error: Exception, method: str) -> tuple[int, str] | None:
    """Status and words for what went wrong with a request of that method; None where the fault is ours."""
    if isinstance(error, HTTPException):
        return error.status_code, error.detail
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        log.error("a file could not be written: %s", error)
        return 507, FULL_DISK
    if method != "POST" or from_us(error):
        return None
    log.info("a request could not be understood: %s", shortened(repr(error)))
    return 400, (
        "this request cannot be understood: see how the API describes itself, on the page or at "
        "/gradio_api/info"
    )


class Guard:
    """ASGI middleware: adds HEADERS, answers 403 to what is CLOSED, 413 to bodies over MAX_BODY, read or
    announced, and 507 to uploads for which `room` has none.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], room: Room | None = None) -> None:
        self.app, self.room = app, room

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

        if refusal := await self.refusal_of(scope):
            await refuse(answer, *refusal)
            return
        heard(scope["path"], scope.get("query_string", b"").decode("latin-1"))
        try:
            await self.app(scope, limited, answer)
        except Exception as error:
            if answered and isinstance(error.__cause__, HTTPException):
                # A stream of a visit that is not there: Gradio has said so, and would have its trace logged.
                await send({"type": "http.response.body"})
                return
            told = None if answered else words_for(error, scope["method"])
            if told is None:
                raise
            await refuse(answer, *told)

    async def refusal_of(self, scope: dict[str, Any]) -> tuple[int, str] | None:
        """Status and words for a request that is not let in; None for one that is."""
        if CLOSED.match(scope["path"]):
            return 403, "this is not served here"
        headers = dict(scope["headers"])
        if scope["method"] == "POST" and from_elsewhere(headers):
            return 403, "a page of another site may not use this one"
        length = headers.get(b"content-length", b"0")
        announced = int(length) if length.isdigit() else 0
        if announced > MAX_BODY:
            return 413, too_large()
        if scope["method"] == "POST" and UPLOAD.search(scope["path"]):
            return await self.refusal_of_upload(announced or MAX_BODY)
        return None

    async def refusal_of_upload(self, size: int) -> tuple[int, str] | None:
        """Status and words for an upload of `size` bytes that cannot be taken; None where it can."""
        if self.room is None:
            return None
        try:
            there = await asyncio.to_thread(self.room.make, size)
        except OSError as error:  # No file can be opened, of which many uploads at once need many.
            log.info("an upload was refused: %s", error)
            return 503, "the server is busy: please try again in a minute"
        if not there:
            log.warning("an upload was refused: the cache is full of files in use")
            return 507, FULL_DISK
        return None


def from_elsewhere(headers: dict[bytes, bytes]) -> bool:
    """Whether a browser sends this from a page of another site: such pages may not upload or run here.

    Programs that are no browsers say nothing of the kind. Older browsers name the origin alone.
    """
    if site := headers.get(b"sec-fetch-site"):
        return site == b"cross-site"
    origin = headers.get(b"origin")
    return origin is not None and urlsplit(origin.decode("latin-1")).netloc != headers.get(
        b"x-forwarded-host", headers.get(b"host", b"")
    ).decode("latin-1")


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
