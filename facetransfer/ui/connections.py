"""Limits on connections, before a request of theirs reaches the page: who sends a request too slowly, or
opens connections too fast, is hung up on, and where there are too many, one of the address that has most.

The web server by itself waits for the rest of a request without end, and takes connections until the system
has no more to give: then nobody is answered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from uvicorn import config as uvicorn_config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

PATIENCE = 15.0  # seconds without a byte of a request that has not come whole
SLOWEST = 16 << 10  # bytes of a request in a second, after PATIENCE: 40 MB may take three quarters of an hour
LOOK = 1.0  # seconds between two looks at who is late
MOST = 2000  # connections at once, each of which may need a file for what it uploads
AT_ONCE, EACH_SECOND = 300, 30  # connections that an address may open at once, and from then on
AT_A_TIME = 32  # connections that are taken before those that were taken are looked at
SPARE, LEAST = 64, 32  # open files for everything else; connections that there may be in any case
OWN = ("127.0.0.1", "::1")
REMEMBERED = 10_000  # addresses whose connections are counted
METHODS = ("connection_made", "connection_lost", "data_received", "handle_websocket_upgrade")
PARTS = ("more_body", "response_complete")  # of a request that is being answered

log = logging.getLogger(__name__)


class Connections:
    """Those that are open, by address, the oldest first."""

    def __init__(self, most: int = MOST) -> None:
        self.most, self.number = most, 0
        self.of: dict[str | None, dict[GuardedProtocol, None]] = {}

    def add(self, one: GuardedProtocol) -> None:
        """Where there are too many now, one is hung up on: of the address that has most, the oldest other
        whose request is still to come, or else the oldest.
        """
        self.of.setdefault(one.address, {})[one] = None
        self.number += 1
        if self.number > self.most:
            there = max(self.of.values(), key=len)
            coming = (other for other in there if other.began is not None and other is not one)
            next(coming, next(iter(there))).hang_up()

    def discard(self, one: GuardedProtocol) -> None:
        there = self.of.get(one.address, {})
        if one in there:
            del there[one]
            self.number -= 1
        if not there:
            self.of.pop(one.address, None)


class Rate:
    """How many more connections each address may open now. The machine's own addresses may open any number: a
    proxy on it stands for all visitors.
    """

    def __init__(self) -> None:
        self.left: dict[str, tuple[float, float]] = {}  # connections, and when that was counted

    def allows(self, address: str | None, now: float) -> bool:
        """Whether this address may open one more; it is counted."""
        if address is None or address in OWN:
            return True
        left, when = self.left.get(address, (float(AT_ONCE), now))
        left = min(float(AT_ONCE), left + (now - when) * EACH_SECOND)
        self.left[address] = max(0.0, left - 1), now
        if len(self.left) > REMEMBERED:  # Those that have all of theirs again need not be remembered.
            whole = AT_ONCE / EACH_SECOND
            self.left = {one: (n, t) for one, (n, t) in self.left.items() if now - t < whole}
        return left >= 1


class GuardedProtocol(H11Protocol):
    """One connection. It is late where PATIENCE passes without a byte of a request that has not come whole,
    or where that request comes more slowly than SLOWEST; a connection counts as such a request.
    """

    all = Connections()
    rate = Rate()
    address: str | None = None
    began: float | None = None  # when the request that is still to come did; None where none is
    last = 0.0  # when something of it came
    came = 0  # bytes of it
    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else None
        if not self.rate.allows(self.address, time.monotonic()):
            transport.abort()
            return
        self.began = self.last = time.monotonic()
        self.timer = self.loop.call_later(LOOK, self.look)
        self.all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        self.leave()
        super().handle_websocket_upgrade(event)

    def data_received(self, data: bytes) -> None:
        self.last = time.monotonic()
        if self.began is None:
            self.began, self.came = self.last, 0
        self.came += len(data)
        super().data_received(data)
        if self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete:
            self.began = None  # it has come whole

    def look(self) -> None:
        """Hangs up where the request is late, and looks again later where it is not."""
        if self.flow.read_paused and self.began is not None:  # it is us that it waits for
            self.began, self.last = self.began + LOOK, time.monotonic()
        if late(self.began, self.last, self.came, time.monotonic()):
            self.hang_up()
        else:
            self.timer = self.loop.call_later(LOOK, self.look)

    def hang_up(self) -> None:
        """At once: what was still to be said is lost."""
        self.leave()
        self.transport.abort()

    def leave(self) -> None:
        """It is not looked at any more."""
        self.all.discard(self)
        if self.timer:
            self.timer.cancel()


def late(began: float | None, last: float, came: int, now: float) -> bool:
    """Whether a request, of which so many bytes came between the two moments, is sent too slowly."""
    return began is not None and (now - last > PATIENCE or now - began > PATIENCE + came / SLOWEST)


load = uvicorn_config.Config.load


def with_short_queue(config: uvicorn_config.Config) -> None:
    """The server's settings are loaded with a short queue of connections that wait to be taken: asyncio takes
    as many at a time as the queue is long, before it looks at any of them.
    """
    config.backlog = min(config.backlog, AT_A_TIME)
    load(config)


def limit_connections(open_files: int | None = None) -> None:
    """From now on the servers that are started in this process guard their connections. open_files: how many
    the system lets it have. Another web server than the one known here goes without, and that is logged.
    """
    named = RequestResponseCycle.__init__.__code__.co_names
    if not all(hasattr(H11Protocol, name) for name in METHODS) or not set(PARTS) <= set(named):
        log.warning("slow connections are not limited: this version of uvicorn is not known")
        return
    uvicorn_config.Config.load = with_short_queue  # type: ignore[assignment,method-assign]
    GuardedProtocol.all.most = MOST
    if open_files is not None:
        GuardedProtocol.all.most = max(LEAST, min(MOST, (open_files - SPARE) // 2))
    uvicorn_config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{GuardedProtocol.__name__}"
