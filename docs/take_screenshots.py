"""Takes the screenshots of this folder: `python docs/take_screenshots.py`, with chromium and
requirements-dev.txt installed.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.running import started  # noqa: E402
from facetransfer.ui.examples import examples  # noqa: E402

HERE = Path(__file__).resolve().parent
# People stay out of the repository: the cards of the photo are not shown, those of our characters are.
OURS = "".join(
    f".cards [data-example='{i}'] {{display: none !important}}"
    for i, e in enumerate(examples())
    if not e.result
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as (address, _):
        take(address)


def take(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox"],
        )
        page = opened(browser, address, viewport={"width": 1280, "height": 1000})
        page.click(".map-tools .chip:has-text('Hair')")
        stroke(page, (0.3, 0.1), (0.5, 0.06), (0.7, 0.1))
        keep(page, "maps", between(page, 1, "#advice"))
        page.click("[data-do=undo]")
        page.click("#run")
        page.wait_for_function(
            "document.querySelector('#status').innerText.includes('Done in') && "
            "document.querySelector('#numbers').innerText.includes('patches')"
        )
        page.evaluate("window.scrollTo(0, 0)")
        page.mouse.move(2, 2)
        page.wait_for_timeout(1500)
        keep(page, "desktop")
        keep(page, "pictures", between(page, 0, "#examples"))
        keep(page, "result", between(page, 2, "#numbers"))
        keep(opened(browser, f"{address}?__theme=dark", viewport={"width": 1280, "height": 1000}), "dark")
        phone = opened(
            browser,
            address,
            viewport={"width": 390, "height": 844},
            device_scale_factor=2,
            is_mobile=True,
            has_touch=True,
        )
        keep(phone, "phone")
        phone.evaluate("document.querySelectorAll('h2.step')[1].scrollIntoView()")
        keep(phone, "phone-maps")
        browser.close()


def opened(browser: Browser, address: str, **options: Any) -> Page:
    """The page with the first example in it."""
    page = browser.new_page(**options)
    page.set_default_timeout(180_000)
    page.goto(address)
    page.wait_for_selector("#examples [data-example]")
    page.add_style_tag(content=OURS)
    page.click("#examples [data-example='0']")
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    page.wait_for_selector("#result img")
    page.wait_for_timeout(1500)
    page.mouse.move(2, 2)
    page.evaluate("window.scrollTo(0, 0)")
    return page


def stroke(page: Page, *places: tuple[float, float]) -> None:
    """The mouse along these places of the content's map, in shares of its size."""
    canvas = page.locator("#content-map canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for i, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        if i == 0:
            page.mouse.down()
    page.mouse.up()


def between(page: Page, step: int, last: str) -> dict[str, float]:
    """The part of the page from a step's heading to the end of an element."""
    page.evaluate("window.scrollTo(0, 0)")
    head, foot = page.locator("h2.step").nth(step).bounding_box(), page.locator(last).bounding_box()
    left, right = (
        min(head["x"], foot["x"]) - 12,
        max(head["x"] + head["width"], foot["x"] + foot["width"]) + 12,
    )
    return {
        "x": left,
        "y": head["y"] - 10,
        "width": right - left,
        "height": foot["y"] + foot["height"] + 10 - head["y"],
    }


def keep(page: Page, name: str, clip: dict[str, float] | None = None) -> None:
    shot = page.screenshot(clip=clip, full_page=clip is not None)
    Image.open(io.BytesIO(shot)).convert("RGB").save(HERE / f"{name}.webp", quality=88)


if __name__ == "__main__":
    main()
