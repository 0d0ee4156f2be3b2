"""Faults, each injected: clients that leave, processes that are killed, full disks, spoilt weights, clocks
that jump, memory that is full.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from random import Random

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from facetransfer import InputError, TransferSettings, to_tensor, transfer
from facetransfer.base import memory
from facetransfer.base.compiled_code import find_room_for_compiled_code
from facetransfer.base.images import open_picture, save_picture
from facetransfer.base.memory import in_less_memory
from facetransfer.base.weights import check_remembered, remember_sha256
from facetransfer.core import matching
from facetransfer.core.features import vgg19
from facetransfer.ui import files
from facetransfer.ui.cache import close_cache, open_cache
from facetransfer.ui.inputs import in_words
from segmentation.guidance import guides_of
from tests.support import hostile
from tests.support.figures import FIGURES
from tests.support.running import App, file_data

ROOT = Path(__file__).resolve().parents[2]
LONG = dict(phases=1, iterations=2000, size=128)  # a run of minutes, whose single steps are short


@pytest.fixture
def app(app_process: App) -> App:
    return app_process


def begin(
    app: App, session: str, path: str, headers: dict[str, str] | None = None, **changed: int
) -> tuple[str, int]:
    """A run of /transfer in a session of its own: its event, and the number of its function. `headers` tell a
    browser from a program.
    """
    config = json.loads(app.send("GET", "/config")[2])
    index = next(d["id"] for d in config["dependencies"] if d["api_name"] == "transfer")
    given = {
        "phases": -1,
        "iterations": -1,
        "content_weight": -1,
        "style_weight": -1,
        "size": -1,
        "seed": -1,
        "likeness": -1,
        **changed,
    }
    body = {
        "data": [file_data(path), file_data(path), "The article's", "alone", *given.values()],
        "fn_index": index,
        "session_hash": session,
    }
    status, _, answer = app.send(
        "POST",
        "/gradio_api/queue/join",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"} | (headers or {}),
    )
    assert status == 200, answer
    return json.loads(answer)["event_id"], index


def idle_after(app: App, seconds: float) -> bool:
    """Whether the app, `seconds` from now, uses less than a third of a processor."""
    time.sleep(seconds)
    before, began = app.seconds(), time.monotonic()
    time.sleep(1.0)
    return app.seconds() - before < 0.33 * (time.monotonic() - began)


def small_run(app: App, path: str) -> None:
    """A short run, which only ends where nothing else holds the worker."""
    kind, said = app.call(
        "transfer", [file_data(path), file_data(path), "Preview", "alone", 1, 1, -1, -1, 64, -1, -1]
    )
    assert kind == "complete", said


def listen(app: App, session: str) -> subprocess.Popen:
    """Another process that hears what becomes of a session, as a browser does."""
    code = (
        f"import urllib.request, sys\nfor line in "
        f"urllib.request.urlopen('{app.address}/gradio_api/queue/data?session_hash={session}'):\n    "
        f"print(line.decode(), end='', flush=True)"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def wait_for(listener: subprocess.Popen, words: str) -> None:
    for line in listener.stdout:
        if words in line:
            return
    raise AssertionError(f"nothing said {words}")


def test_work_stops_when_its_client_is_gone(app: App) -> None:
    """A laptop is closed in the middle of a run: two seconds later the processor is free, and the next in
    line is served.
    """
    path = app.upload("face.png", hostile.saved(hostile.noise(size=(96, 96)), "PNG"))[1]
    small_run(app, path)  # whatever a first run loads is loaded
    begin(app, "leaver", path, **LONG)
    listener = listen(app, "leaver")
    wait_for(listener, "process_generating")
    assert not idle_after(app, 0)
    listener.kill()
    listener.wait()
    listener.stdout.close()
    assert idle_after(app, 2.0)
    small_run(app, path)
    FIGURES["faults survived: client gone in the middle of a run"] += 1


def test_a_page_hears_of_what_it_asks_for_while_the_last_event_ends(app: App) -> None:
    """On the stream that it listens to already: it opens no other before it has read that this one was
    closed. A program's ends, or it would never go.
    """
    path, short = (
        app.upload("face.png", hostile.saved(hostile.noise(size=(96, 96)), "PNG"))[1],
        dict(phases=1, iterations=1, size=64),
    )
    begin(app, "page", path, {"Sec-Fetch-Mode": "cors"}, **short)
    page = listen(app, "page")
    wait_for(page, "process_completed")
    begin(app, "page", path, {"Sec-Fetch-Mode": "cors"}, **short)
    wait_for(page, "process_completed")
    page.kill()
    begin(app, "program", path, **short)
    program = listen(app, "program")
    wait_for(program, "close_stream")
    for listener in (page, program):
        listener.wait(10)
        listener.stdout.close()
    FIGURES["faults survived: asked while the last event ends"] += 1


def test_stop_at_random_moments(app: App) -> None:
    path, random = app.upload("face.png", hostile.saved(hostile.noise(size=(96, 96)), "PNG"))[1], Random(11)
    for i in range(5):
        event, index = begin(app, f"stopper{i}", path, **LONG)
        listener = listen(app, f"stopper{i}")
        time.sleep(random.uniform(0, 2.0))
        status, _, answer = app.send(
            "POST",
            "/gradio_api/cancel",
            json.dumps({"session_hash": f"stopper{i}", "fn_index": index, "event_id": event}).encode(),
            {"Content-Type": "application/json"},
        )
        assert status == 200, answer
        listener.kill()
        listener.wait()
        listener.stdout.close()
    small_run(app, path)
    assert idle_after(app, 0.5)
    FIGURES["faults survived: Stop at random moments"] += 5


def test_a_process_killed_while_it_writes_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    """kill -9 at random moments of saving again and again: the result is whole, of one of the two pictures,
    and nothing else looks like one.
    """
    target, random, seen = tmp_path / "result.png", Random(3), set()
    code = (
        "import sys\nfrom PIL import Image\nfrom facetransfer.base.images import save_picture\n"
        "pictures = [Image.effect_noise((700, 700), 90).convert('RGB') for _ in range(2)]\n[p.putpixel((0, "
        "0), (i, i, i)) for i, p in enumerate(pictures)]\n"
        "save_picture(pictures[0], sys.argv[1])\nprint('ready', flush=True)\nwhile True:\n    "
        "[save_picture(p, sys.argv[1]) for p in pictures]"
    )
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(target)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(random.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        picture = open_picture(target)
        assert picture.size == (700, 700) and picture.getpixel((0, 0))[0] in (0, 1)
        seen.add(picture.getpixel((0, 0))[0])
        assert [
            p.name for p in tmp_path.iterdir() if not (p.name.startswith(".result-") and ".part" in p.name)
        ] == ["result.png"]
    for left in tmp_path.glob(".result-*"):
        os.utime(left, (0, 0))
    (tmp_path / ".result-written.part.png").write_bytes(b"by another process, now")
    save_picture(picture, target)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".result-written.part.png", "result.png"]
    FIGURES["faults survived: kill -9 while writing"] += 5


def test_the_next_start_removes_what_a_killed_app_left_and_nothing_of_a_living_one(tmp_path: Path) -> None:
    """Two processes share a cache; one is killed."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom facetransfer.ui.cache import open_cache\nfolder "
        "= open_cache(Path(sys.argv[1]))\n(folder / 'face.png').write_bytes(b'x')\nprint(folder, "
        "flush=True)\ntime.sleep(600)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    killed, living = (Path(p.stdout.readline().strip()) for p in processes)
    assert killed != living and killed.stat().st_mode & 0o777 == 0o700
    processes[0].kill()
    processes[0].wait()
    here = open_cache(tmp_path)
    assert not killed.exists() and (living / "face.png").exists() and here.exists()
    close_cache(here)
    processes[1].kill()
    processes[1].wait()
    for process in processes:
        process.stdout.close()
    close_cache(open_cache(tmp_path))
    assert not list(tmp_path.iterdir())
    FIGURES["faults survived: two processes share a cache, one is killed"] += 1


