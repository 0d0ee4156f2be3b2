"""Many visitors at once, for minutes: is everybody answered, in turn, with their own picture, and does memory
stay?

    python -m benchmarks.soak [--visitors 50] [--seconds 300] [--runs 200] [--openings 10000]
        [--json benchmarks/results/soak.json]

Each visitor is a gradio_client in a thread and has a picture of a size and a colour that nobody else has. In
turn, at random, it asks for a map (whose size must be that of its picture) or a small transfer onto itself
(whose colour must be its own). Then: twelve runs asked for one after another must end in that order; a number
of runs, one at a time, and then many visits that open the page and never come back, between which the app's
memory is read.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import tempfile
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from gradio_client import Client, handle_file
from PIL import Image

from benchmarks.app import app
from benchmarks.machine import conditions, write

RUN = dict(preset="Preview", phases=1, iterations=2, size=64)
SHARE_OF_RUNS = 0.3
IN_ORDER = 12  # runs that are asked for one after another
AT_ONCE = 8  # visits that open the page at the same time


def picture_of(visitor: int, visitors: int, folder: Path) -> tuple[Path, np.ndarray, tuple[int, int]]:
    """A picture in a colour and of a size of its own: its file, its colour, its size."""
    random = np.random.default_rng(visitor)
    side = max(2, round(visitors ** (1 / 3) + 0.5))
    colour = (
        np.array([visitor % side, visitor // side % side, visitor // side**2], float) / (side - 1) * 200 + 27
    )
    size = 64 + visitor, 64 + (visitor * 7) % 50
    pixels = (colour + random.normal(0, 4, (*size[::-1], 3))).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / f"{visitor}.png")
    return folder / f"{visitor}.png", colour, size


def resident(process: int) -> float:
    """Megabytes of a process in memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def visit(
    number: int,
    address: str,
    mine: tuple[Path, np.ndarray, tuple[int, int]],
    colours: np.ndarray,
    until: float,
    folder: Path,
    counts: Counter[str],
    waits: dict[str, list[float]],
    lock: threading.Lock,
) -> None:
    """Asks again and again until the time is up; what came of it is counted."""
    random, (path, _, size) = Random(number), mine
    client = Client(address, verbose=False, download_files=str(folder / f"got{number}"))
    file = handle_file(str(path))
    while time.monotonic() < until:
        kind = "run" if random.random() < SHARE_OF_RUNS else "map"
        began, told = time.monotonic(), False
        job = (
            client.submit(file, "compact", api_name="/parse")
            if kind == "map"
            else client.submit(file, file, **RUN, api_name="/transfer")
        )
        while not job.done():
            told = told or job.status().rank is not None
            time.sleep(0.1)
        took = time.monotonic() - began
        found = []
        try:
            picture, _ = job.result()
            with Image.open(picture) as image:
                mean = np.asarray(image.convert("RGB")).reshape(-1, 3).mean(0)
                own = (
                    image.size == size
                    if kind == "map"
                    else int(np.linalg.norm(colours - mean, axis=1).argmin()) == number
                )
            found.append(f"{kind}s answered" if own else "another's picture seen")
            if took > 2:
                found.append(
                    "waits over 2 s with a position told" if told else "waits over 2 s without a position"
                )
        except Exception as error:  # whatever came instead of an answer is what is counted here
            full = "Queue is full" in str(error)
            found.append(
                "refused in words: the line is full"
                if full
                else f"lost: {type(error).__name__} {str(error)[:80]}"
            )
            time.sleep(random.uniform(0.5, 2.0))
        with lock:
            counts.update(found)
            waits[kind].append(took)
    client.close()


def in_order(address: str, file: Path, folder: Path) -> bool:
    """Whether runs asked for one after another end one after another."""
    client, ended = Client(address, verbose=False, download_files=str(folder / "order")), []
    jobs = []
    for i in range(IN_ORDER):
        jobs.append(
            client.submit(handle_file(str(file)), handle_file(str(file)), **RUN, seed=i, api_name="/transfer")
        )
        jobs[-1].add_done_callback(lambda _, i=i: ended.append(i))
        time.sleep(0.4)  # a client uploads before it asks: what is first must have got there first
    for job in jobs:
        job.result()
    client.close()
    return ended == sorted(ended)


