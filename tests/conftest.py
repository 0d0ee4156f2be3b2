"""Two drawn faces, and the app, for all that knock at it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# First, since it says how torch's threads wait, which torch reads when it is loaded.
import facetransfer  # noqa: F401

# isort: split
import pytest
import torch
from PIL import Image

from segmentation.parsers import Parse
from segmentation.semantic_map import SemanticMap
from tests.support.drawn_face import draw_face
from tests.support.figures import FIGURES
from tests.support.running import App, running, watch

WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))  # that share the tests
torch.set_num_threads(max(1, 2 // WORKERS))

ROOT = Path(__file__).resolve().parent
LARGEST_REMEMBERED = 1 << 20  # pixels of a picture whose map is kept
LONGEST_FIRST = ("browser", "robustness", "app", "install", "unit")  # folders of tests, and markers


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks each test with the folder that it lies in, so that `pytest -m unit` runs one kind alone.

    Where several workers share the tests (`-n 2 --dist loadgroup`), all tests of a file go to the same
    worker, and so do all of the browser, of which one is enough for two cores, and all that share the app
    whose connections are watched. What takes longest comes first, and the many short tests last, so that no
    worker is left waiting for the other.
    """
    for item in items:
        if (kind := item.path.relative_to(ROOT).parts[0]) in LONGEST_FIRST:
            item.add_marker(kind)
        if config.pluginmanager.hasplugin("xdist"):
            shared = next((name for name in ("browser", "app_process") if name in item.fixturenames), None)
            item.add_marker(pytest.mark.xdist_group(shared or item.path.relative_to(ROOT).as_posix()))
    place = {kind: number for number, kind in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.relative_to(ROOT).parts[0], len(place)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hands the figures that the tests of a worker counted to the process that started it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = dict(FIGURES)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes over the figures of a worker that has finished."""
    FIGURES.update(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", type=Path, help="where all tests pass, also write the tests' figures there")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    if FIGURES:
        terminalreporter.section("reliability")
        for name, number in sorted(FIGURES.items()):
            terminalreporter.write_line(f"{name}: {number}")
    if (path := config.getoption("--figures")) and exitstatus == pytest.ExitCode.OK:
        from benchmarks.machine import conditions, write

        here = conditions(torch.get_num_threads())
        before = json.loads(path.read_text()) if path.exists() else {"figures": {}}
        measured = {
            name: {"number": number, "commit": here["commit"]} for name, number in sorted(FIGURES.items())
        }
        write(path, {"conditions": here, "figures": dict(sorted((before["figures"] | measured).items()))})


@pytest.fixture
def face() -> tuple[Image.Image, SemanticMap]:
    return draw_face()


@pytest.fixture
def green_face() -> tuple[Image.Image, SemanticMap]:
    return draw_face((144, 112), seed=1, tint=(-110, 20, -60))


@pytest.fixture(scope="session", autouse=True)
def each_picture_is_parsed_once() -> Iterator[None]:
    """The same few drawn faces are parsed by most tests: one that was parsed in this process is not parsed
    again by the same parser. What a parser does itself is not changed.
    """
    from segmentation.parsers.compact import CompactParser

    parse, known = CompactParser.__call__, dict[tuple[Any, ...], Parse]()

    def remembered(self: CompactParser, picture: Image.Image, face: int = 1) -> Parse:
        if picture.width * picture.height > LARGEST_REMEMBERED:
            return parse(self, picture, face)
        pixels = hashlib.sha256(picture.tobytes()).digest()
        key = self, picture.mode, picture.size, pixels, face
        if key not in known:
            known[key] = parse(self, picture, face)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CompactParser, "__call__", remembered)
        yield


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app as a process of its own, with folders of its own; yields its address."""
    with running(tmp_path_factory.mktemp("app")) as app:
        yield app.address


@pytest.fixture(scope="session")
def app_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for all tests of reliability, whose connections are watched. At its end: nothing was written
    outside its cache, and no connection opened.
    """
    folder = tmp_path_factory.mktemp("app")
    with running(folder, **watch(folder)) as app:
        before = app.outside_cache()
        yield app
        assert app.outside_cache() == before and (folder / "connections").read_text() == ""
