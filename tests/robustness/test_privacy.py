"""Faces stay here: no connection outwards, nothing served outside the cache, nothing left at the end, headers
for a public host.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import hostile
from tests.support.figures import FIGURES
from tests.support.running import App, file_data, running, watch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(app_process: App) -> App:
    return app_process


def test_the_watch_sees(tmp_path: Path) -> None:
    """What proves that nothing connects would notice if something did."""
    import os

    for code in (
        "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
        "import urllib.request; urllib.request.urlopen('http://example.com')",
    ):
        folder = tmp_path / str(len(code))
        assert (
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, **watch(folder)},
                capture_output=True,
                check=False,
            ).returncode
            == 1
        )
        assert re.fullmatch(
            r"(connect|getaddrinfo) (192\.0\.2\.1|example\.com)\n", (folder / "connections").read_text()
        )


def test_a_whole_session_of_the_app_opens_no_connection(app: App) -> None:
    """Page, uploads, maps, a run, a comparison, hostile addresses."""
    for path in (
        "/",
        "/config",
        "/gradio_api/info",
        "/theme.css",
        "/manifest.json",
        "/gradio_api/startup-events",
    ):
        assert app.send("GET", path)[0] == 200, path
    page = app.send("GET", "/")[2].decode()
    assert "Face transfer" in page
    path = app.upload("face.png", hostile.saved(hostile.noise(size=(64, 64)), "PNG"))[1]
    assert app.call("parse", [file_data(path), "compact"])[0] == "complete"
    assert (
        app.call(
            "transfer", [file_data(path), file_data(path), "Preview", "alone", 1, 1, -1, -1, 64, -1, -1]
        )[0]
        == "complete"
    )
    for address in (
        "http://example.com/x.png",
        "https://127.0.0.1:1/x.png",
        "http://169.254.169.254/",
        "ftp://example.com/x",
    ):
        assert app.call("parse", [file_data(address), "compact"])[0] == "error"
        assert (
            app.send("GET", f"/gradio_api/file={address}")[0] == 403
            and app.send("GET", f"/gradio_api/proxy={address}")[0] == 403
        )
    assert (app.folder / "connections").read_text() == ""
    FIGURES["connections opened in a whole session of the app"] += 0


def test_the_command_lines_open_no_connection(tmp_path: Path) -> None:
    import os

    environment = {**os.environ, **watch(tmp_path)}
    for name, seed in (("a", 1), ("b", 2)):
        hostile.noise(size=(64, 64), seed=seed).save(tmp_path / f"{name}.png")
    for words in (
        "facetransfer --style a.png --content b.png --output c.png --size 64 --method semantic --phases 1 "
        "--iterations 1 --report r.json --animation c.webp --save-maps",
        "segmentation a.png b.png",
    ):
        subprocess.run(
            [sys.executable, "-m", *words.split()],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
        )
    assert (tmp_path / "connections").read_text() == "" and (tmp_path / "r.json").exists()
    FIGURES["connections opened by the command lines"] += 0


def test_nothing_is_served_outside_the_cache(app: App) -> None:
    """Paths that climb, in every spelling, through every route of Gradio's that takes one."""
    secret = app.folder / "secret.png"
    secret.write_bytes(b"do not serve " + hostile.png())
    path = app.upload("face.png", hostile.png())[1]
    assert app.send("GET", f"/gradio_api/file={path}")[2] == hostile.png()
    up = "/".join([".."] * 12)
    targets = (
        str(secret),
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/cmdline",
        f"{path}/../../../../secret.png",
        f"{Path(path).parent}/{up}/etc/passwd",
        f"{up}/etc/passwd",
        "app.py",
        "./app.py",
        "~/.bashrc",
        str(ROOT / "app.py"),
        str(app.folder / "log.txt"),
        f"{app.cache}/../secret.png",
        f"file://{secret}",
        f"//{secret}",
        str(app.cache),
        path.replace("/visits-", "/../cache/visits-") + "/../../../../secret.png",
    )
    tried = 0
    for target in targets:
        for spelt in (
            target,
            target.replace("..", "%2e%2e"),
            target.replace("/", "%2F"),
            target.replace("..", "..%5c"),
            target.replace("../", "..%252f"),
            target + "%00.png",
        ):
            for route in (
                "/gradio_api/file=",
                "/file=",
                "/gradio_api/file/",
                "/gradio_api/stream/",
                "/static/",
                "/assets/",
                "/svelte/",
                "/gradio_api/custom_component/",
                "/gradio_api/proxy=",
                "/custom_component/",
            ):
                status, _, answer = app.send("GET", route + spelt.replace(" ", "%20"))
                tried += 1
                assert status >= 400 or b"Face transfer" in answer or answer == hostile.png(), (
                    route,
                    spelt,
                    status,
                )
                assert (
                    b"do not serve" not in answer
                    and b"root:" not in answer
                    and b"GRADIO_TEMP_DIR" not in answer
                    and b"from facetransfer.ui.launch" not in answer
                ), (route, spelt)
    link = app.cache / "link.png"
    link.symlink_to(secret)
    assert b"do not serve" not in app.send("GET", f"/gradio_api/file={link}")[2]
    link.unlink()
    secret.unlink()
    FIGURES["paths outside the cache that were asked for"] += tried


