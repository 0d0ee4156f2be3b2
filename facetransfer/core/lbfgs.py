"""L-BFGS for pictures (Liu and Nocedal 1989; bounds by projection): one evaluation a step, no line search.

torch's own optimiser lacks three things that matter here. The objective changes between steps, when new
matches are found, without forgetting the curvature, which stays nearly the same. Pixels at the end of their
range do not bend the curvature. A step that made things worse is halved instead of followed into the noise.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

MEMORY = 3  # steps that are remembered: with more, jobs end no lower
FIRST_CHANGE = 0.005  # mean change of a pixel in a step without memory
LARGEST_CHANGE = 0.08  # root mean square change of a pixel in any step
WORSE = 1.02  # a loss above this many times the one before is a step too far
TINY_CHANGE = 1e-4  # largest change of a pixel below which it is not worth going back any further
BLOCK = 4096  # numbers that are summed by one thread
MIN_CURVATURE = 1e-8  # of the lengths of a step and of the change of its gradient: below it nothing is learnt

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]


class LBFGS:
    """Keeps `picture` (1,3,H,W), the last point that was good, within [0,1].

    `evaluate` gives values (n,), the first of them the loss, and the gradient at a point. `newest` is the
    point that the next step looks at, `values` are those of the last evaluation. A device is waited for twice
    in a step, each time for one number.
    """

    def __init__(self, picture: Tensor, evaluate: Evaluate) -> None:
        self.picture, self.evaluate = picture, evaluate
        self.newest, self.values = picture, picture.new_zeros(0)
        self._gradient: Tensor | None = (
            None  # at `picture`; None where the next step has nothing to compare with
        )
        self._loss = math.inf  # at `picture`; infinite where it is not comparable with the next one
        self._steps: deque[tuple[Tensor, Tensor, Tensor]] = deque(
            maxlen=MEMORY
        )  # move, change of gradient, product

    def objective_changed(self) -> None:
        """The next loss is not comparable with the last; the gradients still are, near enough to
        learn from.
        """
        self._loss = math.inf

    def step(self) -> None:
        """Looks at the next point; keeps it and chooses another further on, or goes half the way back."""
        point = self.newest
        self.values, gradient = self.evaluate(point)
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        loss = self.values[0].item()
        if self._gradient is not None and not loss <= WORSE * self._loss:
            self.newest = (point + self.picture) / 2
            if (
                self.newest - self.picture
            ).abs().max() < TINY_CHANGE:  # Nothing is better this way: begin anew.
                self._steps.clear()
                self._gradient, self.newest = None, self.picture
            return
        if self._gradient is not None:
            self._learn(point - self.picture, gradient - self._gradient)
        self.picture, self._gradient, self._loss = point, gradient, loss
        leads_out = ((point <= 0) & (gradient > 0)) | ((point >= 1) & (gradient < 0))
        move = self._direction((-gradient).masked_fill(leads_out, 0.0)).masked_fill(leads_out, 0.0)
        self.newest = (point + move).clamp(0, 1)

    def _learn(self, move: Tensor, change: Tensor) -> None:
        """Remembers a step, where the gradient grew along it."""
        product, lengths = dot(move, change), dot(move, move) * dot(change, change)
        if product > MIN_CURVATURE * lengths.sqrt():
            self._steps.append((move, change, product))

    def _direction(self, descent: Tensor) -> Tensor:
        """The step to take (1,3,H,W): the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4), held
        in bounds.
        """
        if not self._steps:
            mean = descent.abs().mean().clamp_min(1e-12)
            return descent * (FIRST_CHANGE / mean).clamp(max=1e6)
        shares = []
        for move, change, product in reversed(self._steps):
            shares.append(dot(move, descent) / product)
            descent = torch.addcmul(descent, change, shares[-1], value=-1)
        move, change, product = self._steps[-1]
        descent = descent * (product / dot(change, change))
        for (move, change, product), share in zip(self._steps, reversed(shares), strict=True):
            descent = torch.addcmul(descent, move, share - dot(change, descent) / product)
        size = (dot(descent, descent) / descent.numel()).sqrt().clamp_min(1e-12)
        return descent * (LARGEST_CHANGE / size).clamp(max=1.0)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The sum of a * b, () float32, both (1,3,H,W) and of one layout in memory.

    On the CPU it is summed in blocks of one length, however many threads there are: torch cuts a sum into as
    many pieces as there are threads, and an optimiser makes a difference in the last digit large.
    """
    a, b = (
        x.movedim(1, -1).reshape(-1) for x in (a, b)
    )  # Channels last is how they lie: this copies nothing.
    if a.device.type != "cpu":
        return torch.dot(a, b)
    whole = a.numel() // BLOCK * BLOCK
    blocks = torch.linalg.vecdot(a[:whole].view(-1, BLOCK), b[:whole].view(-1, BLOCK))
    return (blocks.sum(dtype=torch.float64) + torch.linalg.vecdot(a[whole:], b[whole:])).float()
