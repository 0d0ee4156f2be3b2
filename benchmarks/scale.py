"""What many pictures, or a long film, would need: a simulation with measured times.

    python -m benchmarks.scale --batch benchmarks/results/batch.json --film benchmarks/results/film.json \\
        --json benchmarks/results/scale.json

Nothing here is a measurement of a cluster. The seconds of a pair and of a frame are those of the two reports;
everything else is an assumption that stands below, so that it can be changed: how jobs arrive, how much their
times differ, how often machines are lost and how long new ones take.

day: machines for a million pairs in a day, and how busy they are. hour: machines for a film of an hour, made
in an hour or in a night. spaces: visitors' waiting times before one to eight Spaces that share a queue.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import conditions, write

SPREAD = 0.35  # standard deviation of the logarithm of a job's time: sizes differ, and machines
STRAGGLERS, SLOWNESS = 0.01, 8.0  # this share of the jobs takes so many times as long
DAYS_TO_LOSS = 3.0  # a machine that can be taken away is lost after so many days, in the mean
START = 90.0  # seconds until a new one works: it boots and loads its networks
DAY = 86_400.0
PAIRS = 1_000_000  # in a day
FRAME_RATE, SCENE_SECONDS = 25, 4.0  # of a film; a scene is what one machine makes
VISITORS = (300, 600, 1200, 2400)  # an hour, in a public place
BALANCED_SHARE = 0.7  # of the visitors; the others ask for Fine
HOURS = 20


@dataclass(frozen=True)
class Outcome:
    """How a simulation ended: hours, how busy the machines were, and jobs begun again after a loss."""

    hours: float
    busy: float
    again: int


def times_of(mean: float, count: int, chance: np.random.Generator) -> np.ndarray:
    """Seconds of so many jobs, with that mean but for the stragglers."""
    times = mean * chance.lognormal(-(SPREAD**2) / 2, SPREAD, count)
    times[chance.random(count) < STRAGGLERS] *= SLOWNESS
    return times


def worked_off(times: np.ndarray, machines: int, chance: np.random.Generator) -> Outcome:
    """All jobs by so many machines, which take the next one when they are free; what a lost one had begun is
    begun again by another.
    """
    free = [(0.0, i) for i in range(machines)]
    lost_at = chance.exponential(DAYS_TO_LOSS * DAY, machines)
    waiting, again, worked, end = list(times[::-1]), 0, 0.0, 0.0
    while waiting:
        now, machine = heapq.heappop(free)
        seconds = waiting.pop()
        if now + seconds > lost_at[machine]:
            waiting.append(seconds)
            again += 1
            back = lost_at[machine] + START
            lost_at[machine] = back + chance.exponential(DAYS_TO_LOSS * DAY)
            heapq.heappush(free, (back, machine))
            continue
        worked += seconds
        end = max(end, now + seconds)
        heapq.heappush(free, (now + seconds, machine))
    return Outcome(end / 3600, worked / (end * machines), again)


def machines_within(times: np.ndarray, seconds: float, chance: np.random.Generator) -> tuple[int, Outcome]:
    """The fewest machines that finish within so many seconds, and how they do."""
    machines = max(1, int(times.sum() / seconds))
    while True:
        outcome = worked_off(times, machines, np.random.default_rng(chance.integers(2**31)))
        if outcome.hours * 3600 <= seconds:
            return machines, outcome
        machines += max(1, machines // 50)


def waits(
    seconds: dict[str, float], spaces: int, an_hour: int, chance: np.random.Generator
) -> dict[str, float]:
    """Minutes that visitors wait for their turn, where so many come in an hour by chance."""
    gaps = chance.exponential(3600 / an_hour, an_hour * HOURS)
    fine = chance.random(len(gaps)) > BALANCED_SHARE
    times = np.where(
        fine,
        times_of(seconds["Fine"], len(gaps), chance),
        times_of(seconds["Balanced"], len(gaps), chance),
    )
    free, waited = [0.0] * spaces, []
    for arrival, work in zip(np.cumsum(gaps), times):
        begins = max(arrival, heapq.heappop(free))
        waited.append(begins - arrival)
        heapq.heappush(free, begins + work)
    half, most = np.quantile(waited, (0.5, 0.95)) / 60
    return {"median_minutes": round(float(half), 2), "p95_minutes": round(float(most), 2)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=Path, required=True)
    parser.add_argument("--film", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    chance = np.random.default_rng(0)
    pair = json.loads(args.batch.read_text())["presets"]
    frame = json.loads(args.film.read_text())["seconds_a_frame_512"]
    report: dict[str, Any] = {"seconds_a_pair": pair, "seconds_a_frame": frame}
    day = {}
    for name, mean in pair.items():
        machines, outcome = machines_within(times_of(mean, PAIRS, chance), DAY, chance)
        day[name] = {
            "machines_for_a_million": machines,
            "busy": round(outcome.busy, 3),
            "begun_again_of_a_million": outcome.again,
            "machine_hours_for_a_thousand": round(mean * 1000 / 3600, 2),
        }
    report["day"] = day
    scenes = times_of(frame * FRAME_RATE * SCENE_SECONDS, round(3600 / SCENE_SECONDS), chance)
    report["hour"] = {}
    for words, hours in (("an_hour", 1), ("a_night", 8)):
        machines, outcome = machines_within(scenes, hours * 3600, chance)
        report["hour"][words] = {"machines": machines, "busy": round(outcome.busy, 3)}
    report["spaces"] = {
        f"{an_hour} visitors an hour": {
            str(spaces): waits(pair, spaces, an_hour, chance) for spaces in (1, 2, 4, 8)
        }
        for an_hour in VISITORS
    }
    assumptions = {
        "spread": SPREAD,
        "stragglers": STRAGGLERS,
        "slowness": SLOWNESS,
        "days_to_loss": DAYS_TO_LOSS,
        "seconds_to_start": START,
    }
    write(args.json, {**conditions(threads=2), "assumptions": assumptions, **report})
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
