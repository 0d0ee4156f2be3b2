"""A hook of MkDocs that lets the site show what lies outside docs/, where it lies.

The README is the site's first page, and the pages that the navigation names are taken from the repository's
root. Links stay as they are written, relative in the repository, so that they work on GitHub too; here they
become the site's. What else they lead to, such as a result of a benchmark, is copied into the site.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
FIRST = "README.md", "index.md"  # the repository's first page, and the site's
LINK = re.compile(r'(?P<before>\]\(|(?:src|href)=")(?P<target>[^)"\s#:]+)(?=[)"#])')


def in_site(path: str) -> str:
    """Where a file of the repository lies in the site."""
    return FIRST[1] if path == FIRST[0] else path.removeprefix("docs/")


def in_repository(address: str) -> str:
    """Where a page of the site lies in the repository."""
    if address == FIRST[1]:
        return FIRST[0]
    return f"docs/{address}" if (ROOT / "docs" / address).exists() else address


def linked(text: str, path: str) -> Iterator[str]:
    """The files of the repository that a page (its text and path) leads to."""
    for link in LINK.finditer(text):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(link["target"])))
        if (ROOT / target).is_file():
            yield target


def named(nav: Any) -> Iterator[str]:
    """The pages in a navigation as mkdocs.yml has it."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, (list, dict)):
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from named(part)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that the navigation names, and what all pages lead to."""
    waiting = [in_repository(address) for address in named(config.nav)]
    seen = set()
    while waiting:
        path = waiting.pop()
        if path in seen or not (ROOT / path).is_file():
            continue
        seen.add(path)
        address = in_site(path)
        if files.get_file_from_path(address) is None:
            files.append(File.generated(config, address, abs_src_path=str(ROOT / path)))
        if path.endswith(".md"):
            waiting += linked((ROOT / path).read_text("utf-8"), path)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Writes the links of a page as the site's."""
    address = page.file.src_uri
    path = in_repository(address)

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(link["target"])))
        if not (ROOT / target).is_file():
            return link[0]
        # What HTML names is left as it is, so it has to be seen from the page's own folder in the site.
        own = address if link["before"] == "](" else page.file.dest_uri
        return link["before"] + quote(posixpath.relpath(in_site(target), posixpath.dirname(own)))

    return LINK.sub(rewritten, markdown)
