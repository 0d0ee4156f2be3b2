"""What the page does around a run, in a real browser: pictures pasted and dropped, what is taken back,
what is said of results of other pictures, and what one takes along.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facetransfer.base.images import open_picture
from facetransfer.ui.examples import example_file
from tests.support.visitor import keep, opened, status_says, upload

GIVE = """([way, selector, data]) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0)), given = new DataTransfer();
  given.items.add(new File([bytes], "given.png", {type: "image/png"}));
  const target = document.querySelector(selector), how = {bubbles: true, cancelable: true};
  target.dispatchEvent(way === "paste" ? new ClipboardEvent("paste", {...how, clipboardData: given})
    : new DragEvent("drop", {...how, dataTransfer: given}));
}"""


def give(page: object, way: str, picture: Path, selector: str = "body") -> None:
    """A picture pasted or dropped there."""
    page.evaluate(GIVE, [way, selector, base64.b64encode(picture.read_bytes()).decode()])


def shown(page: object, name: str) -> np.ndarray:
    """The pixels of the picture in an input, as the server has them."""
    address = page.get_attribute(f"#{name} img", "src")
    data = page.evaluate(
        """async address => { const bytes = new Uint8Array(await (await fetch(address)).arrayBuffer());
        let text = ""; bytes.forEach(b => { text += String.fromCharCode(b); }); return btoa(text); }""",
        address,
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def run_preview(page: object) -> None:
    page.get_by_label("Preview").check()
    page.click("#run")
    page.wait_for_selector("#result img")
    status_says(page, "Done in")
    page.wait_for_selector("#gallery img")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three of our characters, small, the first under a name in another alphabet."""
    files = []
    for name, called in (("bust", "Büste-лицо"), ("goblin", "goblin"), ("oil", "oil")):
        files.append(tmp_path / f"{called}.png")
        open_picture(example_file(name)).resize((256, 256)).save(files[-1])
    return files


def test_a_picture_is_pasted_and_dropped_anywhere(page, pictures: list[Path]) -> None:
    give(page, "paste", pictures[0])
    page.wait_for_selector("#content img")
    give(page, "drop", pictures[1], "#gallery, #hero")
    page.wait_for_selector("#style img")
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    for name, file in zip(("content", "style"), pictures):
        assert np.array_equal(shown(page, name), np.asarray(open_picture(file)))
    before = page.get_attribute("#style img", "src")
    give(page, "drop", pictures[2], "#style")  # in place of the one that lies there
    page.wait_for_function(
        "before => { const i = document.querySelector('#style img'); return i && i.src !== before; }",
        arg=before,
    )
    assert np.array_equal(shown(page, "style"), np.asarray(open_picture(pictures[2])))


def test_what_took_the_place_of_own_pictures_is_taken_back(page, tmp_path: Path, face, green_face) -> None:
    """After an example one press brings back what was there, with what was painted; so does a second swap."""
    upload(page, tmp_path, face, green_face)
    own = [shown(page, name) for name in ("content", "style")]
    page.click(".chip:has-text('Hat')")
    page.locator("#content-map canvas").click(position={"x": 40, "y": 40})
    painted = page.evaluate("faceMaps.tools.maps[0].layer.filter(l => l !== 255).length")
    assert painted
    page.locator("#examples [data-example]").first.click()
    status_says(page, "made before")
    page.wait_for_function("faceMaps.tools.maps[0].layer.every(l => l === 255)")
    page.click("#undo-pictures")
    page.wait_for_function(
        "n => faceMaps.tools.maps[0].layer.filter(l => l !== 255).length === n", arg=painted
    )
    page.wait_for_timeout(1500)  # The maps are made again: what was painted stays.
    assert page.evaluate("faceMaps.tools.maps[0].layer.filter(l => l !== 255).length") == painted
    assert all(np.array_equal(shown(page, n), own[i]) for i, n in enumerate(("content", "style")))
    page.click("#swap")
    page.wait_for_function(
        "n => faceMaps.tools.maps[1].layer.filter(l => l !== 255).length === n", arg=painted
    )
    assert np.array_equal(shown(page, "content"), own[1]) and np.array_equal(shown(page, "style"), own[0])


