"""Opens the app.

On a Space it listens to the world. It reads from the environment GRADIO_SERVER_NAME and GRADIO_SERVER_PORT;
GRADIO_MCP_SERVER=1 also offers the endpoints as MCP tools; FACE_TRANSFER_FETCH names published networks whose
weights are fetched at the start (such as "vgg19,bisenet"), so that no visitor waits for them;
FACE_TRANSFER_MAX_SECONDS is what one job may take, FACE_TRANSFER_CACHE_MB what visitors' files may.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

from facetransfer.base.allocator import share_among_threads
from facetransfer.ui.cache import Room, close_cache, most_bytes, open_cache

# Faces are private: said before gradio is imported, which reads it then.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# Visitors' files lie in a folder of this process alone, inside the cache: at the end it is removed whole. See
# `facetransfer.ui.cache`.
BASE = os.environ.get("GRADIO_TEMP_DIR") or os.path.join(
    tempfile.gettempdir(), f"face-transfer-{os.getuid() if hasattr(os, 'getuid') else 'app'}"
)
# Gradio brings matplotlib, which would write into the home folder.
os.environ.setdefault("MPLCONFIGDIR", os.path.join(BASE, "matplotlib"))
# Gradio asks it for its backend in each event: unless one is named, that loads all of it at the first one.
os.environ.setdefault("MPLBACKEND", "agg")
if "SPACE_ID" in os.environ:  # elsewhere numba keeps what it compiled beside the code, for the next start
    os.environ.setdefault("NUMBA_CACHE_DIR", os.path.join(BASE, "numba"))

VISITS = 500  # whose memory is kept at once; the one that was idle longest goes first
VISITS_BYTES = 1 << 30  # that the maps and pictures in their memory may take, looked at once a minute

log = logging.getLogger(__name__)


def asked_for(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true", "yes")


def to_fetch() -> list[str]:
    """The published networks that FACE_TRANSFER_FETCH names. Exits with a word on a name that is not one."""
    from segmentation.parsers.published import NETWORKS as parsers

    names = [name.strip() for name in os.environ.get("FACE_TRANSFER_FETCH", "").split(",") if name.strip()]
    if wrong := [name for name in names if name not in ("vgg19", *parsers)]:
        raise SystemExit(
            f"error: FACE_TRANSFER_FETCH names {wrong[0]}, which is no published network: give some of "
            f"vgg19,{','.join(parsers)}"
        )
    return names


def port() -> int:
    """The port of GRADIO_SERVER_PORT. Exits with a word on what is none."""
    given = os.environ.get("GRADIO_SERVER_PORT", "7860")
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
        raise SystemExit(f"error: GRADIO_SERVER_PORT is {given}: give a number from 1 to 65535")
    return int(given)


def fetch(names: list[str]) -> None:
    """Downloads what is not there yet. The app works without: a failure is logged."""
    from facetransfer.base.errors import InputError
    from facetransfer.core.features import load_network
    from segmentation.parsers.published import downloaded

    for name in names:
        try:
            load_network(name, "cpu") if name == "vgg19" else downloaded(name)
        except InputError as error:
            log.warning("%s", error)


def warm_up() -> None:
    """Runs everything once on a small picture, so that the first visitor does not wait for it; the first time
    it also compiles the search.
    """
    import torch
    from PIL import Image

    from facetransfer.base.devices import choose_device
    from facetransfer.base.settings import TransferSettings
    from facetransfer.core.engine import transfer
    from facetransfer.jobs.time_estimate import expected_seconds
    from facetransfer.ui import gpu
    from segmentation.parsers import load_parser

    load_parser("compact", gpu.parser_device())(Image.new("RGB", (64, 64)))
    device = "cpu" if gpu.lent() else choose_device()
    content, style = torch.rand(2, 1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    transfer(content, style, None, TransferSettings(iterations=4), device=device)
    expected_seconds(TransferSettings(), (64, 64), device)


def prepared(names: list[str]) -> None:
    """What the first visitor would wait for, and the networks of these names."""
    warm_up()
    fetch(names)


def allow_many_connections() -> None:
    """As many open connections as the system lets this process have, with limits on each and on all; and one
    line of log where that is not enough: asyncio writes a whole trace for each that cannot be accepted.
    """
    from facetransfer.ui.connections import limit_connections

    most = None
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    limit_connections(most if most and most > 0 else None)  # RLIM_INFINITY is -1
    logging.getLogger("asyncio").addFilter(TooMany())


class TooMany(logging.Filter):
    """Lets one record in a minute pass of those that say that no connection can be accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.last = -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        if "socket.accept() out of system resource" not in record.getMessage():
            return True
        now, before = time.monotonic(), self.last
        if now - before > 60:
            self.last, record.exc_info, record.exc_text = now, None, None
        return now - before > 60


