"""How quickly a batch is made, how surely, and what a cluster costs.

    python -m benchmarks.batch --contents FOLDER --styles FOLDER --json benchmarks/results/batch.json

presets: seconds of a pair in a batch, networks and pictures loaded, with each preset.
batch, single: seconds of a pair with the first six contents and four styles in one call, and of the single
command called for a few of the same pairs; both as whole processes.
memory: megabytes resident after each 50 of `--many` pairs at 128 pixels, in one process.
killed: a batch of 60 pairs at 96 pixels is killed at ten moments of chance and called again: results that
were lost, made twice, or differ from those of a batch that was left alone.
ray: seconds of a pair on a Ray cluster of this machine with one worker of two cores, and with two of one.
lost: seconds that are lost when one of two nodes dies.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import conditions, write
from facetransfer.base.settings import PRESETS, TransferSettings
from facetransfer.jobs.batch import FAILED, PairMaker, RunLog, run_batch
from facetransfer.jobs.cluster import run_on_ray
from facetransfer.jobs.pairs import Pair, pictures_in, product, with_outputs

ROOT = Path(__file__).resolve().parents[1]
SINGLES = 4  # single commands that are timed
KILLS, KILLED_PAIRS = 10, 60
IN_TURNS = 2  # rounds of the measurement on Ray
EVERY = 50  # pairs between two looks at the memory


def command(*words: object) -> None:
    """The command line as a process of its own; an error where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "facetransfer", *map(str, words)],
        env=environment,
        check=True,
        capture_output=True,
    )


def presets(pairs: list[Pair], folder: Path) -> dict[str, float]:
    """Seconds of a pair with each preset of the method guided, pictures and maps known."""
    maker, found = PairMaker(report=False), {}
    for name, changed in PRESETS.items():
        settings = TransferSettings(**changed)
        if settings.method != TransferSettings().method:
            continue
        some = [Pair(p.content, p.style, settings=settings) for p in pairs[:3]]
        named = with_outputs(some, str(folder / name.lower()))
        (folder / name.lower()).mkdir()
        log = RunLog(folder / name.lower() / "run.jsonl")
        list(run_batch(named[:1], maker, log))  # so that all is loaded and compiled
        began = time.perf_counter()
        list(run_batch(named[1:], maker, log))
        found[name] = (time.perf_counter() - began) / (len(named) - 1)
    return found


def against_single(contents: list[Path], styles: list[Path], folder: Path) -> dict[str, float]:
    """Seconds of a pair in one call, and called one by one."""
    began = time.perf_counter()
    command("batch", "--contents", *contents, "--styles", *styles, "--output", folder / "batch")
    batch = (time.perf_counter() - began) / (len(contents) * len(styles))
    began = time.perf_counter()
    for i in range(SINGLES):
        pair = contents[i % len(contents)], styles[i % len(styles)]
        command("--content", pair[0], "--style", pair[1], "--output", folder / f"single{i}.png")
    single = (time.perf_counter() - began) / SINGLES
    return {"batch": batch, "single": single, "times": single / batch}


