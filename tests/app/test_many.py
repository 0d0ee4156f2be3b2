"""The page's room for several pictures and for films, by its handlers."""

from __future__ import annotations

import io
import resource
import zipfile
from pathlib import Path
from typing import Any

import av
import gradio as gr
import pytest
from PIL import Image

from facetransfer.jobs.recipe import read_recipe
from facetransfer.ui import api
from facetransfer.ui.components import many
from tests.app.test_film import drawn_frames, write_clip
from tests.support.drawn_face import draw_face
from tests.support.form import filled_in

SMALL = filled_in(size=64)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    for name, seed, tint in (("ann", 0, (0, 0, 0)), ("bob", 2, (0, 0, 0)), ("green", 1, (-110, 20, -60))):
        draw_face(seed=seed, tint=tint)[0].save(tmp_path / f"{name}.png")
    return tmp_path


def test_every_content_gets_every_style_and_all_lie_in_one_zip(files: Path) -> None:
    contents = [str(files / f"{name}.png") for name in ("ann", "bob")]
    steps = list(many.make_all(SMALL, contents, [str(files / "green.png"), contents[0]]))
    assert [len(step["matrix"]) for step in steps] == [0, 1, 2, 3, 4, 4]
    path = steps[-1]["zip"]["value"]
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        sheet = archive.read("contact-sheet.html").decode()
    assert [name for name in names if name.endswith(".png")] == sorted(
        f"{content}--{style}.png" for content in ("ann", "bob") for style in ("green", "ann")
    )
    assert str(files) not in sheet  # No path of the server is told.


def test_what_was_made_before_a_stop_is_in_the_zip(files: Path) -> None:
    contents = [str(files / f"{name}.png") for name in ("ann", "bob")]
    work = many.make_all(SMALL, contents, [str(files / "green.png")])
    next(work)
    download = next(work)["zip"]
    work.close()
    with zipfile.ZipFile(download["value"]) as archive:
        assert archive.namelist() == ["ann--green.png"]


@pytest.mark.parametrize(
    "contents, styles, words",
    [(None, ["green"], "no content"), (["ann"], [], "no style"), (["ann"], ["missing"], "not on the server")],
)
def test_what_is_missing_is_said(files: Path, contents: Any, styles: Any, words: str) -> None:
    given = [names and [str(files / f"{name}.png") for name in names] for names in (contents, styles)]
    with pytest.raises(gr.Error, match=words):
        next(many.make_all(SMALL, *given))


def test_no_more_results_than_allowed_are_made_at_once(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "MOST_PAIRS", 1)
    with pytest.raises(gr.Error, match="at most 1"):
        styles = [str(files / f"{name}.png") for name in ("green", "bob")]
        next(many.make_all(SMALL, [str(files / "ann.png")], styles))


