"""The app: its handlers with bad input, and the whole way in a real browser."""
from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest
from PIL import Image

import gradio as gr
from facetransfer.errors import InputError
from facetransfer.images import open_picture
from facetransfer.settings import TransferSettings, all_settings
from segmentation.classes import CLASSES, INDEX
from segmentation.parsers import Parse
from segmentation.semantic_map import SemanticMap
from ui import handlers
from ui.map_editor import corrected, editor_value, overlay
from ui.pictures import exact_map, example_pairs, legend

ROOT = Path(__file__).resolve().parent.parent
SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a folder to keep what the browser showed


PLACE = next(iter(handlers.PLACE_LABELS))


def values(**changed: object) -> list[object]:
    """The place, the strengths of the classes, the settings, as the page gives them."""
    return [changed.pop("place", PLACE), *changed.pop("strengths", [1.0] * len(CLASSES)), *handlers.shown(replace(TransferSettings(), **changed))]


def known(pair: tuple) -> Parse:
    return Parse(pair[1], np.ones(pair[1].labels.shape, np.float32))


def test_presets_come_in_the_order_of_the_settings() -> None:
    assert handlers.settings_of(handlers.preset("Balanced")) == TransferSettings()
    assert handlers.preset("Preview")[[s.name for s in all_settings()].index("size")] == 256


@pytest.mark.parametrize("content, words", [(None, "no content picture yet"), ("text.png", "not a picture"), ("dot.png", "at least 32")])
def test_what_cannot_be_used_becomes_a_toast(tmp_path: Path, face, content: str | None, words: str) -> None:
    (tmp_path / "text.png").write_text("<b>no picture</b>")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    face[0].save(tmp_path / "face.png")
    with pytest.raises(gr.Error, match=words):
        list(handlers.run(None, None, None, False, content and str(tmp_path / content), str(tmp_path / "face.png"), None, None, None, None, *values(size=0)))


def test_a_fault_of_ours_is_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, face) -> None:
    def broken(*args):
        raise RuntimeError("secret path")
    monkeypatch.setattr(handlers, "known_of", broken)
    face[0].save(tmp_path / "face.png")
    with pytest.raises(gr.Error) as error:
        list(handlers.parse(str(tmp_path / "face.png"), "content"))
    assert "secret" not in str(error.value)


def test_a_run_shows_pictures_and_ends_with_a_file(tmp_path: Path, face, green_face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "SHOW_EVERY", 0.0)
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    inputs = [str(tmp_path / "a.png"), str(tmp_path / "b.png"), known(face), known(green_face), None, None]
    settings = dict(size=96, phases=2, iterations=2, network="seeded")
    shown = list(handlers.run([], None, None, True, *inputs, *values(**settings)))
    pictures, words, files, _, numbers, last, _, gallery = zip(*shown)
    assert len(shown) == 7 and {p.size for p in pictures} == {(96, 96)} and "Phase 2 of 2" in words[-3] and words[-1].startswith("Done in")
    with zipfile.ZipFile(files[-1]["value"]) as archive:
        assert set(archive.namelist()) == {"face-transfer.png", "recipe.json", "command.txt", "report.json", "content_sem.png", "style_sem.png", "run.webp"}
        assert np.array_equal(np.asarray(Image.open(archive.open("face-transfer.png"))), np.asarray(pictures[-1]))
        assert np.array_equal(np.asarray(Image.open(archive.open("content_sem.png"))), face[1].labels)
    assert "of the patches come from the same part" in numbers[-1] and len(gallery[-1]) == 1
    restored = next(handlers.restore(gallery[-1][0][0]))
    assert handlers.settings_of(restored[1 + len(CLASSES):]) == replace(TransferSettings(), **settings) and restored[0] == PLACE

    # A repainted part is worked on, from the result; the rest stays as it is.
    repainted = Parse(SemanticMap(face[1].labels.copy()), np.ones((128, 128), np.float32))
    repainted.semantic.labels[100:120, 4:24] = INDEX["hat"]
    inputs[2] = repainted
    again = list(handlers.run(gallery[-1], last[-1], pictures[-1], False, *inputs, *values(**settings)))[-1]
    moved = (np.asarray(again[0]) != np.asarray(pictures[-1])).any(2)
    assert moved[75:90, 3:18].any() and not moved[:60].any() and len(again[-1]) == 2


