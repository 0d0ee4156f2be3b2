"""L-BFGS for pictures (Liu and Nocedal 1989; bounds by projection): one evaluation a step, no line search.

What torch's own lacks here: the objective changes between steps (new matches) without forgetting its curvature, which
stays nearly the same; pixels at the rim of their range do not bend the curvature; a step that made things worse is
halved instead of followed into the noise.
"""
from __future__ import annotations

import math
from collections import deque
from typing import Callable

import torch
from torch import Tensor

from facetransfer.inner_product import add_and_product, inner_product

MEMORY = 8  # steps remembered
FIRST = 0.005  # mean change of a pixel in a step without memory
LARGEST = 0.08  # root mean square change of a pixel in any step
WORSE = 1.02  # a loss above this many times the one before is a step too far


class Descent:
    """Keeps `picture` (1,3,H,W), the last point that was good, within [0,1]. `evaluate` gives loss and gradient at a point."""

    def __init__(self, picture: Tensor, evaluate: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
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
        value, gradient = self.evaluate(point)
        loss, gradient = float(value), gradient.contiguous(memory_format=torch.channels_last)
        if self._before is not None:
            before, gradient_before, loss_before = self._before
            if not loss <= WORSE * loss_before:
                self._next = (point + before) / 2
                if (self._next - before).abs().max() < 1e-4:  # nothing better this way: begin anew
                    self._pairs.clear()
                    self._before = None
                    self._next = before
                return
            self._remember(point - before, gradient - gradient_before)
        self.picture, self._before = point, (point, gradient, loss)
        pushing = ((point <= 0) & (gradient > 0)) | ((point >= 1) & (gradient < 0))
        # (torch's masked_fill would forget the layout of what it copies, clone does not.)
        self._next = self._direction(gradient.clone().masked_fill_(pushing, 0.0)).masked_fill_(pushing, 0.0).add_(point).clamp_(0, 1)

    def _remember(self, moved: Tensor, change: Tensor) -> None:
        product, bend = inner_product(moved, change), inner_product(change, change)
        if product > 1e-8 * (inner_product(moved, moved) * bend).sqrt():
            self._pairs.append((moved, change, 1 / product))
            self._first_guess = product / bend

    def _direction(self, gradient: Tensor) -> Tensor:
        """The step to take: the two-loop recursion, cut to LARGEST. May change `gradient`."""
        if not self._pairs:
            return gradient * -(FIRST / (inner_product(gradient, gradient.sign()) / gradient.numel()).clamp_min(1e-12)).clamp(max=1e6)
        pairs, direction, shares = list(self._pairs), gradient.neg_(), []
        product = inner_product(pairs[-1][0], direction)
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
        return direction.mul_((LARGEST / size.clamp_min(1e-12)).clamp(max=1.0))
