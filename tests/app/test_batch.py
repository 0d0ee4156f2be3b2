"""Many pairs in one call: which they are, how they are called, and that nothing is lost, mixed or made
twice.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.images import open_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.cli.main import main
from facetransfer.jobs import batch, job
from facetransfer.jobs.batch import FAILED, MADE, PASSED_OVER, THERE, PairMaker, RunLog, run_batch
from facetransfer.jobs.pairs import Pair, listed, pictures_in, product, shard, with_outputs
from facetransfer.jobs.recipe import read_recipe
from tests.support.drawn_face import draw_face

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--size", "64", "--device", "cpu"]
SETTINGS = TransferSettings(size=64)


@pytest.fixture
def many(face, green_face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three contents in a folder, one of them broken, a map beside one, and two styles."""
    for name in ("photos", "skins"):
        (tmp_path / name).mkdir()
    face[0].save(tmp_path / "photos" / "ann.png")
    draw_face(seed=4)[0].save(tmp_path / "photos" / "bob.png")
    face[1].save(tmp_path / "photos" / "ann_sem.png")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "photos" / "notes.txt").write_text("not looked at")
    green_face[0].save(tmp_path / "skins" / "green.png")
    draw_face((112, 112), seed=3, tint=(60, -40, 0))[0].save(tmp_path / "skins" / "red.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*extra: str, contents: str = "photos", styles: str = "skins", output: str = "out") -> int:
    return main(["batch", "--contents", contents, "--styles", styles, "--output", output, *SMALL, *extra])


def results(folder: str = "out") -> dict[str, tuple[bytes, int]]:
    """All results: their bytes, and when they were written."""
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in Path(folder).rglob("[!.]*.png")}


def lines(path: str = "out/run.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_every_content_gets_every_style_and_what_is_there_is_not_made_again(
    many: Path, capsys: pytest.CaptureFixture
) -> None:
    """A broken file costs its own pairs alone, is told, and is not tried again unless that is asked for."""
    assert call() == 1
    error = capsys.readouterr().err
    assert "4 made" in error and "2 failed" in error and "broken.jpg is not a picture" in error
    assert "notes.txt" in error and "Traceback" not in error
    names = {f"{content}--{style}.png" for content in ("ann", "bob") for style in ("green", "red")}
    first = results()
    assert set(first) == names and {line["state"] for line in lines()} == {MADE, FAILED}
    assert len(lines()) == 6 and all(line["inputs"]["style"] for line in lines() if line["state"] == MADE)
    assert call() == 1
    assert results() == first and len(lines()) == 6
    assert f"4 {THERE}" in (words := capsys.readouterr().err) and f"2 {PASSED_OVER}" in words
    draw_face(seed=9)[0].save("photos/broken.jpg")
    assert call() == 0
    assert set(results()) == names | {"broken--green.png", "broken--red.png"}
    assert all(results()[name] == first[name] for name in names)


