"""Ten attacks on the app, one after another, each by one client: does the next visitor still get maps?

    python -m benchmarks.attack [--only NAME ...] [--seconds 30] [--json benchmarks/results/attack.json]

The app runs as a process of its own on this machine, with what a Space of two cores has: two cores, two
threads, 600 seconds a job at most, 1024 open files, and a cache of 1000 MB. Attacker and visitor come from
two addresses of the loopback, so the limits for an address hold for each. While an attack lasts, visitors
come one after another, each with two pictures that nobody sent before; counted is the longest that one of
them waits for both maps. What the first visitor left before the attack has to be there after it. The attacker
works on the same two cores: what that takes from the app is part of the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import os
import resource
import selectors
import signal
import socket
import sys
import tempfile
import threading
import time
import uuid
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from benchmarks.machine import ROOT, conditions, write
from benchmarks.running import started

ATTACKER, VISITOR = "127.0.0.66", "127.0.0.7"  # both are this machine, and two addresses to the app
SECONDS = 30  # of each attack
LONGEST = 30  # seconds that a visitor waits before the maps count as lost
MOST_MB, MOST_SECONDS = 4096, 10  # the bars: peak memory of the app, the next visitor's wait for maps
MOST_LINES = 1000  # of log, another bar
OPEN_FILES = 1024  # of the app: what most systems give a process
CACHE_MB = 1000  # of the app's cache, so that a full one is reached
CONNECTIONS = 1500  # that an attacker holds: more than the app has files
GAP = 0.5  # seconds between two visitors
JSON = {"Content-Type": "application/json"}
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"
# In place of Ghostscript: writes down that it was called.
GHOSTSCRIPT = '#!/bin/sh\necho "$@" >> "$(dirname "$0")/called"\n'


@dataclass(frozen=True)
class Server:
    """The app under attack: where it listens, the number of its process, the folder that it writes into, and
    its functions as it tells them.
    """

    host: str
    port: int
    process: int
    folder: Path
    functions: list[dict[str, Any]]

    def memory(self) -> float:
        """The most megabytes that were resident since `forget_peak`."""
        lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process}/clear_refs").write_text("5")

    def log_lines(self) -> int:
        with open(self.folder / "log.txt", "rb") as log:
            return sum(1 for _ in log)

    def cache_mb(self) -> float:
        """Megabytes in the app's cache."""
        total = 0
        for folder, _, names in os.walk(self.folder / "cache"):  # what goes meanwhile is passed over
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total / 2**20


