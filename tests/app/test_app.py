"""The app: its handlers, with bad input too, and the endpoints for programs. The page in a browser:
`test_browser`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio import processing_utils
from gradio.queueing import EventQueue, ProcessTime
from gradio.state_holder import SessionState
from PIL import Image
from starlette.exceptions import HTTPException

from facetransfer.base.errors import InputError
from facetransfer.base.images import open_picture
from facetransfer.base.settings import METHODS, PRESETS, TransferSettings, all_settings
from facetransfer.jobs import time_estimate
from facetransfer.jobs.recipe import fingerprint, read_recipe
from facetransfer.ui import api, inputs
from facetransfer.ui import queue_status as line
from facetransfer.ui.components import map_editor as maps
from facetransfer.ui.components import pictures, result, settings, visit
from facetransfer.ui.examples import PHOTO, exact_map, example_file, examples
from facetransfer.ui.files import result_folder
from facetransfer.ui.gradio_compat import STILL_TO_COME, Line, check, guard, joined
from facetransfer.ui.inputs import settings_of
from facetransfer.ui.page import build_page
from facetransfer.ui.share import card, write_wipe
from segmentation.classes import INDEX
from segmentation.correction import AUTOMATIC, Correction, from_text
from segmentation.parsers import Parse
from segmentation.semantic_map import SemanticMap
from tests.support.form import filled_in


def known(pair: tuple) -> Parse:
    return Parse(pair[1], np.ones(pair[1].labels.shape, np.float32))


def test_a_preset_decides_how_fine_and_leaves_what_a_person_chose() -> None:
    def after(name: str, **changed: object) -> TransferSettings:
        asked = filled_in(**changed)
        answer = next(settings.choose_preset(asked, name))
        return settings_of({**asked.settings, **answer})

    assert after("Balanced") == TransferSettings()
    assert after("Fine", size=300, likeness=0.8, seed=7, style_weight=33.0) == replace(
        TransferSettings(**PRESETS["Fine"]), likeness=0.8, seed=7, style_weight=33.0
    )
    # What another preset brought goes with it.
    assert after("Preview", **PRESETS["The article's"]) == TransferSettings(**PRESETS["Preview"])
    assert [next(settings.about(filled_in(**PRESETS[name])))["preset"] for name in PRESETS] == [*PRESETS]
    assert next(settings.about(filled_in(size=300)))["preset"] is None
    with pytest.raises(gr.Error, match="no preset"):
        next(settings.choose_preset(filled_in(), ["x"]))


def test_a_number_that_cannot_be_is_refused_by_the_name_of_its_setting() -> None:
    typed = {s.name: settings.setting_input(s) for s in all_settings()}
    boxes = {name: box for name, box in typed.items() if isinstance(box, gr.Number)}
    assert boxes
    for s in all_settings():
        for value in (s.minimum - 1, s.maximum + 1, None) if s.name in boxes else ():
            given = {**inputs.shown(TransferSettings()), s.name: boxes[s.name].preprocess(value)}
            with pytest.raises(InputError, match=f"^{s.label.lower()} is "):
                settings_of(given)


def test_a_link_opens_the_page_with_its_settings() -> None:
    """What differs from the usual stands in the link, and is read from it; what cannot be is said."""
    wanted = dict(likeness=0.8, seed=7, size=300, colours="content")
    asked = replace(
        filled_in(**wanted),
        place=[*settings.PLACE_LABELS][1],
        strengths={**filled_in().strengths, "hair": 0.5},
    )
    told = next(settings.about(asked))
    assert "(4 changed)" in told["settings_room"]["label"] and "(2 changed)" in told["parts_room"]["label"]
    query = dict(parse_qsl(told["query"].removeprefix("?")))
    assert query.keys() == {*wanted, "strength", "into"}
    found = settings.read_link({**query, "__theme": "dark"})
    assert settings_of(found) == settings_of(asked.settings)
    assert found["place"] == asked.place and found["hair"] == 0.5 and found["skin"] == 1.0
    for wrong in ({"size": "x"}, {"size": "9999999"}, {"strength": "hair"}, {"method": "magic"}):
        with pytest.raises(gr.Error):
            settings.read_link(wrong)
    assert settings_of(settings.reset()) == TransferSettings()


@pytest.mark.parametrize(
    "content, words",
    [(None, "no content picture yet"), ("text.png", "not a picture"), ("dot.png", "at least 32")],
)
def test_what_cannot_be_used_becomes_a_toast(tmp_path: Path, face, content: str | None, words: str) -> None:
    (tmp_path / "text.png").write_text("<b>no picture</b>")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    face[0].save(tmp_path / "face.png")
    with pytest.raises(gr.Error, match=words):
        list(
            result.run(
                filled_in(content and str(tmp_path / content), str(tmp_path / "face.png"), size=0), None, None
            )
        )


def test_a_fault_of_ours_is_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, face) -> None:
    def broken(*args):
        raise RuntimeError("secret path")

    monkeypatch.setattr(pictures, "known_of", broken)
    face[0].save(tmp_path / "face.png")
    with pytest.raises(gr.Error) as error:
        list(pictures.parse(str(tmp_path / "face.png"), "content"))
    assert "secret" not in str(error.value)


def test_a_run_shows_pictures_and_ends_with_a_file(
    tmp_path: Path, face, green_face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result, "SHOW_EVERY", 0.0)
    for name, (picture, _) in (("ann", face), ("green", green_face)):
        picture.save(tmp_path / f"{name}.png")
    files = [str(tmp_path / f"{name}.png") for name in ("ann", "green")]
    wanted = dict(method="semantic", size=96, phases=2, iterations=2)
    asked = filled_in(*files, (known(face), known(green_face)), animate=True, **wanted)
    steps = list(result.run(asked, [], None))
    pictures = [step["result"] for step in steps if isinstance(step.get("result"), Image.Image)]
    assert len(steps) == 7 and {picture.size for picture in pictures} == {(96, 96)}
    assert "Phase 2 of 2" in steps[-3]["status"] and "<progress" in steps[-3]["status"]
    end = steps[-1]
    assert end["status"].startswith("Done in") and Path(end["result"]).name == "ann-as-green.png"
    made = np.asarray(open_picture(end["result"]))
    assert np.array_equal(made, np.asarray(pictures[-1]))
    with zipfile.ZipFile(end["download"]["value"]) as archive:
        assert set(archive.namelist()) == {
            "face-transfer.png",
            "card.png",
            "recipe.json",
            "command.txt",
            "report.json",
            "content_sem.png",
            "style_sem.png",
            "run.webp",
        }
        assert np.array_equal(np.asarray(Image.open(archive.open("face-transfer.png"))), made)
        assert np.array_equal(np.asarray(Image.open(archive.open("content_sem.png"))), face[1].labels)
    assert "of the patches come from the same part" in end["numbers"] and len(end["visit"]) == 1
    assert {open_picture(path).size for path in end["slider"]} == {(96, 96)}
    # The picture that a visitor saves carries its recipe.
    restored = settings.restore(end["result"])
    assert settings_of(restored) == settings_of(asked.settings) and restored["place"] == asked.place

    # A repainted part is worked on, from the result; the rest stays as it is.
    repainted = Parse(SemanticMap(face[1].labels.copy()), np.ones((128, 128), np.float32))
    repainted.semantic.labels[100:120, 4:24] = INDEX["hat"]
    asked = replace(asked, known=(repainted, asked.known[1]), animate=False)
    again = list(result.refine(asked, end["visit"], end["shown"], None, end["last"], end["result"]))[-1]
    moved = (np.asarray(open_picture(again["result"])) != made).any(2)
    assert moved[75:90, 3:18].any() and not moved[:60].any() and len(again["visit"]) == 2

    # Either of them is shown again.
    pressed = type("Event", (), {"index": 1})()
    shown = next(result.show_again(again["visit"], pressed))
    assert shown["result"] == end["result"] and shown["numbers"] == end["numbers"]
    assert json.loads(shown["of"]) == files

    # Of other pictures it is not gone on with.
    other = replace(asked, pictures=asked.pictures[::-1])
    for made, begun in ((end["shown"], None), (None, asked)):
        with pytest.raises(gr.Error, match="other pictures"):
            next(result.refine(other, [], made, begun, None, end["result"]))


def test_a_visit_comes_back_from_files_of_the_cache_alone(tmp_path: Path, face, green_face) -> None:
    """Pictures, what was painted and results; nothing from elsewhere, whatever a program names."""

    def back(*pictures: object, drawn: object = None, results: object = ()) -> dict:
        told = {"pictures": [*pictures], "drawn": drawn, "results": results}
        return next(visit.bring_back(gr.EventData(None, told)))

    cache, files = result_folder(), []
    for folder, name, (picture, _) in ((cache, "a", face), (cache, "b", green_face), (tmp_path, "c", face)):
        files.append(str(folder / f"{name}.png"))
        picture.save(files[-1])
    asked = filled_in(*files[:2], (known(face), known(green_face)), size=64, phases=1, iterations=1)
    end = list(result.run(asked, [], None))[-1]
    folder = Path(end["result"]).parent.name
    painted = Correction.nothing(face[0].size).painted(np.eye(128, dtype=bool), INDEX["hat"])
    drawn = [{"layer": painted.to_text(), "of": maps.glance(face[0])}, None]
    found = back(*files[:2], drawn=drawn, results=[folder])
    assert (found["content"], found["style"], found["visit"]) == (*files[:2], end["visit"])
    assert found["result"] == end["result"] and found["numbers"] == end["numbers"]
    layer = Correction.from_text(found["content_map"]["layer"])
    assert layer.to_text() == painted.to_text()

    for elsewhere in (
        files[2],
        f"{cache}/../../{Path(files[2]).name}",
        "/etc/passwd",
        "a\0b",
        7,
        [],
        "x" * 9999,
    ):
        found = back(
            elsewhere, None, results=[f"../{folder}", f"{folder}/..", "face-transfer-none", 7, [], None]
        )
        assert found["content"] is None and "visit" not in found and "result" not in found
    for nothing in ("pictures", None, 7):
        assert [*next(visit.bring_back(gr.EventData(None, {"pictures": nothing, "results": nothing})))] == [
            "status"
        ]


def test_after_a_stop_there_is_all_that_a_run_leaves(tmp_path: Path, face, green_face) -> None:
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    asked = filled_in(
        str(tmp_path / "a.png"), str(tmp_path / "b.png"), (known(face), known(green_face)), size=96
    )
    green_face[0].resize((96, 96)).save(tmp_path / "so-far.png")
    words, button = result.stopped(str(tmp_path / "so-far.png"), "Phase 1")
    assert button["value"] == "Continue"
    kept = next(result.keep(asked, str(tmp_path / "so-far.png"), words, []))
    with zipfile.ZipFile(kept["download"]["value"]) as archive:
        so_far = np.asarray(Image.open(archive.open("face-transfer.png")))
    assert np.array_equal(so_far, np.asarray(open_picture(tmp_path / "so-far.png")))
    assert "result" not in kept and len(kept["visit"]) == 1
    left = next(result.keep(asked, str(tmp_path / "so-far.png"), "You left the line", []))
    assert [*left] == ["visit"] and left["visit"]["__type__"] == "update"


def test_after_a_failure_the_page_is_as_before_the_run(
    tmp_path: Path, face, green_face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that cannot be had is noticed when the work has begun."""

    def broken(*_: object, **__: object) -> None:
        raise InputError("the network cannot be downloaded here")

    monkeypatch.setattr(result.gpu, "steps", broken)
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    files = str(tmp_path / "a.png"), str(tmp_path / "b.png")
    asked = filled_in(*files, (known(face), known(green_face)), size=64)
    made = result.Made("result.png", files, "before.jpg", "all.zip", numbers="99 %")
    for shown, picture in ((made, "result.png"), (None, None)):
        answers = []
        with pytest.raises(gr.Error, match="cannot be downloaded"):
            for answer in result.run(asked, [], shown):
                answers.append(answer)
        assert answers[-1]["result"] == picture and answers[-1]["status"] == result.FAILED
        assert bool(answers[-1]["numbers"]) == bool(shown) and bool(answers[-1]["slider"]) == bool(shown)


