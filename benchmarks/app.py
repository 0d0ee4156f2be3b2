"""How long people wait for the app: page, maps, first picture, result; alone and with others at once.

    python -m benchmarks.app [--visitors 1 4] [--programs 16] [--preset Balanced] [--json PATH]

Visitors are pages of one Chromium on this machine, which takes its share of it; all begin together, each with
two pictures of 512 pixels that have no map yet. Programs go through gradio_client's /parse and /transfer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
from PIL import Image

from benchmarks.machine import ROOT, conditions, write
from benchmarks.running import started

LONGEST = 1500  # seconds that one visitor waits
PAIR = ("bust", "goblin")
SIZE = 512


@contextmanager
def app(folder: Path) -> Iterator[tuple[str, int]]:
    """The app as a process of its own, warmed up; its address and the number of its process."""
    with started(folder) as (address, process):
        time.sleep(5)  # the warm-up
        yield address, process.pid


async def visit(browser: Any, address: str, files: list[Path], preset: str) -> dict[str, float]:
    """One visitor's waits, in seconds."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(LONGEST * 1000)
    waits, began = {}, time.monotonic()

    def lap(name: str) -> None:
        nonlocal began
        waits[name] = time.monotonic() - began
        began = time.monotonic()

    await page.goto(address)
    await page.wait_for_selector("#run:not([disabled])")
    await page.wait_for_function(
        "window.faceMaps.tools.classes.length && document.querySelector('#content input[type=file]')"
    )
    lap("interactive")
    for name, file in zip(("content", "style"), files):
        await page.set_input_files(f"#{name} input[type=file]", str(file))
    await page.wait_for_selector(".map-tools[data-maps='2']", state="attached")
    lap("maps")
    await page.get_by_label(preset, exact=True).check()
    await page.wait_for_timeout(500)
    began = time.monotonic()
    await page.click("#run")
    await page.wait_for_function(
        "/Phase|Done in/.test(document.querySelector('#status').innerText)"
    )  # a page that is short of time may show the end alone
    waits["first_picture"] = time.monotonic() - began
    await page.wait_for_function("document.querySelector('#status').innerText.includes('Done in')")
    waits["result"] = time.monotonic() - began
    await context.close()
    return waits


async def visits(address: str, files: list[Path], preset: str, number: int) -> list[dict[str, float]]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        done = await asyncio.gather(*(visit(browser, address, files, preset) for _ in range(number)))
        await browser.close()
    return done


def call(address: str, files: list[Path], preset: str) -> dict[str, float]:
    """One program's waits, in seconds."""
    from gradio_client import Client, handle_file

    with tempfile.TemporaryDirectory() as folder:
        client, waits = Client(address, verbose=False, download_files=folder), {}
        content, style = (handle_file(str(file)) for file in files)
        began = time.monotonic()
        client.predict(content, "compact", api_name="/parse")
        waits["maps"], began = time.monotonic() - began, time.monotonic()
        client.predict(content, style, preset, api_name="/transfer")
        waits["result"] = time.monotonic() - began
    return waits


def summary(waits: list[dict[str, float]]) -> dict[str, Any]:
    return {
        name: {
            "median": round(median(w[name] for w in waits), 2),
            "longest": round(max(w[name] for w in waits), 2),
        }
        for name in waits[0]
    }


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--visitors", type=int, nargs="*", default=[1, 4], help="how many pages at once, one round for each"
    )
    options.add_argument(
        "--programs",
        type=int,
        nargs="*",
        default=[16],
        help="how many gradio_clients at once, one round for each",
    )
    options.add_argument("--preset", default="Balanced")
    options.add_argument(
        "--json",
        type=Path,
        help="also write the results there; rounds that are there already and not measured now stay",
    )
    given = options.parse_args()
    rounds: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.png" for name in PAIR]
        for name, file in zip(PAIR, files):
            Image.open(ROOT / "assets" / "examples" / f"{name}.png").convert("RGB").resize(
                (SIZE, SIZE), Image.Resampling.LANCZOS
            ).save(file)
        with app(Path(folder)) as (address, _):
            asyncio.run(visits(address, files, "Preview", 1))  # browser and app in memory
            for number in given.visitors:
                rounds[f"{number} visitors, {given.preset}"] = summary(
                    asyncio.run(visits(address, files, given.preset, number))
                )
                print(f"{number} visitors: {rounds[f'{number} visitors, {given.preset}']}", flush=True)
            for number in given.programs:
                with ThreadPoolExecutor(number) as pool:
                    rounds[f"{number} programs, {given.preset}"] = summary(
                        list(pool.map(lambda _: call(address, files, given.preset), range(number)))
                    )
                print(f"{number} programs: {rounds[f'{number} programs, {given.preset}']}", flush=True)
    if given.json:
        before = json.loads(given.json.read_text())["rounds"] if given.json.exists() else {}
        here = conditions(torch.get_num_threads())
        measured = {name: waits | {"commit": here["commit"]} for name, waits in rounds.items()}
        write(given.json, {"conditions": here, "unit": "seconds", "size": SIZE, "rounds": before | measured})


if __name__ == "__main__":
    main()
