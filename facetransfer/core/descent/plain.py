"""L-BFGS for pictures (Liu and Nocedal 1989; bounds by projection): one evaluation a step, no line search.

What torch's own lacks here: the objective changes between steps (new matches) without forgetting its curvature, which
stays nearly the same; pixels at the rim of their range do not bend the curvature; a step that made things worse is
halved instead of followed into the noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from facetransfer.core.descent.curvature import Curvature, leads_out
from facetransfer.core.inner_product import by_pieces, loops_compiled, row

WORSE = 1.02  # a loss above this many times the one before is a step too far
TINY = 1e-4  # largest change of a pixel below which it is not worth going back any further


class Descent:
    """Keeps `picture` (1,3,H,W), the last point that was good, within [0,1].

    `evaluate` gives values (n,), the first of them the loss, and the gradient at a point; `newest`, the point that the next step
    looks at; `values`, those of the last evaluation.
    """

    def __init__(self, picture: Tensor, evaluate: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        self.picture, self.evaluate = picture.contiguous(memory_format=torch.channels_last), evaluate
        self.newest, self.values = self.picture, picture.new_zeros(0)
        self._before: tuple[Tensor, Tensor, float] | None = (
            None  # point, gradient and loss (inf: not comparable) that the next step is compared with
        )
        self._curvature = Curvature()

    def objective_changed(self) -> None:
        """The next loss is not comparable with the last; the gradients still are, near enough to learn the curvature from."""
        if self._before is not None:
            self._before = (*self._before[:2], math.inf)

    def step(self) -> None:
        """Looks at the next point; keeps it and chooses another further on, or goes half the way back."""
        point = self.newest
        self.values, gradient = self.evaluate(point)
        loss, gradient = self.values[0].item(), gradient.contiguous(memory_format=torch.channels_last)
        before = self._before
        if before is not None and not loss <= WORSE * before[2]:
            self.newest = (point + before[0]) / 2
            if (self.newest - before[0]).abs().max() < TINY:  # nothing better this way: begin anew
                self._curvature.forget()
                self._before, self.newest = None, before[0]
            return
        self.picture, self._before = point, (point, gradient, loss)
        direction, factor = self._curvature.direction(point, gradient, before and before[:2])
        self.newest = followed(point, gradient, direction, factor)


def followed(point: Tensor, gradient: Tensor, direction: Tensor, factor: Tensor) -> Tensor:
    """point + factor * direction within [0,1]; the point itself where the gradient leads out of it. May be written into `direction`."""
    if not loops_compiled(point):
        return direction.mul_(factor).masked_fill_(leads_out(point, gradient), 0.0).add_(point).clamp_(0, 1)
    by_pieces("follow", *(row(x) for x in (direction, point, gradient)), np.float32(factor), sums=0)
    return direction