def test_a_click_shows_where_a_patch_came_from() -> None:
    sources = np.zeros((2, 4, 4), np.float32)
    sources[:, 3, 0] = 0.75, 0.25
    last = handlers.LastRun(np.zeros((4, 4), np.uint8), Image.new("RGB", (200, 100), (90, 90, 90)), sources)
    event = type("Event", (), {"index": (2, 63)})()
    shown = np.asarray(handlers.where_from(last, Image.new("RGB", (64, 64)), event)["value"]).astype(int)
    ys, xs = np.nonzero((shown != 90).any(2))
    assert xs.mean() == pytest.approx(150, abs=2) and ys.mean() == pytest.approx(25, abs=2)


def test_advice_names_what_is_missing_and_unsettles_nobody(face, green_face) -> None:
    key, told = handlers.show_advice(None, None, known(face), known(green_face), *values()[1 + len(CLASSES):])
    assert "Both maps have what they need" in told and "Skin" in told
    hatted = Parse(SemanticMap(np.where(np.arange(128)[:, None] < 25, np.uint8(INDEX["hat"]), face[1].labels)), np.ones((128, 128), np.float32))
    assert "has no hat: hair stands in" in handlers.show_advice(None, None, hatted, known(green_face), *values()[1 + len(CLASSES):])[1]
    nobody = Parse(SemanticMap(np.zeros((64, 64), np.uint8)), np.ones((64, 64), np.float32))
    assert "No face is known in the style" in handlers.show_advice(None, None, known(face), nobody, *values()[1 + len(CLASSES):])[1]


def test_unsure_places_are_hatched_and_strokes_stay(tmp_path: Path, face) -> None:
    face[0].save(tmp_path / "face.png")
    confidence = np.ones((128, 128), np.float32)
    confidence[:, :40] = 0.3
    drawing = editor_value(*face)
    drawing["layers"][0][5:9, 5:9] = 255
    value = next(handlers.show_unsure(str(tmp_path / "face.png"), Parse(face[1], confidence), drawing, True))
    changed = (value["background"] != overlay(*face)).any(2)
    assert changed[:, :38].mean() > 0.2 and not changed[:, 42:].any() and value["layers"][0][6, 6, 3] == 255


def test_the_expected_time_grows_with_the_work() -> None:
    def seconds(**changed: object) -> float:
        from facetransfer.expected_time import expected_seconds
        return expected_seconds(replace(TransferSettings(), **changed), (512, 512))
    assert 0 < seconds(iterations=10) < seconds() < seconds(iterations=600) and "Expected time here: about" in handlers.time_text(None, *values()[1 + len(CLASSES):])


def test_compare_shows_the_three_methods(tmp_path: Path, face, green_face) -> None:
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    shown = list(handlers.compare(str(tmp_path / "a.png"), str(tmp_path / "b.png"), known(face), known(green_face), None, None,
                                  *values(size=64, phases=1, iterations=2, network="seeded")))
    pictures, names = zip(*shown[-1][0])
    assert len(set(names)) == 3 and names[-1].startswith("Patches from the same part")
    assert len({p.tobytes() for p in pictures}) == 3 and {p.size for p in pictures} == {(64, 64)}


def test_results_past_their_time_are_removed_and_others_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    first = handlers.result_folder()
    (tmp_path / "not-ours").mkdir()
    second = handlers.result_folder()
    assert first.exists() and second.exists() and first != second
    for folder in (first, tmp_path / "not-ours"):
        os.utime(folder, (0, 0))
    handlers.result_folder()
    assert not first.exists() and second.exists() and (tmp_path / "not-ours").exists()


