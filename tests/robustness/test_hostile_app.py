"""Hostile uploads and requests to the running app: 4xx or a worded error, the next good request answered,
memory back, nothing outside the cache.
"""

from __future__ import annotations

import io
import json
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import get_ident
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.support import hostile
from tests.support.figures import FIGURES
from tests.support.running import App, file_data

AS_JSON = {"Content-Type": "application/json"}
GIVEN_WORDS = re.compile(r"[A-Za-z].{8,}")


@pytest.fixture(scope="module")
def app(app_process: App) -> Iterator[App]:
    """At the end of all cases: no fault of ours in the log."""
    good(app_process)
    begun = len(app_process.log)
    yield app_process
    told = app_process.log[begun:]
    assert "Traceback" not in told, told[told.index("Traceback") - 500 :][:4000]


def good(app: App) -> None:
    """A request as it should be is answered."""
    status, path = app.upload("good.png", hostile.png())
    kind, said = app.call("parse", [file_data(path), "compact"])
    assert (status, kind) == (200, "complete") and '"shares"' in said


def worded(kind: str, said: str, name: str) -> None:
    """A 4xx, or an error event that says something."""
    if kind == "error":
        words = json.loads(said).get("error")
        assert (
            words
            and GIVEN_WORDS.search(words)
            and "Something went wrong" not in words
            and "Traceback" not in words
        ), (name, said)
    else:
        assert kind.startswith("4"), (name, kind, said[:300])


def event(app: App, dependency: dict[str, Any], queued: bool = True, **body: Any) -> tuple[int, str]:
    """An event of the page: the status with which it was taken, and all that was said until it ended. Each
    thread is a visit of its own: to begin one for each event would take the app longer than the event.
    """
    visit = f"visit{get_ident()}"
    body |= {"fn_index": dependency["id"], "session_hash": visit, "trigger_id": 1}
    path = "/gradio_api/queue/join" if queued else "/gradio_api/run/predict"
    status, _, answer = app.send("POST", path, json.dumps(body).encode(), AS_JSON)
    if status == 200 and queued:
        _, _, answer = app.send("GET", f"/gradio_api/queue/data?session_hash={visit}", timeout=120)
    return status, answer.decode()