def test_a_full_disk_is_said_and_the_old_result_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For real on the command line, where files may have 4000 bytes (-B: Python would leave half of what it
    compiles, for all tests after this one); in the app by an error in the middle of the archive.
    """
    for name, seed in (("a", 1), ("b", 2)):
        hostile.noise(size=(64, 64), seed=seed).save(tmp_path / f"{name}.png")
    (tmp_path / "c.png").write_bytes(b"old")
    code = (
        "import resource, sys\nfrom facetransfer.cli.main import "
        "main\nresource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\nsys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-B",
            "-c",
            code,
            *f"--style {tmp_path}/a.png --content {tmp_path}/b.png --output {tmp_path}/c.png".split(),
            *"--size 64 --method semantic --phases 1 --iterations 1 --parser none".split(),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        done.returncode == 2
        and "could not be written (File too large): choose another place" in done.stderr.splitlines()[-1]
        and "Traceback" not in done.stderr
    )
    assert (
        sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]
        and (tmp_path / "c.png").read_bytes() == b"old"
    )

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(gr.Error, match="disk is full or cannot be written to"), in_words():
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.write(tmp_path / "a.png")
    FIGURES["faults survived: disk full"] += 2


def test_a_cache_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for base in (Path("/proc/face-transfer"), tmp_path / "file" / "cache"):
        with pytest.raises(
            SystemExit,
            match=r"the cache folder .* cannot be written to \(.*\): set GRADIO_TEMP_DIR",
        ):
            open_cache(base)
    FIGURES["faults survived: cache that cannot be written"] += 2


def test_a_port_that_cannot_be_had_is_said_in_a_line(tmp_path: Path) -> None:
    """Taken by another program while ours warms up, or no port at all: one line, status 1, nothing left."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        cases = {
            str(other.getsockname()[1]): "error: the app could not open its port (",
            "99999": "error: GRADIO_SERVER_PORT is 99999: give a number from 1 to 65535",
            "abc": "error: GRADIO_SERVER_PORT is abc: give a number from 1 to 65535",
        }
        for given, words in cases.items():
            done = subprocess.run(
                [sys.executable, str(ROOT / "app.py")],
                cwd=tmp_path,
                env={
                    **os.environ,
                    "GRADIO_SERVER_PORT": given,
                    "GRADIO_SERVER_NAME": "127.0.0.1",
                    "GRADIO_TEMP_DIR": str(tmp_path / "cache"),
                },
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            assert done.returncode == 1, (given, done)
            assert words in done.stderr.splitlines()[-1], (given, done.stderr)
            assert "Traceback" not in done.stderr and "terminate called" not in done.stderr
            assert not list(tmp_path.rglob("visits-*"))
    FIGURES["faults survived: a port that cannot be had"] += 3


def test_published_weights_cut_or_changed_by_one_byte_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In torch's cache as well: VGG-19 by the hash in its name, the parsers by the hash of their download."""
    from segmentation.parsers import load_parser, published

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    vgg = tmp_path / "checkpoints" / "vgg19-dcbb9e9d.pth"
    torch.save({"features.0.weight": torch.zeros(3)}, vgg)
    with pytest.raises(
        InputError, match="are damaged .*sha256 is not dcbb9e9d.*remove the file, and it is downloaded again"
    ):
        vgg19.load()

    def download(address: str, path: str, **kwargs: object) -> None:
        torch.save(published.build("bisenet").state_dict(), path)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    path = published.downloaded("bisenet")
    check_remembered(path)
    whole = path.read_bytes()
    for spoilt in (
        whole[:-100],
        whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :],
    ):
        path.write_bytes(spoilt)
        with pytest.raises(InputError, match="are damaged"):
            load_parser("bisenet", "cpu")
    path.write_bytes(whole)
    remember_sha256(path)
    check_remembered(path)
    FIGURES["faults survived: weights cut or changed by one byte"] += 3