class Client:
    """Somebody with an address of their own, who speaks HTTP to the server."""

    def __init__(self, server: Server, address: str) -> None:
        self.server, self.address = server, address

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = LONGEST,
    ) -> tuple[int, bytes]:
        """Status and body of the answer; OSError or HTTPException where there is none."""
        connection = http.client.HTTPConnection(
            self.server.host, self.server.port, timeout=timeout, source_address=(self.address, 0)
        )
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def upload(self, name: str, data: bytes, headers: dict[str, str] | None = None) -> str:
        """Where the file lies now. OSError where the server refuses it."""
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        status, answer = self.send(
            "POST",
            "/gradio_api/upload",
            head.encode() + data + f"\r\n--{mark}--\r\n".encode(),
            {"Content-Type": f"multipart/form-data; boundary={mark}", **(headers or {})},
        )
        if status != 200:
            raise Refused(status, answer)
        return json.loads(answer)[0]

    def ask(self, endpoint: str, data: list[Any]) -> str:
        """Asks an endpoint for something; the name under which its answer is to be had."""
        body = json.dumps({"data": data}).encode()
        status, answer = self.send("POST", f"/gradio_api/call/{endpoint}", body, JSON)
        if status != 200:
            raise Refused(status, answer)
        return json.loads(answer)["event_id"]

    def answer(self, endpoint: str, event: str) -> list[Any] | None:
        """What comes of it; None where it ends in an error."""
        _, told = self.send("GET", f"/gradio_api/call/{endpoint}/{event}")
        last = [part for part in told.decode().split("\n\n") if part.startswith("event: ")][-1]
        kind, _, said = last.partition("\ndata: ")
        return json.loads(said) if kind == "event: complete" else None

    def press(self, function: dict[str, Any], values: list[Any]) -> int:
        """An event of the page by a program that listens for its end; the status of the request."""
        session = uuid.uuid4().hex
        body = {
            "data": values,
            "fn_index": function["id"],
            "session_hash": session,
            "event_data": {"index": [1, 1]},
            "trigger_id": 1,
        }
        status, _ = self.send("POST", "/gradio_api/queue/join", json.dumps(body).encode(), JSON)
        if status == 200:
            self.send("GET", f"/gradio_api/queue/data?session_hash={session}")
        return status

    def maps(self, paths: list[str]) -> list[str]:
        """Asks for the maps of pictures, as the page does: both at once, and one stream for both answers.
        Where the maps lie; fewer where one ends in an error.
        """
        parse = next(f["id"] for f in self.server.functions if f["api_name"] == "parse")
        session, events, found = uuid.uuid4().hex, [], {}
        for path in paths:
            body = {"data": [file_data(path), "compact"], "fn_index": parse, "session_hash": session}
            status, answer = self.send("POST", "/gradio_api/queue/join", json.dumps(body).encode(), JSON)
            if status != 200:
                raise Refused(status, answer)
            events.append(json.loads(answer)["event_id"])
        _, told = self.send("GET", f"/gradio_api/queue/data?session_hash={session}")
        for line in told.decode().splitlines():
            message = json.loads(line[6:]) if line.startswith("data: ") else {}
            if message.get("msg") == "process_completed" and message["success"]:
                found[message["event_id"]] = urlsplit(message["output"]["data"][0]["url"]).path
        return [found[event] for event in events if event in found]


class Refused(OSError):
    """The server answered with another status than 200."""

    def __init__(self, status: int, words: bytes) -> None:
        super().__init__(f"{status}: {words[:100].decode('utf-8', 'replace')}")
        self.status = status


