"""How long people wait for the app: page, maps, first picture, result; alone and with others at once. And
what the first open of the page takes: bytes, time, and how far things jump meanwhile.

    python -m benchmarks.app [--opens 5] [--visitors 1 4] [--programs 16] [--preset Balanced] [--json PATH]

Visitors are pages of one Chromium on this machine, which takes its share of it; all begin together, each with
two pictures of 512 pixels that have no map yet. Programs go through gradio_client's /parse and /transfer.

An open is of a browser with an empty cache. Bytes are those that come over the connection, headers with them.
A page is interactive at the end of its last long task before two quiet seconds (after web.dev/articles/tti),
not before it is shown. Layout shifts (web.dev/articles/cls) are summed without sessions: at least the score.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
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
WINDOWS = {"desktop": (1280, 900), "phone": (390, 844)}  # width and height, pixels
# Milliseconds without a long task after which a page is called interactive. Lighthouse takes 5000; the page
# asks for its place in line every 4000, which on a slow machine is a long task.
QUIET = 2000
MOST_SHIFT = 0.1  # layout shift that counts as good: web.dev/articles/cls
# Of a page from its start: the sum of its layout shifts, the end of its last long task and when it was shown,
# milliseconds.
WATCH = """window.shift = 0; window.busyUntil = 0; window.shownAt = 0;
    new PerformanceObserver(list => {
        for (const e of list.getEntries()) if (!e.hadRecentInput) shift += e.value;
    }).observe({type: "layout-shift", buffered: true});
    new PerformanceObserver(list => {
        for (const e of list.getEntries()) busyUntil = Math.max(busyUntil, e.startTime + e.duration);
    }).observe({type: "longtask", buffered: true});"""
# The page is put together unseen; then the class goes.
SHOWN = """() => {
    const ready = document.querySelector("#run:not([disabled])") && window.faceMaps?.tools.classes.length
        && document.querySelector("#content input[type=file]")
        && !document.documentElement.classList.contains("settling");
    if (ready) window.shownAt ||= performance.now();
    return Boolean(ready); }"""
STILL = f"performance.now() > Math.max(busyUntil, shownAt) + {QUIET}"


@contextmanager
def app(folder: Path) -> Iterator[tuple[str, int]]:
    """The app as a process of its own, warmed up; its address and the number of its process."""
    with started(folder) as (address, process):
        time.sleep(5)  # the warm-up
        yield address, process.pid


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        yield browser
        await browser.close()


async def first_open(browser: Any, address: str, window: tuple[int, int]) -> dict[str, Any]:
    """What one first open takes: seconds until it is shown and interactive, layout shift, bytes by kind."""
    phone = window[0] < 641
    context = await browser.new_context(
        viewport={"width": window[0], "height": window[1]}, is_mobile=phone, has_touch=phone
    )
    await context.add_init_script(WATCH)
    page = await context.new_page()
    page.set_default_timeout(LONGEST * 1000)
    network = await context.new_cdp_session(page)
    kinds: dict[str, str] = {}
    weight: Counter[str] = Counter()
    network.on("Network.responseReceived", lambda e: kinds.update({e["requestId"]: e["type"].lower()}))
    network.on(
        "Network.loadingFinished",
        lambda e: weight.update({kinds.get(e["requestId"], "other"): round(e["encodedDataLength"])}),
    )
    await network.send("Network.enable")
    await page.goto(address)
    await page.wait_for_function(SHOWN)
    await page.wait_for_function(STILL)
    shown, busy, shift = await page.evaluate("[shownAt, busyUntil, shift]")
    await context.close()
    return {
        "shown": shown / 1000,
        "interactive": max(shown, busy) / 1000,
        "layout_shift": shift,
        "bytes": dict(sorted(weight.items())),
    }


async def first_opens(address: str, number: int) -> dict[str, Any]:
    """By window: the median of so many first opens, one after another, and the longest."""
    found = {}
    async with chromium() as browser:
        for name, window in WINDOWS.items():
            opens = [await first_open(browser, address, window) for _ in range(number)]
            weight = opens[-1].pop("bytes")
            for one in opens:
                one.pop("bytes", None)
            found[name] = {**summary(opens), "bytes": {**weight, "all": sum(weight.values())}}
    return found


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
    await page.wait_for_function(SHOWN)
    lap("shown")
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
    async with chromium() as browser:
        return await asyncio.gather(*(visit(browser, address, files, preset) for _ in range(number)))


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


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--opens", type=int, default=5, help="how many first opens of each window")
    parser.add_argument(
        "--visitors", type=int, nargs="*", default=[1, 4], help="how many pages at once, one round for each"
    )
    parser.add_argument(
        "--programs",
        type=int,
        nargs="*",
        default=[16],
        help="how many gradio_clients at once, one round for each",
    )
    parser.add_argument("--preset", default="Balanced")
    parser.add_argument(
        "--json",
        type=Path,
        help="also write the results there; rounds that are there already and not measured now stay",
    )
    return parser


def measured(
    address: str, files: list[Path], given: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first opens by window, with the load of the machine (jobs that work or wait) before them; and the
    waits of each round of visitors and of programs, by its name.
    """
    rounds: dict[str, Any] = {}

    def told(name: str, waits: list[dict[str, float]]) -> None:
        rounds[f"{name}, {given.preset}"] = summary(waits)
        print(f"{name}: {rounds[f'{name}, {given.preset}']}", flush=True)

    asyncio.run(visits(address, files, "Preview", 1))  # browser and app in memory
    opens: dict[str, Any] = {}
    if given.opens:
        opens = {"opens": given.opens, "load": round(os.getloadavg()[0], 1)}
        opens |= asyncio.run(first_opens(address, given.opens))
        print(f"first open: {opens}", flush=True)
    for number in given.visitors:
        told(f"{number} visitors", asyncio.run(visits(address, files, given.preset, number)))
    for number in given.programs:
        with ThreadPoolExecutor(number) as pool:
            waits = pool.map(lambda _: call(address, files, given.preset), range(number))
            told(f"{number} programs", list(waits))
    return opens, rounds


def main() -> None:
    given = options().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.png" for name in PAIR]
        for name, file in zip(PAIR, files):
            Image.open(ROOT / "assets" / "examples" / f"{name}.png").convert("RGB").resize(
                (SIZE, SIZE), Image.Resampling.LANCZOS
            ).save(file)
        with app(Path(folder)) as (address, _):
            opens, rounds = measured(address, files, given)
    if given.json:
        before = json.loads(given.json.read_text()) if given.json.exists() else {}
        here = conditions(torch.get_num_threads())
        commit = {"commit": here["commit"]}
        write(
            given.json,
            {
                "conditions": here,
                "unit": "seconds",
                "size": SIZE,
                "first_open": opens | commit if opens else before.get("first_open", {}),
                "rounds": before.get("rounds", {}) | {name: waits | commit for name, waits in rounds.items()},
            },
        )


if __name__ == "__main__":
    main()
