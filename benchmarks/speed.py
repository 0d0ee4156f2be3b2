"""How fast it is: ours against the method as published and against Gatys, per evaluation and per job, in one
run.

    python -m benchmarks.speed --json benchmarks/results/speed.json
    python -m benchmarks.speed --device gpu0 --json benchmarks/results/gpu.json      (the same as `make
    bench-gpu`)

Every figure comes from a process of its own, which also says how much memory it took at most. Pictures: two
characters that ship, with their exact maps. "As published" is `benchmarks/published.py`: every pair of
windows at every evaluation; its jobs are not run to their end but counted, from its seconds per evaluation at
each phase's size. `vgg19` stands for networks of VGG-19's shape with random weights: the time does not depend
on them, and nothing is downloaded.

exponent: of the growth of seconds per evaluation with the number of pixels (1: in proportion).
share_of_limit: what the network's multiplications would take at the rate at which this machine multiplies
matrices, of the seconds that it took alone. times_the_limit: the seconds of a whole evaluation, searches and
descent included, of that.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from facetransfer.core.descent import recording
from torch import Tensor, nn

from benchmarks.machine import conditions, write
from benchmarks.published import PublishedLoss
from facetransfer.base.allocator import freed_memory_kept
from facetransfer.base.devices import arithmetic, choose_device
from facetransfer.base.images import fit, open_picture, to_tensor
from facetransfer.base.settings import TransferSettings
from facetransfer.core import engine, matching
from facetransfer.core.features import LAYERS, VGGLayout, load_network, stride_of
from facetransfer.core.features.vgg19 import MEAN, STD, WIDTHS
from facetransfer.core.guides import Guide
from facetransfer.core.losses import ContentLoss
from segmentation.guidance import guides_of
from segmentation.semantic_map import map_path, read_map

EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"
PUBLISHED_JOB = dict(phases=3, iterations=100)  # neural-doodle's own defaults
ARTICLE_JOB = dict(phases=4, iterations=1000, content_weight=10.0, style_weight=10.0)
SIDES, PUBLISHED_SIDES, GROWTH_SIDES = (256, 512, 1024, 2048), (128, 256, 512, 1024), (256, 2048)
EVALUATIONS = (
    8  # timed, the second half of a default phase: with as many searches among them as there, at every side
)


def shape_of_vgg19(name: str, device: str) -> VGGLayout:
    """The network called `name`; for vgg19 its shape with random weights."""
    if name != "vgg19":
        return load_network(name, device)
    torch.manual_seed(0)
    network = VGGLayout(WIDTHS, MEAN, STD)
    for conv in network.convs.values():
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)


def pair(side: int) -> tuple[Tensor, Tensor, tuple[Guide, Guide]]:
    """Two example characters at `side` pixels with their exact maps."""
    paths = EXAMPLES / "oil.png", EXAMPLES / "goblin.png"
    pictures, maps = [], []
    for path in paths:
        picture = open_picture(path)
        scale = side / max(picture.size)
        size = tuple(round(n * scale) for n in picture.size)
        pictures.append(fit(picture, side) if scale <= 1 else picture.resize(size))
        maps.append(read_map(map_path(path)).resized(pictures[-1].size))
    return to_tensor(pictures[0]), to_tensor(pictures[1]), guides_of(*maps)


def clock(device: str) -> float:
    """Seconds, all work on the device done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_bytes(device: str) -> int:
    """The most memory that this process (on a GPU: its tensors) took so far."""
    return (
        torch.cuda.max_memory_allocated()
        if device.startswith("cuda")
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )


def published_evaluation(side: int, network: str, device: str) -> dict[str, float]:
    """One evaluation as published: forward, full search, loss, gradient. The median of three, at large sides
    a single one.
    """
    content, style, guides = pair(side)
    guides = tuple(g.to(device) for g in guides)
    loss, picture = (
        PublishedLoss(shape_of_vgg19(network, device), content.to(device), style.to(device), guides),
        content.to(device).requires_grad_(),
    )
    taken = []
    for _ in range(4 if side <= 256 else 1 if side >= 1024 and not device.startswith("cuda") else 2):
        began = clock(device)
        torch.autograd.grad(loss(picture), picture)
        taken.append(clock(device) - began)
    return {"seconds": float(np.median(taken[1:] or taken)), "peak_bytes": peak_bytes(device)}


def our_evaluation(side: int, network: str, device: str, method: str = "semantic") -> dict[str, float]:
    """One of our evaluations at one size with default settings, its share of the searches included: the mean
    of EVALUATIONS, the median of several rounds.
    """
    content, style, guides = pair(side)
    settings = TransferSettings(phases=1, iterations=2 * EVALUATIONS, network=network, method=method)
    with mock.patch.object(engine, "load_network", lambda name, device: shape_of_vgg19(name, device)):
        rounds = []
        for _ in range(1 if side >= 2048 else 2 if side >= 1024 else 4):
            for step in engine.transfer_steps(content, style, guides, settings, device=device):
                if step.iteration == EVALUATIONS:
                    began = clock(device)
            rounds.append(clock(device) - began)
    return {"seconds": float(np.median(rounds)) / EVALUATIONS, "peak_bytes": peak_bytes(device)}