def file_data(path: str) -> dict[str, Any]:
    """An uploaded file as a function takes it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


class Attack:
    """One attack under way: several threads of one client, until it is told to stop. Statuses of answers and
    whatever else it sees are counted.
    """

    def __init__(self, server: Server) -> None:
        self.server, self.client = server, Client(server, ATTACKER)
        self.over, self.counts, self.lock = threading.Event(), Counter(), threading.Lock()

    def count(self, name: str, number: int = 1) -> None:
        with self.lock:
            self.counts[name] += number

    def repeat(self, threads: int, strike: Callable[[int], object], pause: float = 0.0) -> None:
        """Strikes again and again from so many threads; the number of the strike is handed over. What comes
        back is counted: a status, or the kind of the failure.
        """

        def work(first: int) -> None:
            number = first
            while not self.over.is_set():
                try:
                    self.count(f"answer {strike(number)}")
                except Refused as refused:
                    self.count(f"answer {refused.status}")
                    self.over.wait(0.05)
                except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
                    self.count(f"failed: {type(error).__name__}")
                    self.over.wait(0.05)
                number += threads
                self.over.wait(pause)

        workers = [threading.Thread(target=work, args=[i], daemon=True) for i in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(SECONDS + 2 * LONGEST)


def png_of_zeros(side: int) -> bytes:
    """A small PNG of side x side black, transparent pixels, made without holding them."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(4 * side + 1)) for _ in range(side)) + packer.flush()

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    head = side.to_bytes(4, "big") * 2 + bytes((8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def largest_allowed(kind: str) -> bytes:
    """A picture of 7000x7000 pixels, as large as is read: its file is small, opened it takes some 200 MB."""
    file, side = io.BytesIO(), 7000
    if kind == "TIFF":
        Image.fromarray(np.zeros((side, side), np.float32)).save(file, "TIFF", compression="tiff_deflate")
    else:
        Image.new("RGB", (side, side), (120, 90, 80)).save(file, "JPEG", quality=50)
    return file.getvalue()


def noise(number: int, megabytes: float) -> bytes:
    """A file that nobody sent before, which does not compress."""
    return b"\x89PNG\r\n\x1a\n" + np.random.default_rng(number).bytes(int(megabytes * 2**20))


def picture_bombs(attack: Attack) -> None:
    """Pictures of 177 million pixels in small files, to every function that needs not wait."""
    path = attack.client.upload("bomb.png", png_of_zeros(13_300))
    functions = [f for f in attack.server.functions if not f["queue"] and f["backend_fn"] and f["inputs"]]

    def strike(number: int) -> int:
        function = functions[number % len(functions)]
        values = [file_data(path) for _ in function["inputs"]]
        body = json.dumps({"data": values, "fn_index": function["id"]}).encode()
        return attack.client.send("POST", "/gradio_api/run/predict", body, JSON)[0]

    attack.repeat(6, strike)


def postscript(attack: Attack) -> None:
    """PostScript under the name of a picture to every input of every function: is Ghostscript called?"""
    paths = [attack.client.upload(name, POSTSCRIPT) for name in ("x.png", "x.eps")]
    functions = [f for f in attack.server.functions if f["backend_fn"] and f["inputs"]]

    def strike(number: int) -> int:
        function = functions[number // 2 % len(functions)]
        values = [file_data(paths[number % 2]) for _ in function["inputs"]]
        if function["queue"]:
            return attack.client.press(function, values)
        body = json.dumps({"data": values, "fn_index": function["id"]}).encode()
        return attack.client.send("POST", "/gradio_api/run/predict", body, JSON)[0]

    attack.repeat(4, strike)
    called = attack.server.folder / "bin" / "called"
    attack.count("calls of Ghostscript", len(called.read_text().splitlines()) if called.exists() else 0)


def past_the_line(attack: Attack) -> None:
    """Functions that wait in line, called by the ways that do not."""
    path = attack.client.upload("face.jpg", largest_allowed("JPEG"))
    values = [file_data(path), file_data(path), "Preview", "alone", 1, 1, -1, -1, 512, -1, -1]
    waiting = [f for f in attack.server.functions if f["queue"] and f["backend_fn"] and f["api_name"]]

    def strike(number: int) -> int:
        function = waiting[number % len(waiting)]
        way = ("run", "api")[number % 2]
        name = ("predict", function["api_name"])[number // 2 % 2]
        data = values[: len(function["inputs"])]
        body = json.dumps({"data": data, "fn_index": function["id"]}).encode()
        return attack.client.send("POST", f"/gradio_api/{way}/{name}", body, JSON)[0]

    attack.repeat(8, strike)


def largest_pictures(attack: Attack) -> None:
    """The largest pictures that are read, through every line at once, by clients that wait for the answer."""
    path = attack.client.upload("large.tif", largest_allowed("TIFF"))
    waiting = [f for f in attack.server.functions if f["queue"] and f["backend_fn"] and f["inputs"]]
    run = [file_data(path), file_data(path), "Preview", "alone", 1, 1, -1, -1, 64, -1, -1]

    def strike(number: int) -> object:
        if number % 3 == 0:
            found = attack.client.answer("parse", attack.client.ask("parse", [file_data(path), "compact"]))
            return "with a map" if found else "with an error"
        if number % 3 == 1:
            found = attack.client.answer("transfer", attack.client.ask("transfer", run))
            return "with a picture" if found else "with an error"
        function = waiting[number // 3 % len(waiting)]
        return attack.client.press(function, [file_data(path) for _ in function["inputs"]])

    attack.repeat(12, strike)


def unheard_jobs(attack: Attack) -> None:
    """Jobs of hours, and maps, posted without end by somebody who never asks for an answer."""
    path = attack.client.upload("face.png", visitors_picture(10**6, (512, 512)))
    hours = [file_data(path), file_data(path), "The article's", "alone", 6, 2000, -1, -1, 2048, -1, -1]

    def strike(number: int) -> str:
        if number % 2:
            attack.client.ask("transfer", hours)
        else:
            attack.client.ask("parse", [file_data(path), "compact"])
        return "200"

    attack.repeat(4, strike, pause=0.02)


def new_sessions(attack: Attack) -> None:
    """A large photo's map is asked for in a new session each time, so that each has something to remember."""
    path = attack.client.upload("photo.jpg", largest_allowed("JPEG"))
    maps = next(f for f in attack.server.functions if f["queue"] and f["targets"][0][1] == "change")
    roll = next(f for f in attack.server.functions if not f["queue"] and f["backend_fn"] and not f["inputs"])

    def strike(number: int) -> int:
        if number % 4 == 0:
            return attack.client.press(maps, [file_data(path), None])
        body = {"data": [], "fn_index": roll["id"], "session_hash": uuid.uuid4().hex}
        return attack.client.send("POST", "/gradio_api/run/predict", json.dumps(body).encode(), JSON)[0]

    attack.repeat(4, strike)
    attack.count("sessions", sum(attack.counts.values()))


def held_open(attack: Attack, words: list[bytes], more: bytes = b"", every: float = 5.0) -> None:
    """Holds CONNECTIONS connections that have said `words` (of several in turn) and now and then say `more`.
    Those that the server closes are opened again.
    """
    chooser, opened, said = selectors.DefaultSelector(), 0, time.monotonic()
    held: set[socket.socket] = set()
    while not attack.over.is_set():
        for _ in range(min(50, CONNECTIONS - len(held))):
            one = socket.socket()
            one.settimeout(1.0)
            try:
                one.bind((ATTACKER, 0))
                one.connect((attack.server.host, attack.server.port))
                one.sendall(words[opened % len(words)])
            except OSError as error:
                attack.count(f"failed: {type(error).__name__}")
                one.close()
                break
            one.setblocking(False)
            chooser.register(one, selectors.EVENT_READ)
            held.add(one)
            opened += 1
        dead = []
        for key, _ in chooser.select(0.1):
            try:
                if not key.fileobj.recv(65536):  # type: ignore[union-attr]
                    dead.append(key.fileobj)
            except OSError:
                dead.append(key.fileobj)
        if more and time.monotonic() - said > every:
            said = time.monotonic()
            for one in held:
                with contextlib.suppress(OSError):
                    one.send(more)
        for one in dead:
            chooser.unregister(one)
            held.discard(one)
            one.close()
    attack.count("connections opened", opened)
    attack.count("connections held at the end", len(held))
    for one in held:
        one.close()


def slow_requests(attack: Attack) -> None:
    """Connections that have sent half the headers, or send an upload's body a byte every five seconds."""
    half = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
    slow = (
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: 1000000\r\n\r\n--x\r\n"
        b'Content-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n'
    )
    held_open(attack, [half, slow], b"x")


def streams(attack: Attack) -> None:
    """Streams of events without end: of a visit that is open, of visits that are not there, of reloads."""
    heartbeat = b"GET /gradio_api/heartbeat/somebody HTTP/1.1\r\nHost: x\r\n\r\n"
    reload = b"GET /gradio_api/dev/reload HTTP/1.1\r\nHost: x\r\n\r\n"
    unknown = b"GET /gradio_api/queue/data?session_hash=nobody HTTP/1.1\r\nHost: x\r\n\r\n"
    held_open(attack, [heartbeat] * 6 + [reload] + [unknown] * 3)


def full_disk(attack: Attack) -> None:
    """Uploads of 30 MB that nobody uses, until there is no room any more."""

    def strike(number: int) -> str:
        attack.client.upload(f"{number}.png", noise(number, 30))
        attack.count("MB taken", 30)
        return "200"

    attack.repeat(2, strike)


def other_sites(attack: Attack) -> None:
    """Requests as pages of another site make them in a visitor's browser, or with headers of a proxy."""
    path, data = attack.client.upload("face.png", visitors_picture(10**6, (64, 64))), noise(1, 1)

    def strike(number: int) -> object:
        kind = number % 4
        if kind == 0:
            attack.client.upload("x.png", data, {"Origin": "https://evil.example"})
            return "200 to an upload of another site"
        if kind == 1:
            body = json.dumps({"data": [file_data(path), "compact"]}).encode()
            site = {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
            return attack.client.send("POST", "/gradio_api/call/parse", body, site)[0]
        if kind == 2:
            outside = {"data": [file_data("http://evil.example/x.png"), "compact"]}
            event = attack.client.ask("parse", outside["data"])
            return "from an address" if attack.client.answer("parse", event) else "with an error"
        return attack.client.send("GET", "/monitoring/summary", headers={"X-Forwarded-Host": "evil.example"})[
            0
        ]

    attack.repeat(4, strike)


ATTACKS: dict[str, Callable[[Attack], None]] = {
    attack.__name__: attack
    for attack in (
        picture_bombs,
        postscript,
        past_the_line,
        largest_pictures,
        unheard_jobs,
        new_sessions,
        slow_requests,
        streams,
        full_disk,
        other_sites,
    )
}


def visitors_picture(number: int, size: tuple[int, int]) -> bytes:
    """An example's face that no other visitor has to the pixel."""
    file = io.BytesIO()
    with Image.open(ROOT / "assets" / "examples" / "bust.png") as face:
        pixels = np.array(face.convert("RGB").resize(size))
    pixels[0, :4] = np.random.default_rng(number).integers(0, 255, (4, 3))
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


@dataclass
class Visit:
    """A visitor with two pictures: what was sent, where it lies, and how long both maps took (None: no map
    came of one of them).
    """

    sent: list[bytes]
    paths: list[str]
    seconds: float | None


def visit(server: Server, number: int) -> Visit:
    """Uploads two pictures and asks for their maps, as the page does."""
    client, sizes = Client(server, VISITOR), [(512, 512), (480, 512)]
    sent = [visitors_picture(2 * number + i, size) for i, size in enumerate(sizes)]
    paths, began = [], time.monotonic()
    try:
        paths = [client.upload(f"{number}-{i}.png", data) for i, data in enumerate(sent)]
        maps = client.maps(paths)
        for path, size in zip(maps, sizes):
            status, data = client.send("GET", path)
            with Image.open(io.BytesIO(data)) as picture:
                if status != 200 or picture.size != size:
                    return Visit(sent, paths, None)
        if len(maps) < len(paths):
            return Visit(sent, paths, None)
    except (OSError, http.client.HTTPException, ValueError, LookupError):
        return Visit(sent, paths, None)
    return Visit(sent, paths, time.monotonic() - began)


def still_there(server: Server, before: Visit) -> bool:
    """Whether a visitor's pictures are served as they were sent, and can be used."""
    client = Client(server, VISITOR)
    try:
        for data, path in zip(before.sent, before.paths):
            if client.send("GET", f"/gradio_api/file={path}") != (200, data):
                return False
            if client.answer("parse", client.ask("parse", [file_data(path), "compact"])) is None:
                return False
    except (OSError, http.client.HTTPException, ValueError, LookupError):
        return False
    return True


def answers(server: Server) -> bool:
    """Whether the page is served within ten seconds."""
    try:
        return Client(server, VISITOR).send("GET", "/", timeout=10)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def measure(server: Server, name: str, seconds: float) -> dict[str, Any]:
    """One attack, the visitors while it lasts, and what is left after it."""
    attack, first = Attack(server), visit(server, abs(hash(name)) % 10**6)
    server.forget_peak()
    lines, cache = server.log_lines(), server.cache_mb()
    failed: list[str] = []

    def run() -> None:
        try:
            ATTACKS[name](attack)
        except Exception as error:  # an attack that cannot begin is told in the results, and measures nothing
            failed.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    time.sleep(3.0)  # an attack begins
    visits, until, number = [], time.monotonic() + seconds - 3.0, 10**7
    while time.monotonic() < until:
        number += 1
        visits.append(visit(server, number * len(ATTACKS) + list(ATTACKS).index(name)))
        cache = max(cache, server.cache_mb())
        time.sleep(GAP)
    alive = answers(server)
    attack.over.set()
    thread.join(2 * LONGEST)
    waits = [v.seconds for v in visits if v.seconds is not None]
    lost = len(visits) - len(waits)
    kept = still_there(server, first)
    after = visit(server, number * len(ATTACKS) * 2)
    peak, longest = server.memory(), max(waits, default=float(LONGEST))
    lines = server.log_lines() - lines
    return {
        "what": " ".join(ATTACKS[name].__doc__.split()),
        "peak_mb": round(peak),
        "visitors": len(visits),
        "seconds_until_maps": {
            "median": round(float(np.median(waits)), 2) if waits else None,
            "longest": round(max(waits), 2) if waits else None,
        },
        "visitors_without_maps": lost,
        "log_lines": lines,
        "cache_mb_highest": round(cache),
        "answers_while_it_lasts": alive,
        "seconds_until_maps_afterwards": None if after.seconds is None else round(after.seconds, 2),
        "first_visitor_kept_all": kept,
        "seen_by_the_attacker": dict(sorted(attack.counts.items())) | ({"error": failed} if failed else {}),
        "holds": bool(
            peak < MOST_MB
            and longest < MOST_SECONDS
            and lines < MOST_LINES
            and cache < 1.1 * CACHE_MB
            and not attack.counts["calls of Ghostscript"]
            and not lost
            and alive
            and kept
            and not failed
        ),
    }


def told(seconds: float, quiet: list[float | None], results: dict[str, Any]) -> dict[str, Any]:
    """All that is written down."""
    return {
        "conditions": conditions(2),
        "settings": {"open_files": OPEN_FILES, "cache_mb": CACHE_MB, "seconds_of_each": seconds},
        "bars": {
            "peak_mb": MOST_MB,
            "seconds_until_maps": MOST_SECONDS,
            "log_lines": MOST_LINES,
            "cache_mb": round(1.1 * CACHE_MB),
        },
        "seconds_until_maps_without_attack": round(
            float(np.median([s if s is not None else LONGEST for s in quiet])), 2
        ),
        "attacks": results,
    }


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--only", nargs="*", choices=list(ATTACKS), default=list(ATTACKS), metavar="NAME")
    options.add_argument("--seconds", type=float, default=SECONDS, help="of each attack")
    options.add_argument("--json", type=Path, help="also write the results there")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # or the app would stay
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the attacker holds many connections
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bin").mkdir()
        (folder / "bin" / "gs").write_text(GHOSTSCRIPT)
        (folder / "bin" / "gs").chmod(0o755)
        with started(
            folder,
            open_files=OPEN_FILES,
            PATH=f"{folder / 'bin'}:{os.environ['PATH']}",
            OMP_NUM_THREADS="2",
            FACE_TRANSFER_MAX_SECONDS="600",
            FACE_TRANSFER_CACHE_MB=str(CACHE_MB),
        ) as (address, process):
            time.sleep(15)  # the warm-up
            where = urlsplit(address)
            config = json.loads(
                Client(Server(where.hostname, where.port, 0, folder, []), VISITOR).send("GET", "/config")[1]
            )
            functions = [{**f, "queue": f["queue"] is not False} for f in config["dependencies"]]
            server = Server(where.hostname, where.port, process.pid, folder, functions)
            quiet = [visit(server, i).seconds for i in range(5)]
            for number, attack in enumerate(given.only, 1):
                results[attack] = measure(server, attack, given.seconds)
                if given.json:
                    write(given.json, told(given.seconds, quiet, results))
                print(f"{number}/{len(given.only)} {attack}: {json.dumps(results[attack])}", flush=True)
    print(f"held: {sum(r['holds'] for r in results.values())} of {len(results)}")


if __name__ == "__main__":
    main()
