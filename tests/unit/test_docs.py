"""The documentation: its links lead somewhere, its pictures are there, and the site names every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "assets").rglob("*.md")])
LINK = re.compile(r'(?:\]\(|(?:src|href)=")([^)"\s]+)[)"]')
FENCE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)  # blocks of code, and code within a line
KIND = re.compile(r"[a-z][a-z0-9+.-]*:")  # http:, mailto: and so on


def links(text: str) -> Iterator[str]:
    """What a page links to and shows that lies in the repository."""
    for target in LINK.findall(FENCE.sub("", text)):
        if not KIND.match(target):
            yield target


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub(lambda x: x[0].strip("`"), text), re.M)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


def broken(page: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for link in links(text):
        target, _, anchor = link.partition("#")
        path = page.parent / unquote(target) if target else page
        if not path.exists():
            found.append(link)
        elif anchor and path.suffix == ".md":
            if anchor not in anchors(path.read_text("utf-8") if target else text):
                found.append(link)
    return found


def tables(text: str) -> Iterator[list[str]]:
    """The rows of each table of a page: lines beside each other that begin with a bar."""
    rows: list[str] = []
    for line in [*FENCE.sub("", text).splitlines(), ""]:
        if line.startswith("|"):
            rows.append(line)
        elif rows:
            yield rows
            rows = []


def falls_apart(rows: list[str]) -> bool:
    """Whether these lines are shown as text: the second is not one of dashes, or cells are missing."""
    cells = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    return len(rows) < 2 or not re.fullmatch(r"\|(:?-+:?\|)+", rows[1].replace(" ", "")) or len(cells) > 1


def named(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from named(part)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_and_shows_is_there(page: Path) -> None:
    assert broken(page, page.read_text("utf-8")) == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    text = '# A heading\n[a](no.md) ![b](b.webp) <img src="no.png"> [c](#a-heading) [d](#another) `[e](e.md)`'
    assert broken(ROOT / "README.md", text) == ["no.md", "b.webp", "no.png", "#another"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_table_of_a_page_is_whole(page: Path) -> None:
    assert [rows[0] for rows in tables(page.read_text("utf-8")) if falls_apart(rows)] == []


def test_a_table_that_falls_apart_is_found() -> None:
    """Planted: a table that is whole, one with an empty line in it, and one with a cell too few."""
    head, row = "| a | b |\n|---|--:|\n", "| 1 | `x|y` |\n"
    text = head + row + "\n" + head + row + "\n" + row + "\n" + head + "| 1 |\n"
    assert [falls_apart(rows) for rows in tables(text)] == [False, False, True, True]


def test_the_site_names_every_page() -> None:
    said = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    found = {"README.md" if name == "index.md" else name for name in named(said["nav"])}
    pages = {str(page.relative_to(ROOT)).removeprefix("docs/") for page in PAGES}
    assert found == {page for page in pages if not page.endswith("CREDITS.md")}


def test_each_picture_of_a_page_has_a_function_that_makes_it() -> None:
    from docs import make_method_figures, make_tuning_figures

    made = {*make_method_figures.FIGURES, *(f"tuning-{name}" for name in make_tuning_figures.FIGURES)}
    assert made == {path.stem for path in (ROOT / "docs" / "pictures").iterdir()}


def test_the_pictures_of_the_method_show_where_a_place_lies() -> None:
    """Planted: a face that is tilted, and not in the middle of its picture."""
    from docs.make_method_figures import colours_of_places, to_pixels
    from segmentation.semantic_map import FaceFrame

    frame = FaceFrame(40.0, 60.0, 50.0, 0.3)
    place = frame.position(96, 128).transpose(1, 2, 0)
    y, x = np.mgrid[0:128, 0:96] + 0.5
    inside = np.abs(place).max(2) < 1.9  # further out they are held
    np.testing.assert_allclose(to_pixels(place, frame)[inside], np.stack((x, y), -1)[inside], atol=1e-3)
    wheel = colours_of_places(np.stack((x / 96, y / 128), -1))
    assert wheel.shape == (128, 96, 3) and np.abs(wheel[64, 8] - wheel[64, 88]).max() > 0.5


def test_every_picture_of_the_docs_is_shown_somewhere() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page.read_text("utf-8"))}
    pictures = set((ROOT / "docs").rglob("*.webp"))
    assert pictures and pictures <= shown