def memory_over(runs: int, address: str, process: int, file: Path, folder: Path) -> dict[str, Any]:
    """Memory after each of so many runs, and its slope over all but the first quarter, in MB per run."""
    client, seen = Client(address, verbose=False, download_files=str(folder / "memory")), []
    for i in range(runs):
        client.predict(handle_file(str(file)), handle_file(str(file)), **RUN, seed=i, api_name="/transfer")
        seen.append(resident(process))
    client.close()
    return {"runs": runs, **growth(seen, "slope_mb_per_run", 1)}


def memory_over_openings(openings: int, address: str, process: int) -> dict[str, Any]:
    """Memory while so many visits open the page, each a new one that is never closed; its slope in MB per
    thousand.
    """
    host = urlsplit(address).netloc
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", "/config")
    functions = json.loads(connection.getresponse().read())["dependencies"]
    first = next(f for f in functions if f["backend_fn"] and any(t[1] == "load" for t in f["targets"]))
    seen, failed, lock = [resident(process)], Counter(), threading.Lock()

    def open_page(connection: http.client.HTTPConnection) -> int:
        """The status of the event that the page begins with, once its answer has come."""
        visit = uuid.uuid4().hex
        body = {"data": [None] * len(first["inputs"]), "fn_index": first["id"], "session_hash": visit}
        connection.request(
            "POST", "/gradio_api/queue/join", json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            connection.request("GET", f"/gradio_api/queue/data?session_hash={visit}")
            answer = connection.getresponse()
            answer.read()
        return answer.status

    def visitors(count: int) -> None:
        connection = http.client.HTTPConnection(host, timeout=60)
        for i in range(count):
            status = open_page(connection)
            with lock:
                failed.update([] if status == 200 else [f"answer {status}"])
                if i % 100 == 99:
                    seen.append(resident(process))
        connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for end in [pool.submit(visitors, openings // AT_ONCE) for _ in range(AT_ONCE)]:
            end.result()
    return {"openings": openings, "failed": failed, **growth(seen, "slope_mb_per_thousand", 1000 / 100)}


def growth(seen: list[float], name: str, steps: float) -> dict[str, Any]:
    """What memory did, in MB, and under `name` its slope over so many readings, without the first quarter."""
    late = seen[len(seen) // 4 :]
    slope = float(np.polyfit(np.arange(len(late)), late, 1)[0]) if len(late) > 1 else 0.0
    return {
        "mb_first": round(seen[0]),
        "mb_last": round(seen[-1]),
        "mb_highest": round(max(seen)),
        name: round(slope * steps, 3),
    }


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--visitors", type=int, default=50)
    options.add_argument("--seconds", type=float, default=300)
    options.add_argument("--runs", type=int, default=200, help="how many runs memory is watched over")
    options.add_argument(
        "--openings",
        type=int,
        default=10000,
        help="how many visits that never come back memory is watched over",
    )
    options.add_argument("--json", type=Path, help="also write the results there")
    given = options.parse_args()
    counts, waits, lock = Counter(), {"run": [], "map": []}, threading.Lock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = [picture_of(i, given.visitors, folder) for i in range(given.visitors)]
        colours = np.array([colour for _, colour, _ in pictures])
        with app(folder) as (address, process):
            before, until = resident(process), time.monotonic() + given.seconds
            with ThreadPoolExecutor(given.visitors) as pool:
                ends = [
                    pool.submit(visit, i, address, pictures[i], colours, until, folder, counts, waits, lock)
                    for i in range(given.visitors)
                ]
            for end in ends:
                end.result()
            after, kept_order = resident(process), in_order(address, pictures[0][0], folder)
            memory = memory_over(given.runs, address, process, pictures[0][0], folder)
            openings = memory_over_openings(given.openings, address, process)
    results = {
        "visitors": given.visitors,
        "seconds": given.seconds,
        "counts": dict(sorted(counts.items())),
        "waits_seconds": {
            kind: {"median": round(float(np.median(w)), 2), "longest": round(max(w), 2)}
            for kind, w in waits.items()
            if w
        },
        "first_come_order_kept": kept_order,
        "mb_before_the_visitors": round(before),
        "mb_after_the_visitors": round(after),
        "memory": memory,
        "memory_over_openings": openings,
    }
    print(results)
    if given.json:
        write(given.json, {"conditions": conditions(2), **results})


if __name__ == "__main__":
    main()
