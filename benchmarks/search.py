"""What the approximations of the search cost and save: scores against looking at every pair, and whole jobs.

    python -m benchmarks.search --json benchmarks/results/search.json

By layer: seconds of the exact search, and for several rounds of improved guesses seconds, share of windows
with the very same match, and the mean score lost (a window's own class weighs 10, its features and place 1
and 0.5). Whole jobs: the default settings with every pair looked at, with guesses improved, and searched at
other steps; style distance, leak and losses at the end.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from benchmarks.machine import conditions, write
from benchmarks.speed import pair
from facetransfer.base.settings import TransferSettings
from facetransfer.core import matching
from facetransfer.core.engine import transfer_steps
from facetransfer.core.features import load_network
from facetransfer.core.matching import Rounds
from facetransfer.core.phases import prepare_phase
from facetransfer.core.style_augmentation import style_copies
from facetransfer.jobs.metrics import style_distance

ROUNDS = (
    matching.LATER_ROUNDS,
    Rounds((1,)),
    Rounds((1, 8)),
    matching.FIRST_ROUNDS,
    Rounds((*matching.FIRST_ROUNDS.jumps, 1, 1)),
)
EVERY_PAIR = 10**12


@torch.no_grad()
def by_layer(side: int) -> dict[str, Any]:
    """The search for one picture as the last phase begins, layer by layer, each guessed from the
    coarser one.
    """
    content, style, guides = pair(side)
    settings, network, before, rows = TransferSettings(), load_network("compact"), None, {}
    phase = prepare_phase(
        network,
        tuple(content.shape[-2:]),
        content,
        style_copies(style, guides[1], settings.turns),
        guides[0],
        settings,
        1.0,
    )
    found = network(content, list(phase.style_layers))
    for name, layer in phase.style_layers.items():
        weights = settings.semantic_weight, settings.position_weight
        query, keys = (
            matching.match_vectors(f, g, *weights, style=s)
            for f, g, s in (
                (found[name][0], layer.result_guide, False),
                (layer.features, layer.style_guide, True),
            )
        )
        began = time.perf_counter()
        exact = matching.exact_matches(query, keys)
        rows[name] = {
            "pairs": matching.pairs(query, keys),
            "exact_seconds": time.perf_counter() - began,
            "improved": {},
        }
        seeds = [
            matching.enlarged_matches(before, query.shape[1:], keys.shape[1:])
            if before
            else matching.first_guess(query, keys)
        ]
        for rounds in ROUNDS:
            generator = torch.Generator().manual_seed(0)
            matching.improve_matches(query, keys, seeds, generator, None, Rounds(()))  # compiled
            began = time.perf_counter()
            guess = matching.improve_matches(query, keys, seeds, generator, None, rounds)
            rows[name]["improved"][str(tuple(rounds))] = {
                "seconds": time.perf_counter() - began,
                "score_lost": float((exact.score - guess.score).mean()),
                "same": float(((exact.rows == guess.rows) & (exact.columns == guess.columns)).float().mean()),
            }
            if rounds == matching.FIRST_ROUNDS:
                before = guess
    return rows


def job(
    side: int, exact: bool = False, again: Rounds = matching.LATER_ROUNDS, **changed: Any
) -> dict[str, float]:
    """A whole run of the default settings, `changed`."""
    content, style, guides = pair(side)
    classes = [g.labels.long() for g in guides]
    began = time.perf_counter()
    pairs = {name: EVERY_PAIR for name in ("FEW_PAIRS", "EXACT_PAIRS") if exact}
    with mock.patch.multiple(matching, LATER_ROUNDS=again, **pairs):
        for step in transfer_steps(content, style, guides, replace(TransferSettings(), **changed)):
            pass
    return {
        "seconds": time.perf_counter() - began,
        "style_distance": style_distance(step.picture, style, *classes),
        "leak": step.leak,
        "loss": float(np.sum(list(step.losses.values()))),
    }


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--json", type=Path, required=True)
    options.add_argument(
        "--side", type=int, default=256, help="pixels: at 512 the exact search takes minutes"
    )
    options.add_argument("--threads", type=int, default=2)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    job(64)  # compiles
    jobs = {"every pair": job(args.side, exact=True), "guesses improved": job(args.side)}
    jobs |= {
        f"again by {tuple(rounds)}": job(args.side, again=rounds)
        for rounds in (Rounds((1,), 4), Rounds((1,), 2), Rounds((1, 1), 2))
    }
    jobs |= {f"matched every {n}": job(args.side, match_every=n) for n in (1, 2, 8, 16)}
    jobs |= {"bfloat16": job(args.side, precision="bfloat16"), "float32": job(args.side, precision="float32")}
    results = {
        "command": f"python -m benchmarks.search --side {args.side}",
        **conditions(args.threads),
        "side": args.side,
        "layers": by_layer(args.side),
        "jobs": jobs,
    }
    write(args.json, results)
    for name, row in results["layers"].items():
        print(
            name,
            f"exact {row['exact_seconds']:.2f} s",
            {k: {n: round(v, 4) for n, v in r.items()} for k, r in row["improved"].items()},
        )
    for name, row in jobs.items():
        print(f"{name:20s}", {n: round(v, 4) for n, v in row.items()})


if __name__ == "__main__":
    main()