def test_the_map_lies_over_its_picture_and_its_classes_are_named(face) -> None:
    shown = np.asarray(overlay(*face)).astype(float)
    expected = np.asarray(face[0]) * 0.45 + face[1].rgb() * 0.55
    assert np.abs(shown - expected).max() <= 1
    assert "Nose" in legend(face[1]) and "Hat" not in legend(face[1])


def test_strokes_correct_the_map_and_clear_ones_leave_it(face) -> None:
    drawing = editor_value(*face)
    assert np.array_equal(corrected(face[1], drawing).labels, face[1].labels) and corrected(face[1], None).labels is face[1].labels
    drawing["layers"][0][10:30, 40:60] = (*CLASSES[INDEX["hat"]].colour, 200)
    after = corrected(face[1], drawing).labels
    assert (after[10:30, 40:60] == INDEX["hat"]).all() and (after != face[1].labels).sum() <= 400
    large = face[1].resized((1600, 1600))  # the editor shows it smaller; strokes land at the map's own size
    drawing = editor_value(face[0].resize((1600, 1600)), large)
    assert drawing["background"].shape == (768, 768, 3)
    drawing["layers"][0][:384] = (*CLASSES[INDEX["cloth"]].colour, 255)
    after = corrected(large, drawing).labels
    assert (after[:800] == INDEX["cloth"]).all() and np.array_equal(after[800:], large.labels[800:])
    with pytest.raises(InputError, match="does not fit"):
        corrected(large, {"layers": [np.full((10, 50, 4), 255, np.uint8)]})