def test_nobody_can_list_what_others_left(app: App) -> None:
    path = Path(app.upload("face.png", hostile.png())[1])
    for folder in (app.cache, path.parent, path.parent.parent):
        assert app.send("GET", f"/gradio_api/file={folder}")[0] == 403
    assert re.fullmatch(r"[0-9a-f]{64}", path.parent.name)  # a name that cannot be guessed


def test_headers_are_right_for_a_public_host(app: App) -> None:
    """On every kind of answer. A page elsewhere gets nothing from an app on localhost; on a public address
    the API is open, and answers say so.
    """
    for path in (
        "/",
        "/config",
        "/gradio_api/info",
        "/gradio_api/file=/etc/passwd",
        "/nothing",
        "/gradio_api/proxy=x",
    ):
        headers = app.send("GET", path)[1]
        assert (
            headers["x-content-type-options"] == "nosniff"
            and headers["referrer-policy"] == "same-origin"
            and "frame-ancestors 'self' https://huggingface.co" in headers["content-security-policy"]
        ), path
        assert "server" not in headers or "/" not in headers["server"]
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert "access-control-allow-origin" not in app.send("GET", "/config", headers=elsewhere)[1]
    preflight = {**elsewhere, "Access-Control-Request-Method": "POST"}
    assert (
        "access-control-allow-origin"
        not in app.send("OPTIONS", "/gradio_api/queue/join", headers=preflight)[1]
    )
    public = app.send("GET", "/config", headers={**elsewhere, "Host": "someone-face-transfer.hf.space"})[1]
    assert public["access-control-allow-origin"] == "https://elsewhere.example" and "set-cookie" not in public
    svg = app.upload("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")[1]
    shown = app.send("GET", f"/gradio_api/file={svg}")[1]
    assert "attachment" in shown["content-disposition"] and "svg" not in shown["content-type"]


def test_no_analytics_and_no_history(app: App) -> None:
    config = json.loads(app.send("GET", "/config")[2])
    assert config["analytics_enabled"] is False and not config.get("run_history")
    page = app.send("GET", "/")[2].decode()
    assert not re.findall(
        r"google-analytics|googletagmanager|api\.gradio\.app/gradio-(?:initiated|launched)", page
    )


def test_nothing_is_left_when_the_app_stops(tmp_path: Path) -> None:
    """Uploads and results are there while it runs, in a folder for its user alone, and gone after it was
    asked to stop, a run under way or not.
    """
    with running(tmp_path) as app:
        path = app.upload("face.png", hostile.saved(hostile.noise(size=(64, 64)), "PNG"))[1]
        kind, said = app.call(
            "transfer", [file_data(path), file_data(path), "Preview", "alone", 1, 1, -1, -1, 64, -1, -1]
        )
        assert (
            kind == "complete"
            and len(app.left_by_visitors()) >= 2
            and Path(path).parent.parent.stat().st_mode & 0o777 == 0o700
        )
        result = urllib.request.urlopen(json.loads(said)[0]["url"]).read()
        assert np.asarray(Image.open(__import__("io").BytesIO(result))).shape == (64, 64, 3)
        body = json.dumps(
            {
                "data": [
                    file_data(path),
                    file_data(path),
                    "The article's",
                    "alone",
                    1,
                    2000,
                    -1,
                    -1,
                    256,
                    -1,
                    -1,
                ]
            }
        ).encode()
        assert (
            app.send("POST", "/gradio_api/call/transfer", body, {"Content-Type": "application/json"})[0]
            == 200
        )
        app.process.terminate()
        app.process.wait(30)
        assert (
            app.left_by_visitors() == []
            and not list(app.cache.glob("visits-*"))
            and "Traceback" not in app.log
        ), app.log
    FIGURES["files left after the app was stopped"] += 0


def test_a_recipe_names_no_path(tmp_path: Path) -> None:
    """A result made of files with telling names and places says nothing of them."""
    from facetransfer.cli.main import main

    folder = tmp_path / "my-secret-folder"
    folder.mkdir()
    for name in ("anna-smith", "style-of-ben"):
        hostile.noise(size=(64, 64)).save(folder / f"{name}.png")
    assert (
        main(
            (
                f"--style {folder}/style-of-ben.png --content {folder}/anna-smith.png "
                f"--output {folder}/c.png --size 64 "
                "--method semantic --phases 1 --iterations 1 --parser none --device cpu"
            ).split()
        )
        == 0
    )
    data = (folder / "c.png").read_bytes()
    with Image.open(folder / "c.png") as picture:
        words = json.dumps(picture.text)
    assert "facetransfer" in words and not any(
        secret in words or secret.encode() in data for secret in ("secret", "anna", "ben", str(tmp_path))
    )