def test_a_result_of_other_pictures_says_so(page, pictures: list[Path]) -> None:
    for name, file in zip(("content", "style"), pictures):
        page.set_input_files(f"#{name} input[type=file]", str(file))
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    run_preview(page)
    assert not page.inner_text("#note").strip()
    page.click("#swap")
    page.wait_for_function("document.querySelector('#note').innerText.includes('other pictures')")
    opacity = "Number(getComputedStyle(document.querySelector('#result img')).opacity)"
    page.wait_for_function(f"{opacity} < 0.5")
    page.wait_for_timeout(1500)  # until the maps are there
    page.click("#swap")
    page.wait_for_function("!document.querySelector('#note').innerText.trim()")
    page.wait_for_function(f"{opacity} === 1")
    # Examples belong to their own pictures.
    page.locator("#examples [data-example]").first.click()
    status_says(page, "made before")
    page.wait_for_timeout(1500)
    assert not page.inner_text("#note").strip()
    # One of the visit is shown again, and is of others than these.
    page.locator("#gallery .thumbnail-item").first.click()
    page.wait_for_function("document.querySelector('#note').innerText.includes('other pictures')")
    status_says(page, "A result of before")


def test_where_a_patch_came_from_is_told_of_the_result_on_the_page(page, pictures: list[Path]) -> None:
    """A ring where one clicked, and the style beside it; both go with the result that they are of."""
    for name, file in zip(("content", "style"), pictures):
        page.set_input_files(f"#{name} input[type=file]", str(file))
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    run_preview(page)
    page.wait_for_selector("#refine:not([disabled])")
    place = {"x": 180, "y": 150}
    page.locator("#result img").click(position=place)
    page.wait_for_selector("#source img")
    ring, picture = (page.locator(one).bounding_box() for one in ("#clicked", "#result img"))
    assert ring["x"] + ring["width"] / 2 == pytest.approx(picture["x"] + place["x"], abs=2)
    assert ring["y"] + ring["height"] / 2 == pytest.approx(picture["y"] + place["y"], abs=2)
    page.locator("#examples [data-example]").first.click()
    status_says(page, "made before")
    page.wait_for_function("!document.querySelector('#source img')")
    assert not page.locator("#clicked").is_visible()


def test_the_captions_of_the_four_methods_are_whole(page, tmp_path: Path, face, green_face) -> None:
    upload(page, tmp_path, face, green_face, 64)
    page.get_by_label("Preview").check()
    page.get_by_role("tab", name="Four methods").click()
    page.click("#compare")
    page.wait_for_function("document.querySelector('#compare-status').innerText.includes('Done')")
    page.wait_for_function("document.querySelectorAll('#compared .caption-label').length === 4")
    cut = page.evaluate(
        """[...document.querySelectorAll("#compared .caption-label")]
        .filter(e => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)
        .map(e => e.innerText)"""
    )
    assert cut == []


@pytest.mark.parametrize("size", [(1280, 900), (1024, 700), (390, 844)])
def test_a_toast_covers_neither_run_nor_the_result(app: str, browser, tmp_path: Path, size) -> None:
    phone = size[0] < 641
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, is_mobile=phone, has_touch=phone
    )
    page = opened(app, context)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page.set_input_files("#content input[type=file]", str(tmp_path / "broken.png"))
    toast = page.locator("[data-testid=toast-body]")
    toast.wait_for()
    page.wait_for_timeout(600)  # It flies in.
    keep(page, f"11-toast-{size[0]}")
    if phone:
        page.evaluate("document.querySelector('#step-result').scrollIntoView()")
        page.wait_for_timeout(300)
    covers = toast.bounding_box()
    assert covers["x"] >= 0 and covers["x"] + covers["width"] <= size[0]
    for name in ("#run", "#stop", "#status", *(() if phone else ("#result",))):
        box = page.locator(name).bounding_box()
        beside = any(
            a[axis] + a[side] <= b[axis] + 1
            for axis, side in (("x", "width"), ("y", "height"))
            for a, b in ((covers, box), (box, covers))
        )
        assert beside, (name, box, covers)
    context.close()


