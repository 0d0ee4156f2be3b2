"""The map editor in a real browser: what of a map is seen, fingers and mice, and work on whole regions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from segmentation.classes import INDEX, MIRROR
from segmentation.semantic_map import SemanticMap
from tests.conftest import draw_face
from tests.support.visitor import keep, opened, saved_maps, stroke, upload

LAYER = "faceMaps.tools.maps[0].layer"
PAINTED = f"{LAYER}.filter(l => l !== 255).length"


@pytest.fixture
def phone(app: str, browser) -> Iterator[object]:
    """The page on a phone with a touch screen."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    yield opened(app, context)
    context.close()


def box_of(page: object, selector: str) -> dict[str, float]:
    return page.locator(selector).bounding_box()


def share_at(page: object, x: float, y: float) -> tuple[float, float]:
    """The place of the content's map under a point of the window, as shares of its width and height."""
    box = box_of(page, "#content-map canvas")
    return (x - box["x"]) / box["width"], (y - box["y"]) / box["height"]


def load_exact_map(page: object, folder: Path, face) -> np.ndarray:
    """The drawn face with the map that is known to be right."""
    upload(page, folder, face, draw_face((256, 256), seed=1))
    SemanticMap(draw_face((256, 256))[1].labels).save(folder / "content_sem.png")
    if not page.locator("#load-content-map").is_visible():
        page.click("#map-files button")
    with page.expect_file_chooser() as chooser:
        page.click("#load-content-map")
    chooser.value.set_files(str(folder / "content_sem.png"))
    labels = draw_face((256, 256))[1].labels
    wanted = ",".join(map(str, labels.ravel()))
    page.wait_for_function("wanted => faceMaps.tools.maps[0].shown.join() === wanted", arg=wanted)
    return labels


def shown(page: object) -> np.ndarray:
    return np.array(page.evaluate("[...faceMaps.tools.maps[0].shown]"), np.uint8).reshape(256, 256)


def test_the_wheel_zooms_to_the_pointer_and_a_hand_pans(page, tmp_path: Path, face, green_face) -> None:
    """Ctrl and the wheel keep what lies under the pointer; Space or the middle button drag the map, and
    neither paints.
    """
    upload(page, tmp_path, face, green_face)
    page.locator("#content-map canvas").scroll_into_view_if_needed()
    box = box_of(page, "#content-map .stage")
    x, y = box["x"] + 0.7 * box["width"], box["y"] + 0.4 * box["height"]
    page.mouse.move(x, y)
    before = share_at(page, x, y)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -600)
    page.keyboard.up("Control")
    page.wait_for_function("faceMaps.tools.zoom > 250")
    assert share_at(page, x, y) == pytest.approx(before, abs=0.01)
    assert page.evaluate("visualViewport.scale") == 1

    page.keyboard.down("Space")
    page.mouse.down()
    page.mouse.move(x - 60, y - 30, steps=4)
    page.mouse.up()
    page.keyboard.up("Space")
    assert share_at(page, x - 60, y - 30) == pytest.approx(before, abs=0.01)
    page.mouse.down(button="middle")
    page.mouse.move(x - 20, y - 10, steps=4)
    page.mouse.up(button="middle")
    assert share_at(page, x - 20, y - 10) == pytest.approx(before, abs=0.01)
    assert page.evaluate(PAINTED) == 0
    page.mouse.down()
    page.mouse.up()
    assert page.evaluate(PAINTED) > 0  # the hand is gone


