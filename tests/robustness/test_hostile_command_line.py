"""Hostile files and arguments on both command lines: one line, exit status 2, nothing on disk changed; then a
good call works.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from facetransfer.base.images import open_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.cli.main import main
from facetransfer.core.engine import Step
from facetransfer.jobs.recipe import Recipe
from segmentation.__main__ import main as segment
from tests.support import hostile
from tests.support.figures import FIGURES

ROOT = Path(__file__).resolve().parents[2]
QUICK = [
    "--iterations",
    "1",
    "--phases",
    "1",
    "--size",
    "32",
    "--method",
    "semantic",
    "--device",
    "cpu",
    "--parser",
    "none",
]


@pytest.fixture(autouse=True)
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step that changes nothing: what is tried here is what comes before and after the work."""

    def one_step(content, style, *args, **kwargs):
        yield Step(1, 1, 1, 1, content, {"content": 0.0}, None)

    monkeypatch.setattr("facetransfer.jobs.job.transfer_steps", one_step)


def contents(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good pictures, an old result, and some that is none."""
    (tmp_path / "a.png").write_bytes(hostile.png())
    (tmp_path / "b.png").write_bytes(hostile.saved(hostile.noise(), "PNG"))
    (tmp_path / "c.png").write_bytes(b"old")
    (tmp_path / "text.txt").write_text("text")
    (tmp_path / "folder.webp").mkdir()
    return tmp_path


def call(folder: Path, *extra: str, **changed: str) -> int:
    """Exit status of the command line, argparse's own included."""
    given = {
        "style": str(folder / "a.png"),
        "content": str(folder / "b.png"),
        "output": str(folder / "c.png"),
        **changed,
    }
    try:
        return main([*(f"--{name}={value}" for name, value in given.items()), *QUICK, *extra])
    except SystemExit as end:
        return end.code


def refused(capsys: pytest.CaptureFixture, status: int, name: str) -> None:
    """The status of a wrong call, and its last line, which is a short error and no trace."""
    lines = capsys.readouterr().err.splitlines()
    assert (
        status == 2
        and lines
        and "error: " in lines[-1]
        and len(lines[-1]) < 1500
        and not any("Traceback" in line for line in lines)
    ), (name, status, lines)
    if "usage:" not in lines[0]:
        assert (
            len([line for line in lines if not line.startswith("note:")]) == 1 and lines[-1].isprintable()
        ), (name, lines)


def test_wrong_arguments_change_nothing(folder: Path, capsys: pytest.CaptureFixture) -> None:
    cases, before = hostile.flags(folder), contents(folder)
    for name, extra in cases:
        refused(capsys, call(folder, *extra), name)
        assert contents(folder) == before, name
    assert call(folder) == 0 and open_picture(folder / "c.png").size == (32, 32)
    FIGURES["wrong arguments on the command line"] += len(cases)


def test_spoilt_pictures_change_nothing(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """Each as content, by turns as style, start, region and recipe too. What can be read gives a whole
    result, all else the old one.
    """
    random, bad = Random(1), 0
    cases = [case for case in hostile.pictures(seed=1) if not case[0].startswith("many-")]
    for name, data in cases:
        path = folder / "spoilt.png"
        path.write_bytes(data)
        before = contents(folder)
        role = random.choice(("content", "style", "start-image", "region"))
        status = call(folder, **{role: str(path)})
        if status == 0:
            capsys.readouterr()
            assert open_picture(folder / "c.png").width <= 32 and not name.startswith(hostile.SURELY_BAD), (
                name
            )
            (folder / "c.png").write_bytes(b"old")
        else:
            bad += 1
            refused(capsys, status, name)
        assert contents(folder) == before, name
    assert bad > 110
    FIGURES["hostile pictures on the command line"] += len(cases)


def test_wrong_maps_and_recipes_change_nothing(folder: Path, capsys: pytest.CaptureFixture) -> None:
    cases = [
        ("map " + name, "--content-map", data) for name, data in hostile.maps((hostile.SIDE, hostile.SIDE))
    ]
    cases += [("recipe " + name, "--recipe", data) for name, data in hostile.recipe_files()]
    cases += [
        (
            "option " + name,
            "--recipe",
            hostile.with_recipe(Recipe(TransferSettings(network="compact"), options=options).to_json()),
        )
        for name, options in hostile.wrong_options()
    ]
    bad = 0
    for name, flag, data in cases:
        (folder / "given.png").write_bytes(data)
        before = contents(folder)
        status = call(folder, flag, str(folder / "given.png"))
        if status == 0:
            assert name in ("recipe empty",) or name.startswith("map "), name
            capsys.readouterr()
            (folder / "c.png").write_bytes(b"old")
        else:
            bad += 1
            refused(capsys, status, name)
        assert contents(folder) == before, name
    assert bad > 0.8 * len(cases)
    FIGURES["wrong maps and recipes on the command line"] += len(cases)


def test_strange_names_and_paths_are_one_line(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """A name cannot break the line, move the cursor or end in a fault; a picture of any name is worked on."""
    for name in hostile.NAMES:
        path = folder / name
        path.write_bytes(b"no picture")
        refused(capsys, call(folder, content=str(path)), name)
        path.write_bytes(hostile.png())
        assert (
            call(folder, content=str(path)) == 0
            and capsys.readouterr().out.rstrip("\n").isprintable()
            and open_picture(folder / "c.png").size == (32, 32)
        )
        path.unlink()
    wrong = hostile.paths(folder)
    before = contents_without_pipe(folder)
    for name, path in wrong:
        refused(capsys, call(folder, content=str(path)), str(name))
        refused(capsys, segment([str(path)]), str(name))
        assert contents_without_pipe(folder) == before
    FIGURES["strange names and paths on the command lines"] += len(hostile.NAMES) + 2 * len(wrong)


def contents_without_pipe(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() if p.is_file() else b"" for p in folder.iterdir()}


def test_a_folder_of_spoilt_pictures_is_parsed_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """One call, two good pictures among fifty that are not: two maps, a line for each of the others, status
    2.
    """
    bad = [(name, data) for name, data in hostile.pictures(seed=2) if name.startswith(hostile.SURELY_BAD)][
        :50
    ]
    for name, data in [("good-1", hostile.png()), *bad, ("good-2", hostile.png())]:
        (tmp_path / f"{name}.png").write_bytes(data)
    (tmp_path / "maps").mkdir()
    assert (
        segment(
            [*map(str, sorted(tmp_path.glob("*.png"))), "--out", str(tmp_path / "maps"), "--device", "cpu"]
        )
        == 2
    )
    assert len(capsys.readouterr().err.splitlines()) == len(bad) and sorted(
        p.name for p in (tmp_path / "maps").iterdir()
    ) == ["good-1_sem.png", "good-2_sem.png"]
    FIGURES["hostile pictures on the command line"] += len(bad)


def test_real_processes_end_in_one_line(folder: Path) -> None:
    """The same, through the shell: terminals, bytes that are no text, a closed pipe."""
    spoilt = folder / "\x1b[2Jspoilt\udcff\n.png"
    spoilt.write_bytes(b"no picture")
    for words in (
        ["facetransfer", "--style", folder / "a.png", "--content", spoilt, "--output", folder / "c.png"],
        ["segmentation", spoilt],
    ):
        done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, check=False)
        assert (
            done.returncode == 2
            and done.stdout == b""
            and done.stderr.count(b"\n") == 1
            and done.stderr.startswith(b"error: \\x1b[2Jspoilt")
            and b"\x1b" not in done.stderr
        )
    assert (folder / "c.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    "changed",
    [
        {"output": "b.png"},
        {"output": "a.png"},
        {"output": "link.png"},
        {"output": "folder.webp/../b.png"},
        {"output": "b_sem.png"},
        {"output": "given_sem.png", "content-map": "given_sem.png"},
        {"report": "a.png"},
        {"animation": "b_copy.webp", "region": "b_copy.webp"},
        {"output": "out.png", "save-every": "1", "region": "out_00001.png"},
    ],
)
def test_nothing_that_is_read_is_written_over(
    folder: Path, capsys: pytest.CaptureFixture, changed: dict[str, str]
) -> None:
    """Under its own name, another one or a link; a map that lies beside its picture; a picture on the way."""
    (folder / "link.png").symlink_to("b.png")
    for name in ("b_sem.png", "given_sem.png", "b_copy.webp", "out_00001.png"):
        (folder / name).write_bytes(hostile.png())
    before = contents(folder)
    paths = {name: value if value.isdigit() else str(folder / value) for name, value in changed.items()}
    refused(capsys, call(folder, **paths), str(changed))
    assert contents(folder) == before


def test_the_picture_to_go_on_from_may_be_replaced(folder: Path) -> None:
    (folder / "c.png").write_bytes(hostile.png())
    assert call(folder, "--start", "image", "--start-image", str(folder / "c.png")) == 0


def test_links_and_rights_of_an_old_result_stay(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "old.png").write_bytes(b"old")
    (folder / "elsewhere" / "old.png").chmod(0o664)
    (folder / "link.png").symlink_to("elsewhere/old.png")
    assert call(folder, output=str(folder / "link.png")) == 0
    assert (folder / "link.png").is_symlink()
    written = folder / "elsewhere" / "old.png"
    assert open_picture(written).size == (32, 32) and written.stat().st_mode & 0o777 == 0o664


def test_a_recipe_cannot_speak_to_the_terminal(folder: Path, capsys: pytest.CaptureFixture) -> None:
    recipe = Recipe(TransferSettings(network="compact"), versions={"torch": "\x1b[31mX"})
    (folder / "given.png").write_bytes(hostile.with_recipe(recipe.to_json()))
    assert call(folder, "--recipe", str(folder / "given.png")) == 0
    told = capsys.readouterr().err
    assert "\\x1b[31mX" in told and "\x1b[31mX" not in told


def run_really(folder: Path, *more: str, **popen: object) -> subprocess.Popen:
    """A whole run of some seconds in a process of its own."""
    words = [sys.executable, "-m", "facetransfer", "--device", "cpu", "--parser", "none", "--size", "64"]
    words += ["--style", str(folder / "a.png"), "--content", str(folder / "b.png")]
    words += ["--output", str(folder / "c.png"), "--method", "semantic", *more]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, **popen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_from_outside_keeps_its_picture(folder: Path, number: int) -> None:
    frames = ["--iterations", "2000", "--phases", "1", "--print-every", "1"]
    run = run_really(
        folder,
        *frames,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # whatever this process was started under
    )
    assert run.stdout and run.stdout.readline().startswith("1:") and run.stdout.readline()
    run.send_signal(number)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 128 + number and "stopped in phase 1" in told
    assert open_picture(folder / "c.png").size == (64, 64)


def test_nobody_has_to_listen(folder: Path) -> None:
    """A reader that leaves after one line, and a disk that is full: the picture is written all the same."""
    short = ["--iterations", "6", "--phases", "1", "--print-every", "1"]
    run = run_really(folder, *short, stdout=subprocess.PIPE)
    assert run.stdout and run.stdout.readline()
    run.stdout.close()
    with run:
        told = run.stderr.read() if run.stderr else ""
    assert run.returncode == 0 and "Traceback" not in told and "Error" not in told
    assert open_picture(folder / "c.png").size == (64, 64)
    (folder / "c.png").unlink()
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            run = run_really(folder, *short, stdout=full)
            _, told = run.communicate(timeout=60)
        assert run.returncode == 0 and "Traceback" not in told and (folder / "c.png").exists()
