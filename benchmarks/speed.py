"""Seconds per evaluation and per job, ours against the method as published, in one run.

    python -m benchmarks.speed --json benchmarks/results/speed.json
"""
from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any, Callable

import torch
from torch import Tensor

from benchmarks.machine import conditions, write
from benchmarks.published import PublishedLoss
from facetransfer.engine import transfer_steps
from facetransfer.features import load_network
from facetransfer.guides import Guide
from facetransfer.images import fit, open_picture, to_tensor
from facetransfer.settings import TransferSettings
from segmentation.guidance import guides_of
from segmentation.semantic_map import map_path, read_map

EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"


def pair(side: int) -> tuple[Tensor, Tensor, tuple[Guide, Guide]]:
    """Two example characters at `side` pixels with their exact maps."""
    paths = EXAMPLES / "oil.png", EXAMPLES / "goblin.png"
    pictures = [fit(open_picture(p), side) for p in paths]
    maps = [read_map(map_path(p)).resized(picture.size) for p, picture in zip(paths, pictures)]
    return to_tensor(pictures[0]), to_tensor(pictures[1]), guides_of(*maps)


def timed(work: Callable[[], Any], repeats: int) -> float:
    """Median seconds of `work`, after one round that does not count."""
    work()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def published_evaluation(side: int, network: str) -> float:
    """Seconds of one evaluation as published: forward, full search, loss, gradient."""
    content, style, guides = pair(side)
    loss, picture = PublishedLoss(load_network(network), content, style, guides), content.clone().requires_grad_()
    return timed(lambda: torch.autograd.grad(loss(picture), picture), 1 if side >= 512 else 3)


def our_evaluation(side: int, network: str) -> float:
    """Mean seconds of one of our evaluations at one size with default settings, the searches among them."""
    content, style, guides = pair(side)
    settings = TransferSettings(phases=1, iterations=30, network=network)
    steps = transfer_steps(content, style, guides, settings)
    next(steps)  # warm: buffers, the network
    steps.close()
    began = time.perf_counter()
    for _ in transfer_steps(content, style, guides, settings):
        pass
    return (time.perf_counter() - began) / settings.iterations


def default_job(side: int) -> dict[str, float]:
    """The default settings from start to end, and when the first picture was there."""
    content, style, guides = pair(side)
    began, first = time.perf_counter(), 0.0
    for step in transfer_steps(content, style, guides, TransferSettings(size=side)):
        first = first or time.perf_counter() - began
    return {"seconds": time.perf_counter() - began, "first_picture_seconds": first, "leak": step.leak}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", type=Path, required=True)
    options.add_argument("--sides", type=int, nargs="+", default=[256, 512])
    options.add_argument("--network", default="compact")
    options.add_argument("--threads", type=int, default=2)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    results: dict[str, Any] = {"command": f"python -m benchmarks.speed --sides {' '.join(map(str, args.sides))} --network {args.network}",
                               **conditions(args.threads), "network": args.network, "evaluation": {}, "job": {}}
    for side in args.sides:
        ours, theirs = our_evaluation(side, args.network), published_evaluation(side, args.network)
        results["evaluation"][side] = {"our_seconds": ours, "published_seconds": theirs, "speedup": theirs / ours}
        print(f"{side:5d} px  ours {ours:.3f} s  as published {theirs:.3f} s  {theirs / ours:.1f} times faster", flush=True)
    for side in args.sides:
        results["job"][side] = default_job(side)
        print(f"{side:5d} px  default job {results['job'][side]['seconds']:.1f} s", flush=True)
    write(args.json, results)


if __name__ == "__main__":
    main()
