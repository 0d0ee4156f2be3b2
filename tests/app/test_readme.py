"""The commands and snippets of the README and of the pages about use, run as they are printed."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

from facetransfer import open_picture
from tests.support.drawn_face import draw_face

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "docs/commands.md",
    "docs/programs.md",
    "docs/api.md",
    "docs/tuning.md",
    "docs/hosting.md",
)
OURS = ("facetransfer", "facetransfer-maps", "python3")  # commands that are run
ELSEWHERE = {"pip": "tests/install/test_wheel.py", "docker": "tests/install/test_container.py"}
LONG = "--iterations=1000"  # of a command that is stopped in its first phase: it has shown that it works
# The commands of an installation, each with the function that it calls.
SCRIPTS = dict(
    re.findall(
        r'^([\w-]+) = "([\w.]+:\w+)"$',
        (ROOT / "pyproject.toml").read_text().split("[project.scripts]")[1].split("\n\n")[0],
        re.M,
    )
)


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """(page, text) of each block of code."""
    for page in PAGES:
        for text in re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S):
            yield page, text


LINES = [(page, line) for page, text in blocks("bash") for line in text.splitlines() if line]
RUN = sorted({line for _, line in LINES if shlex.split(line, comments=True)[0] in OURS})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the commands name: two faces, two folders of them, a clip."""
    for name, seed in (("a.png", 1), ("b.png", 0), ("skins/one.png", 1), ("photos/one.png", 0)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        draw_face((160, 160), seed, (-110 * seed, 20 * seed, -60 * seed))[0].save(tmp_path / name)
    return tmp_path


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of commands as an installation makes them, of this environment and this checkout."""
    made = tmp_path_factory.mktemp("commands")
    for name, target in SCRIPTS.items():
        module, function = target.split(":")
        code = f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        (made / name).write_text(code)
        (made / name).chmod(0o755)
    (made / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (made / "python3").chmod(0o755)
    return made


def environment(commands: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "2",
    }


@pytest.mark.skipif(os.name != "posix", reason="shells have other rules there")
@pytest.mark.parametrize("line", [line for line in RUN if LONG in line])
def test_a_long_command_works_until_it_is_stopped(line: str, folder: Path, commands: Path) -> None:
    """In a process of its own, as a shell starts it."""
    log = folder / "said"
    with log.open("w") as said:
        process = subprocess.Popen(
            shlex.split(line), cwd=folder, env=environment(commands), stdout=said, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + 120
        while "phase 1/4" not in log.read_text() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM, log.read_text()
    assert open_picture(folder / "c.png").size == (512, 512)


@pytest.mark.parametrize("line", [line for line in RUN if LONG not in line])
def test_a_command_makes_its_pictures(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """In this process, which has loaded already what a new one takes seconds to load."""
    if "clip.mp4" in line:
        pytest.importorskip("av")
        from tests.app.test_film import drawn_frames, write_clip

        write_clip(folder / "clip.mp4", drawn_frames(2), times=(0, 1), sound=False)
    before = set(folder.rglob("*"))
    command, *words = shlex.split(line)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [command, *words])
    assert resolve_name(SCRIPTS[command])() == 0, capsys.readouterr().err
    made = {path for path in set(folder.rglob("*")) - before if path.suffix in (".png", ".mp4")}
    assert made
    for path in made:
        if path.suffix == ".png":
            assert min(open_picture(path).size) > 0


def test_commands_that_are_not_run_here_are_known() -> None:
    other = {shlex.split(line, comments=True)[0] for _, line in LINES} - set(OURS)
    assert other == set(ELSEWHERE) and all((ROOT / test).exists() for test in ELSEWHERE.values())
    extras = set(re.findall(r"^(\w+) = \[$", (ROOT / "pyproject.toml").read_text(), re.M))
    text = (ROOT / "README.md").read_text("utf-8")
    named = {extra for group in re.findall(r'(?:"\.|`)\[(\w+)\]', text) for extra in group.split(",")}
    assert {"app"} < named <= extras


def test_what_make_is_asked_for_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in (*PAGES, "CONTRIBUTING.md"):
        for name in re.findall(r"^    make (\w+)|`make ([\w-]+)`", (ROOT / page).read_text("utf-8"), re.M):
            assert re.search(rf"^{name[0] or name[1]}:", makefile, re.M), (page, name)


SNIPPETS = sorted(blocks("python"))


@pytest.mark.parametrize("page, code", SNIPPETS, ids=[f"{page}-{i}" for i, (page, _) in enumerate(SNIPPETS)])
def test_a_snippet_runs(
    page: str, code: str, folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    if "gradio_client" in code:
        assert code.count("http://127.0.0.1:7860") == 1
        code = code.replace("http://127.0.0.1:7860", request.getfixturevalue("app"))
    names: dict[str, object] = {}
    exec(compile(code, page, "exec"), names)
    if "gradio_client" in code:
        assert open_picture(Path(str(names["picture"]))).size == (256, 256)
        assert names["report"]
    else:
        assert open_picture(folder / "c.png").size == (512, 512)
