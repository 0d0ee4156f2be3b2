"""What a visitor does on the page, for the tests in a real browser."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a folder to keep what the browser showed


def opened(app: str, context: object) -> object:
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.goto(app)
    page.wait_for_selector("#run")
    return page


def keep(page: object, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True)


def upload(page: object, folder: Path, face, green_face, side: int = 256) -> None:
    for name, (picture, _) in (("content", face), ("style", green_face)):
        picture.resize((side, side)).save(folder / f"{name}.png")
        page.set_input_files(f"#{name} input[type=file]", str(folder / f"{name}.png"))
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")


def status_says(page: object, words: str) -> None:
    page.wait_for_function("words => document.querySelector('#status').innerText.includes(words)", arg=words)


def listen(page: object) -> None:
    """From now on all that the status says is kept: what is said may be gone before one looks."""
    page.evaluate("""() => { window.said = [];
        const status = document.querySelector('#status');
        new MutationObserver(() => window.said.push(status.innerText))
        .observe(status, {childList: true, subtree: true, characterData: true}); }""")


def was_said(page: object, words: str) -> bool:
    return any(words in text for text in page.evaluate("window.said"))


def stroke(page: object, name: str, *places: tuple[float, float], steps: int = 6) -> None:
    """A real mouse along these places, in shares of the map's width and height."""
    canvas = page.locator(f"#{name} canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    spots = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*spots[0])
    page.mouse.down()
    for spot in spots[1:]:
        page.mouse.move(*spot, steps=steps)
    page.mouse.up()


def set_range(page: object, name: str, value: int) -> None:
    page.locator(f".map-tools input[name={name}]").fill(str(value))


def saved_maps(page: object) -> dict[str, np.ndarray]:
    if not page.locator("#save-maps").is_visible():
        page.click("#map-files button")
    with page.expect_download() as download:
        page.click("#save-maps")
    with zipfile.ZipFile(download.value.path()) as archive:
        return {name: np.asarray(Image.open(archive.open(name))) for name in archive.namelist()}