def test_run_says_at_once_that_it_begins(page, tmp_path: Path, face, green_face) -> None:
    """Before the server has said anything; and that nothing was made where it takes no more jobs."""
    upload(page, tmp_path, face, green_face)
    held: list[Any] = []
    page.route("**/queue/join*", lambda route: held.append(route))
    page.click("#run")
    page.wait_for_function("document.querySelector('#status').innerText.trim()")
    page.route("**/queue/join*", refuse := lambda route: route.fulfill(status=503, json={"detail": "Full."}))
    for route in held:
        refuse(route)
    status_says(page, "Nothing was made")
    page.wait_for_selector("#run:not([disabled])")


def test_a_finger_is_not_told_to_drop(app: str, browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = opened(app, context)
    seen = page.evaluate(
        """() => {
        const words = document.createTreeWalker(document.querySelector("#uploads"), NodeFilter.SHOW_TEXT);
        const found = [];
        for (let one = words.nextNode(); one; one = words.nextNode()) {
            const range = document.createRange();
            range.selectNode(one);
            if (range.getBoundingClientRect().height > 1) found.push(one.data.toLowerCase());
        }
        return found; }"""
    )
    assert seen and not any("drop" in words for words in seen)
    context.close()


def test_variants_a_film_and_the_picture_s_own_download(page, pictures: list[Path], tmp_path: Path) -> None:
    for name, file in zip(("content", "style"), pictures):
        page.set_input_files(f"#{name} input[type=file]", str(file))
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    run_preview(page)
    with page.expect_download() as download:
        page.click("#result button[aria-label*=ownload], #result a[download]")
    assert download.value.suggested_filename == "Büste-лицо-as-goblin.png"
    download.value.save_as(tmp_path / "made.png")
    assert "facetransfer" in str(open_picture_info(tmp_path / "made.png"))
    with page.expect_download() as download:
        page.click("#card")
    download.value.save_as(tmp_path / "card.png")
    width, height = open_picture(tmp_path / "card.png").size
    assert width > 2.5 * height
    page.get_by_role("tab", name="Before and after").click()
    page.click("#make-clip")
    page.wait_for_selector("#wipe video")
    page.get_by_role("tab", name="4 variants").click()
    page.click("#make-variants")
    page.wait_for_function("document.querySelectorAll('#variants .thumbnail-item').length === 4")
    page.wait_for_function("document.querySelector('#variants-status').innerText.includes('Press one')")
    page.locator("#variants .thumbnail-item").nth(2).click()
    page.wait_for_function("document.querySelectorAll('#gallery .thumbnail-item').length === 2")
    status_says(page, "Done in")


def open_picture_info(path: Path) -> dict[str, str]:
    with Image.open(path) as picture:
        return dict(picture.info)


def test_an_address_opens_the_page_with_its_settings(app: str, desktop) -> None:
    page = opened(f"{app}/?likeness=0.8&size=256&phases=2&iterations=10&seed=7", desktop)
    page.wait_for_function("document.querySelector('#likeness input').value === '0.8'")
    page.wait_for_function("document.querySelector('#set-seed input')?.value !== '0'")
    page.wait_for_selector("text=Settings (2 changed)")
    assert page.get_by_label("Preview").is_checked()
    page.click("#settings button")
    page.click("#reset")
    page.wait_for_function("document.querySelector('#likeness input').value === '0.5'")
    page.wait_for_function("!document.body.innerText.includes('changed)')")
    page.close()


def test_a_reload_asks_before_results_are_lost(page, tmp_path: Path, face, green_face) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    page.wait_for_selector("#run")
    assert not asked  # There is nothing to lose yet.
    upload(page, tmp_path, face, green_face)
    run_preview(page)
    page.reload()
    page.wait_for_selector("#run")
    assert asked == ["beforeunload"]


@pytest.mark.parametrize("size", [(1366, 650), (1024, 700), (820, 1100), (390, 844)])
def test_run_and_progress_are_in_sight_wherever_one_is(app: str, browser, size: tuple[int, int]) -> None:
    """At the top, over the maps and over the settings; no room scrolls within the page's own scrolling."""
    phone = size[0] < 641
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, is_mobile=phone, has_touch=phone
    )
    page = opened(app, context)
    for where in ("#content", "#content-map", "#settings"):
        page.locator(where).scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        for button in ("#run", "#stop"):
            box = page.locator(button).bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= size[1], (where, button, box)
        if not phone:
            status = page.locator("#status").bounding_box()
            assert 0 <= status["y"] < size[1]
    inner = page.evaluate(
        """() => [...document.querySelectorAll('#step-result, #step-result *')].filter(e =>
        /auto|scroll/.test(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight + 4
        && e.clientHeight > 0).map(e => e.id || e.className)"""
    )
    assert not inner, inner
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0] + 2
    context.close()


