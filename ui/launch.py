"""Opens the app. Reads GRADIO_SERVER_NAME and GRADIO_SERVER_PORT; on a Space it listens to the world."""
from __future__ import annotations

import os

# Faces are private: said before gradio is imported, which reads it then.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

MAX_UPLOAD = "40mb"
WAITING = 16  # people in the queue; the next is asked to come back


def launch() -> None:
    """Serves the page until it is stopped."""
    from ui.page import CSS, THEME, build_page

    page = build_page()
    page.queue(max_size=WAITING, default_concurrency_limit=1)
    name = "0.0.0.0" if "SPACE_ID" in os.environ else os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    try:
        page.launch(server_name=name, server_port=int(os.environ.get("GRADIO_SERVER_PORT", 7860)), theme=THEME, css=CSS, ssr_mode=False,
                    max_file_size=MAX_UPLOAD, run_history=False, footer_links=["api", "gradio", "settings"],
                    inbrowser="DISPLAY" in os.environ and "SPACE_ID" not in os.environ)
    except OSError as error:
        raise SystemExit(f"error: the app could not open its port ({error}): set GRADIO_SERVER_PORT to a free one") from None