def at_once(ask: Callable[[Any], Any], cases: Iterable[Any]) -> list[Any]:
    """The answers to all cases, four at a time: most of each is waiting."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(ask, cases))


def test_spoilt_uploads_are_refused_in_words_or_parsed(app: App) -> None:
    cases = hostile.pictures(seed=3)
    Random(3).shuffle(cases)

    def one(case: tuple[str, bytes]) -> bool:
        status, path = app.upload(f"{case[0]}.png", case[1])
        if status != 200:
            worded(str(status), path, case[0])
            return True
        kind, said = app.call("parse", [file_data(path), "compact"])
        if kind == "complete":
            assert not case[0].startswith(hostile.SURELY_BAD), case[0]
            return False
        worded(kind, said, case[0])
        return True

    bad = sum(at_once(one, cases[::2]))  # After these the buffers of every thread are as large as they get.
    memory = app.memory()
    bad += sum(at_once(one, cases[1::2]))
    good(app)
    assert bad > 110 and app.memory() - memory < 250
    FIGURES["hostile uploads to the app"] += len(cases)
    FIGURES["hostile uploads to the app, refused"] += bad


def test_strange_names_stay_in_the_cache(app: App) -> None:
    """A name cannot lead out of the cache, and a picture of any name is taken."""
    names = [
        *hostile.NAMES,
        "../../../etc/cron.d/x.png",
        "..\\..\\x.png",
        "/etc/passwd",
        "a/b/c.png",
        ".hidden.png",
        "....//....//x.png",
        "%00.png",
        "x.png/..",
        " ",
    ]
    for name in names:
        status, path = app.upload(name, hostile.png())
        assert status == 200 or 400 <= status < 500, name
        if status == 200:
            assert app.cache.resolve() in Path(path).resolve().parents, name
            kind, said = app.call("parse", [file_data(path), "compact"])
            assert kind == "complete" or worded(kind, said, name) is None
    good(app)
    FIGURES["strange names of uploads"] += len(names)


def test_wrong_payloads_are_refused_in_words(app: App) -> None:
    cases = hostile.payloads(file_data(app.upload("good.png", hostile.png())[1]))
    ends = at_once(lambda case: app.call("transfer", case[1]), cases)
    done = 0
    for (name, _), (kind, said) in zip(cases, ends):
        if kind == "complete":  # true as 1, and the like
            done += 1
        else:
            worded(kind, said, name)
            assert "root:" not in said and "/tmp" not in said.replace(str(app.cache), ""), (name, said)
    assert done <= 12, [name for (name, _), (kind, _) in zip(cases, ends) if kind == "complete"]
    good(app)
    FIGURES["wrong payloads to the app"] += len(cases)
    FIGURES["wrong payloads to the app, refused"] += len(cases) - done


def raw(app: App, data: bytes) -> bytes:
    """The beginning of the answer to bytes that need not be HTTP."""
    host, port = urlsplit(app.address).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(200)


def test_requests_that_are_none_get_a_4xx(app: App) -> None:
    """Bodies that are no JSON, endpoints that are not there, methods that are not meant, lines that are no
    HTTP, sizes that lie.
    """
    requests: list[tuple[str, bytes]] = []
    bodies = [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"data": 5}',
        b'{"data": "x"}',
        b'{"data": {}}',
        b'{"data": null}',
        b"[" * 5000,
        b'{"data": [' + b"[" * 3000 + b"]" * 3000 + b"]}",
        b'{"fn_index": -1, "data": []}',
        b'{"fn_index": 1e99, "data": []}',
        b'{"fn_index": "x", "data": []}',
        b'{"fn_index": 9999, "data": [], "session_hash": "h"}',
        b'{"data": [], "session_hash": {}}',
        b'{"data": [], "event_data": []}',
    ]
    for path in (
        "/gradio_api/queue/join",
        "/gradio_api/call/transfer",
        "/gradio_api/call/nothing",
        "/gradio_api/run/transfer",
        "/gradio_api/api/parse",
        "/gradio_api/reset",
        "/gradio_api/cancel",
        "/gradio_api/component_server",
        "/gradio_api/upload",
    ):
        for body in bodies:
            requests.append((path, body))

    def ask(request: tuple[str, bytes]) -> None:
        path, body = request
        status, _, answer = app.send("POST", path, body, AS_JSON)
        if status == 200 and b"event_id" in answer and "/call/" in path:
            end = app.end_of(path.rsplit("/", 1)[1], json.loads(answer)["event_id"])
            worded(*end, name=f"{path} {body[:40]!r}")
        else:
            assert status < 500, (path, body[:60], status, answer[:300])

    at_once(ask, requests)
    tried = len(requests)
    for method in ("PUT", "DELETE", "PATCH", "TRACE"):
        for path in ("/", "/gradio_api/upload", "/gradio_api/file=app.py"):
            tried += 1
            assert 400 <= app.send(method, path)[0] < 500
    for data in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ):
        tried += 1
        try:
            assert (answer := raw(app, data)) == b"" or re.match(rb"HTTP/1\.[01] [24]\d\d", answer), (
                data[:40],
                answer,
            )
        except ConnectionError:
            pass  # hung up on: as good an answer
    good(app)
    FIGURES["requests that are none"] += tried


def test_what_is_too_large_is_refused_before_it_is_read(app: App) -> None:
    """Announced or not, as a file or as JSON: 413, and the disk holds none of it."""
    status, words = app.upload("large.png", b"\x89PNG" + bytes(41 << 20))
    assert status == 413 and not any(
        p.stat().st_size > 4 << 20 for p in app.folder.rglob("*") if p.is_file()
    ), words
    for path in ("/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/call/parse"):
        kind = "Content-Type: application/json"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: {10**12}\r\n\r\n".encode()
        assert raw(app, head).startswith(b"HTTP/1.1 413"), path
    host, port = urlsplit(app.address).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:  # a body that goes on and on
        connection.sendall(
            b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        sent, part = 0, b"100000\r\n" + b"[" * (1 << 20) + b"\r\n"
        try:
            while sent < 80 << 20:
                connection.sendall(part)
                sent += 1 << 20
            answer = connection.recv(100)
        except ConnectionError:
            answer = b"HTTP/1.1 413"  # the server hung up while it was still being sent to
    assert answer.startswith(b"HTTP/1.1 413") and sent <= 80 << 20
    good(app)
    FIGURES["bodies that are too large"] += 5


def test_the_page_s_own_handlers_hold(app: App) -> None:
    """Every event of the page, called by a program with values that no page sends."""
    config = json.loads(app.send("GET", "/config")[2])
    random, path = Random(5), app.upload("good.png", hostile.png())[1]
    pool = [
        None,
        0,
        -1,
        10**30,
        2.5,
        "",
        "x",
        "\x00",
        [],
        {},
        [None],
        {"layer": "4x4 1*16"},
        {"layer": 5, "of": 1},
        {"layer": "9999x9999 1*1", "of": "AAAA"},
        file_data(path),
        file_data("/etc/passwd"),
        True,
        [[path, "x"]],
    ]
    events = [
        None,
        {},
        [],
        "x",
        5,
        {"index": None},
        {"index": 1.0},
        {"index": -1},
        {"index": [1, 2]},
        {"index": ["a", None]},
        {"index": [1e308, -1e308], "value": None},
        {"stroke": [[1e308, 0.5]], "label": 1, "reach": 20},
        {"stroke": [[0.5, 0.5]], "label": 1.0, "reach": 1e308},
        {"stroke": [[0.5, 0.5]] * 5000, "label": 1, "reach": 1},
        {"stroke": [[10**400, 0]], "label": 1, "reach": 10**400},
    ]
    cases = []
    for dependency in config["dependencies"]:
        if dependency.get("js") and not dependency["backend_fn"]:
            continue
        heard = any(event in ("select", "fill", "choose") for _, event in dependency["targets"])
        for i in range(len(events) if heard else 3):
            data = [random.choice(pool) for _ in dependency["inputs"]]
            cases.append((dependency, data, events[i] if heard else random.choice(events)))
    asked = at_once(lambda case: event(app, case[0], data=case[1], event_data=case[2]), cases)
    for case, (status, told) in zip(cases, asked):
        assert status < 500, (case, told[:300])
        if status == 200:
            ends = [json.loads(line[6:]) for line in told.splitlines() if '"process_completed"' in line]
            assert ends, (case, told[-500:])
            if not ends[-1]["success"]:
                said = ends[-1]["output"].get("error")
                assert said and GIVEN_WORDS.search(said) and "Something went wrong" not in said, (
                    case,
                    ends[-1]["output"],
                )
    good(app)
    FIGURES["events with values that no page sends"] += len(cases)


def bomb() -> bytes:
    """A small PNG of 13000x13000 pixels, all of one colour, which no picture on the page may have."""
    file = io.BytesIO()
    Image.new("L", (13000, 13000)).save(file, "PNG", compress_level=9)
    return file.getvalue()


def test_no_door_opens_what_our_reader_refuses(app: App, tmp_path: Path) -> None:
    """To each input of each function a bomb, a PostScript file, a film that claims a hundred million frames,
    and an address: no memory is taken, nobody is asked, and Ghostscript, if it were installed, would not be:
    Pillow does not know the format any more.
    """
    pytest.importorskip("av")
    from tests.app.test_film import drawn_frames, write_clip
    from tests.app.test_many import with_many_frames

    clip = with_many_frames(write_clip(tmp_path / "clip.mp4", drawn_frames(2), sound=False), 100_000_000)
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"
    files = [("bomb.png", bomb()), ("x.png", postscript), ("clip.mp4", clip)]
    values = [file_data(app.upload(name, data)[1]) for name, data in files]
    config = json.loads(app.send("GET", "/config")[2])
    good(app)
    before = app.memory()
    with socket.create_server(("127.0.0.1", 0)) as asked:
        asked.setblocking(False)
        address = f"http://127.0.0.1:{asked.getsockname()[1]}/face.png"
        values += [file_data(address), {**file_data("face.png"), "url": address}]

        def knock(case: tuple[dict[str, Any], dict[str, Any]]) -> float:
            function, value = case
            data = [value for _ in function["inputs"]]
            event(app, function, function["queue"] is not False, data=data, event_data={"index": [1, 1]})
            return app.memory()

        functions = [dependency for dependency in config["dependencies"] if dependency["backend_fn"]]
        peak = max(at_once(knock, [(function, value) for function in functions for value in values]))
        with pytest.raises(BlockingIOError):
            asked.accept()
    assert peak - before < 150, f"{peak - before:.0f} MB"
    good(app)


def test_nothing_goes_past_the_line(app: App) -> None:
    """Functions that stand in a line are refused to who does not stand in it, by name and by number."""
    config = json.loads(app.send("GET", "/config")[2])
    waiting = [d for d in config["dependencies"] if d["backend_fn"] and d["queue"] is not False]
    assert {"parse", "transfer", "compare"} <= {d["api_name"] for d in waiting}
    for dependency in waiting:
        body = json.dumps({"data": [None] * len(dependency["inputs"]), "fn_index": dependency["id"]}).encode()
        for name in ("predict", dependency["api_name"] or "predict"):
            for way in ("run", "api"):
                status, _, _ = app.send("POST", f"/gradio_api/{way}/{name}", body, AS_JSON)
                assert 400 <= status < 500, (dependency["id"], name, way)


def test_a_page_of_another_site_may_neither_upload_nor_run(app: App) -> None:
    body = b'{"data": [], "fn_index": 0, "session_hash": "x"}'
    for path in ("/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/call/parse"):
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            status, _, _ = app.send("POST", path, body, AS_JSON | headers)
            assert status == 403, (path, headers)
    assert app.send("GET", "/monitoring/summary")[0] == 403
    good(app)


def test_a_job_that_nobody_listens_to_is_not_begun(app: App) -> None:
    """Posted, and its answer never asked for: some seconds later the processor rests, and the next turn
    comes.
    """
    paths = [app.upload(f"{name}.png", hostile.png())[1] for name in ("a", "b")]
    long = {"data": [*map(file_data, paths), "The article's", "alone", 6, 2000, -1, -1, 1024, 1, -1]}
    status, _, answer = app.send("POST", "/gradio_api/call/transfer", json.dumps(long).encode(), AS_JSON)
    assert status == 200 and "event_id" in json.loads(answer)
    time.sleep(5)
    before = app.seconds()
    time.sleep(1)
    assert app.seconds() - before < 0.5
    good(app)


def test_a_stream_of_a_visit_that_is_not_there_ends_and_leaves_no_trace(app: App) -> None:
    """Three hundred, of events and of answers to one job: told in the stream, and a line of log at most."""
    lines, paths = len(app.log.splitlines()), []
    for i in range(150):
        paths += [f"/gradio_api/queue/data?session_hash=nobody{i}", f"/gradio_api/call/parse/{i:032x}"]
    for status, _, said in at_once(lambda path: app.send("GET", path), paths):
        assert status == 200 and (b"session_not_found" in said or b"event: error" in said), said
    assert len(app.log.splitlines()) - lines <= 1
    good(app)
    FIGURES["streams of visits that are not there"] += 300