def test_the_budget_counts_all_results(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_TRANSFER_MAX_SECONDS", "0.0001")
    with pytest.raises(gr.Error, match="jobs here may take"):
        next(many.make_all(SMALL, [str(files / "ann.png")], [str(files / "green.png")]))


def test_a_film_is_made_and_grows_on_the_page(files: Path) -> None:
    write_clip(files / "clip.mp4", drawn_frames(4))
    asked = filled_in(style=str(files / "green.png"), size=64)
    steps = list(many.make_film(asked, str(files / "clip.mp4")))
    assert sum("frame" in step for step in steps) == 4
    with av.open(steps[-1]["film"]) as container:
        assert len(list(container.decode(video=0))) == 4


def test_a_film_that_is_too_long_or_none_is_refused(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(files / "clip.mp4", drawn_frames(4))
    monkeypatch.setenv("FACE_TRANSFER_MAX_FILM_SECONDS", "0.1")
    with pytest.raises(gr.Error, match="here it may last 0.1 s"):
        next(many.make_film(SMALL, str(files / "clip.mp4")))
    (files / "text.mp4").write_text("no film")
    for path in (None, str(files / "text.mp4"), str(files / "gone.mp4")):
        with pytest.raises(gr.Error):
            next(many.make_film(SMALL, path))


def test_a_program_makes_many_at_once(files: Path) -> None:
    """Two contents in two styles, and the first in the first: the list grows, each result is in the zip with
    its recipe, and what cannot be is said before anything is made.
    """
    contents = [str(files / f"{name}.png") for name in ("ann", "bob")]
    styles = [str(files / "green.png"), contents[0]]
    sizes = [64.0 if s.name == "size" else s.default if s.kind is str else -1 for s in api._settings()]
    given = ["preset" if isinstance(value, str) else value for value in sizes]
    *grown, (archive, told) = api.batch(contents, styles, "Preview", "product", "alone", "hair=0", *given)
    assert [len(rows) for _, rows in grown] == [1, 2, 3, 4] and len(told) == 4
    assert all(not row["error"] and row["report"]["sharpness"] > 0 for row in told)
    with zipfile.ZipFile(archive) as made:
        for row in told:
            (files / "made.png").write_bytes(made.read(row["file"]))
            recipe = read_recipe(files / "made.png")
            assert recipe.settings.size == 64 and recipe.options["strength"] == "hair=0"
    assert [(row["content"], row["style"]) for row in told][:2] == [
        ("ann.png", "green.png"),
        ("ann.png", "ann.png"),
    ]
    *_, (_, told) = api.batch(contents, styles, "Preview", "zip", "alone", "", *given)
    assert [(row["content"], row["style"]) for row in told] == [
        ("ann.png", "green.png"),
        ("bob.png", "ann.png"),
    ]
    for wrong, words in (
        ((contents, styles[:1], "Preview", "zip", "alone", ""), "2 contents and 1 styles"),
        ((contents, styles, "Preview", "each", "alone", ""), "no pairing"),
        ((contents, styles, "Preview", "zip", "above", ""), "no place"),
        (([], styles, "Preview", "zip", "alone", ""), "no content"),
    ):
        with pytest.raises(gr.Error, match=words):
            next(api.batch(*wrong, *given))


def with_many_frames(clip: Path, count: int) -> bytes:
    """A clip as MP4 whose tables claim `count` frames of a byte each; it is no longer for that."""
    data = bytearray(clip.read_bytes())
    for table, at in ((b"stsz", 12), (b"stsc", 16), (b"stts", 12)):
        start = data.index(table)
        data[start + at : start + at + 4] = count.to_bytes(4, "big")
    start = data.index(b"stsz")
    data[start + 8 : start + 12] = (1).to_bytes(4, "big")
    return bytes(data)


def test_no_film_takes_the_memory_or_opens_another_file(files: Path) -> None:
    """Through the page's door: a kilobyte that claims a hundred million frames, PostScript, a bomb of a
    picture, and lists that name this machine's files or an address, under names of films and of patterns.
    None is opened here, and the memory of this process stays.
    """
    clip = write_clip(files / "clip.mp4", drawn_frames(2), sound=False)
    listed = f"#EXTM3U\n#EXTINF:1,\nfile://{clip}\n#EXT-X-ENDLIST\n".encode()
    bomb = io.BytesIO()
    Image.new("L", (13000, 13000)).save(bomb, "PNG")
    hostile = {
        "many.mp4": with_many_frames(clip, 100_000_000),
        "list.mp4": listed,
        "list.m3u8": listed,
        "address.mp4": listed.replace(f"file://{clip}".encode(), b"http://127.0.0.1:9/a.ts"),
        "concat.mp4": f"ffconcat version 1.0\nfile {clip}\n".encode(),
        "%03d.png": bomb.getvalue(),
        "bomb.mp4": bomb.getvalue(),
        "x.mp4": b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage\n%%EOF\n",
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, data in hostile.items():
        (files / name).write_bytes(data)
        with pytest.raises(gr.Error) as refused:
            next(many.make_film(SMALL, str(files / name)))
        assert "Something went wrong" not in str(refused.value) and "Traceback" not in str(refused.value), (
            name
        )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    assert many.checked_clip(str(clip)).size == (128, 128)
