"""One Chromium for all tests of the page, and a visitor of its own for each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.support.visitor import opened


@pytest.fixture(scope="package")
def browser() -> Iterator[object]:
    """A real Chromium; each test opens pages of its own in it, which share nothing."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "chromium is missing: run `make test`, which installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def desktop(browser) -> Iterator[object]:
    """A desktop's window, which has Gradio's own files from the second page on. Every page in it is a visit
    of its own.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(app: str, desktop) -> Iterator[object]:
    """The app's page as a visitor of today sees it."""
    page = opened(app, desktop)
    yield page
    page.close()
