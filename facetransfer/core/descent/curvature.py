"""What the last steps tell of the curvature: the memory of L-BFGS (Liu and Nocedal 1989), gone through twice a step, however long it is.

The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) needs only inner products of what is remembered with itself,
which are kept, and with the newest gradient. So all are found in one pass over the memory, the recursion is done on their few
numbers, and the direction is put together in a second pass; a device is waited for once.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facetransfer.core.inner_product import by_pieces, inner_product, loops_compiled, row

MEMORY = 3  # steps remembered: with more, jobs end no lower, and each is gone through twice a step
FIRST = 0.005  # mean change of a pixel in a step without memory
LARGEST = 0.08  # root mean square change of a pixel in any step


class Curvature:
    """Of pictures (1,3,H,W), channels last, as rows of N = 3HW numbers."""

    def __init__(self) -> None:
        self._rows = torch.empty(
            0
        )  # (2 MEMORY,N): of each step how far it moved the picture and, next, how that changed the gradient
        self._products = np.zeros(
            (2 * MEMORY, 2 * MEMORY)
        )  # of the rows with each other, but for a move with an older change
        self._steps: list[int] = []  # rows of the first kind, the oldest step first
        self._first_guess = 1.0  # of the inverse curvature, by the last of them

    def forget(self) -> None:
        """All steps."""
        self._steps.clear()

    def direction(
        self, point: Tensor, gradient: Tensor, before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """The step to take from there and a factor () of it, which keeps it within LARGEST. Learns from the point and gradient `before`."""
        if before is None:
            return _first_step(free_descent(point, gradient))
        if len(self._rows) == 0:
            self._rows = point.new_zeros((2 * MEMORY, point.numel()))
        at = (
            self._steps.pop(0)
            if len(self._steps) == MEMORY
            else min(set(range(0, 2 * MEMORY, 2)) - set(self._steps))
        )
        used = max(at, *self._steps) + 2 if self._steps else at + 2
        free, products, length = look_back(self._rows[:used], at, point, gradient, *before)
        self._products[at + 1, :used] = self._products[:used, at + 1] = products[:, 0]
        product, bend = products[at : at + 2, 0]
        if product > 1e-8 * (length * bend) ** 0.5:
            self._steps.append(at)
            self._first_guess = product / bend
        if not self._steps:
            return _first_step(free)
        shares = recursion(self._products[:used, :used], products[:, 1], self._steps, self._first_guess)
        direction, square = combined(self._rows[:used], shares, free, self._first_guess)
        return direction, (LARGEST / (square / direction.numel()).sqrt().clamp_min(1e-12)).clamp(max=1.0)


def _first_step(free: Tensor) -> tuple[Tensor, Tensor]:
    return free, (FIRST * free.numel() / inner_product(free, free.sign()).clamp_min(1e-12)).clamp(max=1e6)


def recursion(products: np.ndarray, free: np.ndarray, steps: list[int], first_guess: float) -> np.ndarray:
    """How much of each row (R,) goes into the direction, beside `first_guess` times the free descent.

    steps: rows that say how far a step moved, the oldest first; the row after each says how the gradient changed. products
    (R,R) of the rows with each other, those of a move with an older change may be anything; free (R,) with the free descent.
    """
    shares, halves = np.zeros(len(products)), []
    for step in reversed(steps):
        halves.append((free[step] + products[step] @ shares) / products[step, step + 1])
        shares[step + 1] = -halves[-1]
    shares *= first_guess
    for step, half in zip(steps, reversed(halves)):
        shares[step] = (
            half - (first_guess * free[step + 1] + products[step + 1] @ shares) / products[step, step + 1]
        )
    return shares


# One pass each, compiled on the CPU: a step's own time is spent on fetching pictures.


def free_descent(point: Tensor, gradient: Tensor) -> Tensor:
    """-gradient, 0 where that leads out of [0,1]."""
    return -gradient * ~leads_out(point, gradient)


def look_back(
    rows: Tensor, at: int, point: Tensor, gradient: Tensor, before: Tensor, gradient_before: Tensor
) -> tuple[Tensor, np.ndarray, float]:
    """Writes how far the point moved and how the gradient changed into rows[at] and rows[at + 1], of (R,N).

    Returns the free descent (1,3,H,W), the inner products (R,2) of all rows with the change and with it, and the move's with itself.
    """
    if not loops_compiled(point):
        free = free_descent(point, gradient)
        torch.sub(as_row(point), as_row(before), out=rows[at])
        torch.sub(as_row(gradient), as_row(gradient_before), out=rows[at + 1])
        found = torch.cat(
            (
                (rows @ torch.stack((rows[at + 1], as_row(free)), 1)).flatten(),
                torch.dot(rows[at], rows[at])[None],
            )
        )
    else:
        free = torch.empty_like(point)
        found = by_pieces(
            "look_back",
            *map(row, (point, before, gradient, gradient_before, free)),
            rows.numpy(),
            at,
            sums=2 * len(rows) + 1,
        )
    *products, length = found.tolist()
    return free, np.array(products).reshape(-1, 2), length


def combined(rows: Tensor, shares: np.ndarray, free: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """share * free + the sum of the rows (R,N) by their shares (R,), and its square (). May be written into `free` (1,3,H,W)."""
    if not loops_compiled(free):
        direction = torch.addmv(as_row(free), rows.T, torch.from_numpy(shares).to(rows), beta=share)
        return direction.view(free.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2), torch.dot(
            direction, direction
        )
    square = by_pieces("combine", row(free), rows.numpy(), shares.astype(np.float32), np.float32(share))
    return free, square[0]


def as_row(picture: Tensor) -> Tensor:
    """(1,3,H,W), channels last, as (N,): a view."""
    return picture.permute(0, 2, 3, 1).reshape(-1)


def leads_out(point: Tensor, gradient: Tensor) -> Tensor:
    """Where a step along -gradient would leave [0,1]."""
    return ((point <= 0) & (gradient > 0)) | ((point >= 1) & (gradient < 0))
