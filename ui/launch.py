"""Opens the app. Reads GRADIO_SERVER_NAME and GRADIO_SERVER_PORT; on a Space it listens to the world."""
from __future__ import annotations

import os
import threading

# Faces are private: said before gradio is imported, which reads it then.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

MAX_UPLOAD = "40mb"
WAITING = 16  # people in the queue; the next is asked to come back


def warm_up() -> None:
    """Runs everything once on a tiny picture, so that the first visitor does not wait for it."""
    import torch
    from PIL import Image

    from facetransfer.devices import choose_device
    from facetransfer.engine import transfer
    from facetransfer.expected_time import expected_seconds
    from facetransfer.settings import TransferSettings
    from segmentation.parsers import load_parser

    device = choose_device()
    load_parser("compact", device)(Image.new("RGB", (64, 64)))
    pictures = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    transfer(*pictures, None, TransferSettings(iterations=4), device=device)
    expected_seconds(TransferSettings(), (64, 64), device)


def launch() -> None:
    """Serves the page until it is stopped."""
    from ui.looks import CSS, THEME, head
    from ui.page import build_page
    from ui.rooms.maps import SCRIPT

    page = build_page()
    page.queue(max_size=WAITING, default_concurrency_limit=1)
    name = "0.0.0.0" if "SPACE_ID" in os.environ else os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    threading.Thread(target=warm_up, daemon=True, name="warm-up").start()
    try:
        page.launch(server_name=name, server_port=int(os.environ.get("GRADIO_SERVER_PORT", 7860)), theme=THEME, css=CSS, head=head(SCRIPT), ssr_mode=False,
                    max_file_size=MAX_UPLOAD, run_history=False, footer_links=["api", "gradio", "settings"],
                    inbrowser="DISPLAY" in os.environ and "SPACE_ID" not in os.environ)
    except OSError as error:
        raise SystemExit(f"error: the app could not open its port ({error}): set GRADIO_SERVER_PORT to a free one") from None
