"""L-BFGS for pictures (Liu and Nocedal 1989; bounds by projection): one evaluation a step, no line search.

What torch's own lacks here: the objective changes between steps (new matches) without forgetting its curvature, which
stays nearly the same; pixels at the rim of their range do not bend the curvature; a step that made things worse is
halved instead of followed into the noise.
"""
from __future__ import annotations

import math
from collections import deque
from typing import Callable

import numpy as np
import torch
from torch import Tensor

from facetransfer.inner_product import add_and_product, by_pieces, inner_product, loops_compiled, row

MEMORY = 8  # steps remembered
FIRST = 0.005  # mean change of a pixel in a step without memory
LARGEST = 0.08  # root mean square change of a pixel in any step
WORSE = 1.02  # a loss above this many times the one before is a step too far


class Descent:
    """Keeps `picture` (1,3,H,W), the last point that was good, within [0,1]. `evaluate` gives loss and gradient at a point."""

    def __init__(self, picture: Tensor, evaluate: Callable[[Tensor], tuple[float, Tensor]]) -> None:
        self.picture, self.evaluate = picture.contiguous(memory_format=torch.channels_last), evaluate
        self._next = self.picture
        self._before: tuple[Tensor, Tensor, float] | None = None  # point, gradient and loss (inf: not comparable) that the next step is compared with
        self._pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=MEMORY)  # steps, gradient changes, 1 / their product
        self._first_guess: Tensor | None = None  # of the inverse curvature, by the last of them

    def objective_changed(self) -> None:
        """The next loss is not comparable with the last; the gradients still are, near enough to learn the curvature from."""
        if self._before is not None:
            self._before = (*self._before[:2], math.inf)

    @property
    def newest(self) -> Tensor:
        """The point that the next step looks at."""
        return self._next

    def step(self) -> None:
        """Looks at the next point; keeps it and chooses another further on, or goes half the way back."""
        point = self._next
        loss, gradient = self.evaluate(point)
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        if self._before is not None:
            before, gradient_before, loss_before = self._before
            if not loss <= WORSE * loss_before:
                self._next = (point + before) / 2
                if (self._next - before).abs().max() < 1e-4:  # nothing better this way: begin anew
                    self._pairs.clear()
                    self._before = None
                    self._next = before
                return
            self._remember(point, before, gradient, gradient_before)
        self.picture, self._before = point, (point, gradient, loss)
        direction, factor = self._direction(point, gradient)
        self._next = followed(point, gradient, direction, factor)

    def _remember(self, point: Tensor, before: Tensor, gradient: Tensor, gradient_before: Tensor) -> None:
        moved, change, (product, bend, length) = changes(point, before, gradient, gradient_before)
        if product > 1e-8 * (length * bend).sqrt():
            self._pairs.append((moved, change, 1 / product))
            self._first_guess = product / bend

    def _direction(self, point: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """The step to take and a factor () of it: the two-loop recursion, cut to LARGEST."""
        pairs, shares = list(self._pairs), []
        direction, product = free_descent(point, gradient, pairs[-1][0] if pairs else gradient)
        if not pairs:
            return direction, (FIRST * direction.numel() / inner_product(direction, direction.sign()).clamp_min(1e-12)).clamp(max=1e6)
        for i in reversed(range(len(pairs))):  # each product is of what is next, while the direction is at hand
            _, change, scale = pairs[i]
            shares.append(scale * product)
            product = add_and_product(direction, -shares[-1], change, pairs[i - 1][0] if i else pairs[0][1])
        direction.mul_(self._first_guess)
        product = product * self._first_guess
        for i, share in enumerate(reversed(shares)):
            moved, _, scale = pairs[i]
            product = add_and_product(direction, share - scale * product, moved, pairs[i + 1][1] if i + 1 < len(pairs) else direction)
        size = (product / direction.numel()).sqrt()
        return direction, (LARGEST / size.clamp_min(1e-12)).clamp(max=1.0)


# One pass each over (1,3,H,W) channels last, compiled on the CPU: a step's own time is spent on fetching pictures.

def changes(point: Tensor, before: Tensor, gradient: Tensor, gradient_before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How far the point moved and the gradient changed, and (3,): the inner product of both, of the change and of the move with themselves."""
    if not loops_compiled(point):
        moved, change = point - before, gradient - gradient_before
        return moved, change, torch.stack([inner_product(*pair) for pair in ((moved, change), (change, change), (moved, moved))])
    moved, change = torch.empty_like(point), torch.empty_like(gradient)
    rows = (row(x) for x in (point, before, gradient, gradient_before, moved, change))
    return moved, change, by_pieces("subtract_and_sum_products", *rows, sums=3)


def free_descent(point: Tensor, gradient: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """-gradient, 0 where that leads out of [0,1], and its inner product with `other`, ()."""
    if not loops_compiled(point):
        free = -gradient * ~_leads_out(point, gradient)
        return free, inner_product(free, other)
    found = torch.empty_like(gradient)
    return found, by_pieces("free_descent_and_sum_products", *(row(x) for x in (point, gradient, other, found)))[0]


def followed(point: Tensor, gradient: Tensor, direction: Tensor, factor: Tensor) -> Tensor:
    """point + factor * direction within [0,1]; the point itself where the gradient leads out of it. May be written into `direction`."""
    if not loops_compiled(point):
        return direction.mul_(factor).masked_fill_(_leads_out(point, gradient), 0.0).add_(point).clamp_(0, 1)
    by_pieces("follow", *(row(x) for x in (direction, point, gradient)), np.float32(factor), sums=0)
    return direction


def _leads_out(point: Tensor, gradient: Tensor) -> Tensor:
    return ((point <= 0) & (gradient > 0)) | ((point >= 1) & (gradient < 0))