def test_what_was_painted_has_an_outline(page, tmp_path: Path, face) -> None:
    """Skin painted over skin is seen, and only around it; the eraser takes the outline away again."""
    load_exact_map(page, tmp_path, face)
    seen = """() => { const {canvas} = faceMaps.tools.maps[0];
        return [...canvas.getContext("2d").getImageData(0, 0, 256, 256).data]; }"""

    def pixels() -> np.ndarray:
        return np.array(page.evaluate(seen), np.uint8).reshape(256, 256, 4)[..., :3]

    page.click("[data-do=all]")
    automatic = pixels()
    page.click(".chip:has-text('Skin')")
    stroke(page, "content-map", (0.5, 0.3), (0.5, 0.3))
    skin = np.array(page.evaluate("faceMaps.tools.classes[1].colour"))
    painted = np.array(page.evaluate(f"[...{LAYER}]"), np.uint8).reshape(256, 256) != 255
    outline = (pixels() != automatic).any(2)
    assert painted.sum() > 50 and 10 < outline.sum() < painted.sum() and not (outline & painted).any()
    assert (pixels()[painted] == skin).all()
    assert set(map(tuple, pixels()[outline])) == {(0, 0, 0), (255, 255, 255)}
    page.click("[data-do=undo]")
    assert np.array_equal(pixels(), automatic)


