"""A disk that is full, and a cache that may hold no more: said in words, with the right status, and nobody's
pictures in use are lost.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from starlette.middleware import Middleware

from facetransfer.ui import cache
from facetransfer.ui.cache import Room, most_bytes, used
from facetransfer.ui.files import KEPT, STALLED, Sweeper, result_folder
from facetransfer.ui.gradio_compat import files_of_waiting_jobs
from facetransfer.ui.middleware import Guard
from facetransfer.ui.page import build_page
from tests.support import hostile
from tests.support.figures import FIGURES

KB = 1 << 10


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "_used", type(cache._used)())
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def left(folder: Path, name: str, age: float, size: int = 100 * KB) -> Path:
    """An upload of so many seconds ago, as Gradio lays it down."""
    (folder / name).mkdir()
    file = folder / name / "face.png"
    file.write_bytes(bytes(size))
    for path in (file, folder / name):
        os.utime(path, (time.time() - age, time.time() - age))
    return file


@pytest.fixture
def page(folder: Path) -> Callable[[bytes], tuple[int, str]]:
    """Uploads to the page in this process, whose cache in `folder` may hold a MB: status and words."""

    async def upload(data: bytes) -> tuple[int, str]:
        blocks = build_page()
        blocks.max_file_size = None  # what `launch` would set
        room = Room(folder, 1000 * KB, lambda: files_of_waiting_jobs(blocks))
        app = gr.routes.App.create_app(blocks, app_kwargs={"middleware": [Middleware(Guard, room=room)]})
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            file = {"files": ("face.png", data, "image/png")}
            answer = await client.post("/gradio_api/upload", files=file)
        return answer.status_code, answer.text

    return lambda data: asyncio.run(upload(data))


def test_an_upload_to_a_full_disk_is_told_507_and_logged(
    page: Callable[[bytes], tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert page(hostile.png())[0] == 200
    with monkeypatch.context() as disk:
        disk.setattr("gradio.route_utils.NamedTemporaryFile", full)
        answer = page(hostile.png())
    assert answer == (507, "the server's disk is full: please try again later")
    assert "could not be written" in caplog.text and "No space left" in caplog.text
    assert page(hostile.png())[0] == 200
    FIGURES["faults survived: disk full at an upload"] += 1


def test_an_upload_for_which_no_file_can_be_opened_is_told_503_without_a_trace(
    page: Callable[[bytes], tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def too_many(*args: object) -> bool:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as descriptors:
        descriptors.setattr(Room, "make", too_many)
        status, words = page(hostile.png())
    assert status == 503 and "try again" in words
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert page(hostile.png())[0] == 200


def test_an_upload_without_room_is_told_507_and_with_room_again_taken(
    page: Callable[[bytes], tuple[int, str]], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [left(folder, f"{i:064x}", 600) for i in range(10)]
    for path in paths:
        used(path)
    with caplog.at_level(logging.WARNING):
        status, words = page(hostile.png())
    assert status == 507 and "disk is full" in words and "the cache is full" in caplog.text
    assert all(path.exists() for path in paths)
    cache._used.clear()
    assert page(hostile.png())[0] == 200
    assert not paths[0].exists()


def test_the_oldest_that_nobody_uses_go_first(folder: Path) -> None:
    """Never used before long unused; what is used, waited for, an example or being made stays."""
    long_unused = left(folder, "used-long-ago", 3000)
    never = [left(folder, f"never{i}", age) for i, age in enumerate((900, 60, 2000))]
    used_now, waited, fresh = (
        left(folder, "used", 3000),
        left(folder, "waited", 3000),
        left(folder, "fresh", 0),
    )
    example, run = left(folder, "examples", 9000), result_folder()
    for path in (long_unused, used_now):
        used(path)
    cache._used[long_unused] -= cache.IN_USE + 10
    everything = [*never, long_unused, used_now, waited, fresh, example]

    def room(free: int) -> list[Path]:
        """What is there after so many KB were to be had beside what lies there, of a cache of 700 KB."""
        Room(folder, 700 * KB, lambda: {waited}).make(free * KB)
        assert run.exists()
        return [path for path in everything if not path.exists()]

    assert room(10) == [never[2]]  # 6 of 100 KB may stay: the example does not count
    assert room(110) == [never[0], never[2]]
    assert room(210) == never
    assert room(310) == [*never, long_unused]
    assert not Room(folder, 700 * KB, lambda: {waited}).make(500 * KB)
    assert Room(folder, 700 * KB, lambda: {waited}).make(300 * KB)
    assert [path for path in everything if path.exists()] == [used_now, waited, fresh, example]
    FIGURES["files in use that a full cache kept"] += 4


def test_a_clock_that_jumps_back_leaves_room(folder: Path) -> None:
    left(folder, "of-the-future", -7200)
    assert Room(folder, 150 * KB).make(100 * KB) and not (folder / "of-the-future").exists()


def test_waiting_jobs_name_their_files() -> None:
    def event(*paths: str) -> SimpleNamespace:
        data = [[{"path": path, "meta": {"_type": "gradio.FileData"}}, "compact"] for path in paths]
        return SimpleNamespace(data=SimpleNamespace(data=data))

    lines = {"look": SimpleNamespace(queue=[event("/a", "/b")]), "work": SimpleNamespace(queue=[])}
    queue = SimpleNamespace(
        event_queue_per_concurrency_id=lines, active_jobs=[None, [event("/c")], [SimpleNamespace(data=None)]]
    )
    found = files_of_waiting_jobs(SimpleNamespace(_queue=queue))
    assert found == {Path("/a"), Path("/b"), Path("/c")}


def test_how_much_the_cache_may_hold_is_said_by_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACE_TRANSFER_CACHE_MB", raising=False)
    for free, most in ((4 << 30, 2 << 30), (1 << 40, cache.MOST_BYTES)):
        monkeypatch.setattr(cache.shutil, "disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        assert most_bytes(tmp_path / "not" / "there") == most
    monkeypatch.setenv("FACE_TRANSFER_CACHE_MB", "500")
    assert most_bytes(tmp_path) == 500 << 20
    for wrong in ("a lot", "-5", "99", ""):
        monkeypatch.setenv("FACE_TRANSFER_CACHE_MB", wrong)
        with pytest.raises(SystemExit, match="FACE_TRANSFER_CACHE_MB is .*: give a number of megabytes, 100"):
            most_bytes(tmp_path)


def test_an_upload_that_broke_off_is_removed_after_two_minutes(folder: Path) -> None:
    for name, age in (("tmpstalled", STALLED + 5), ("tmpcoming", 5), ("other", STALLED + 5)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    Sweeper(folder).sweep(kept=KEPT)
    assert sorted(p.name for p in folder.iterdir()) == ["other", "tmpcoming"]
