"""A drawn face with its exact map: the planted answer of most tests, no picture of anybody is needed. And the
app, for all that knock at it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import facetransfer  # noqa: F401  first: it says how torch's threads wait, which torch reads when it is loaded
from segmentation.classes import INDEX
from segmentation.semantic_map import SemanticMap
from tests.support.running import App, running, watch

torch.set_num_threads(2)

ROOT = Path(__file__).resolve().parent
KINDS = ("unit", "app", "browser", "robustness", "install")  # folders of tests, and markers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test is marked with the folder that it lies in, so that `pytest -m unit` runs one kind alone."""
    for item in items:
        kind = item.path.relative_to(ROOT).parts[0]
        if kind in KINDS:
            item.add_marker(kind)


FIGURES: Counter[str] = Counter()  # what the tests of reliability count; printed at the end


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


COLOURS = {
    "background": (90, 120, 150),
    "hair": (60, 40, 30),
    "neck": (200, 150, 120),
    "cloth": (40, 70, 120),
    "skin": (225, 175, 145),
    "l_brow": (70, 45, 30),
    "r_brow": (70, 45, 30),
    "l_eye": (240, 240, 240),
    "r_eye": (240, 240, 240),
    "nose": (210, 150, 125),
    "u_lip": (170, 70, 70),
    "l_lip": (190, 80, 85),
}


def draw_face(
    size: tuple[int, int] = (128, 128), seed: int = 0, tint: tuple[int, int, int] = (0, 0, 0)
) -> tuple[Image.Image, SemanticMap]:
    """A schematic face that fills the picture of (width, height), each part with a texture of its own, and
    its map.
    """
    width, height = size
    labels = np.zeros((height, width), np.uint8)

    def ellipse(name: str, x: float, y: float, rx: float, ry: float) -> None:
        cv2.ellipse(
            labels,
            (round(x * width), round(y * height)),
            (max(1, round(rx * width)), max(1, round(ry * height))),
            0,
            0,
            360,
            INDEX[name],
            -1,
        )

    ellipse("hair", 0.5, 0.38, 0.34, 0.34)
    ellipse("cloth", 0.5, 1.05, 0.5, 0.22)
    ellipse("neck", 0.5, 0.8, 0.12, 0.16)
    ellipse("skin", 0.5, 0.5, 0.25, 0.33)
    for name, x in (("r_brow", 0.39), ("l_brow", 0.61)):
        ellipse(name, x, 0.36, 0.07, 0.018)
    for name, x in (("r_eye", 0.39), ("l_eye", 0.61)):
        ellipse(name, x, 0.43, 0.055, 0.028)
    ellipse("nose", 0.5, 0.54, 0.04, 0.1)
    ellipse("u_lip", 0.5, 0.68, 0.09, 0.02)
    ellipse("l_lip", 0.5, 0.71, 0.08, 0.022)
    rng = np.random.default_rng(seed)
    base = np.zeros((19, 3))
    for name, colour in COLOURS.items():
        base[INDEX[name]] = np.array(colour) + tint
    texture = cv2.GaussianBlur(rng.normal(0, 60, (height, width, 3)), (0, 0), 1.2)
    return Image.fromarray((base[labels] + texture).clip(0, 255).astype(np.uint8)), SemanticMap(labels)


@pytest.fixture
def face() -> tuple[Image.Image, SemanticMap]:
    return draw_face()


@pytest.fixture
def green_face() -> tuple[Image.Image, SemanticMap]:
    return draw_face((144, 112), seed=1, tint=(-110, 20, -60))


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
