"""The row of styles: which there are, what a press gives, and the sheet of all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from facetransfer.base.errors import InputError
from facetransfer.base.images import open_picture
from facetransfer.base.settings import PRESETS, TransferSettings
from facetransfer.ui import styles
from facetransfer.ui.components import result, style_row
from segmentation.map_files import map_path, read_map
from tests.support.drawn_face import draw_face
from tests.support.form import filled_in

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the owner's with a style and its map, one without, and what is no picture."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "skins"
    folder.mkdir()
    for name, seed in (("red_skin", 3), ("green-skin", 1)):
        picture, semantic = draw_face((96, 96), seed, (60, -40, 0))
        picture.save(folder / f"{name}.png")
        if seed == 1:
            semantic.save(folder / f"{name}_sem.png")
    (folder / "notes.txt").write_text("not looked at")
    monkeypatch.setenv(styles.OWNERS, str(folder))
    monkeypatch.setattr(styles, "FOLDERS", styles.FOLDERS[:1])
    styles.styles.cache_clear()
    yield folder
    styles.styles.cache_clear()
    styles.face_of_style.cache_clear()


def pressed(index: object) -> Any:
    return SimpleNamespace(_data={"index": index}, index=index)


def test_our_characters_come_first_then_the_owner_s(owners: Path) -> None:
    names = [style.name for style in styles.styles()]
    assert names[-2:] == ["green skin", "red skin"] and {"goblin", "bust", "oil painting"} < set(names)
    assert all(style.small().startswith("data:image/webp") for style in styles.styles())


def test_our_styles_have_exact_maps_with_a_face_and_are_small() -> None:
    styles.styles.cache_clear()
    ours = styles.styles()
    assert len(ours) >= 8
    for style in ours:
        semantic = styles.map_of(style)
        assert semantic is not None and semantic.frame() is not None
        assert semantic.size == open_picture(style.path).size and style.path.stat().st_size < 500_000


def test_a_map_beside_a_style_is_used_and_one_that_is_none_is_passed_over(owners: Path) -> None:
    green, red = styles.styles()[-2:]
    assert (styles.face_of_style(green).semantic.labels == read_map(map_path(green.path)).labels).all()
    map_path(red.path).write_bytes(b"no map")
    assert styles.face_of_style(red).semantic is not None


def test_a_press_gives_the_style_with_its_map(owners: Path) -> None:
    count = len(styles.styles())
    chosen = next(style_row.choose(filled_in(), None, pressed(count - 2)))
    path, view, known = (chosen[name] for name in ("style", "style_map", "style_known"))
    assert (np.asarray(open_picture(path)) == np.asarray(open_picture(styles.styles()[-2].path))).all()
    assert view["automatic"] and known.semantic.size == (96, 96)
    for wrong in (count, -1, "0", None, 1.0, True):
        with pytest.raises(gr.Error):
            next(style_row.choose(filled_in(), None, pressed(wrong)))


def test_a_style_of_one_s_own_comes_back_after_a_press(owners: Path, tmp_path: Path) -> None:
    """However many styles of the row were pressed in between."""
    draw_face()[0].save(tmp_path / "own.png")
    own = str(tmp_path / "own.png")
    first = next(style_row.choose(filled_in(own, own), None, pressed(0)))
    assert first["undo_button"]["visible"] and first["undo"][-1].pictures == (own, own)
    second = next(style_row.choose(filled_in(own, first["style"]), first["undo"], pressed(1)))
    assert "undo" not in second  # The newest change to take back is still that of the own style.


def test_the_sheet_grows_by_one_style_after_another(owners: Path, tmp_path: Path) -> None:
    draw_face()[0].save(tmp_path / "me.png")
    steps = list(style_row.try_all(filled_in(str(tmp_path / "me.png"))))
    count = len(styles.styles())
    assert [len(step["sheet"]) for step in steps] == [*range(1, count + 1), count]
    pictures = [np.asarray(picture).astype(float) for picture, _ in steps[-1]["sheet"]]
    assert max(picture.shape[0] for picture in pictures) <= style_row.TRY_SIZE
    assert np.abs(pictures[0] - pictures[1]).mean() > 10  # Each is in a skin of its own.
    with pytest.raises(gr.Error, match="no content picture"):
        list(style_row.try_all(filled_in()))


def test_a_preview_is_small_and_keeps_the_likeness(
    owners: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = []

    def stopped_before_work(job: Any) -> Any:
        jobs.append(job)
        raise InputError("enough")

    monkeypatch.setattr(result.gpu, "steps", stopped_before_work)
    for name, seed in (("me", 0), ("style", 1)):
        draw_face(seed=seed)[0].save(tmp_path / f"{name}.png")
    files = [str(tmp_path / f"{name}.png") for name in ("me", "style")]
    asked = filled_in(*files, size=2048, likeness=0.9, seed=7)
    with pytest.raises(gr.Error, match="enough"):
        list(result.preview(asked, None, None))
    wanted = TransferSettings(likeness=0.9, seed=7, **PRESETS["Preview"])
    assert [job.settings for job in jobs] == [wanted]
    nothing = list(result.preview(filled_in(style=files[1]), None, None))
    assert len(jobs) == 1 and [*nothing[0]] == ["status"]


def test_a_folder_that_is_none_stops_the_start_in_words() -> None:
    code = "from facetransfer.ui.styles import styles; styles()"
    environment = {**os.environ, styles.OWNERS: "/no/such/folder"}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1 and "which is no folder" in ended.stderr and "Traceback" not in ended.stderr
