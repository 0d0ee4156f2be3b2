"""Takes the screenshots of this folder: `python docs/take_screenshots.py`, with chromium and requirements-dev.txt installed."""
from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
PRESET = "Balanced"


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as cache:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=HERE.parent,
                                   env={**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": cache, "DISPLAY": ""})
        try:
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"{address}/config", timeout=2).close()
                    break
                except OSError:
                    time.sleep(0.5)
            take(address)
        finally:
            process.terminate()
            process.wait(20)


def take(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("chromium-browser"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 980})
        page.set_default_timeout(180_000)
        page.goto(address)
        page.wait_for_selector("#run")
        page.click("#examples tbody tr:nth-child(2) td:first-child")
        page.wait_for_selector(".legend[data-maps='2']", state="attached")
        page.get_by_label(PRESET).check()
        page.click("#run")
        page.wait_for_function("document.querySelector('#status').innerText.includes('Done in') && !document.querySelector('#status').innerText.includes('Measuring')")
        page.evaluate("window.scrollTo(0, 0)")
        page.wait_for_timeout(1500)
        page.screenshot(path=str(HERE / "desktop.png"))
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(1000)
        page.evaluate("document.querySelector('#result').scrollIntoView()")
        page.wait_for_timeout(500)
        page.screenshot(path=str(HERE / "phone.png"))
        browser.close()


if __name__ == "__main__":
    main()