def test_a_lost_connection_brings_the_visit_back(app: str, browser, tmp_path: Path, face, green_face) -> None:
    """Gradio loads the page again when the server is there again."""
    page = opened(app, browser.new_context())
    page.on("dialog", lambda dialog: dialog.accept())
    upload(page, tmp_path, face, green_face)
    run_preview(page)
    own = shown(page, "content")
    page.context.set_offline(True)
    page.click("#run")
    page.wait_for_selector("[data-testid=toast-body]:has-text('lost')")
    page.evaluate("window.before = true")
    page.context.set_offline(False)
    page.wait_for_function(
        "!window.before && document.querySelector('#status')?.innerText.includes('are back')"
    )
    page.wait_for_selector("#gallery img")
    assert np.array_equal(shown(page, "content"), own)
    page.context.close()


def test_a_reload_brings_pictures_maps_and_results_back(page, tmp_path: Path, face, green_face) -> None:
    """What was painted too; a second tab and a page that is opened anew begin with nothing."""
    page.on("dialog", lambda dialog: dialog.accept())
    upload(page, tmp_path, face, green_face)
    own = [shown(page, name) for name in ("content", "style")]
    page.click(".chip:has-text('Hat')")
    page.locator("#content-map canvas").click(position={"x": 40, "y": 40})
    painted = "faceMaps.tools.maps[0].layer?.filter(l => l !== 255).length"
    before = page.evaluate(painted)
    run_preview(page)
    page.wait_for_selector("#refine:not([disabled])")
    numbers, result = page.inner_text("#numbers"), shown(page, "result")

    page.reload()
    page.wait_for_selector("#status")
    status_says(page, "are back")
    page.wait_for_function(f"count => {painted} === count", arg=before)
    page.wait_for_selector("#gallery img")
    assert all(np.array_equal(shown(page, n), own[i]) for i, n in enumerate(("content", "style")))
    assert np.array_equal(shown(page, "result"), result) and page.inner_text("#numbers") == numbers
    page.wait_for_timeout(1500)  # The maps are made again: what was painted stays, and nothing is stale.
    assert page.evaluate(painted) == before and not page.inner_text("#note").strip()
    page.wait_for_selector("#refine:not([disabled])")

    other = page.context.new_page()
    other.goto(page.url)
    for one in (other, page):
        if one is page:
            page.goto(page.url + "?")
        one.wait_for_selector("html:not(.settling) #run")
        one.wait_for_timeout(1500)
        assert not one.locator("#content img, #gallery img").count()
    other.close()