def our_job(side: int, network: str, device: str, settings: dict[str, Any]) -> dict[str, float]:
    """A whole job, the network loaded and everything compiled before: its seconds, and when the first picture
    was there. Up to 512 pixels the median of three.
    """
    content, style, guides = pair(side)
    with mock.patch.object(
        engine, "load_network", lambda name, device, loaded=shape_of_vgg19(network, device): loaded
    ):
        for _ in engine.transfer_steps(
            *(x[..., :64, :64] for x in (content, style)), None, TransferSettings(iterations=1), device=device
        ):
            pass
        rounds = []
        for _ in range(3 if side <= 512 else 1):
            began, first = clock(device), 0.0
            for step in engine.transfer_steps(
                content,
                style,
                guides,
                TransferSettings(size=side, network=network, **settings),
                device=device,
            ):
                first = first or clock(device) - began
            rounds.append((clock(device) - began, first))
        seconds, first = sorted(rounds)[len(rounds) // 2]
    return {
        "seconds": seconds,
        "first_picture_seconds": first,
        "leak": step.leak,
        "peak_bytes": peak_bytes(device),
    }


def network_seconds(side: int, network: str, device: str) -> dict[str, float]:
    """The network alone, forward, to a loss of each layer, and backward; and what its multiplications would
    take at the machine's own rate.
    """
    kind, net = arithmetic("auto", device.split(":")[0]), shape_of_vgg19(network, device)
    picture, channels, products = torch.rand(1, 3, side, side, device=device), 3, 0
    for name in LAYERS:
        width = net.convs[name].out_channels
        products += (-(-side // stride_of(name))) ** 2 * channels * width * 9
        channels = width
    n = 2048 if device == "cpu" else 8192
    a, b = (torch.rand(n, n, device=device).to(kind) for _ in range(2))

    def best_of(work: Callable[[], Any]) -> float:
        taken: list[float] = []
        while (
            len(taken) < 5 or len(taken) < EVALUATIONS * 2 and sum(taken) < 4
        ):  # as many as a phase has, or what there is time for
            began = clock(device)
            work()
            taken.append(clock(device) - began)
        return min(taken)

    layers = ("2_1", "3_1", "4_1", "4_2")
    losses = {
        name: ContentLoss(f[0]) for name, f in net(torch.rand_like(picture), layers).items()
    }  # as a phase makes them

    def both_ways() -> None:
        pixels = picture.detach().requires_grad_()
        found = net(pixels, layers, kind)
        torch.autograd.grad(sum(losses[name](f.squeeze(0)) for name, f in found.items()), pixels)

    with freed_memory_kept:  # as in a run
        rate = 2 * n**3 / best_of(lambda: a @ b)
        seconds, limit = (
            best_of(both_ways),
            2 * 2 * products / rate,
        )  # backward: as many for the gradient of each layer's input
    return {
        "seconds": seconds,
        "limit_seconds": limit,
        "share_of_limit": limit / seconds,
        "gflop_per_second": rate / 1e9,
        "arithmetic": str(kind).split(".")[1],
    }


def our_job_piece_by_piece(
    side: int, network: str, device: str, settings: dict[str, Any]
) -> dict[str, float]:
    """The same without recorded steps, see `facetransfer.core.descent.recording`."""
    with mock.patch.object(recording, "RECORDERS", {}):
        return our_job(side, network, device, settings)


def exact_searches(side: int, channels: int, device: str) -> dict[str, float]:
    """Every pair of windows of two grids of side x side cells looked at: by products of cells, and in one
    kernel; how far their scores are apart.
    """
    from facetransfer.core.fused_search import best_windows

    grids = [
        matching.match_vectors(torch.randn(channels, side, side, device=device), None, 0.0, 0.0, style=style)
        for style in (False, True)
    ]
    ways, taken, scores = (
        {"products": lambda: matching.exact_matches(*grids).score, "fused": lambda: best_windows(*grids)[0]},
        {},
        [],
    )
    for name, way in ways.items():
        way()  # compiled, and memory at hand
        began = clock(device)
        scores.append(way())
        taken[f"{name}_seconds"] = clock(device) - began
    return {**taken, "scores_apart": float((scores[0] - scores[1]).abs().max())}


def as_on_the_cpu(side: int, device: str) -> dict[str, float]:
    """The default job there and on the CPU in float32: the mean difference of the pictures, of white, and of
    the losses, as a share.
    """
    content, style, guides = pair(side)
    steps = []
    for where in (device, "cpu"):
        for step in engine.transfer_steps(
            content, style, guides, TransferSettings(size=side, precision="float32"), device=where
        ):
            pass
        steps.append((step.picture.cpu(), sum(step.losses.values())))
    (there, loss), (here, wanted) = steps
    return {"pictures_apart": float((there - here).abs().mean()), "losses_apart": abs(loss / wanted - 1)}


def alone(work: Callable[..., dict[str, float]], threads: int, *arguments: Any) -> dict[str, float]:
    """`work` in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(
        1, initializer=torch.set_num_threads, initargs=(threads,)
    ) as pool:
        result = pool.apply(work, arguments)
    print(
        work.__name__,
        *arguments,
        {k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()},
        flush=True,
    )
    return result


def counted(per_evaluation: dict[int, dict[str, float]], side: int, phases: int, iterations: int) -> float:
    """Seconds of a published job from its seconds per evaluation at each phase's side."""
    return iterations * sum(per_evaluation[side >> i]["seconds"] for i in range(phases))


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--json", type=Path, required=True)
    options.add_argument("--device", default="cpu")
    options.add_argument(
        "--sides", type=int, nargs="+", default=SIDES, help="of our own evaluations and default jobs"
    )
    options.add_argument("--published-sides", type=int, nargs="*", default=PUBLISHED_SIDES)
    options.add_argument("--threads", type=int, default=2)
    args = options.parse_args()
    device = choose_device(args.device)

    def measure(work: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
        return alone(work, args.threads, *arguments)

    results: dict[str, Any] = {
        "command": f"python -m benchmarks.speed {' '.join(sys.argv[1:])}",
        **conditions(args.threads),
        "device": args.device,
    }
    if device.startswith("cuda"):
        results["device_name"] = torch.cuda.get_device_name(device)
    results["network"] = {
        name: {side: measure(network_seconds, side, name, device) for side in args.sides if side <= 1024}
        for name in ("compact", "vgg19")
    }
    ours = {side: measure(our_evaluation, side, "compact", device) for side in args.sides}
    results["evaluation"] = {
        "ours": ours,
        "gatys": {
            side: measure(our_evaluation, side, "compact", device, "gatys")
            for side in args.sides
            if side <= 1024
        },
    }
    results["evaluation"]["ours_vgg19"] = {
        side: measure(our_evaluation, side, "vgg19", device) for side in args.sides if side <= 1024
    }
    results["times_the_limit"] = {
        name: {
            side: results["evaluation"][whole][side]["seconds"] / found["limit_seconds"]
            for side, found in results["network"][name].items()
        }
        for name, whole in (("compact", "ours"), ("vgg19", "ours_vgg19"))
    }
    for name in ("compact", "vgg19"):
        results["evaluation"][f"published_{name}"] = {
            side: measure(published_evaluation, side, name, device) for side in args.published_sides
        }
    results["speedup_per_evaluation"] = {
        name: {
            side: found["seconds"] / ours[side]["seconds"]
            for side, found in results["evaluation"][f"published_{name}"].items()
            if side in ours
        }
        for name in ("compact", "vgg19")
    }
    results["job"] = {"default": {side: measure(our_job, side, "compact", device, {}) for side in args.sides}}
    if 512 in args.sides and {128, 256, 512} <= set(args.published_sides):
        results["job"]["published_default_settings_512"] = measure(
            our_job, 512, "compact", device, PUBLISHED_JOB
        )
        for name in ("compact", "vgg19"):
            theirs = counted(results["evaluation"][f"published_{name}"], 512, **PUBLISHED_JOB)
            results["job"][f"published_{name}_512_counted"] = {"seconds": theirs}
            results[f"speedup_of_the_published_job_over_{name}"] = (
                theirs / results["job"]["published_default_settings_512"]["seconds"]
            )
            results[f"speedup_of_the_default_job_over_{name}"] = (
                theirs / results["job"]["default"][512]["seconds"]
            )
    if device.startswith("cuda"):
        for name, work in (("", our_job), ("_piece_by_piece", our_job_piece_by_piece)):
            results["job"][f"article_vgg19_512{name}"] = measure(work, 512, "vgg19", device, ARTICLE_JOB)
            results["job"][f"default_512{name}"] = measure(work, 512, "compact", device, {})
        results["exact_search"] = {
            f"{side} cells, {channels} channels": measure(exact_searches, side, channels, device)
            for side, channels in ((64, 150), (128, 86), (128, 278), (256, 54), (256, 150))
        }
        results["as_on_the_cpu"] = measure(as_on_the_cpu, 256, device)
    pixels = [side for side in args.sides if GROWTH_SIDES[0] <= side <= GROWTH_SIDES[1]]
    if len(pixels) > 1:
        results["exponent"] = float(
            np.polyfit(2 * np.log(pixels), np.log([ours[s]["seconds"] for s in pixels]), 1)[0]
        )
    write(args.json, results)
    print({k: v for k, v in results.items() if k.startswith(("speedup", "exponent", "times"))})


if __name__ == "__main__":
    main()
