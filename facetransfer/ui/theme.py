"""How the page looks: its theme, its style sheet, its title, and the lines that say what goes on."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse

from facetransfer.base.assets import ASSETS
from facetransfer.ui.examples import as_data

TITLE = "Face transfer"
PROMISE = "Put one face into another face's skin, eyes to eyes and cheek to cheek."
TITLE_PICTURE = ASSETS / "title.webp"
TITLE_PICTURE_PATH = "/title.webp"  # where the app serves it, for previews of links
TITLE_PICTURE_WORDS = "A face, and the same face as a goblin, a bronze bust and an oil painting"
CONSENT = (
    "Use pictures of people only with their consent. Pictures stay on this server for an hour at most and "
    "go nowhere else."
)
ACCENT = "*primary_700"  # white words on it have a contrast of 5.2:1
THEME = gr.themes.Soft(
    primary_hue="orange",
    secondary_hue="violet",
    neutral_hue="stone",
    radius_size="lg",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    color_accent=ACCENT,
    # Of rings around what has the focus: 3:1 at least on every ground of its theme.
    border_color_accent=ACCENT,
    border_color_accent_dark="*primary_400",
    button_primary_background_fill=ACCENT,
    button_primary_background_fill_dark=ACCENT,
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_hover_dark="*primary_800",
    checkbox_label_background_fill_selected=ACCENT,
    checkbox_label_background_fill_selected_dark=ACCENT,
    # Panels on a warm ground, each with an edge; labels are words, not badges.
    body_background_fill="*neutral_100",
    body_background_fill_dark="*neutral_950",
    block_border_width="1px",
    block_border_color="*neutral_200",
    block_border_color_dark="*neutral_700",
    block_shadow="none",
    block_label_background_fill="rgba(255,255,255,.86)",
    block_label_background_fill_dark="rgba(28,25,23,.8)",
    block_label_text_color="*neutral_800",
    block_label_text_color_dark="*neutral_100",
    block_label_text_size="*text_sm",
    block_title_background_fill="transparent",
    block_title_background_fill_dark="transparent",
    block_title_text_color="*neutral_800",
    block_title_text_color_dark="*neutral_100",
    block_title_padding="0",
    checkbox_border_color="*neutral_400",
    checkbox_border_color_dark="*neutral_500",
    checkbox_label_shadow="none",
    checkbox_label_border_width="1px",
    checkbox_label_border_color="*neutral_300",
    checkbox_label_border_color_dark="*neutral_700",
    input_border_color="*neutral_500",
    input_border_width="1px",
    input_shadow="none",
    button_secondary_background_fill_dark="*neutral_800",
    button_secondary_background_fill_hover_dark="*neutral_700",
    button_cancel_background_fill_dark="*neutral_800",
    button_cancel_background_fill_hover_dark="*neutral_700",
    button_secondary_shadow="none",
    button_cancel_shadow="none",
    button_border_width="1px",
    button_secondary_border_color="*neutral_300",
    button_secondary_border_color_dark="*neutral_600",
    button_cancel_border_color="*neutral_300",
    button_cancel_border_color_dark="*neutral_600",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
)
CSS = (Path(__file__).parent / "page.css").read_text("utf-8")
SCRIPT = (Path(__file__).parent / "page.js").read_text("utf-8")


ACCESS = (Path(__file__).parent / "access.js").read_text("utf-8")
SETTLING = (
    ".settling gradio-app {visibility: hidden}"  # or what is read would jump while the page is put together
)
# Toasts lie outside the page's container, where the rules of its style sheet do not reach. They come over the
# title, or on a phone above the bar with Run: Run, Stop and the result stay in sight.
TOASTS = """.toast-wrap {inset: .75rem auto auto .75rem !important; align-items: start !important}
@media (max-width: 640px) {.toast-wrap {inset: auto .75rem 6.6rem !important; width: auto !important}}"""
SKIP = (
    '<nav class="skip" aria-label="Skip"><a href="#run">Skip to Run</a>'
    '<a href="#map-tools">Skip to the tools for the maps</a></nav>'
)


def head(script: str) -> str:
    """What stands in the page's head: the script of the map editor, that of the page, and what makes the page
    easy to reach.
    """
    scripts = "".join(f"<script>{one}</script>" for one in (ACCESS, script, SCRIPT))
    return f"<style>{SETTLING}\n{TOASTS}</style>{scripts}"


def link_preview(address: str) -> str:
    """What other sites show of a link to the page (ogp.me): its title, its description and the title picture.

    address: of the page, without a slash at its end. It is whole, since those sites resolve no relative ones.
    """
    said = {"og:type": "website", "og:url": f"{address}/", "og:title": TITLE, "og:description": PROMISE}
    if TITLE_PICTURE.exists():
        with Image.open(TITLE_PICTURE) as picture:
            width, height = picture.size
        said |= {
            "og:image": f"{address}{TITLE_PICTURE_PATH}",
            "og:image:type": "image/webp",
            "og:image:width": str(width),
            "og:image:height": str(height),
            "og:image:alt": TITLE_PICTURE_WORDS,
        }
    tags = [f'<meta property="{name}" content="{words}">' for name, words in said.items()]
    plain = {"description": PROMISE, "twitter:card": "summary_large_image"}
    return "\n".join(tags + [f'<meta name="{name}" content="{words}">' for name, words in plain.items()])


def title_picture(request: Request) -> FileResponse:
    """The answer to who asks for the picture of a link's preview."""
    return FileResponse(TITLE_PICTURE, media_type="image/webp", headers={"cache-control": "max-age=86400"})


def title() -> str:
    picture = (
        f'<img src="{as_data(TITLE_PICTURE.read_bytes())}" alt="{TITLE_PICTURE_WORDS}">'
        if TITLE_PICTURE.exists()
        else ""
    )
    return f"""{SKIP}<header class="title">{picture}<div><h1>{TITLE}</h1>
<p>{PROMISE}</p></div></header>"""


def step(number: int, name: str, words: str) -> str:
    """The heading of one of the page's steps."""
    return f'<h2 class="step"><b>{number}</b>{name}<small>{words}</small></h2>'


def status(name: str) -> gr.HTML:
    """A line that says what goes on, also to those who listen."""
    return gr.HTML(
        "",
        html_template='<div role="status" aria-live="polite">${value}</div>',
        elem_id=name,
        apply_default_css=False,
    )


def said(words: str, share: float | None = None) -> str:
    """A line of the status as HTML, over a bar where a share of the work is done.

    What changes from moment to moment, once a share is done, is not read out to those who listen.
    """
    if share is None:
        return words
    bar = f'<progress value="{share:.3f}" aria-label="Share of the work that is done"></progress>'
    return bar + (f'<span aria-live="off">{words}</span>' if share else words)