def test_what_an_example_replaces_comes_back(tmp_path: Path, face, green_face) -> None:
    """Both pictures and what was painted, one change after another."""
    files = []
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
        files.append(str(tmp_path / f"{name}.png"))
    view = maps.shown_map(face[0], known(face))
    painted = np.zeros((128, 128), bool)
    painted[:8] = True
    layer = Correction.nothing((128, 128)).painted(painted, INDEX["hat"])
    asked = filled_in(*files, drawn=({"layer": layer.to_text(), "of": view["of"]}, None))
    event = type("Event", (), {"_data": {"index": 0}})()
    first = next(pictures.choose_example(asked, None, event))
    assert first["undo_button"]["visible"] and first["content"] != files[0]
    second = next(pictures.choose_example(filled_in(first["content"], first["style"]), first["undo"], event))
    assert len(second["undo"]) == 2
    third = next(pictures.bring_back(second["undo"]))
    assert third["content"] == first["content"] and third["undo_button"]["visible"]
    last = next(pictures.bring_back(third["undo"]))
    assert [last["content"], last["style"]] == files and not last["undo_button"]["visible"]
    assert (from_text(last["content_map"]["layer"])[:8] == INDEX["hat"]).all()
    swapped = next(pictures.swap(asked))
    assert [swapped["style"], swapped["content"]] == files
    assert (from_text(swapped["style_map"]["layer"])[:8] == INDEX["hat"]).all()
    # An empty page has nothing to bring back.
    assert "undo_button" not in next(pictures.choose_example(filled_in(), None, event))
    with pytest.raises(gr.Error, match="nothing to bring back"):
        next(pictures.bring_back([]))


