"""What other sites show of a link to the page: read as they read it, from the bytes of the page alone."""

from __future__ import annotations

import io
import urllib.request
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import urlsplit

from PIL import Image

from facetransfer.base.assets import ASSETS
from facetransfer.ui.theme import PROMISE, TITLE


class Head(HTMLParser):
    """The tags of a page's head that say something of it, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str]] = []
        self.inside = True

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if self.inside and tag == "meta" and (name := found.get("property") or found.get("name")):
            self.said.append((name, found.get("content") or ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "head"


def previewed(address: str, **headers: str) -> dict[str, str]:
    """The tags of the page that previews are made of; none is said twice."""
    request = urllib.request.Request(
        f"{address}/", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        head = Head()
        head.feed(answer.read().decode())
    said = [(name, words) for name, words in head.said if name.startswith(("og:", "twitter:", "description"))]
    assert max(Counter(name for name, _ in said).values()) == 1, said
    return dict(said)


def test_a_link_shows_title_words_and_the_picture(app: str) -> None:
    said = previewed(app)
    assert (said["og:title"], said["og:description"], said["description"]) == (TITLE, PROMISE, PROMISE)
    assert said["og:url"] == f"{app}/" and said["og:image"].startswith(f"{app}/")
    assert "gradio" not in " ".join(said.values()).lower()
    with urllib.request.urlopen(said["og:image"], timeout=60) as answer:
        kind, data = answer.headers["content-type"], answer.read()
    assert data == (ASSETS / "title.webp").read_bytes() and kind == said["og:image:type"] == "image/webp"
    size = int(said["og:image:width"]), int(said["og:image:height"])
    assert Image.open(io.BytesIO(data)).size == size
    head = urllib.request.Request(said["og:image"], method="HEAD")
    with urllib.request.urlopen(head, timeout=60) as answer:
        assert answer.status == 200 and answer.headers["x-content-type-options"] == "nosniff"


def test_behind_a_proxy_the_address_is_the_visitors(app: str) -> None:
    said = previewed(app, X_Forwarded_Host="faces.example", X_Forwarded_Proto="https")
    assert said["og:url"] == "https://faces.example/"
    assert said["og:image"] == f"https://faces.example{urlsplit(previewed(app)['og:image']).path}"


def test_a_host_that_is_no_name_cannot_write_into_the_page(app: str) -> None:
    """Whoever asks names the host: it stays inside its attribute."""
    said = previewed(app, X_Forwarded_Host="faces.example/%22><meta property=og:title content=x")
    assert said["og:title"] == TITLE
