"""How the page looks: its theme, its style sheet, the words at its top and its foot."""
from __future__ import annotations

from pathlib import Path

import gradio as gr

from ui.examples import as_data

TITLE_PICTURE = Path(__file__).resolve().parent.parent / "assets" / "title.webp"
CONSENT = "Use pictures of people only with their consent. Pictures stay on this server for an hour at most and go nowhere else."
ACCENT = "*primary_600"  # dark enough for white words on it
THEME = gr.themes.Soft(primary_hue="orange", secondary_hue="violet", neutral_hue="stone", radius_size="lg", font=["system-ui", "sans-serif"],
                       font_mono=["ui-monospace", "monospace"]).set(
    color_accent=ACCENT, button_primary_background_fill=ACCENT, button_primary_background_fill_dark=ACCENT, button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_hover_dark="*primary_700", checkbox_label_background_fill_selected=ACCENT, checkbox_label_background_fill_selected_dark=ACCENT)
CSS = (Path(__file__).parent / "page.css").read_text("utf-8")


def head(script: str) -> str:
    """What stands in the page's head: the script of the map editor."""
    return f"<script>{script}</script>"


def title() -> str:
    picture = f'<img src="{as_data(TITLE_PICTURE.read_bytes())}" alt="A face, and the same face as a goblin, a bronze bust and an oil painting">' if TITLE_PICTURE.exists() else ""
    return f"""<header class="title">{picture}<div><h1>Face transfer</h1>
<p>Put one face into another face's skin, eyes to eyes and cheek to cheek.</p></div></header>"""


def step(number: int, name: str, words: str) -> str:
    """The heading of one of the page's steps."""
    return f'<h2 class="step"><b>{number}</b>{name}<small>{words}</small></h2>'
