"""The whole way in a real browser: one app and one Chromium for all tests, a visitor of its own for each."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facetransfer.base.images import open_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.ui.examples import example_file, examples
from segmentation.classes import INDEX
from segmentation.semantic_map import SemanticMap
from tests.support.figures import FIGURES
from tests.support.visitor import (
    keep,
    listen,
    opened,
    saved_maps,
    set_range,
    status_says,
    stroke,
    upload,
    was_said,
)

LONG = 512  # pixels at which the article's settings take minutes on any machine: work that one can stop


def test_two_pictures_maps_and_a_result(page, tmp_path: Path, face, green_face) -> None:
    keep(page, "1-empty")
    upload(page, tmp_path, face, green_face)
    keep(page, "2-maps")
    page.get_by_label("Preview").check()
    listen(page)
    page.click("#run")
    page.wait_for_selector("#result img")
    status_says(page, "Done in")
    assert was_said(page, "Phase 1 of")
    keep(page, "3-result")
    with page.expect_download() as download:
        page.click("#download")
    with zipfile.ZipFile(download.value.path()) as archive:
        made = Image.open(archive.open("face-transfer.png")).convert("RGB")
    assert made.size == (256, 256) and "same part of the face" in page.inner_text("#numbers")
    content = np.asarray(Image.open(tmp_path / "content.png")).astype(float)
    assert np.abs(np.asarray(made) - content).mean() > 10


def test_painting_comes_back_exact(page, tmp_path: Path, face, green_face) -> None:
    """Brush, eraser, undo, redo, region, class and all back to automatic, by a real mouse, read back from the
    saved maps.
    """
    upload(page, tmp_path, face, green_face)
    before = saved_maps(page)
    automatic = before["content_sem.png"]
    assert automatic.shape == (256, 256)
    page.click(".chip:has-text('Hat')")
    set_range(page, "size", 20)
    stroke(page, "content-map", (0.3, 0.5), (0.7, 0.5))
    keep(page, "6-painted")
    x, y = np.meshgrid((np.arange(256) + 0.5) / 256, (np.arange(256) + 0.5) / 256)
    far = np.hypot(np.maximum(0, np.maximum(0.3 - x, x - 0.7)), y - 0.5)  # from the stroke, in shares
    radius = 20 / 500
    painted = saved_maps(page)
    after = painted["content_sem.png"]
    assert (after[far < radius - 0.01] == INDEX["hat"]).all() and np.array_equal(
        after[far > radius + 0.01], automatic[far > radius + 0.01]
    )
    assert set(np.unique(after[after != automatic])) == {INDEX["hat"]} and np.array_equal(
        painted["style_sem.png"], before["style_sem.png"]
    )

    page.click("[data-tool=eraser]")
    stroke(page, "content-map", (0.5, 0.4), (0.5, 0.6))
    erased = saved_maps(page)["content_sem.png"]
    gap = np.abs(x - 0.5) < 0.02
    assert (
        np.array_equal(erased[gap], automatic[gap])
        and (erased[(far < 0.03) & (np.abs(x - 0.5) > 0.08)] == INDEX["hat"]).all()
    )

    page.click(
        "[data-tool=restore]"
    )  # the eraser left two regions: the left one goes back, the right one stays
    stroke(page, "content-map", (0.33, 0.5))
    one = saved_maps(page)["content_sem.png"]
    assert np.array_equal(one[:, :128], automatic[:, :128]) and np.array_equal(one[:, 128:], erased[:, 128:])

    page.click("[data-do=undo]")
    page.locator("#content-map canvas").focus()
    page.keyboard.press("Control+z")
    assert np.array_equal(saved_maps(page)["content_sem.png"], after)
    page.click("[data-do=redo]")
    assert np.array_equal(saved_maps(page)["content_sem.png"], erased)

    page.click(".chip:has-text('Necklace')")
    stroke(page, "content-map", (0.5, 0.9), (0.55, 0.9))
    page.click("[data-do=class]")  # of Necklace alone
    assert np.array_equal(saved_maps(page)["content_sem.png"], erased)
    page.click("[data-do=all]")
    assert np.array_equal(saved_maps(page)["content_sem.png"], automatic)


def test_a_fill_a_rerun_and_a_map_file(page, tmp_path: Path, face, green_face) -> None:
    """A fill stops at the picture's edge; the layer survives another look by the parser and a run; a saved
    map comes back as it was.
    """
    halves = np.full((256, 256, 3), 60, np.uint8)
    halves[:, 128:] = 190
    Image.fromarray(halves).save(tmp_path / "content.png")
    page.set_input_files("#content input[type=file]", str(tmp_path / "content.png"))
    green_face[0].save(tmp_path / "style.png")
    page.set_input_files("#style input[type=file]", str(tmp_path / "style.png"))
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    automatic = saved_maps(page)["content_sem.png"]
    page.click(".chip:has-text('Hair')")
    page.click("[data-tool=fill]")
    stroke(page, "content-map", (0.75, 0.5))
    page.wait_for_function("faceMaps.tools.maps[0].layer.filter(l => l !== 255).length > 20000")
    filled = saved_maps(page)["content_sem.png"]
    assert (filled[:, 134:] == INDEX["hair"]).all() and np.array_equal(filled[:, :122], automatic[:, :122])
    page.click("[data-do=undo]")
    assert np.array_equal(saved_maps(page)["content_sem.png"], automatic)
    page.click("[data-do=redo]")

    page.evaluate("map => { faceMaps.tools.maps[0].automatic = null }")  # it comes anew with the answer
    page.click("#make-maps")
    page.wait_for_function("faceMaps.tools.maps[0].automatic")
    assert np.array_equal(saved_maps(page)["content_sem.png"], filled)
    page.get_by_label("The article's").check()
    page.click("#run")
    status_says(page, "Phase")
    page.click("#stop")
    status_says(page, "Stopped")
    assert np.array_equal(saved_maps(page)["content_sem.png"], filled)

    SemanticMap(filled).save(tmp_path / "content_sem.png")
    page.click("[data-do=all]")
    with page.expect_file_chooser() as chooser:
        page.click("#load-content-map")
    chooser.value.set_files(str(tmp_path / "content_sem.png"))
    page.wait_for_function("faceMaps.tools.maps[0].layer.filter(l => l !== 255).length > 20000")
    assert np.array_equal(saved_maps(page)["content_sem.png"], filled)


def test_a_stroke_painted_while_a_fill_is_on_its_way_stays(page, tmp_path: Path, face, green_face) -> None:
    """A brush stroke right after the fill's, before the server's answer: both are in the map; after an undo
    the answer is not wanted.
    """
    upload(page, tmp_path, face, green_face)
    automatic = saved_maps(page)["content_sem.png"]
    page.click(".chip:has-text('Necklace')")
    page.click("[data-tool=fill]")
    page.evaluate("""() => { // the answer waits until it is let go
        const map = faceMaps.tools.maps[0], load = map.load.bind(map);
        map.load = () => map.props.value?.filled ? (window.held = true) : load();
    }""")
    stroke(page, "content-map", (0.05, 0.05))
    page.wait_for_function("() => Boolean(window.held)")
    page.evaluate("() => { window.answer = faceMaps.tools.maps[0].props.value; }")
    page.click(".chip:has-text('Hat')")
    page.click("[data-tool=brush]")
    stroke(page, "content-map", (0.5, 0.5), (0.55, 0.5))
    page.evaluate(
        "() => { const m = faceMaps.tools.maps[0]; m.load = Object.getPrototypeOf(m).load; m.props.value = "
        "window.answer; m.load(); }"
    )
    both = saved_maps(page)["content_sem.png"]
    assert both[128, 132] == INDEX["hat"] and (both == INDEX["necklace"]).sum() > 500
    page.click("[data-do=all]")
    page.evaluate("() => { const m = faceMaps.tools.maps[0]; m.props.value = window.answer; m.load(); }")
    assert np.array_equal(saved_maps(page)["content_sem.png"], automatic)


def test_stop_keeps_the_picture_and_goes_on_from_it(page, tmp_path: Path, face, green_face) -> None:
    upload(page, tmp_path, face, green_face, LONG)
    page.get_by_label("The article's").check()
    page.click("#run")
    status_says(page, "Phase")
    assert page.locator("#status progress").count() == 1 and page.locator("#run").is_disabled()
    page.wait_for_selector("#result img")
    page.click("#stop")
    status_says(page, "The picture so far is kept: Continue goes on from it")
    source = page.get_attribute("#result img", "src")
    page.wait_for_timeout(2000)
    assert page.get_attribute("#result img", "src") == source and "Stopped" in page.inner_text("#status")
    page.get_by_label("Preview").check()
    page.wait_for_function(
        "document.querySelector('#expected').innerText.includes('The article\\'s')"
    )  # among those that are not chosen
    assert page.inner_text("#refine") == "Continue"
    listen(page)
    page.click("#refine")  # only if it is pressed without waiting for anything else to change
    status_says(page, "Done in")
    page.wait_for_function(
        "document.querySelector('#refine').innerText === 'Refine' && "
        "!document.querySelector('#refine').disabled && document.querySelector('#stop').disabled"
    )


def test_who_waits_is_told_the_place_in_line(
    app: str, browser, page, tmp_path: Path, face, green_face
) -> None:
    """Three visitors press Run: the third is told of two before it, moves up, may leave the line, and the
    second gets its turn.
    """
    others = [opened(app, browser) for _ in range(2)]
    everyone = [page, *others]
    for one in others:
        upload(one, tmp_path, face, green_face)
    upload(page, tmp_path, face, green_face, LONG)
    for one, before in zip(everyone, (None, "1 other is before you", "2 others are before you")):
        one.get_by_label("The article's" if before is None else "Preview").check()
        one.wait_for_function(
            "document.querySelector('#expected').innerText.includes('Balanced')"
        )  # among those that are not chosen
        one.click("#run")
        status_says(one, before or "Phase")
    everyone[2].click("#stop")
    status_says(everyone[2], "You left the line: nothing was made")
    assert not everyone[2].locator("#result img").count()
    page.click("#stop")
    status_says(page, "Stopped")
    status_says(everyone[1], "Done in")
    everyone[1].wait_for_timeout(2000)
    assert (
        "Stopped" in page.inner_text("#status")
        and "Done in" in everyone[1].inner_text("#status")
        and "left the line" in everyone[2].inner_text("#status")
    )
    for one in others:
        one.context.close()


def test_one_of_several_faces_is_chosen_by_its_frame(page, tmp_path: Path) -> None:
    """A picture with two of our characters: the larger is framed as the one that is used; a press on the
    other's frame takes that one.
    """
    both = Image.new("RGB", (900, 500), (40, 40, 40))
    for name, side, place in (("bust", 500, (0, 0)), ("oil", 400, (500, 50))):
        both.paste(open_picture(example_file(name)).resize((side, side)), place)
    both.save(tmp_path / "both.png")
    page.set_input_files("#content input[type=file]", str(tmp_path / "both.png"))
    page.wait_for_selector("text=2 faces were found in the content picture")
    middle = (
        "() => { const f = document.querySelector('#content-map .used').getBoundingClientRect(), c = "
        "document.querySelector('#content-map canvas').getBoundingClientRect(); return (f.x + f.width / 2 "
        "- c.x) / c.width }"
    )
    page.wait_for_selector("#content-map .used")
    assert page.evaluate(middle) == pytest.approx(0.28, abs=0.05)
    page.evaluate("window.first = faceMaps.tools.maps[0].automatic.slice()")
    page.click("#content-map .faces button:has-text('Use this face')")
    page.wait_for_function(f"({middle})() > 0.6")
    assert page.evaluate(middle) == pytest.approx(0.77, abs=0.05)
    assert page.evaluate("faceMaps.tools.maps[0].automatic.some((label, i) => label !== window.first[i])")
    assert page.locator("#content-map .faces div").count() == 2
    picture = page.locator("#content img")  # a click in the picture itself does the same
    box = picture.bounding_box()
    picture.click(position={"x": 0.28 * box["width"], "y": 0.5 * box["height"]})
    page.wait_for_function(f"({middle})() < 0.4")


def test_a_map_is_painted_without_a_mouse(page, tmp_path: Path, face, green_face) -> None:
    """Keys alone: arrows move the ring from the middle, Space paints there, Ctrl+Z takes it back; the advice
    follows what is painted.
    """
    upload(page, tmp_path, face, green_face)
    page.wait_for_selector("#advice li")
    automatic = saved_maps(page)["content_sem.png"]
    page.locator(".chip:has-text('Hat')").press("Enter")
    page.locator("#content-map canvas").focus()
    for key in ("b", "]", "]", "ArrowDown", "ArrowDown", "Shift+ArrowRight", "Space"):
        page.keyboard.press(key)
    page.wait_for_selector("#advice li:has-text('no hat')")
    painted = saved_maps(page)["content_sem.png"]
    ys, xs = np.nonzero(painted != automatic)
    assert (
        set(painted[ys, xs]) == {INDEX["hat"]}
        and xs.mean() == pytest.approx(128 + 0.005 * 256, abs=1.5)
        and ys.mean() == pytest.approx(128 + 0.05 * 256, abs=1.5)
    )
    page.locator("#content-map canvas").press("Control+z")
    page.wait_for_function("!document.querySelector('#advice').innerText.includes('no hat')")
    assert np.array_equal(saved_maps(page)["content_sem.png"], automatic)


def test_a_result_is_looked_at_and_comes_back_from_its_file(page, tmp_path: Path, face, green_face) -> None:
    """Another seed, a region and a number by hand; then the source of a patch, before and after, the visit's
    gallery; the PNG of the zip restores the settings.
    """
    upload(page, tmp_path, face, green_face)
    page.get_by_label("Preview").check()
    page.click("#parts button")
    page.click("#region input")
    page.click("[role=option]:has-text('Keep the background')")
    page.click("#settings button")
    page.fill("#set-iterations input", "6")
    page.locator("#set-iterations input").press("Tab")
    page.click("#settings button:has-text('Advanced')")
    page.click("#dice")
    page.wait_for_function("document.querySelector('#set-seed input').value !== '0'")
    seed = page.input_value("#set-seed input")
    page.click("#run")
    page.wait_for_function("document.querySelector('#numbers').innerText.includes('same part of the face')")
    page.wait_for_selector("#refine:not([disabled])")
    page.locator("#result img").click(position={"x": 200, "y": 200})
    page.wait_for_selector("#source img")
    assert page.get_by_text("and where it goes (1 changed)").is_visible()
    page.get_by_role("tab", name="Before and after").click()
    page.wait_for_function("""() => { // both of one size, one on the other
        const boxes = [...document.querySelectorAll('#slider img')].map(i => i.getBoundingClientRect());
        return boxes.length === 2 && boxes[0].height > 100
          && ['x', 'y', 'width', 'height'].every(n => Math.abs(boxes[0][n] - boxes[1][n]) < 2); }""")
    page.get_by_role("tab", name="Result").click()
    page.wait_for_selector("#gallery img")
    with page.expect_download() as download:
        page.click("#download")
    with zipfile.ZipFile(download.value.path()) as archive:
        (tmp_path / "result.png").write_bytes(archive.read("face-transfer.png"))
        command = archive.read("command.txt").decode().strip()
    assert "--iterations 6" in command and f"--seed {seed}" in command
    assert not page.locator("#numbers code").first.is_visible()
    page.click("#numbers summary")
    assert (
        page.inner_text("#numbers pre code").strip() == command
        and page.locator("#numbers button[title*=opy]").is_visible()
    )
    made, content = (
        np.asarray(open_picture(tmp_path / name)).astype(int) for name in ("result.png", "content.png")
    )
    assert (
        np.abs(made - content)[:20, :20].max() <= 1 < np.abs(made - content)[110:150, 110:150].mean()
    )  # the background was kept
    page.get_by_label("Balanced").check()
    page.wait_for_function(
        f"document.querySelector('#set-iterations input').value === '{TransferSettings().iterations}'"
    )
    with page.expect_file_chooser() as chooser:
        page.click("#restore")
    chooser.value.set_files(str(tmp_path / "result.png"))
    page.wait_for_function("document.querySelector('#set-iterations input').value === '6'")
    assert (
        page.input_value("#set-seed input") == seed
        and page.locator("#parts input[type=number]").first.input_value() == "0"
    )


def test_a_broken_file_is_a_toast_and_the_page_lives(page, tmp_path: Path, face, green_face) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page.set_input_files("#content input[type=file]", str(tmp_path / "broken.png"))
    page.wait_for_selector("text=is not a picture that can be read")
    keep(page, "4-toast")


def test_a_press_on_a_style_shows_the_person_in_it(page, tmp_path: Path) -> None:
    """One press after an upload; then all styles on a sheet, of which one is chosen and made fine."""
    open_picture(example_file("bust")).resize((256, 256)).save(tmp_path / "me.png")
    page.locator("#content input[type=file]").first.set_input_files(str(tmp_path / "me.png"))
    page.wait_for_selector("#content-map .map.there, #map-content .map.there, .map.there")
    done = "document.querySelector('#status').innerText.startsWith('Done in')"
    page.locator("#styles [data-style]").nth(1).click()
    page.wait_for_function(done)
    page.wait_for_function("document.querySelector('#result img') !== null")
    page.click("#try-all")
    page.wait_for_function("document.querySelector('#try-status').innerText.includes('Press one')")
    tried = page.locator("#tried .thumbnail-item")
    assert tried.count() == page.locator("#styles [data-style]").count()
    before = page.get_attribute("#result img", "src")
    tried.nth(2).click()
    page.wait_for_function(f"document.querySelector('#result img').src !== {before!r}")
    page.wait_for_function(done)


def test_an_example_shows_both_pictures_and_its_result(page) -> None:
    cards = page.locator("#examples [data-example]")
    assert cards.count() == len(examples())
    finished = next(i for i, e in enumerate(examples()) if e.result)
    cards.nth(finished).click()
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    status_says(page, "made before")
    page.wait_for_selector("#result img")
    assert page.locator(".map-tools .chip:not(.absent)").count() >= 8
    page.evaluate("window.scrollTo(0, 400)")
    assert 0 <= page.locator("#run").bounding_box()["y"] < 40  # the result stays in view while one paints


def test_the_page_works_on_a_phone(app: str, browser, tmp_path: Path, face, green_face) -> None:
    """Nothing sticks out, and no label covers a picture; one map at a time with its tools in reach; a finger
    paints; Run brings the result into view.
    """
    page = opened(
        app, browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    )
    upload(page, tmp_path, face, green_face)
    keep(page, "5-phone")
    for name in ("content", "style"):
        label, picture = (
            page.locator(f"#{name} {part}").first.bounding_box()
            for part in ("[data-testid=block-label]", "img")
        )
        assert label["y"] + label["height"] <= picture["y"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 392
    assert (
        page.locator("#content-map canvas").is_visible()
        and not page.locator("#style-map canvas").is_visible()
    )
    page.tap("#style-map figcaption")
    assert (
        page.locator("#style-map canvas").is_visible()
        and not page.locator("#content-map canvas").is_visible()
    )
    reach = page.evaluate(
        "document.querySelector('.classes').getBoundingClientRect().bottom - "
        "document.querySelector('#maps').getBoundingClientRect().top"
    )
    assert reach < 844 - 70  # map, tools and classes above the bar with Run
    page.tap(".chip:has-text('Hair')")
    page.tap("[data-do=paint]")
    page.tap("#style-map canvas", position={"x": 60, "y": 60})
    assert page.evaluate("label => faceMaps.tools.maps[1].layer.some(l => l === label)", INDEX["hair"])
    page.get_by_label("The article's").check()
    page.evaluate("window.scrollTo(0, 0)")
    page.tap("#run")
    page.wait_for_function(
        "(() => { const b = document.querySelector('#result').getBoundingClientRect(); return b.top >= 0 "
        "&& b.top < 300 })()"
    )
    status_says(page, "Phase")
    page.tap("#stop")
    status_says(page, "Stopped")
    page.context.close()


def test_what_is_said_of_a_run_comes_into_view_on_a_phone(
    app: str, browser, tmp_path: Path, face, green_face
) -> None:
    """Also where the picture is in sight already."""
    page = opened(
        app, browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    )
    upload(page, tmp_path, face, green_face)
    page.get_by_label("Fine", exact=True).check()
    page.evaluate("scrollBy(0, document.querySelector('#result').getBoundingClientRect().top - 4)")
    assert page.locator("#status").bounding_box()["y"] < 0
    page.tap("#run")
    page.wait_for_function("document.querySelector('#status').getBoundingClientRect().top >= 0")
    page.context.close()


def test_who_has_not_pressed_run_is_told_of_the_line(
    app: str, browser, page, tmp_path: Path, face, green_face
) -> None:
    """While somebody else's job is at work, the next visitor is told so beside Run; after it, nothing stands
    there; and the visitor at work is told by the status alone.
    """
    told = "document.querySelector('#queue').innerText"
    other = opened(app, browser)
    assert not other.evaluate(told).strip()
    upload(page, tmp_path, face, green_face, LONG)
    page.get_by_label("The article's").check()
    page.click("#run")
    status_says(page, "Phase")
    place = "document.querySelector('#result').getBoundingClientRect().top"
    before = other.evaluate(place)
    other.wait_for_function(f"{told}.includes('1 job is before yours')")
    assert other.evaluate(place) == pytest.approx(before, abs=1)  # what one looks at does not jump
    assert other.locator("#queue").is_visible() and not page.locator("#queue").is_visible()
    keep(other, "7-before-run")
    page.click("#stop")
    status_says(page, "Stopped")
    other.wait_for_function(f"!{told}.trim()")
    other.context.close()


def test_from_an_empty_page_to_a_saved_picture_in_four_clicks(page, tmp_path: Path) -> None:
    """One's own photo, a style of the row, and the download: what a first visitor does, counted and timed."""
    open_picture(example_file("bust")).save(tmp_path / "me.png")
    page.evaluate(
        "addEventListener('click', e => { window.clicks = (window.clicks ?? 0) + e.isTrusted; }, true)"
    )
    began = time.monotonic()
    with page.expect_file_chooser() as chooser:
        page.locator("#content button").first.click()
    chooser.value.set_files(str(tmp_path / "me.png"))
    page.wait_for_selector("#content img")
    page.locator("#styles [data-style]").nth(1).click()
    status_says(page, "Done in")
    page.wait_for_selector("#download:not([disabled])")
    page.wait_for_selector("#refine:not([disabled])")
    with page.expect_download() as download:
        page.click("#result button[aria-label*=ownload], #result a[download]")
    assert open_picture(download.value.path()).size[0] > 100
    seconds = time.monotonic() - began
    assert 2 <= page.evaluate("window.clicks") <= 4
    FIGURES["clicks from an empty page to a saved picture"] = page.evaluate("window.clicks")
    FIGURES["seconds from an empty page to a saved picture"] = round(seconds)