def interrupted(number: int, frame: FrameType | None) -> None:
    """A service that is stopped ends as on Ctrl-C: tidily."""
    raise KeyboardInterrupt


def check_installed(tools: bool) -> None:
    """SystemExit, which says what to install, where the app or its `tools` for language models cannot run."""
    if importlib.util.find_spec("gradio") is None:
        raise SystemExit(
            'error: the app needs gradio, which is not installed: pip install "facetransfer[app]"'
        )
    if tools and importlib.util.find_spec("mcp") is None:
        raise SystemExit(
            "error: GRADIO_MCP_SERVER is set, and the package mcp is missing: "
            'pip install "gradio[mcp]", or unset it'
        )


def serve(
    cache: Path, room_bytes: int, listens: int, names: list[str], tools: bool, stopped: threading.Event
) -> None:
    """Serves the page at a port until the process is interrupted.

    cache: the folder of what visitors bring and get, of `room_bytes` at most. names: networks that are
    fetched meanwhile. tools: whether the page serves language models too. stopped: ends the sweeping of
    the cache.
    """
    from starlette.middleware import Middleware
    from starlette.routing import Route

    from facetransfer.ui.components.map_editor import SCRIPT
    from facetransfer.ui.files import Sweeper
    from facetransfer.ui.gradio_compat import (
        files_of_waiting_jobs,
        forget_visits,
        say_how_tools_take_pictures,
    )
    from facetransfer.ui.middleware import MAX_UPLOAD, Guard
    from facetransfer.ui.page import build_page
    from facetransfer.ui.theme import CSS, THEME, TITLE_PICTURE_PATH, head, title_picture

    page = build_page()
    if tools:
        say_how_tools_take_pictures()
    name = "0.0.0.0" if "SPACE_ID" in os.environ else os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    threading.Thread(target=prepared, args=[names], daemon=True, name="warm-up").start()
    sweeper = Sweeper(cache, lambda: forget_visits(page, VISITS_BYTES))
    threading.Thread(target=sweeper.run, args=[stopped], daemon=True, name="sweeper").start()
    room = Room(cache, room_bytes, lambda: files_of_waiting_jobs(page))
    print(f"The page opens at http://{name}:{listens}", flush=True)
    page.launch(
        server_name=name,
        server_port=listens,
        theme=THEME,
        css=CSS,
        head=head(SCRIPT),
        ssr_mode=False,
        mcp_server=tools,
        quiet=True,
        state_session_capacity=VISITS,
        max_file_size=MAX_UPLOAD,
        run_history=False,
        footer_links=["api", "gradio", "settings"],
        app_kwargs={
            "middleware": [Middleware(Guard, room=room)],
            "routes": [Route(TITLE_PICTURE_PATH, title_picture)],
        },
        inbrowser="DISPLAY" in os.environ and "SPACE_ID" not in os.environ,
        _frontend=False,
    )  # or Gradio gives up where a busy machine needs three seconds for the first page


def launch() -> None:
    """Checks what can be checked, serves the page until it is stopped, then removes what visitors left."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__.strip())
        return
    listens = port()  # before gradio is imported, which reads it too
    names, tools = to_fetch(), asked_for("GRADIO_MCP_SERVER")
    check_installed(tools)
    share_among_threads()
    most, cache = most_bytes(Path(BASE)), open_cache(Path(BASE))
    os.environ["GRADIO_TEMP_DIR"] = str(cache)
    from facetransfer.base.images import open_no_other_formats
    from facetransfer.ui.gpu import most_seconds

    stopped, status = threading.Event(), 0
    most_seconds()  # A wrong number is said now.
    open_no_other_formats()
    allow_many_connections()
    signal.signal(signal.SIGTERM, interrupted)
    try:
        serve(cache, most, listens, names, tools, stopped)
    except KeyboardInterrupt:
        log.info("stopped")
    except OSError as error:
        print(
            f"error: the app could not open its port ({error}): set GRADIO_SERVER_PORT to a free one",
            file=sys.stderr,
        )
        status = 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        stopped.set()
        close_cache(cache)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # A thread in the middle of a step listens to nobody, and would keep the process for as long as it takes.
    os._exit(status)
