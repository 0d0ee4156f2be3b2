"""Slow and half-open connections, and more of them than a server can have: who sends a request too slowly is
hung up on, everybody else is answered.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn

from benchmarks.running import free_port
from facetransfer.ui import connections
from facetransfer.ui.connections import Connections, GuardedProtocol, late, limit_connections
from facetransfer.ui.launch import TooMany
from tests.support.figures import FIGURES
from tests.support.running import App

HALF_HEADERS = b"GET / HTTP/1.1\r\nHost: x\r\nX-Half: "
SLOW_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


async def patient(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Reads the whole body, thinks for a second, and tells how many bytes it got."""
    got, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        got, more = got + len(message.get("body", b"")), message.get("more_body", False)
    await asyncio.sleep(1.0)
    body = str(got).encode()
    headers = [(b"connection", b"close"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def served(most: int) -> Iterator[int]:
    """A server of `patient` with so many connections at most; its port."""
    port, before = free_port(), GuardedProtocol.all
    GuardedProtocol.all = Connections(most)
    config = uvicorn.Config(patient, port=port, http=GuardedProtocol, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)
        GuardedProtocol.all = before


def opened(port: int, words: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), 5, source_address=(address, 0))
    one.sendall(words)
    return one


def heard(one: socket.socket, seconds: float) -> bytes | None:
    """What is said until the connection ends; None where it does not end in that time."""
    said = b""
    one.settimeout(seconds)
    try:
        while part := one.recv(4096):
            said += part
    except TimeoutError:
        return None
    except ConnectionError:
        pass
    return said


def test_who_sends_too_slowly_is_hung_up_on_and_who_waits_for_an_answer_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.6)
    monkeypatch.setattr(connections, "LOOK", 0.1)
    with served(100) as port:
        silent, half, stalled = opened(port), opened(port, HALF_HEADERS), opened(port, SLOW_BODY)
        trickling, honest = opened(port, SLOW_BODY), opened(port, SLOW_BODY)
        for _ in range(10):  # a byte in a tenth of a second, and 100 kB in a second
            honest.sendall(bytes(10_000))
            try:
                trickling.sendall(b"x")
            except ConnectionError:
                pass
            time.sleep(0.1)
        for one in (silent, half, stalled, trickling):
            assert heard(one, 1.0) == b""
        assert heard(honest, 5.0).endswith(b"\r\n\r\n100000")
        for one in (silent, half, stalled, trickling, honest):
            one.close()
    FIGURES["faults survived: slow or half-open connections"] += 4


