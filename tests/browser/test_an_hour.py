"""A page that stays open for an hour, while the server removes the visitor's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from facetransfer.ui.cache import OURS, PREFIX, remove
from tests.support.running import App, running
from tests.support.visitor import opened, status_says, upload

GONE = "is not on the server any more"


@pytest.fixture
def own_app(tmp_path: Path) -> Iterator[App]:
    """An app of this test alone: files are taken from it."""
    with running(tmp_path / "app") as app:
        yield app


def an_hour_passes(app: App) -> None:
    """What the sweeper would remove after an hour is removed now."""
    (cache,) = app.cache.glob(f"{PREFIX}*/")
    entries = [entry for entry in cache.iterdir() if entry.name not in OURS]
    assert len(entries) >= 3  # two pictures and a result
    for entry in entries:
        remove(entry)


def told(page: object) -> str:
    """The words of the toast that comes, which is put away."""
    page.wait_for_selector(".toast-body")
    words = page.locator(".toast-body").first.inner_text()
    for close in page.locator(".toast-close").all():
        close.click()
    page.wait_for_selector(".toast-body", state="detached")
    return words


def test_after_an_hour_each_button_says_what_to_do_and_new_pictures_run(
    own_app: App, desktop, tmp_path: Path, face, green_face
) -> None:
    """Run, Refine and Swap say what is gone, and leave the page able to go on; the maps are still saved; with
    both pictures uploaded again a run ends as ever.
    """
    page = opened(own_app.address, desktop)
    upload(page, tmp_path, face, green_face)
    page.get_by_label("Preview").check()
    page.click("#run")
    status_says(page, "Done in")
    page.wait_for_selector("#run:not([disabled])")
    an_hour_passes(own_app)
    for button in ("#run", "#refine", "#make-maps"):
        if button == "#make-maps":
            page.click("#map-files button")
        page.click(button)
        assert GONE in told(page), button
        page.wait_for_selector("#run:not([disabled])")
        page.wait_for_selector("#stop[disabled]")
    with page.expect_download():
        page.click("#save-maps")
    for name, side in (("content", 224), ("style", 224)):
        picture = (face if name == "content" else green_face)[0].resize((side, side))
        picture.save(tmp_path / f"again-{name}.png")
        page.click(f"#{name} button[aria-label^=Remove]")
        page.set_input_files(f"#{name} input[type=file]", str(tmp_path / f"again-{name}.png"))
    page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    page.click("#run")
    page.wait_for_selector("#run[disabled]")
    page.wait_for_selector("#run:not([disabled])")
    status_says(page, "Done in")
    assert "Traceback" not in own_app.log
    page.close()