def test_variants_differ_in_their_seed_alone(
    tmp_path: Path, face, green_face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result, "VARIANT_SIZE", 64)
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    asked = filled_in(
        str(tmp_path / "a.png"), str(tmp_path / "b.png"), (known(face), known(green_face)), seed=5
    )
    steps = list(result.variants(asked))
    found, seeds = steps[-2]["variants"], steps[-2]["seeds"]
    assert len(found) == len({*seeds}) == result.VARIANTS and seeds[0] == 5
    pixels = [np.asarray(picture).astype(int) for picture, _ in found]
    assert max(pixels[0].shape) == 64 and all(np.abs(pixels[0] - other).max() > 0 for other in pixels[1:])
    assert next(result.choose_variant(seeds, type("Event", (), {"index": 2})())) == seeds[2]
    with pytest.raises(gr.Error, match="no such variant"):
        next(result.choose_variant(seeds, type("Event", (), {"index": 9})()))


def test_a_card_and_a_short_film_show_before_and_after(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    pictures_ = [Image.new("RGB", (120, 80), colour) for colour in colours]
    made = np.asarray(card(*pictures_))
    height, width, _ = made.shape
    middles = [made[height // 2, round(width * share)] for share in (1 / 6, 1 / 2, 5 / 6)]
    assert [tuple(map(int, middle)) for middle in middles] == colours
    write_wipe(tmp_path / "wipe.mp4", pictures_[0], pictures_[2])
    with av.open(str(tmp_path / "wipe.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    reds = [frame[..., 0].mean() > 110 for frame in frames]
    assert reds[0] and reds[-1] and not reds[len(frames) // 2] and 2 < len(frames) / 25 < 6


def test_a_click_shows_where_a_patch_came_from() -> None:
    sources = np.zeros((2, 4, 4), np.float32)
    sources[:, 3, 0] = 0.75, 0.25
    last = result.LastRun(
        np.zeros((4, 4), np.uint8), Image.new("RGB", (200, 100), (90, 90, 90)), sources, (64, 64)
    )
    event = type("Event", (), {"index": (2, 63)})()
    marked = next(result.where_from(last, event))
    assert marked["visible"]
    ring = np.asarray(marked["value"]).astype(int)
    ys, xs = np.nonzero((ring != 90).any(2))
    assert xs.mean() == pytest.approx(150, abs=2) and ys.mean() == pytest.approx(25, abs=2)


def test_advice_names_what_is_missing_and_unsettles_nobody(face, green_face) -> None:
    def advice(content: Parse | None, style: Parse | None, drawn: object = None) -> str:
        return next(maps.show_advice(filled_in(known=(content, style), drawn=(drawn, None))))["advice"]

    told = advice(known(face), known(green_face))
    assert "Both maps have what they need" in told and "Skin" in told
    hatted = Parse(
        SemanticMap(np.where(np.arange(128)[:, None] < 25, np.uint8(INDEX["hat"]), face[1].labels)),
        np.ones((128, 128), np.float32),
    )
    assert "has no hat: hair stands in" in advice(hatted, known(green_face))
    speaking = Parse(SemanticMap(face[1].labels.copy()), np.ones((128, 128), np.float32))
    speaking.semantic.labels[86:92, 58:70] = INDEX["mouth"]
    assert "has no inside of the mouth: upper lip stands in" in advice(speaking, known(green_face))
    drawn = {
        "layer": Correction.between(face[1], hatted.semantic).to_text(),
        "of": "x",
    }  # the same hat, painted
    assert "has no hat: hair stands in" in advice(known(face), known(green_face), drawn)
    confidence = np.ones((128, 128), np.float32)
    confidence[100:] = 0.4
    doubted = Parse(face[1], confidence)
    assert "unsure of 22% of the content" in advice(doubted, known(green_face))
    painted = Correction.nothing((64, 64)).painted(np.arange(64)[:, None] >= 50 * np.ones(64), INDEX["cloth"])
    assert "unsure" not in advice(doubted, known(green_face), {"layer": painted.to_text(), "of": "x"})
    nobody = Parse(SemanticMap(np.zeros((64, 64), np.uint8)), np.ones((64, 64), np.float32))
    assert "No face is known in the style" in advice(known(face), nobody)
    told = advice(known(face), nobody)  # One line says it of all parts of a head, another of the clothes.
    assert told.count("stands in") == 1 and "no clothes" in told
    assert "No face is known in the content" in advice(nobody, None)
    assert advice(known(face), None) == "" == advice(None, None)


def test_the_page_is_sent_the_automatic_map_its_doubts_and_the_layer(face) -> None:
    """What the browser gets is read back as it was; a correction stays on the same picture at another size,
    and leaves another picture.
    """
    confidence = np.ones((128, 128), np.float32)
    confidence[:, :40] = confidence[:, 90:92] = 0.3  # an area, and a rim as every part has it
    first = maps.shown_map(face[0], Parse(face[1], confidence))
    assert (
        np.array_equal(from_text(first["automatic"]), face[1].labels)
        and (from_text(first["layer"]) == AUTOMATIC).all()
        and not first["same"]
    )
    unsure = from_text(first["unsure"])
    assert unsure[:, :40].all() and not unsure[:, 40:].any()
    layer = Correction.nothing((128, 128)).painted(np.arange(128)[:, None] < 8 * np.ones(128), INDEX["hat"])
    drawn = {"layer": layer.to_text(), "of": first["of"]}
    twice = face[0].resize((256, 256))
    larger = maps.shown_map(twice, Parse(face[1].resized((256, 256)), np.ones((256, 256), np.float32)), drawn)
    assert (
        larger["same"]
        and (from_text(larger["layer"])[:16] == INDEX["hat"]).all()
        and (from_text(larger["layer"])[16:] == AUTOMATIC).all()
    )
    other = maps.shown_map(Image.fromarray(np.asarray(face[0])[::-1]), known(face), drawn)
    assert not other["same"] and (from_text(other["layer"]) == AUTOMATIC).all()


def test_a_fill_paints_one_region_and_a_map_comes_in_as_a_layer(tmp_path: Path, face) -> None:
    """The fill on a picture of two colours; a map file becomes what differs from the automatic map, the rest
    stays automatic.
    """
    halves = np.full((128, 128, 3), 40, np.uint8)
    halves[:, 64:] = 200
    Image.fromarray(halves).save(tmp_path / "halves.png")
    blank = {"layer": Correction.nothing((128, 128)).to_text(), "of": "x"}
    event = type("Event", (), {"_data": {"stroke": [[0.8, 0.5]], "label": INDEX["hat"], "reach": 20}})()
    filled = from_text(next(maps.fill(str(tmp_path / "halves.png"), known(face), blank, event))["layer"])
    assert (filled[:, 67:] == INDEX["hat"]).all() and (filled[:, :61] == AUTOMATIC).all()
    for wrong in (
        {"stroke": [], "label": 1, "reach": 20},
        {"stroke": [[0.5, "x"]], "label": 1, "reach": 20},
        {"stroke": [[0.5, 0.5]], "label": 99, "reach": 20},
        None,
    ):
        with pytest.raises(gr.Error, match="nothing to fill"):
            next(
                maps.fill(
                    str(tmp_path / "halves.png"), known(face), blank, type("Event", (), {"_data": wrong})()
                )
            )
    wanted = face[1].labels.copy()
    wanted[:10] = INDEX["hat"]
    SemanticMap(wanted).save(tmp_path / "halves_sem.png")
    loaded = next(maps.load_map(str(tmp_path / "halves_sem.png"), str(tmp_path / "halves.png"), known(face)))
    layer = Correction.from_text(loaded["layer"])
    assert np.array_equal(layer.over(face[1]).labels, wanted) and (layer.labels[10:] == AUTOMATIC).all()


def test_the_expected_time_grows_with_the_work() -> None:
    def seconds(**changed: object) -> float:
        from facetransfer.jobs.time_estimate import expected_seconds

        settings = replace(TransferSettings(), **changed)
        return expected_seconds(settings, (settings.size,) * 2)

    assert 0 < seconds(size=256) < seconds()
    optimised = [seconds(method="semantic", iterations=n) for n in (10, 16, 600)]
    assert optimised == sorted(optimised)
    told = next(settings.about(filled_in()))["expected"]
    assert (
        "Expected time here: **about" in told
        and "Balanced" not in told
        and "Fine" in told
        and "The article's" in told
    )  # the others beside it


def test_the_time_is_not_measured_at_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slider that is moved asks again and again: after some measurements there are enough."""
    monkeypatch.setattr(time_estimate, "_measured", {})
    runs = []
    monkeypatch.setattr(time_estimate, "guided_rounds", lambda *_, **__: runs.append(1) or ())
    for _ in range(40):
        time_estimate.expected_seconds(TransferSettings(), (512, 512))
    assert len(runs) == time_estimate.MOST


def test_the_place_in_line_and_the_time_until_it_is_reached() -> None:
    """One job runs since 5 s, jobs take 20 s: the first that waits has 15 s to go, the second 35 s; who does
    not wait is told nothing.
    """
    waiting, usual = EventQueue("work", 1), ProcessTime()
    waiting.current_concurrency = 1
    waiting.start_times_per_fn["run"].add(time.time() - 5)
    waiting.queue = [
        SimpleNamespace(_id=name, session_hash=name, fn="run", request=None) for name in ("first", "second")
    ]
    for job in waiting.queue:
        job.concurrency_id = "work"
    queue = SimpleNamespace(
        event_queue_per_concurrency_id={"work": waiting}, process_time_per_fn={}, active_jobs=[]
    )
    page = SimpleNamespace(_queue=queue)
    assert line.ahead(page, "work", "first") == (1, None) and line.ahead(page, "work", "second") == (
        2,
        None,
    )
    usual.add(20.0)
    queue.process_time_per_fn["run"] = usual
    for name, count, seconds in (("first", 1, 15), ("second", 2, 35)):
        found = line.ahead(page, "work", name)
        assert found[0] == count and found[1] == pytest.approx(seconds, abs=1)
    assert line.ahead(page, "work", "nobody") is None and line.waiting_words(page, "work", "nobody") is None
    words = line.waiting_words(page, "work", "second")
    assert words.startswith("In line: 2 others are before you. Your turn comes in about 35 s.")
    assert (
        "You left the line" in result.stopped(Image.new("RGB", (8, 8)), words)[0]
        and "Continue" in result.stopped(Image.new("RGB", (8, 8)), "Phase 1")[0]
    )


def test_another_gradio_is_refused_by_the_name_of_the_one_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that takes its events in another way, a template without previews of links, and a queue without
    its jobs.
    """

    async def push(self: object, body: object) -> None: ...

    async def refused() -> None:
        page = build_page()
        check(page)
        with monkeypatch.context() as other:
            other.setattr("facetransfer.ui.gradio_compat.SIGNATURES", {push: ("self", "body", "request")})
            with pytest.raises(RuntimeError, match=r"push takes self, body.*gradio=="):
                check(page)
        with monkeypatch.context() as other:
            other.setattr("facetransfer.ui.gradio_compat.template", lambda: "<head></head>")
            with pytest.raises(RuntimeError, match="no previews of links"):
                check(page)
        del page._queue.active_jobs
        with pytest.raises(RuntimeError, match="active_jobs"):
            check(page)

    asyncio.run(refused())


def test_a_visit_begins_with_the_page_as_it_is_and_changes_it_for_itself_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the components are is worked out for the first visit alone."""

    async def built() -> gr.Blocks:
        return build_page()

    page, looks, whole = asyncio.run(built()), [], gr.Button.get_config
    monkeypatch.setattr(gr.Button, "get_config", lambda self: looks.append(self._id) or whole(self))
    first, second = SessionState(page), SessionState(page)
    assert len(looks) == len({*looks}) > 10
    wanted = {one["id"]: one for one in page.get_config_file()["components"]}
    assert first.config_values == second.config_values == wanted
    likeness = next(key for key, block in page.blocks.items() if block.elem_id == "likeness")
    first._update_value_in_config(likeness, 0.9)
    first[likeness] = gr.Slider(value=0.8, render=False)
    first._update_config(likeness)
    shown = [visit.config_values[likeness]["props"]["value"] for visit in (first, second, SessionState(page))]
    assert shown == [0.8, 0.5, 0.5]


def test_who_finds_the_line_full_is_told_what_to_do() -> None:
    """The page gets our words with a status for which it shows them, a program the one that its client
    understands.
    """

    async def refused(headers: dict[str, str]) -> tuple[bool, str, str]:
        page = build_page()
        function = next(i for i, fn in page.fns.items() if fn.concurrency_id == "work")
        waiting = EventQueue("work", 1)
        waiting.queue = [
            SimpleNamespace(_id=str(i), session_hash=str(i), fn=0, request=None) for i in range(line.WAITING)
        ]
        joined.update((str(i), time.monotonic()) for i in range(line.WAITING))
        page._queue.event_queue_per_concurrency_id = {"work": waiting}
        body = SimpleNamespace(fn_index=function, session_hash="mine")
        return await page._queue.push(body, SimpleNamespace(headers=headers), None)

    assert asyncio.run(refused({})) == (False, line.FULL, "queue_full")
    with pytest.raises(HTTPException) as error:
        asyncio.run(refused({"sec-fetch-mode": "cors"}))
    assert (
        error.value.status_code == 429
        and f"{line.WAITING} others wait already" in error.value.detail
        and "try again later" in error.value.detail
    )


def test_nobody_fills_the_line_alone() -> None:
    """Two jobs of one visit may wait, eight of one address, any number of this machine's own."""

    def waiting(*who: tuple[str, str]) -> Line:
        return Line([(session, address, "run") for session, address in who], [], 0, {}, set())

    many = waiting(*((str(i), "192.0.2.1") for i in range(8)))
    assert line.refusal(waiting(("a", "192.0.2.1")), "a", "192.0.2.1") is None
    assert line.refusal(waiting(("a", "192.0.2.1"), ("a", "192.0.2.2")), "a", "192.0.2.3") == line.ENOUGH
    assert line.refusal(many, "new", "192.0.2.1") == line.ENOUGH
    assert line.refusal(many, "new", "192.0.2.2") is None
    local = waiting(*((str(i), "127.0.0.1") for i in range(8)))
    assert line.refusal(local, "new", "127.0.0.1") is None


def test_a_job_that_would_take_too_long_is_refused_with_its_time(
    tmp_path: Path, face, green_face, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    inputs = str(tmp_path / "a.png"), str(tmp_path / "b.png"), (known(face), known(green_face))
    monkeypatch.setenv("FACE_TRANSFER_MAX_SECONDS", "30")
    long = filled_in(*inputs, method="semantic", size=2048, phases=4, iterations=2000)
    with pytest.raises(gr.Error, match="jobs here may take about 30 s"):
        list(result.run(long, [], None))
    assert list(result.run(filled_in(*inputs, method="semantic", size=64, phases=1, iterations=2), [], None))


def test_a_page_that_was_closed_is_forgotten() -> None:
    async def remembered() -> list[dict[str, set[str]]]:
        page, seen = build_page(), []
        queue = page._queue
        queue.pending_event_ids_session |= {"page": {"event", STILL_TO_COME}, "other": {STILL_TO_COME}}
        for last in (False, True):
            if last:
                queue.pending_event_ids_session["page"].discard("event")
            await queue.clean_events(session_hash="page")
            seen.append({name: set(ids) for name, ids in queue.pending_event_ids_session.items()})
        return seen

    there = {"other": {STILL_TO_COME}}
    assert asyncio.run(remembered()) == [{"page": {"event", STILL_TO_COME}} | there, there]


def test_stop_speaks_after_the_last_word_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's job ends after three looks; one of another session and one in another line work on and
    are not waited for. Where one goes on for longer than anybody waits, the buttons stay those of work.
    """

    def event(session: str, where: str = "work") -> SimpleNamespace:
        return SimpleNamespace(session_hash=session, concurrency_id=where)

    waiting = EventQueue("work", 1)
    queue = SimpleNamespace(
        event_queue_per_concurrency_id={"work": waiting},
        process_time_per_fn={},
        active_jobs=[None, [event("b")], [event("a", "look")], [event("a")]],
    )

    async def both() -> bool:
        leaving = asyncio.create_task(line.left(SimpleNamespace(_queue=queue), "work", "a"))
        await asyncio.sleep(3 * line.LOOK_AGAIN)
        early = leaving.done()
        queue.active_jobs[3] = None
        assert await asyncio.wait_for(leaving, 5 * line.LOOK_AGAIN)
        return early

    assert not asyncio.run(both())
    monkeypatch.setattr(line, "PATIENCE", 0.0)
    assert not asyncio.run(line.left(SimpleNamespace(_queue=queue), "work", "b"))


def test_compare_shows_every_method(tmp_path: Path, face, green_face) -> None:
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    asked = filled_in(
        str(tmp_path / "a.png"),
        str(tmp_path / "b.png"),
        (known(face), known(green_face)),
        size=64,
        phases=1,
        iterations=2,
        network="compact",
    )
    images, names = zip(*list(result.compare(asked))[-1]["compared"])
    assert len(set(names)) == len(METHODS) and names[-1].startswith("Guided")
    assert len({p.tobytes() for p in images}) == len(METHODS) and {p.size for p in images} == {(64, 64)}


def test_results_past_their_time_are_removed_and_others_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    first = result_folder()
    (tmp_path / "not-ours").mkdir()
    second = result_folder()
    assert first.exists() and second.exists() and first != second
    for folder in (first, tmp_path / "not-ours"):
        os.utime(folder, (0, 0))
    result_folder()
    assert not first.exists() and second.exists() and (tmp_path / "not-ours").exists()


def test_examples_bring_their_exact_maps_and_finished_results() -> None:
    """Our characters have maps that are exact, and results; the photo is a pair to press Run on: no picture
    made of it is kept.
    """
    finished = [e for e in examples() if e.result]
    assert len(finished) >= 6 and len(examples()) > len(finished)
    for example in examples():
        content, style = (open_picture(example_file(name)) for name in (example.content, example.style))
        assert exact_map(style) is not None and (exact_map(content) is None) == (example.content == PHOTO)
        assert (example.result is None) == (example.content == PHOTO)
        if example.result:
            assert open_picture(example.result).size == content.size


def test_every_setting_has_an_input(app: str) -> None:
    with urllib.request.urlopen(f"{app}/config") as answer:
        components = json.load(answer)["components"]
    labels = {c["props"].get("label") for c in components if c["type"] in ("slider", "dropdown", "number")}
    assert labels >= {s.label for s in all_settings()}


def test_nobody_else_is_asked(app: str) -> None:
    """No analytics, no history of runs, and no public endpoint that is only plumbing."""
    with urllib.request.urlopen(f"{app}/config") as answer:
        config = json.load(answer)
    assert config["analytics_enabled"] is False and not config.get("run_history")


def test_the_app_can_be_used_from_a_program(app: str, tmp_path: Path, face, green_face) -> None:
    """The endpoints through gradio's own client, typed and documented; a broken file is a worded error
    and no path is served.
    """
    from gradio_client import Client, handle_file

    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    a, b = handle_file(str(tmp_path / "a.png")), handle_file(str(tmp_path / "b.png"))
    client = Client(app, verbose=False, download_files=str(tmp_path / "got"))
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/parse", "/transfer", "/compare", "/batch"}
    assert [p["parameter_name"] for p in endpoints["/transfer"]["parameters"]][:4] == [
        "content",
        "style",
        "preset",
        "place",
    ]
    semantic, told = client.predict(a, "compact", api_name="/parse")
    assert open_picture(semantic).size == (128, 128) and sum(told["shares"].values()) == pytest.approx(
        1, abs=1e-4
    )
    picture, report = client.predict(a, b, phases=1, iterations=2, size=64, api_name="/transfer")
    assert open_picture(picture).size == (64, 64) and {
        "leak",
        "layout_iou",
        "style_distance",
        "sharpness",
        "command",
    } <= set(report)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(Exception, match="is not a picture that can be read"):
        client.predict(handle_file(str(tmp_path / "broken.png")), "compact", api_name="/parse")
    with pytest.raises(Exception) as error:
        client.predict(
            {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}, "compact", api_name="/parse"
        )
    assert Path("/etc/hostname").read_text().strip() not in str(error.value)


def test_a_program_can_do_what_the_page_can(app: str, tmp_path: Path, face, green_face) -> None:
    """A painted map, strengths, a method, a place: what is given is in the recipe and in the command, and
    what is wrong is said. A list without the newer values is filled up.
    """
    from gradio_client import Client, handle_file

    for name, (picture, semantic) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
        Image.fromarray(semantic.rgb()).save(tmp_path / f"{name}-map.png")
    a, b = handle_file(str(tmp_path / "a.png")), handle_file(str(tmp_path / "b.png"))
    maps = [handle_file(str(tmp_path / f"{name}-map.png")) for name in "ab"]
    client = Client(app, verbose=False, download_files=str(tmp_path / "got"))
    parameters = client.view_api(return_format="dict")["named_endpoints"]["/transfer"]["parameters"]
    assert {s.name for s in all_settings()} < {p["parameter_name"] for p in parameters}
    assert [p["parameter_name"] for p in parameters if not p["parameter_has_default"]] == ["content", "style"]
    quick = dict(phases=1, iterations=2, size=64, seed=7, api_name="/transfer")
    told = dict(content_map=maps[0], style_map=maps[1], strengths="skin=0.5,hair=0", method="gatys")
    path, report = client.predict(a, b, **told, **quick)
    recipe = read_recipe(path)
    assert (recipe.settings.method, recipe.settings.seed, recipe.settings.size) == ("gatys", 7, 64)
    assert recipe.options == {"strength": "skin=0.5,hair=0"}
    given = {"content map": face[1].labels, "style map": green_face[1].labels}
    assert {role: recipe.inputs[role] for role in given} == {r: fingerprint(m) for r, m in given.items()}
    words = shlex.split(report["command"])
    for flag, value in (("--strength", "skin=0.5,hair=0"), ("--method", "gatys"), ("--seed", "7")):
        assert words[words.index(flag) + 1] == value
    for name, picture in (
        ("content", "a"),
        ("style", "b"),
        ("content_map", "a-map"),
        ("style_map", "b-map"),
    ):
        made = tmp_path / words[words.index("--" + name.replace("_", "-")) + 1]
        made.write_bytes((tmp_path / f"{picture}.png").read_bytes())
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    ran = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(open_picture(tmp_path / "result.png"), open_picture(path))
    for wrong, said in (
        (dict(strengths="nonsense"), "nonsense"),
        (dict(strengths="skin=9"), "from 0 .keep the photo. to 2"),
        (dict(content_face=0), "face of the content"),
        (dict(style_face=9), "face"),
        (dict(style_layers="9_9"), "style layers"),
        (dict(content_map=handle_file(__file__)), "picture"),
    ):
        with pytest.raises(Exception, match=said):
            client.predict(a, b, **wrong, **quick)
    files = {"files": ("a.png", (tmp_path / "a.png").read_bytes())}
    sent = httpx.post(f"{app}/gradio_api/upload", files=files, timeout=30).json()[0]
    old = [{"path": sent, "meta": {"_type": "gradio.FileData"}}] * 2
    old += ["Preview", "alone", 1, 1, -1, -1, 64, -1, -1]
    request = urllib.request.Request(
        f"{app}/gradio_api/call/transfer",
        json.dumps({"data": old}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{app}/gradio_api/call/transfer/{event}", timeout=120) as answer:
        assert "event: complete" in answer.read().decode()


@pytest.mark.parametrize("endpoint", ["/parse", "/transfer", "/batch"])
def test_the_python_code_that_the_page_prints_runs(
    app: str, endpoint: str, tmp_path: Path, face, green_face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What "Use via API" shows, with the caller's own files beside it, as quick as can be."""
    for name, (picture, _) in (("photo", face), ("another-photo", face), ("painting", green_face)):
        picture.save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    info = httpx.get(f"{app}/gradio_api/info", timeout=60).json()["named_endpoints"][endpoint]
    code = info["code_snippets"]["python"]
    assert app in code and "photo.png" in code and "github" not in code
    code = code.replace('preset="Balanced"', 'preset="Preview"')
    names: dict[str, object] = {}
    exec(compile(code, endpoint, "exec"), names)
    assert names["result"]


def test_a_program_compares_every_method(
    tmp_path: Path, face, green_face, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    monkeypatch.setitem(api.PRESETS, "Preview", dict(size=64, phases=1, iterations=2, network="compact"))
    *_, made = api.compare(str(tmp_path / "a.png"), str(tmp_path / "b.png"), "Preview")
    assert (
        [name for _, name in made] == ["gatys", "mrf", "semantic", "guided"]
        and len({p.tobytes() for p, _ in made}) == 4
        and {p.size for p, _ in made} == {(64, 64)}
    )


def test_a_picture_that_another_visitor_gets_too_is_not_lost_halfway(
    tmp_path: Path, face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio names a file after its bytes: it is written again while the other one may be reading it. Nobody
    finds it shorter at any moment.
    """
    monkeypatch.setattr(
        processing_utils, "save_pil_to_cache", processing_utils.save_pil_to_cache
    )  # put back afterwards

    async def guarded() -> None:
        guard(build_page(), "full")

    asyncio.run(guarded())
    component, picture = gr.Image(), face[0]
    component.GRADIO_CACHE = str(tmp_path)
    path = Path(component.postprocess(picture).path)
    whole, stopped, lengths = path.read_bytes(), threading.Event(), set()
    with Image.open(path) as seen:
        assert seen.size == picture.size

    def read() -> None:
        while not stopped.is_set():
            lengths.add(len(path.read_bytes()))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(60):
            assert component.postprocess(picture).path == str(path)
    finally:
        stopped.set()
        reader.join()
    assert lengths == {len(whole)} and [p.name for p in path.parent.iterdir()] == [path.name]