def test_zoom_goes_to_the_face_and_the_ring_stays_in_view(page, tmp_path: Path, face) -> None:
    load_exact_map(page, tmp_path, face)
    page.click("[data-do=face]")
    assert page.evaluate("faceMaps.tools.zoom") > 110
    stage = box_of(page, "#content-map .stage")
    middle = share_at(page, stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    assert middle == pytest.approx((0.5, 0.5), abs=0.06)
    page.click("[data-do=nearer]")
    page.click("[data-do=nearer]")
    page.locator("#content-map canvas").focus()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    ring, stage = box_of(page, "#content-map .ring"), box_of(page, "#content-map .stage")
    assert stage["x"] <= ring["x"] + ring["width"] / 2 <= stage["x"] + stage["width"]
    page.click("[data-do=whole]")
    assert page.evaluate("faceMaps.tools.zoom") == 100


def test_the_large_view_fills_the_window_and_escape_leaves_it(page, tmp_path: Path, face, green_face) -> None:
    """Only the map and its tools can be reached in it; painting goes to the same map."""
    upload(page, tmp_path, face, green_face)
    small = box_of(page, "#content-map canvas")["width"]
    page.click("#content-map .wide")
    assert box_of(page, "#content-map canvas")["width"] > 1.8 * small
    keep(page, "7-large")
    assert page.evaluate("document.querySelector('#run').closest('[inert]') !== null")
    page.click(".chip:has-text('Hair')")
    stroke(page, "content-map", (0.1, 0.1), (0.2, 0.1))
    assert page.evaluate(PAINTED) > 0
    page.keyboard.press("Escape")
    assert box_of(page, "#content-map canvas")["width"] == pytest.approx(small, abs=1)
    assert page.evaluate("document.querySelector('[inert]') === null")
    assert page.evaluate("document.activeElement.className") == "wide"


def test_a_lasso_paints_what_it_encloses(page, tmp_path: Path, face, green_face) -> None:
    upload(page, tmp_path, face, green_face)
    automatic = saved_maps(page)["content_sem.png"]
    page.click("[data-tool=lasso]")
    page.click(".chip:has-text('Hat')")
    corners = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    stroke(page, "content-map", *corners, steps=12)
    painted = saved_maps(page)["content_sem.png"]
    assert (painted[55:200, 55:200] == INDEX["hat"]).all()
    outside = np.ones((256, 256), bool)
    outside[47:210, 47:210] = False
    assert np.array_equal(painted[outside], automatic[outside])


def test_a_class_grows_shrinks_and_is_mirrored(page, tmp_path: Path, face) -> None:
    """A class grows by one pixel on every side and shrinks again; the other eye becomes the mirror image of
    the one that was painted.
    """
    before = load_exact_map(page, tmp_path, face)
    label, other = INDEX["l_eye"], INDEX["r_eye"]
    assert np.array_equal(shown(page), before)
    page.click(".chip:has-text('Left eye')")
    page.click("[data-do=grow]")
    eye, grown = before == label, shown(page) == label
    wanted = eye.copy()
    for axis in (0, 1):
        for way in (-1, 1):
            wanted |= np.roll(eye, way, axis)
    assert np.array_equal(grown, wanted)
    page.click("[data-do=shrink]")
    assert (shown(page) == label).sum() < grown.sum()
    page.click("[data-do=undo]")
    page.click("[data-do=undo]")
    assert np.array_equal(shown(page), before)

    stroke(page, "content-map", (0.62, 0.46), (0.7, 0.46))
    painted = shown(page)
    assert page.inner_text("[data-do=mirror]") == "Same for the right eye"
    page.click("[data-do=mirror]")
    after = shown(page)
    assert np.array_equal(after == label, painted == label)
    mirrored = np.roll(MIRROR[painted[:, ::-1]] == other, 1, 1)  # the drawn face's middle is pixel 128
    differ = (after == other) ^ mirrored
    assert differ.sum() <= 0.1 * mirrored.sum()
    page.click("[data-do=undo]")
    assert np.array_equal(shown(page), painted)


def test_letters_name_every_part(page, tmp_path: Path, face) -> None:
    load_exact_map(page, tmp_path, face)
    assert not page.locator("#content-map .letters").is_visible()
    page.get_by_label("Letters on the parts").check()
    letters = page.locator("#content-map .letters b").all_inner_texts()
    assert {"LEy", "REy", "LBr", "RBr", "No", "UL", "LL", "Hr", "Sk", "Nk", "Cl", "Bg"} == set(letters)
    keep(page, "8-letters")
    assert page.locator(".chip:has-text('Left eye') small").inner_text() == "LEy"


def fingers(page: object) -> object:
    """Touches as the browser gets them from a screen: a function of their kind and places."""
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return touch


def test_a_finger_scrolls_until_paint_is_on(phone, tmp_path: Path, face, green_face) -> None:
    upload(phone, tmp_path, face, green_face)
    phone.evaluate("document.querySelector('#maps').scrollIntoView()")
    phone.tap(".chip:has-text('Hat')")
    box, top, touch = box_of(phone, "#content-map canvas"), phone.evaluate("scrollY"), fingers(phone)
    x, y = box["x"] + box["width"] / 2, box["y"] + 0.8 * box["height"]

    def swipe() -> None:
        touch("touchStart", (x, y))
        for n in range(1, 9):
            touch("touchMove", (x, y - 20 * n))
            phone.wait_for_timeout(20)
        touch("touchEnd")

    swipe()
    phone.wait_for_function("top => scrollY > top + 80", arg=top)
    assert phone.evaluate(PAINTED) == 0
    phone.evaluate("document.querySelector('#maps').scrollIntoView()")
    phone.tap("[data-do=paint]")
    phone.evaluate("document.querySelector('#maps').scrollIntoView()")
    top = phone.evaluate("scrollY")
    box = box_of(phone, "#content-map canvas")
    x, y = box["x"] + box["width"] / 2, box["y"] + 0.8 * box["height"]
    swipe()
    assert phone.evaluate(PAINTED) > 500 and phone.evaluate("scrollY") == top
    keep(phone, "9-phone-paint")


def test_two_fingers_zoom_and_move_the_map_and_take_back_the_stroke(
    phone, tmp_path: Path, face, green_face
) -> None:
    """The stroke that the first finger began is gone when the second comes; the map grows, not the page."""
    upload(phone, tmp_path, face, green_face)
    phone.tap("[data-do=paint]")
    phone.evaluate("document.querySelector('#maps').scrollIntoView()")
    box, touch = box_of(phone, "#content-map canvas"), fingers(phone)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch("touchStart", (x - 30, y))
    touch("touchMove", (x - 30, y + 20))
    touch("touchMove", (x - 30, y))
    phone.wait_for_function(f"{PAINTED} > 0")
    before = share_at(phone, x, y)
    touch("touchStart", (x - 30, y), (x + 30, y))
    phone.wait_for_function(f"{PAINTED} === 0")
    for n in range(1, 7):
        touch("touchMove", (x - 30 - 10 * n, y + 5 * n), (x + 30 + 10 * n, y + 5 * n))
    touch("touchEnd")
    phone.wait_for_function("faceMaps.tools.zoom > 250")
    assert share_at(phone, x, y + 30) == pytest.approx(before, abs=0.03)
    assert phone.evaluate("visualViewport.scale") == 1 and phone.evaluate(PAINTED) == 0
    assert not phone.evaluate("faceMaps.tools.done.length")