def test_examples_bring_their_exact_maps(tmp_path: Path) -> None:
    pairs = example_pairs(tmp_path)
    assert len(pairs) >= 3
    for content, style in pairs:
        assert open_picture(content).size == (320, 320) and exact_map(open_picture(style)) is not None
    assert exact_map(open_picture(pairs[0][0])) is None


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app as a process of its own, with a cache folder of its own; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("app")
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "cache"), "DISPLAY": ""}
    environment.pop("DISPLAY")
    with open(folder / "log.txt", "w+") as log:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"{address}/config", timeout=2).close()
                    break
                except OSError:
                    assert process.poll() is None, Path(log.name).read_text()
                    time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            process.wait(20)


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
    """The three endpoints through gradio's own client, typed and documented; a broken file is a worded error and no path is served."""
    from gradio_client import Client, handle_file

    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    a, b = handle_file(str(tmp_path / "a.png")), handle_file(str(tmp_path / "b.png"))
    client = Client(app, verbose=False, download_files=str(tmp_path / "got"))
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/parse", "/transfer", "/compare"}
    assert [p["parameter_name"] for p in endpoints["/transfer"]["parameters"]][:4] == ["content", "style", "preset", "place"]
    semantic, told = client.predict(a, "compact", api_name="/parse")
    assert open_picture(semantic).size == (128, 128) and sum(told["shares"].values()) == pytest.approx(1, abs=1e-4)
    picture, report = client.predict(a, b, phases=1, iterations=2, size=64, api_name="/transfer")
    assert open_picture(picture).size == (64, 64) and {"leak", "layout_iou", "style_distance", "sharpness", "command"} <= set(report)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(Exception, match="is not a picture that can be read"):
        client.predict(handle_file(str(tmp_path / "broken.png")), "compact", api_name="/parse")
    with pytest.raises(Exception) as error:
        client.predict({"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}, "compact", api_name="/parse")
    assert Path("/etc/hostname").read_text().strip() not in str(error.value)


@pytest.fixture
def page(app: str) -> Iterator[object]:
    """The app's page in a real Chromium."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "chromium is missing: run `make test`, which installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[
            "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(90_000)
        page.goto(app)
        page.wait_for_selector("#run")
        yield page
        browser.close()


def keep(page: object, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True)


def upload(page: object, folder: Path, face, green_face) -> None:
    for name, (picture, _) in (("content", face), ("style", green_face)):
        picture.resize((256, 256)).save(folder / f"{name}.png")
        page.set_input_files(f"#{name} input[type=file]", str(folder / f"{name}.png"))
    page.wait_for_selector(".legend[data-maps='2']", state="attached")


def status_says(page: object, words: str) -> None:
    page.wait_for_function("words => document.querySelector('#status').innerText.includes(words)", arg=words)


def test_two_pictures_maps_and_a_result(page, tmp_path: Path, face, green_face) -> None:
    keep(page, "1-empty")
    upload(page, tmp_path, face, green_face)
    keep(page, "2-maps")
    page.get_by_label("Preview").check()
    page.click("#run")
    status_says(page, "Phase")
    page.wait_for_selector("#result img")
    status_says(page, "Done in")
    keep(page, "3-result")
    with page.expect_download() as download:
        page.click("#download")
    with zipfile.ZipFile(download.value.path()) as archive:
        result = Image.open(archive.open("face-transfer.png")).convert("RGB")
    assert result.size == (256, 256) and "same part of the face" in page.inner_text("#numbers")
    content = np.asarray(Image.open(tmp_path / "content.png")).astype(float)
    assert np.abs(np.asarray(result) - content).mean() > 10


def test_a_painted_correction_comes_back_exact(page, tmp_path: Path, face, green_face) -> None:
    """A stroke with a real mouse, read back from the downloaded maps: in its class where it was painted, nowhere else."""
    upload(page, tmp_path, face, green_face)
    page.wait_for_selector("#content-map button[aria-label=Brush]")
    before = downloaded_maps(page, tmp_path)
    page.click("#brush-class input")
    page.get_by_role("option", name="Hat", exact=True).click()
    page.wait_for_timeout(1000)
    canvas = page.locator("#content-map canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 20, y)
    page.mouse.down()
    page.mouse.move(x + 20, y, steps=8)
    page.mouse.up()
    page.wait_for_timeout(1000)
    keep(page, "6-painted")
    after = downloaded_maps(page, tmp_path)
    changed = after["content_sem.png"] != before["content_sem.png"]
    assert after["content_sem.png"].shape == (256, 256) and 200 < changed.sum() < 6000
    assert (after["content_sem.png"][changed] == INDEX["hat"]).all() and (after["content_sem.png"][128, 110:146] == INDEX["hat"]).all()
    assert np.array_equal(after["style_sem.png"], before["style_sem.png"])


def downloaded_maps(page: object, folder: Path) -> dict[str, np.ndarray]:
    with page.expect_download() as download:
        page.click("#save-maps")
    with zipfile.ZipFile(download.value.path()) as archive:
        return {name: np.asarray(Image.open(archive.open(name))) for name in archive.namelist()}


def test_stop_stops_and_keeps_the_picture(page, tmp_path: Path, face, green_face) -> None:
    upload(page, tmp_path, face, green_face)
    page.get_by_label("The article's").check()
    page.click("#run")
    status_says(page, "Phase")
    page.wait_for_selector("#result img")
    page.click("#stop")
    status_says(page, "Stopped")
    source = page.get_attribute("#result img", "src")
    time.sleep(3)
    assert page.get_attribute("#result img", "src") == source and "Stopped" in page.inner_text("#status")
    page.get_by_label("Preview").check()  # the next job starts at once
    page.click("#run")
    status_says(page, "Phase")


def test_a_broken_file_is_a_toast_and_the_page_lives(page, tmp_path: Path, face, green_face) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page.set_input_files("#content input[type=file]", str(tmp_path / "broken.png"))
    page.wait_for_selector("text=is not a picture that can be read")
    keep(page, "4-toast")


def test_examples_fill_both_pictures(page) -> None:
    page.click("#examples tbody tr:first-child td:first-child")
    page.wait_for_selector(".legend[data-maps='2']", state="attached")
    assert page.locator(".legend .chip").count() >= 8


def test_the_page_fits_a_phone(page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(500)
    keep(page, "5-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 392