def test_a_clock_that_jumps_neither_deletes_early_nor_keeps_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall, steady = [1e9], [0.0]
    monkeypatch.setattr(files.time, "time", lambda: wall[0])
    monkeypatch.setattr(files.time, "monotonic", lambda: steady[0])

    def pass_(seconds: float, jump: float = 0.0) -> None:
        wall[0], steady[0] = wall[0] + seconds + jump, steady[0] + seconds

    def leave(name: str) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "face.png").write_bytes(b"x")
        for path in (tmp_path / name / "face.png", tmp_path / name):
            os.utime(path, (wall[0], wall[0]))
        return tmp_path / name

    sweeper, first = files.Sweeper(tmp_path), leave("first")
    sweeper.sweep()
    pass_(60, jump=10 * 3600)  # summer time, a wrong battery: ten hours forward
    second = leave("second")
    sweeper.sweep()
    assert first.exists() and second.exists()
    pass_(60, jump=-20 * 3600)  # and twenty back
    third = leave("third")
    sweeper.sweep()
    assert first.exists() and second.exists() and third.exists()
    pass_(files.KEPT - 100)
    sweeper.sweep()
    assert not first.exists() and second.exists() and third.exists()
    pass_(120)
    sweeper.sweep()
    assert not list(tmp_path.iterdir())
    running_one = tmp_path / f"{files.RESULT_PREFIX}run"
    running_one.mkdir()
    os.utime(running_one, (wall[0], wall[0]))
    sweeper.sweep()
    pass_(2 * files.KEPT)
    sweeper.sweep()
    assert running_one.exists()  # a run of two hours that has written nothing yet
    FIGURES["faults survived: clock jumps"] += 2