def test_a_request_may_be_as_slow_as_a_telephone() -> None:
    """40 MB at 20 kB/s, a pause of ten seconds in it, and a second request on a connection that was idle."""
    megabytes, rate = 40 << 20, 20_000
    assert not any(late(0.0, t, int(t * rate), t + 10.0) for t in range(100, megabytes // rate, 50))
    assert late(0.0, 100.0, 100 * rate, 116.0)  # nothing any more
    assert late(0.0, 16.0, 1000, 16.0) and not late(0.0, 14.0, 10, 14.0)
    assert not late(None, 0.0, 0, 1e6)


def test_where_there_are_too_many_whoever_has_most_loses_one() -> None:
    """Forty that say nothing, from one address, where eight may be: the visitor of another one is answered,
    on each of three connections.
    """
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with served(8) as port:
        many = [opened(port, address="127.0.0.66") for _ in range(20)]
        visitor = [opened(port, request, "127.0.0.7") for _ in range(3)]
        many += [opened(port, address="127.0.0.66") for _ in range(20)]
        assert all(heard(one, 5.0).endswith(b"\r\n\r\n0") for one in visitor)
        assert GuardedProtocol.all.number <= 8
        for one in (*many, *visitor):
            one.close()
    FIGURES["faults survived: more connections than there may be"] += 1


def test_who_opens_connections_too_fast_is_cut_off_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty at once where five may be: the others are hung up on unheard. Another address, and the machine's
    own, behind which a proxy may stand, are answered.
    """
    monkeypatch.setattr(connections, "AT_ONCE", 5)
    monkeypatch.setattr(connections, "EACH_SECOND", 0.01)
    monkeypatch.setattr(GuardedProtocol, "rate", connections.Rate())
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    def answered(port: int, address: str) -> bool:
        try:
            with opened(port, request, address) as one:
                return (heard(one, 5.0) or b"").endswith(b"\r\n\r\n0")
        except ConnectionError:
            return False

    with served(100) as port:
        assert [answered(port, "127.0.0.66") for _ in range(7)] == [True] * 5 + [False] * 2
        assert answered(port, "127.0.0.7") and all(answered(port, "127.0.0.1") for _ in range(6))


def test_an_address_may_open_more_connections_with_time() -> None:
    rate, now = connections.Rate(), 1000.0
    assert sum(rate.allows("a", now) for _ in range(2 * connections.AT_ONCE)) == connections.AT_ONCE
    assert rate.allows("b", now) and not rate.allows("a", now)
    later = now + 2.0
    allowed = sum(rate.allows("a", later) for _ in range(1000))
    assert allowed == 2 * connections.EACH_SECOND
    for i in range(3 * connections.REMEMBERED):
        rate.allows(f"v{i}", later + i)
    assert len(rate.left) <= connections.REMEMBERED + 1


@dataclass(eq=False)
class One:
    """A connection by its name, which says when it is hung up on."""

    name: str
    address: str
    began: float | None
    of: Connections
    gone: list[str]

    def hang_up(self) -> None:
        self.gone.append(self.name)
        self.of.discard(self)  # type: ignore[arg-type]


def test_the_oldest_whose_request_is_to_come_goes_first() -> None:
    connections, gone = Connections(3), []
    for name, address, began in (
        ("stream", "a", None),
        ("half", "a", 1.0),
        ("visitor", "b", None),
        ("new", "a", 2.0),  # "half" goes
        ("newer", "a", 3.0),  # "new" goes
        ("whole", "a", None),  # "newer" goes
        ("last", "a", 4.0),  # "stream" goes: "last" has only come
    ):
        connections.add(One(name, address, began, connections, gone))  # type: ignore[arg-type]
    assert gone == ["half", "new", "newer", "stream"] and connections.number == 3
    assert sorted(one.name for there in connections.of.values() for one in there) == [
        "last",
        "visitor",
        "whole",
    ]


def test_another_web_server_goes_without_limits_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kinds = dict(connections.uvicorn_config.HTTP_PROTOCOLS)
    monkeypatch.setattr(connections.uvicorn_config, "HTTP_PROTOCOLS", kinds)
    monkeypatch.setattr(GuardedProtocol, "all", Connections())
    monkeypatch.setattr(connections.uvicorn_config.Config, "load", connections.load)
    with monkeypatch.context() as other:
        other.setattr(connections, "PARTS", ("more_body", "something_else"))
        limit_connections(1024)
        assert "version of uvicorn is not known" in caplog.text and "Guarded" not in kinds["auto"]
    for files, most in ((1024, 480), (None, 2000), (10**6, 2000), (100, 32)):
        limit_connections(files)
        assert GuardedProtocol.all.most == most and kinds["auto"].endswith("connections:GuardedProtocol")


def test_the_app_hangs_up_on_half_a_request(app_process: App) -> None:
    host, port = urlsplit(app_process.address).netloc.split(":")
    began, held = time.monotonic(), [opened(int(port), words) for words in (HALF_HEADERS, SLOW_BODY)]
    for one in held:
        assert heard(one, connections.PATIENCE + 10) is not None
        one.close()
    assert time.monotonic() - began > connections.PATIENCE - 1


def test_connections_that_cannot_be_accepted_are_logged_once_in_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """asyncio tells of each with a whole trace: one line of it passes, and all else that it logs."""
    clock, kept = [1000.0], []
    monkeypatch.setattr("facetransfer.ui.launch.time.monotonic", lambda: clock[0])
    log = logging.Logger("asyncio")
    log.addFilter(TooMany())
    log.addHandler(handler := logging.Handler())
    handler.emit = kept.append  # type: ignore[method-assign]
    for _ in range(500):
        try:
            raise OSError(24, "Too many open files")
        except OSError as error:
            log.error("socket.accept() out of system resource", exc_info=error)
        log.error("something else")
        clock[0] += 0.2
    told = [record for record in kept if "socket.accept" in record.getMessage()]
    assert len(told) == 2 and all(record.exc_info is None for record in told)
    assert len(kept) == 502
    FIGURES["lines of log of 500 connections that could not be accepted"] += len(told)
