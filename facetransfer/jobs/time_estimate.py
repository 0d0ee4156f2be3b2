"""Estimates how long a run takes on this machine, from measurements of about a tenth of a second."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from facetransfer.base.devices import arithmetic
from facetransfer.base.settings import GATYS, GUIDED, TransferSettings
from facetransfer.core.features import load_network
from facetransfer.core.guided import guided_rounds
from facetransfer.core.phases import phases_that_fit, style_layers_of
from facetransfer.core.search import search_times

SIDE = 128  # side, in pixels, of the picture used for measuring
FIRST, MOST = 3, 8  # measurements at the first time that is asked, and at all times together
BESIDE = 1.2  # what a whole evaluation costs, in runs of the network forward and backward alone
LATER_LEVELS = 0.6  # A small picture needs more rounds per pixel than a large one.
SEARCH = 1.5  # cost of a search, in evaluations

_measured: dict[tuple[object, ...], list[float]] = {}  # seconds so far, by what was asked


def _least(key: tuple[object, ...], work: Callable[[], object]) -> float:
    """The least seconds that the work took: of a few runs, and of one more each of the next times that it is
    asked for, since the first may have met a machine that was busy starting.
    """
    found = _measured.setdefault(key, [])
    for _ in range(min(MOST - len(found), 1 if found else FIRST)):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def seconds_per_pixel(network: str, layers: tuple[str, ...], device: str, precision: str = "auto") -> float:
    """Seconds per pixel of the picture for one evaluation of the network, see `_least`."""
    net, picture = (
        load_network(network, device),
        torch.rand(1, 3, SIDE, SIDE, device=device, requires_grad=True),
    )
    kind = arithmetic(precision, picture.device.type)

    def evaluation() -> None:
        sum(f.float().square().mean() for f in net(picture, layers, kind).values()).backward()
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    return _least((network, layers, device, precision), evaluation) * BESIDE / SIDE**2


def guided_seconds_per_pixel() -> float:
    """Seconds per pixel of the result for a whole run of the method guided, measured as above."""
    pictures = torch.rand(2, 1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    def whole_run() -> None:
        for _ in guided_rounds(pictures[0], pictures[1], (None, None), (SIDE, SIDE), likeness=0.5, tones=1.0):
            pass

    return _least((GUIDED,), whole_run) / SIDE**2 * LATER_LEVELS


def expected_seconds(settings: TransferSettings, size: tuple[int, int], device: str = "cpu") -> float:
    """How many seconds a run at (width, height) will take here, correct within a factor of about 1.5."""
    if settings.method == GUIDED:
        return size[0] * size[1] * guided_seconds_per_pixel()
    per_pixel = seconds_per_pixel(
        settings.network, tuple(style_layers_of(settings)), device, settings.precision
    )
    phases, total = phases_that_fit(settings.phases, size, size), 0.0
    searches = len(search_times(settings)) if settings.method != GATYS else 0
    for i in range(phases):
        scale = 2.0 ** (i + 1 - phases)
        total += size[0] * size[1] * scale**2 * (settings.iterations + searches * SEARCH)
    return total * per_pixel


def in_words(seconds: float) -> str:
    """The estimated time in words, for messages."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s" if seconds < 10 else f"about {5 * round(seconds / 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {round(seconds / 3600)} h"