def test_full_memory_halves_the_search_and_the_work_goes_on(
    face, green_face, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A GPU that has room for 20 MB, imitated: the same bytes as with memory enough; a step that fits nowhere
    is said in words.
    """
    pictures, guides = (to_tensor(face[0]), to_tensor(green_face[0])), guides_of(face[1], green_face[1])
    settings = TransferSettings(method="semantic", phases=1, iterations=2)
    wanted, whole, asked = transfer(*pictures, guides, settings), matching.exact_matches, []

    def small(result, style, chunk_bytes=matching.CHUNK_BYTES, bias=None):
        asked.append(chunk_bytes >> 20)
        if chunk_bytes > 20 << 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 64.00 MiB")
        return whole(result, style, chunk_bytes, bias)

    monkeypatch.setattr(matching, "exact_matches", small)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(transfer(*pictures, guides, settings), wanted)
    assert asked[:4] == [96, 48, 24, 12] and "goes on with 48 MB" in caplog.text
    for error in (
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
    ):

        def never(*args: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(matching, "exact_matches", never)
        with pytest.raises(
            InputError, match="not enough memory for pictures of this size here: choose a smaller size"
        ):
            transfer(*pictures, guides, settings)
    with pytest.raises(RuntimeError, match="something else"):
        in_less_memory(lambda megabytes: (_ for _ in ()).throw(RuntimeError("something else")), 96)
    monkeypatch.setattr(memory, "free_megabytes", lambda device: 100)
    assert [in_less_memory(lambda megabytes: megabytes, wanted) for wanted in (96, 16)] == [25, 16]
    FIGURES["faults survived: memory full"] += 4


def test_two_processes_that_write_one_result_leave_one_whole(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom PIL import Image\nfrom facetransfer.base.images import save_picture\npicture = "
        "Image.effect_noise((300, 300), 90).convert('RGB')\nfor _ in range(40):\n    save_picture(picture, "
        "sys.argv[1])"
    )
    save_picture(Image.fromarray(np.zeros((300, 300, 3), np.uint8)), tmp_path / "c.png")
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "c.png")], cwd=ROOT) for _ in range(2)
    ]
    looks = 0
    while any(w.poll() is None for w in writers):
        assert open_picture(tmp_path / "c.png").size == (300, 300)
        looks += 1
    assert (
        looks > 3
        and [w.returncode for w in writers] == [0, 0]
        and [p.name for p in tmp_path.iterdir()] == ["c.png"]
    )
    FIGURES["faults survived: two processes write one result"] += 1


def test_compiled_code_finds_a_folder_where_neither_program_nor_home_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of this user's alone; one that others may write to is not trusted."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.access", lambda *args, **kwargs: True)
    find_room_for_compiled_code()
    assert "NUMBA_CACHE_DIR" not in os.environ
    monkeypatch.setattr("os.access", lambda *args, **kwargs: False)
    find_room_for_compiled_code()
    first = Path(os.environ["NUMBA_CACHE_DIR"])
    assert first.parent == tmp_path and first.stat().st_mode & 0o777 == 0o700
    first.chmod(0o777)
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    find_room_for_compiled_code()
    assert Path(os.environ["NUMBA_CACHE_DIR"]) != first
    monkeypatch.delenv("NUMBA_CACHE_DIR")


def test_a_cache_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "cache"
    base.mkdir()
    base.chmod(0o777)
    with pytest.raises(SystemExit, match="GRADIO_TEMP_DIR"):
        open_cache(base)
    base.chmod(0o1777)  # like /tmp: nobody can take away what is another's
    close_cache(open_cache(base))