def resident() -> float:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory(pairs: list[Pair], count: int, folder: Path) -> list[float]:
    """See the top of the file."""
    folder.mkdir()
    settings = [TransferSettings(size=128, seed=seed) for seed in range(-(-count // len(pairs)))]
    many = [Pair(p.content, p.style, settings=s) for s in settings for p in pairs][:count]
    named = with_outputs(many, str(folder / "{content}-{style}-{seed}.png"))
    found = []
    for number, _ in enumerate(run_batch(named, PairMaker(), RunLog(folder / "run.jsonl")), 1):
        if number % EVERY == 0:
            found.append(round(resident()))
    return found


def killed(pairs: list[Pair], folder: Path) -> dict[str, int]:
    """See the top of the file."""
    chance = random.Random(0)
    rows = [f"{p.content},{p.style},{seed}" for seed in range(99) for p in pairs][:KILLED_PAIRS]
    folder.mkdir()
    (folder / "pairs.csv").write_text("\n".join(["content,style,seed", *rows]))
    words = ["batch", "--pairs", folder / "pairs.csv", "--size", "96", "--no-numbers", "--output"]
    name = "{content}-{style}-{seed}.png"
    command(*words, folder / "alone" / name)
    (folder / "killed").mkdir()
    arguments = [*words, folder / "killed" / name]
    kills, seen, twice = 0, {}, 0
    while kills < KILLS:
        process = subprocess.Popen(
            [sys.executable, "-m", "facetransfer", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(4, 9))
        process.kill()
        process.wait()
        kills += 1
        now = {p.name: p.stat().st_mtime_ns for p in (folder / "killed").glob("[!.]*.png")}
        twice += sum(now.get(name) != when for name, when in seen.items())
        seen = now
    at_kills = len(seen)
    command(*arguments)
    results = {p.name: p.read_bytes() for p in (folder / "killed").glob("[!.]*.png")}
    twice += sum((folder / "killed" / n).stat().st_mtime_ns != when for n, when in seen.items())
    wanted = {p.name: p.read_bytes() for p in (folder / "alone").glob("[!.]*.png")}
    return {
        "kills": kills,
        "pairs": len(wanted),
        "there_after_the_kills": at_kills,
        "lost": len(set(wanted) - set(results)),
        "made_twice": twice,
        "other_bytes": sum(results[name] != data for name, data in wanted.items() if name in results),
    }


def without_ray(pairs: list[Pair], folder: Path) -> float:
    """Seconds of a pair in this process, the first one not counted."""
    folder.mkdir()
    named, maker, log = with_outputs(pairs, str(folder)), PairMaker(), RunLog(folder / "run.jsonl")
    list(run_batch(named[:1], maker, log))
    began = time.perf_counter()
    list(run_batch(named[1:], maker, log))
    return (time.perf_counter() - began) / (len(named) - 1)


def with_ray(pairs: list[Pair], folder: Path, workers: int, cores: int) -> float:
    """Seconds of a pair on a cluster of this machine, without the start of Ray and of the workers."""
    import ray

    from facetransfer.jobs import cluster

    folder.mkdir()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        cluster.CORES = cores
        named, began = with_outputs(pairs, str(folder)), math.nan
        outcomes = run_on_ray(named, {"device": "cpu"}, RunLog(folder / "run.jsonl"))
        for number, _ in enumerate(outcomes, 1):
            if number == workers:
                began = time.perf_counter()
        return (time.perf_counter() - began) / (len(named) - workers)
    finally:
        ray.shutdown()


def on_ray(pairs: list[Pair], folder: Path) -> dict[str, float]:
    """The least seconds of a pair in IN_TURNS rounds of each way, one after another."""
    found: dict[str, list[float]] = {}
    for turn in range(IN_TURNS):
        found.setdefault("without", []).append(without_ray(pairs, folder / f"ray0-{turn}"))
        for workers, cores in ((1, 2), (2, 1)):
            seconds = with_ray(pairs, folder / f"ray{workers}-{turn}", workers, cores)
            found.setdefault(f"{workers} workers of {cores}", []).append(seconds)
    return {name: min(seconds) for name, seconds in found.items()}


def lost(pairs: list[Pair], folder: Path) -> dict[str, float]:
    """Seconds that a lost node costs: two nodes of one core each, of which the second is killed after the
    fourth result; what all pairs take then, beyond what the one that is left needs for those to come.
    """
    import ray
    from ray.cluster_utils import Cluster

    from facetransfer.jobs import cluster

    folder.mkdir()
    cluster.CORES = 1
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    try:
        named, times = with_outputs(pairs, str(folder)), []
        log, states = RunLog(folder / "run.jsonl"), []
        for outcome in run_on_ray(named, {"device": "cpu"}, log, nodes.address):
            times.append(time.perf_counter())
            states.append(outcome.state)
            if len(times) == 4:
                nodes.remove_node(second, allow_graceful=False)
    finally:
        ray.shutdown()
        nodes.shutdown()
    each = float(np.median(np.diff(times[-4:])))  # on the node that is left
    return {
        "pairs": len(times),
        "failed": states.count(FAILED),
        "seconds_of_a_pair": each,
        "seconds_lost": times[-1] - times[3] - each * (len(times) - 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contents", required=True, help="folder of at least six portraits")
    parser.add_argument("--styles", required=True, help="folder of at least four styles")
    parser.add_argument("--many", type=int, default=200, help="pairs for the memory")
    parser.add_argument(
        "--parts", help="some of the parts, with commas; the others stay as the file has them"
    )
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(2)
    contents, styles = (
        [path.resolve() for path in pictures_in([given])[0]] for given in (args.contents, args.styles)
    )
    contents, styles = contents[:6], styles[:4]
    pairs = product(contents, styles, Pair(Path(), Path()))
    folder = Path(tempfile.mkdtemp(prefix="batch-"))
    report: dict[str, Any] = {}
    if args.parts:
        report = json.loads(args.json.read_text())
    try:
        for name, measured in (
            ("single", lambda: against_single(contents, styles, folder)),
            ("presets", lambda: presets(pairs, folder)),
            ("killed", lambda: killed(pairs, folder / "kill")),
            ("memory", lambda: memory(pairs, args.many, folder / "many")),
            ("ray", lambda: on_ray(pairs[:12], folder)),
            ("lost", lambda: lost(pairs, folder / "lost")),
        ):
            if args.parts and name not in args.parts.split(","):
                continue
            report[name] = measured()
            print(name, json.dumps(report[name]), flush=True)
    finally:
        shutil.rmtree(folder)
    write(args.json, {**report, **conditions(threads=2)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
