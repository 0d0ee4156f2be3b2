"""How fast it is: whole jobs by method and size, each in a process of its own.

    python -m benchmarks.speed --json benchmarks/results/speed.json
    python -m benchmarks.speed --device gpu0 --json benchmarks/results/gpu.json    (make bench-gpu)

Pictures: two characters that ship, with their exact maps. Of each job it tells the seconds of the work (the
median of several runs, after one that compiles and loads), those until the first picture, and the most memory
that the process held. Of the whole command, from the shell to the file, it tells the same for pictures
without maps, which the parser makes then. To compare two versions, run both in turns: machines differ from
minute to minute.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import conditions, write
from facetransfer.base.devices import choose_device
from facetransfer.base.images import open_picture
from facetransfer.base.settings import GATYS, GUIDED, MRF, SEMANTIC, TransferSettings
from facetransfer.jobs.job import Face, prepare
from segmentation.map_files import map_path, read_map

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "assets" / "examples"
JOBS = [(GUIDED, size) for size in (256, 512, 1024, 2048, 4096)]
JOBS += [(SEMANTIC, size) for size in (256, 512, 1024)] + [(MRF, 512), (GATYS, 512)]
COMMANDS = (512, 1000, 4096)  # pixels of the whole commands
LONG = 2048  # pixels from which a job is run once


def character(name: str) -> Face:
    path = EXAMPLES / f"{name}.png"
    return Face.of(open_picture(path), read_map(map_path(path)))


def seconds_of(method: str, size: int, device: str) -> dict[str, Any]:
    """The seconds of one run, and those until its first picture."""
    job = prepare(character("bust"), character("goblin"), TransferSettings(method=method, size=size))
    began, first = time.perf_counter(), None
    for step in job.steps(device):
        step.picture.sum().item()  # A device is waited for.
        first = first or time.perf_counter() - began
    return {"seconds": time.perf_counter() - began, "first_picture": first}


def measured(job: tuple[str, int, str, int, int]) -> dict[str, Any]:
    """Medians of several runs of (method, size, device, threads, runs)."""
    method, size, device, threads, runs = job
    torch.set_num_threads(threads)
    seconds_of(method, min(size, 256), device)
    found = [seconds_of(method, size, device) for _ in range(1 if size >= LONG else runs)]
    result = {name: round(statistics.median(f[name] for f in found), 3) for name in found[0]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return {"method": method, "size": size, **result, "megabytes": peak}


def command(size: int, device: str, threads: int, runs: int) -> dict[str, Any]:
    """The whole command by the default method: medians of the seconds, and the most memory that it held."""
    seconds, megabytes = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("bust", "goblin"):
            shutil.copy(EXAMPLES / f"{name}.png", folder)  # Without its map.
        words = ["--content", "bust.png", "--style", "goblin.png", "--output", "result.png"]
        words += ["--size", str(size), "--device", device]
        line = [sys.executable, "-m", "facetransfer", *words]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
        for _ in range(1 if size >= LONG else runs):
            began = time.perf_counter()
            with subprocess.Popen(
                line, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, line)
            seconds.append(time.perf_counter() - began)
            megabytes = max(megabytes, used.ru_maxrss >> 10)
    return {"size": size, "seconds": round(statistics.median(seconds), 3), "megabytes": megabytes}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--device", default="cpu", help="cpu, gpu0, ...")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    device, rows = choose_device(args.device), []
    for method, size in JOBS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(measured, ((method, size, device, args.threads, args.runs),)))
        print(rows[-1], flush=True)
    commands = []
    for size in COMMANDS:
        commands.append(command(size, args.device, args.threads, args.runs))
        print(commands[-1], flush=True)
    write(args.json, {**conditions(args.threads), "device": device, "jobs": rows, "whole_commands": commands})
    return 0


if __name__ == "__main__":
    sys.exit(main())
