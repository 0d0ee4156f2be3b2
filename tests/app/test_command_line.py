"""Both command lines: what they write, what they refuse, what they leave alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facetransfer.base.images import open_picture
from facetransfer.base.settings import all_settings
from facetransfer.cli.flags import options, settings_from
from facetransfer.cli.main import main
from segmentation import PARSERS
from segmentation.__main__ import main as segment
from segmentation.__main__ import options as segment_options
from segmentation.classes import INDEX
from segmentation.map_files import read_map
from segmentation.semantic_map import SemanticMap

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--method", "semantic", "--iterations", "2", "--phases", "1", "--device", "cpu"]


@pytest.fixture
def pair(face, green_face, tmp_path: Path) -> Path:
    for name, (picture, semantic) in (("b", face), ("a", green_face)):
        picture.save(tmp_path / f"{name}.png")
        semantic.save(tmp_path / f"{name}_sem.png")
    return tmp_path


def call(
    folder: Path, *extra: str, style: str = "a.png", content: str = "b.png", output: str = "c.png"
) -> int:
    return main(
        [
            "--style",
            str(folder / style),
            "--content",
            str(folder / content),
            "--output",
            str(folder / output),
            *QUICK,
            *extra,
        ]
    )


def test_the_article_s_flags_are_understood() -> None:
    args = options().parse_args(
        "--style a.png --content b.png --output c.png --device=gpu0 --phases=4 --iterations=1000 "
        "--content-weight=10 "
        "--style-weight=10".split()
    )
    settings = settings_from(args)
    assert (settings.phases, settings.iterations, settings.content_weight, settings.style_weight) == (
        4,
        1000,
        10,
        10,
    )


@pytest.mark.parametrize(
    "words, wanted",
    [
        ("--content-layers=3_2,4_2", {"content_layers": "3_2,4_2"}),
        ("--seed-range=0:255", {"noise_low": 0, "noise_high": 255}),
        ("--slices=6", {}),
        ("--cache=0", {"match_every": 1}),
        ("--cache=1", {"match_every": 1000}),
        ("--seed=noise", {"start": "noise"}),
        ("--seed=content", {}),
        ("--seed=7", {"seed": 7}),
        ("--output-size=640x480", {"size": 640}),
        (
            "--style-layers=3_1,4_1 --semantic-weight=8 --smoothness=2 --variety=0.5 --print-every=10 "
            "--save-every=10 --device=cpu",
            {"style_layers": "3_1,4_1", "semantic_weight": 8.0, "smoothness": 2.0, "variety": 0.5},
        ),
    ],
)
def test_neural_doodle_s_flags_are_understood(words: str, wanted: dict) -> None:
    settings = settings_from(options().parse_args(["--style", "a.png", "--output", "c.png", *words.split()]))
    assert {s.name: v for s in all_settings() if (v := getattr(settings, s.name)) != s.default} == wanted


def test_a_picture_may_be_the_seed(pair: Path) -> None:
    args = options().parse_args(["--style", "a.png", "--output", "c.png", "--seed", str(pair / "b.png")])
    assert args.start_image == pair / "b.png" and settings_from(args).start == "image"


def test_maps_may_have_another_ending(pair: Path) -> None:
    """The planted maps are used, and no parser is asked."""
    for name in ("a", "b"):
        (pair / f"{name}_sem.png").rename(pair / f"{name}.map.png")
    assert call(pair, "--semantic-ext", ".map.png", "--parser", "none", "--save-maps", "--size", "64") == 0
    assert np.array_equal(
        np.asarray(Image.open(pair / "c_b_sem.png")), np.asarray(Image.open(pair / "b.map.png"))
    )
    assert (
        call(pair, "--parser", "none", "--save-maps", "--size", "64", output="d.png") == 0
        and not (pair / "d_b_sem.png").exists()
    )


def test_the_time_is_said_before_the_run(
    pair: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facetransfer.jobs.time_estimate.seconds_per_pixel", lambda *_: 1.0 / 64**2)
    assert call(pair, "--size", "64") == 0
    assert (
        "64x64 pixels on cpu, about 4 s" in capsys.readouterr().err
    )  # two steps and one search, which counts as two


def test_the_other_methods_have_no_stand_ins(pair: Path, capsys: pytest.CaptureFixture) -> None:
    """What stands in for a missing class is said where classes steer the search, and nowhere else."""
    semantic = read_map(pair / "a_sem.png")
    SemanticMap(np.where(semantic.labels == INDEX["l_lip"], np.uint8(INDEX["skin"]), semantic.labels)).save(
        pair / "a_sem.png"
    )
    for method, said in (("semantic", True), ("mrf", False), ("gatys", False)):
        assert call(pair, "--size", "64", "--method", method, "--report", str(pair / "r.json")) == 0
        assert ("the style has no lower lip: upper lip stands in" in capsys.readouterr().err) == said
        assert json.loads((pair / "r.json").read_text())["substitutes"] == (
            {"l_lip": "u_lip"} if said else {}
        )


def test_of_a_style_without_a_face_one_line_tells_what_stands_in(
    pair: Path, capsys: pytest.CaptureFixture
) -> None:
    labels = np.zeros(read_map(pair / "a_sem.png").labels.shape, np.uint8)
    labels[len(labels) // 2 :] = INDEX["cloth"]
    SemanticMap(labels).save(pair / "a_sem.png")
    assert call(pair, "--size", "64") == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    assert len(told) == 1 and "no face" in told[0]


def test_a_result_is_written_and_nothing_else(pair: Path, capsys: pytest.CaptureFixture) -> None:
    before = set(pair.iterdir())
    assert call(pair, "--size", "0") == 0
    assert set(pair.iterdir()) - before == {pair / "c.png"} and open_picture(pair / "c.png").size == (
        128,
        128,
    )
    assert "patches come from another class" in capsys.readouterr().out


def test_maps_are_written_on_request(pair: Path) -> None:
    assert call(pair, "--save-maps", "--size", "64") == 0
    assert np.array_equal(
        np.asarray(Image.open(pair / "c_b_sem.png")), np.asarray(Image.open(pair / "b_sem.png"))
    )


def test_no_gpu_is_one_clear_line(
    pair: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facetransfer.base.devices.available_devices", lambda: ["cpu"])
    assert call(pair, "--device", "gpu0") == 2
    error = capsys.readouterr().err
    assert (
        error == "error: there is no device 'gpu0' here: choose from auto, cpu\n"
        and not (pair / "c.png").exists()
    )


def test_too_many_phases_are_capped_and_said(pair: Path, capsys: pytest.CaptureFixture) -> None:
    assert call(pair, "--phases", "6", "--size", "0", "--align", "off") == 0
    assert "6 phases are more than pictures of this size allow: 2 are used" in capsys.readouterr().err


def test_plain_patch_transfer_without_maps(pair: Path) -> None:
    for path in pair.glob("*_sem.png"):
        path.unlink()
    assert call(pair, "--parser", "none", "--size", "64") == 0


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(content="missing.png"), "does not exist"),
        (dict(output="none/c.png"), "the folder .* does not exist"),
        (dict(output="c.xyz"), "ending"),
        (dict(extra=["--content-weight", "-1"]), "content weight is -1"),
        (dict(extra=["--style-weight", "nan"]), "not a number"),
        (dict(extra=["--parser", "magic"], without="b_sem.png"), "no parser is called"),
        (dict(extra=["--parser", "none"], without="b_sem.png"), "give both maps or a parser"),
        (dict(content="b_sem.png", extra=["--start", "image"]), "start"),
    ],
)
def test_wrong_input_is_one_line_and_changes_nothing(
    pair: Path, capsys: pytest.CaptureFixture, change: dict, words: str
) -> None:
    import re

    if missing := change.pop("without", None):
        (pair / missing).unlink()
    (pair / "c.png").write_bytes(b"old")
    before = {p: p.read_bytes() for p in pair.iterdir()}
    extra = change.pop("extra", [])
    assert call(pair, *extra, **change) == 2
    error = capsys.readouterr().err.splitlines()
    assert (
        re.search(words, error[-1])
        and error[-1].startswith("error: ")
        and not any("Traceback" in line for line in error)
    )
    assert {p: p.read_bytes() for p in pair.iterdir()} == before


def test_a_map_of_another_shape_is_refused(pair: Path, face, capsys: pytest.CaptureFixture) -> None:
    face[1].resized((64, 128)).save(pair / "b_sem.png")
    assert call(pair) == 2 and "another shape" in capsys.readouterr().err


def test_ctrl_c_keeps_the_picture_so_far(
    pair: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from facetransfer.jobs import job

    whole = job.transfer_steps

    def interrupted(*args, **kwargs):
        yield next(whole(*args, **kwargs))
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "transfer_steps", interrupted)
    assert call(pair, "--phases", "2", "--size", "0") == 130
    assert (
        open_picture(pair / "c.png").size == (128, 128)
        and "picture so far is written" in capsys.readouterr().err
    )


def test_segmentation_writes_maps_of_the_picture_s_size(pair: Path, capsys: pytest.CaptureFixture) -> None:
    out = pair / "maps"
    out.mkdir()
    assert segment([str(pair / "a.png"), str(pair / "b.png"), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["a_sem.png", "b_sem.png"]
    assert segment([str(pair / "a.png"), "--out", str(out), "--labels", "celebamask"]) == 0
    with Image.open(out / "a_sem.png") as file:
        assert file.mode == "L" and file.size == (144, 112) and np.asarray(file).max() < 19


def test_segmentation_refuses_in_words(pair: Path, capsys: pytest.CaptureFixture) -> None:
    assert segment([str(pair / "a.png"), "--out", str(pair / "none" / "maps")]) == 2
    assert segment([str(pair / "missing.png")]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 2 and all(line.startswith("error: ") for line in error)


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys, facetransfer.cli.main, facetransfer.cli.flags as c; c.options().format_help(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_help_names_every_parser() -> None:
    for told in (options().format_help(), segment_options().format_help()):
        assert all(name in told for name in PARSERS)