def test_a_failure_is_tried_again_where_that_is_asked_for(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = batch.prepare
    monkeypatch.setattr(batch, "prepare", _raises(MemoryError()))
    assert call(contents="photos/bob.png") == 1 and not results()
    monkeypatch.setattr(batch, "prepare", whole)
    assert call(contents="photos/bob.png") == 1 and not results()
    assert call("--retry-failed", contents="photos/bob.png") == 0 and len(results()) == 2


def _raises(error: BaseException) -> Any:
    def raises(*_: object, **__: object) -> None:
        raise error

    return raises


def test_a_result_is_the_one_of_the_single_command(many: Path) -> None:
    assert call(contents="photos/ann.png", styles="skins/red.png") == 0
    single = ["--content", "photos/ann.png", "--style", "skins/red.png", "--output", "alone.png"]
    assert main([*single, *SMALL]) == 0
    assert Path("alone.png").read_bytes() == Path("out/ann--red.png").read_bytes()


def test_each_picture_is_parsed_once(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, seen = batch.load_parser, []

    def counted(*args: Any) -> Any:
        parse = load(*args)

        def parsed(picture: Image.Image, face: int = 1) -> Any:
            seen.append(picture.size)
            return parse(picture, face)

        return parsed

    monkeypatch.setattr(batch, "load_parser", counted)
    assert call("--no-numbers") == 1
    # bob and both styles; ann has a map beside it.
    assert sorted(seen) == [(112, 112), (128, 128), (144, 112)]


def test_other_settings_make_a_result_anew(many: Path) -> None:
    assert call(contents="photos/bob.png") == 0
    before = results()
    assert call("--likeness", "0.9", contents="photos/bob.png") == 0
    after = results()
    assert set(after) == set(before) and all(after[name][0] != before[name][0] for name in before)
    assert read_recipe("out/bob--red.png").settings.likeness == 0.9


def test_a_changed_map_makes_a_result_anew(many: Path) -> None:
    assert call(contents="photos/ann.png", styles="skins/red.png") == 0
    before = results()
    labels = np.asarray(Image.open("photos/ann_sem.png")).copy()
    labels[60:80, 40:90] = labels[0, 0]
    Image.fromarray(labels).save("photos/ann_sem.png")
    assert call(contents="photos/ann.png", styles="skins/red.png") == 0
    assert results() != before


def test_what_is_not_ours_or_of_another_picture_is_never_replaced(
    many: Path, capsys: pytest.CaptureFixture
) -> None:
    Path("out").mkdir()
    draw_face(seed=7)[0].save("out/ann--red.png")
    mine = Path("out/ann--red.png").read_bytes()
    assert call(contents="photos/ann.png") == 1
    assert Path("out/ann--red.png").read_bytes() == mine and "carries no recipe" in capsys.readouterr().err
    made = Path("out/ann--green.png").read_bytes()
    Path("others").mkdir()
    draw_face(seed=8)[0].save("others/ann.png")
    assert call(contents="others", styles="skins/green.png") == 1
    assert Path("out/ann--green.png").read_bytes() == made
    assert "another content picture" in capsys.readouterr().err


def test_equal_names_are_told_apart(many: Path) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
    paths = [Path(name) for name in ("a/x.png", "a/x.jpg", "b/x.png", "b/Y.png", "b/y.png", "a/z.png")]
    named = with_outputs(product(paths, [Path("s.png")], Pair(Path(), Path())), "out")
    outputs = [str(pair.output).casefold() for pair in named]
    assert len(set(outputs)) == len(paths) and outputs[-1] == "out/z--s.png"
    # Each name is the same whatever else is in the list, as long as the list has the same pictures.
    again = with_outputs(product(paths[::-1], [Path("s.png")], Pair(Path(), Path())), "out")
    assert {p.content: p.output for p in named} == {p.content: p.output for p in again}


@pytest.mark.parametrize(
    "extra, words",
    [
        ({"contents": "empty"}, "there is no picture in empty"),
        ({"contents": "photos/nothing*.png"}, "there is no picture in photos/nothing"),
        ({"output": "out/{content}.png"}, "several results would be written to"),
        ({"output": "out/{who}.png"}, r"\{who\} in its name: choose from \{content\}"),
        ({"output": "out/{content"}, "brace without its other one"),
        ({"output": "out/{content}--{style}.jpg"}, "end the name with .png"),
        ({"output": "photos/{content}.png", "styles": "skins/red.png"}, "is read, and would be replaced"),
        ({"output": "none/deep/out"}, "could not be made"),
        ({"output": "photos/notes.txt"}, "notes.txt could not be made"),
    ],
)
def test_a_batch_that_cannot_be_is_said_before_anything_is_made(
    many: Path, capsys: pytest.CaptureFixture, extra: dict[str, str], words: str
) -> None:
    Path("empty").mkdir()
    before = {p: p.read_bytes() for p in many.rglob("*") if p.is_file()}
    assert call(**extra) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and re.search(words, errors[0])
    assert {p: p.read_bytes() for p in many.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("extra, words", [(["--shard", "3/2"], "3/2"), (["--shard", "x"], "3/8")])
def test_a_part_that_is_none_is_said(
    many: Path, capsys: pytest.CaptureFixture, extra: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        call(*extra)
    assert ended.value.code == 2 and words in capsys.readouterr().err


def test_lists_name_pairs_with_settings_of_their_own(many: Path, capsys: pytest.CaptureFixture) -> None:
    """Wrong lines cost themselves alone, and name themselves."""
    Path("pairs.csv").write_text(
        "content,style,likeness,strength,into,output\n"
        "photos/ann.png,skins/red.png,0.8,,,\n"
        'photos/bob.png,skins/green.png,,"skin=0.5,hair=0",,mine.png\n'
        "photos/bob.png,skins/red.png,7,,,\n"
        "photos/bob.png,skins/red.png,,skin=9,,\n"
        "photos/bob.png,skins/red.png,,,nowhere,\n"
        "photos/missing.png,skins/red.png,,,,\n"
        ",skins/red.png,,,,\n"
    )
    assert main(["batch", "--pairs", "pairs.csv", "--output", "out", *SMALL]) == 1
    told = capsys.readouterr().err
    assert set(results()) == {"ann--red.png", "mine.png"}
    assert read_recipe("out/ann--red.png").settings.likeness == 0.8
    assert read_recipe("out/mine.png").options["strength"] == "skin=0.5,hair=0"
    for words in (
        *("line 4 of pairs.csv: likeness is 7", "line 5 of pairs.csv: the strength of skin"),
        *("line 6 of pairs.csv: into is 'nowhere'", "missing.png does not exist"),
        "line 8 of pairs.csv: it names no content",
    ):
        assert words in told, words


def test_a_list_in_json_lines_reads_the_same(many: Path) -> None:
    Path("pairs.jsonl").write_text(
        '{"content": "photos/ann.png", "style": "skins/red.png", "likeness": 0.25, "face": 2}\n'
        "no json\n"
        '{"content": "photos/ann.png", "style": "skins/red.png", "colour": 3}\n'
    )
    good, spoilt, unknown = listed(Path("pairs.jsonl"), Pair(Path(), Path(), settings=SETTINGS))
    assert good.settings == TransferSettings(size=64, likeness=0.25) and good.face == 2 and not good.problem
    assert "line 2" in spoilt.problem and "no column 'colour'" in unknown.problem
    with pytest.raises(InputError, match="no columns called content and style"):
        Path("other.csv").write_text("a,b\n1,2\n")
        listed(Path("other.csv"), Pair(Path(), Path()))


def test_pictures_are_named_by_folders_patterns_and_lists(many: Path) -> None:
    Path("photos/.hidden.png").write_bytes(Path("photos/ann.png").read_bytes())
    Path("photos/deeper").mkdir()
    draw_face()[0].save("photos/deeper/cat.png")
    Path("list.txt").write_text("photos/bob.png\n\nphotos/deeper/cat.png\n")
    found, notes = pictures_in(["photos"])
    assert [path.name for path in found] == ["ann.png", "bob.png", "broken.jpg"]
    assert "notes.txt" in notes[0] and ".hidden.png" in notes[0] and "deeper" in notes[0]
    assert [path.name for path in pictures_in(["photos/**/*.png"])[0]] == ["ann.png", "bob.png", "cat.png"]
    assert [path.name for path in pictures_in(["list.txt", "photos/bob.png"])[0]] == ["bob.png", "cat.png"]


def test_parts_together_are_the_whole() -> None:
    pairs = product(
        [Path(f"c{i}.png") for i in range(7)], [Path("s.png"), Path("t.png")], Pair(Path(), Path())
    )
    for count in (1, 2, 3, 5, 20):
        parts = [shard(pairs, number, count) for number in range(1, count + 1)]
        assert [pair for part in parts for pair in part] == pairs
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_ctrl_c_ends_a_batch_and_the_same_call_goes_on(
    many: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    whole, runs = job.transfer_steps, []

    def interrupted(*args: Any, **kwargs: Any) -> Iterator[Any]:
        runs.append(1)
        if len(runs) == 2:
            raise KeyboardInterrupt
        yield from whole(*args, **kwargs)

    monkeypatch.setattr(job, "transfer_steps", interrupted)
    assert call(contents="photos/*.png") == 130
    assert len(results()) == 1 and "3 are left, and the same command goes on" in capsys.readouterr().err
    first = results()
    assert call(contents="photos/*.png") == 0
    assert len(results()) == 4 and first.items() <= results().items()


def test_a_full_disk_ends_the_batch_and_fails_no_pair(
    many: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Every other pair would meet it too; and when there is room again all are made."""
    from facetransfer.base import images

    with monkeypatch.context() as full:
        full.setattr(images.os, "replace", _raises(OSError(errno.ENOSPC, "No space left on device")))
        assert call(contents="photos/*.png") == 2
    assert "No space left" in (told := capsys.readouterr().err) and "4 are left" in told
    assert not results() and not list(Path("out").glob(".*"))
    assert call(contents="photos/*.png") == 0 and len(results()) == 4


def test_a_line_that_was_cut_off_does_not_stop_the_next_call(many: Path) -> None:
    assert call(contents="photos/bob.png") == 0
    with open("out/run.jsonl", "a") as file:
        file.write('{"content": "photos/bo')
    before = results()
    assert call(contents="photos/*.png") == 0
    assert before.items() <= results().items() and len(results()) == 4


def test_a_batch_that_is_killed_at_any_moment_loses_nothing_and_makes_nothing_twice(many: Path) -> None:
    """Killed again and again, it ends with the same bytes as one that was left alone, each made once. The
    time goes into results: maps lie beside the pictures, and no numbers are told.
    """
    for i in range(4):
        picture, semantic = draw_face(seed=20 + i)
        picture.save(f"photos/more{i}.png")
        semantic.save(f"photos/more{i}_sem.png")
    words = ["batch", "--contents", "photos/*.png", "--styles", "skins", "--no-numbers", "--output"]
    assert main([*words, "alone", *SMALL]) == 0
    command = [sys.executable, "-m", "facetransfer", *words, "out", *SMALL]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    kept: dict[str, tuple[bytes, int]] = {}
    for moment in (2, 7):  # so many results are there
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            ends = time.monotonic() + 60
            while len(results()) < moment and process.poll() is None and time.monotonic() < ends:
                time.sleep(0.003)
            process.send_signal(signal.SIGKILL)
        now = results()
        assert len(now) >= moment and kept.items() <= now.items()
        for name in now:
            open_picture(Path("out") / name)
        kept = now
    assert main([*words, "out", *SMALL]) == 0
    assert kept.items() <= results().items()
    assert {n: b for n, (b, _) in results().items()} == {n: b for n, (b, _) in results("alone").items()}


def test_two_batches_into_one_folder_do_not_disturb_each_other(many: Path) -> None:
    words = ["batch", "--contents", "photos/*.png", "--styles", "skins", "--output"]
    command = [sys.executable, "-m", "facetransfer", *words, "out", *SMALL]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert main([*words, "alone", *SMALL]) == 0
    assert {n: b for n, (b, _) in results().items()} == {n: b for n, (b, _) in results("alone").items()}
    assert lines() and not list(Path("out").glob("*.part*"))


def test_new_pictures_are_watched_for(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that comes while it watches is made, one that is still being written is waited for."""
    from facetransfer.cli import batch as cli

    looks: list[float] = []
    os.utime("skins/red.png", (time.time() - 60,) * 2)

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            draw_face(seed=5)[0].save("photos/late.png")
        elif len(looks) == 2:
            assert not Path("out/late--red.png").exists()
            os.utime("photos/late.png", (time.time() - 60,) * 2)
        elif len(looks) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli.time, "sleep", sleep)
    assert call("--watch", contents="photos/*.png", styles="skins/red.png") == 130
    assert set(results()) == {"ann--red.png", "bob--red.png", "late--red.png"}


def test_the_contact_sheet_is_one_file_that_escapes_names(many: Path) -> None:
    os.rename("photos/bob.png", "photos/b<script>alert(1)<!--.png")
    assert call("--sheet", "sheet.html", "--report", "report.json", styles="skins/red.png") == 1
    page = Path("sheet.html").read_text()
    assert page.count("data:image/webp") == 5  # Two contents, a style and two results can be read.
    assert "</script>alert" not in page and "http" not in page.replace("http-equiv", "")
    told = json.loads(Path("report.json").read_text())
    assert told["counts"] == {MADE: 2, FAILED: 1} and len(told["pairs"]) == 3
    data = re.search(r'id="data">(.*?)</script>', page, re.S)
    assert data and len(json.loads(data[1])["rows"]) == 3


def test_the_memory_of_pictures_is_bounded(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no room at all every picture is read again, and the results are the same."""
    pairs = with_outputs(
        product(
            pictures_in(["photos/*.png"])[0],
            pictures_in(["skins"])[0],
            Pair(Path(), Path(), settings=SETTINGS),
        ),
        "out",
    )
    Path("out").mkdir()
    roomy = PairMaker(report=False)
    assert {o.state for o in run_batch(pairs, roomy, RunLog(Path("out/run.jsonl")))} == {MADE}
    monkeypatch.setattr(batch, "KEPT_BYTES", 0)
    maker = PairMaker(report=False)
    assert {o.state for o in run_batch(pairs, maker, RunLog(Path("out/run.jsonl")))} == {THERE}
    assert len(maker._kept) == 1


def test_several_contents_of_the_plain_command_are_a_batch_of_one_style(
    many: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["--style", "skins/red.png", "--content", "photos", "--output", "out", *SMALL]
    assert main(words) == 1
    assert set(results()) == {"ann.png", "bob.png"} and "broken.jpg" in capsys.readouterr().err
    assert main([*words, "--recipe", "out/ann.png"]) == 2
    assert "--recipe belongs to one content picture" in capsys.readouterr().err
    words[words.index("out")] = "skins/red.png"
    assert main(words) == 2
    assert "need a folder" in capsys.readouterr().err
