"""A training that lasts a given time: AdamW, a rate that falls as a cosine by time, averaged weights,
checkpoints to go on from.
"""

from __future__ import annotations

import math
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

REPORTED = 300  # seconds between two checkpoints
WARM_UP = 100  # steps in which the rate rises
LEAST_RATE = 0.02  # of the rate, at the end
KEPT = 0.998  # of the averaged weights, in each step


def add_options(options: ArgumentParser, minutes: float, batch: int, out: str) -> None:
    """Those that every training has."""
    options.add_argument("--minutes", type=float, default=minutes)
    options.add_argument("--batch", type=int, default=batch)
    options.add_argument("--rate", type=float, default=2e-3)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument(
        "--bf16",
        action="store_true",
        help="bfloat16 where torch can: twice as fast on a processor that multiplies it",
    )
    options.add_argument("--out", type=Path, default=Path(out))


class TimedTraining:
    """Of `model`, by options as of `add_options`. `average` is its averaged twin; a checkpoint in the folder
    `out` is gone on from.
    """

    def __init__(self, model: nn.Module, args: Namespace, weight_decay: float, clip: float) -> None:
        self.model, self.average, self.clip = model, deepcopy(model).eval(), clip
        self.rate, self.bf16, self.budget = args.rate, args.bf16, args.minutes * 60
        self.checkpoint, self.step, spent = args.out / "checkpoint.pt", 0, 0.0
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=weight_decay)
        self.losses: list[float] = []
        args.out.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            saved = torch.load(self.checkpoint, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.average.load_state_dict(saved["average"])
            self.optimiser.load_state_dict(saved["optimiser"])
            spent, self.step = saved["spent"], saved["step"]
        self.began, self._reported = time.time() - spent, time.time()
        self.over = spent >= self.budget  # said once a step, so that the last step is always saved

    @property
    def spent(self) -> float:
        """Seconds, of all runs together."""
        return time.time() - self.began

    def moment(self, share: float) -> float:
        """When (as of time.time) that share of the time is over."""
        return self.began + share * self.budget

    def steps(self) -> Iterator[torch.autocast]:
        """Until the time is over: before each step, the arithmetic in which the model is to be called."""
        while not self.over:
            falling = (1 + math.cos(math.pi * self.spent / self.budget)) / 2
            for group in self.optimiser.param_groups:
                group["lr"] = (
                    self.rate * min(1, (self.step + 1) / WARM_UP) * (LEAST_RATE + (1 - LEAST_RATE) * falling)
                )
            yield torch.autocast("cpu", torch.bfloat16, enabled=self.bf16)

    def learn(self, loss: Tensor) -> None:
        """One step down."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimiser.step()
        self.step += 1
        kept = min(KEPT, 1 - 1 / (1 + self.step / 10))
        with torch.no_grad():
            for mean, now in zip(self.average.state_dict().values(), self.model.state_dict().values()):
                mean.lerp_(now, 1 - kept) if mean.is_floating_point() else mean.copy_(now)
        self.losses.append(loss.item())
        self.over = self.spent >= self.budget

    def saved(self, **more: Any) -> bool:
        """Every few minutes and at the end: writes a checkpoint, with `more` in it, and says that it is time
        for a report.
        """
        if time.time() - self._reported < REPORTED and not self.over:
            return False
        self._reported = time.time()
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "spent": self.spent,
                "step": self.step,
                **more,
            },
            self.checkpoint,
        )
        return True

    def __str__(self) -> str:
        return f"{self.spent / 60:5.1f} min  step {self.step}  loss {np.mean(self.losses[-200:]):.3f}"


def set_up(args: Namespace) -> None:
    """Threads and the seed of a training process."""
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(0)
    torch.manual_seed(0)
