"""The descent for a device of its own (a GPU): every decision is made where the numbers are, so that the program never waits for one.

It does what `plain.Descent` and `Curvature` do, with the two-loop recursion as two triangular systems (Byrd, Nocedal and Schnabel 1994),
and always the same work on the same memory: a step can be recorded and run again, see `recording`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from facetransfer.core.descent.curvature import FIRST, LARGEST, MEMORY, as_row, free_descent
from facetransfer.core.descent.plain import TINY, WORSE, followed


class WaitlessDescent:
    """As `Descent`. What `newest` gives is written over in the next step; `picture` and `values` give copies."""

    def __init__(self, picture: Tensor, evaluate: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        self.newest, self._picture, self._gradient = (
            picture.clone(memory_format=torch.channels_last) for _ in range(3)
        )
        self.evaluate, self._values = evaluate, picture.new_zeros(0)
        self._loss = picture.new_full((), torch.inf)  # of the kept picture; inf: not comparable
        self._anew = torch.ones(
            (), dtype=torch.bool, device=picture.device
        )  # whether there is no step before that can be learnt from
        self._rows = picture.new_zeros(
            (2, MEMORY, picture.numel())
        )  # how far each step moved the picture, how that changed the gradient
        self._moves, self._changes = picture.new_zeros(
            (2, MEMORY, MEMORY)
        )  # products of moves (rows) and of changes with changes (columns)
        self._last = torch.zeros(
            1, dtype=torch.int64, device=picture.device
        )  # which of the rows is the newest
        self._first_guess = picture.new_ones(())

    @property
    def picture(self) -> Tensor:
        return self._picture.clone()

    @property
    def values(self) -> Tensor:
        return self._values.clone()

    def objective_changed(self) -> None:
        """The next loss is not comparable with the last."""
        self._loss.fill_(torch.inf)

    def step(self) -> None:
        """See `Descent.step`."""
        point = self.newest
        values, gradient = self.evaluate(point)
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        taken = self._anew | (values[0] <= WORSE * self._loss)
        free = free_descent(point, gradient)
        products = self._learn(point, gradient, free, taken & ~self._anew)
        ahead = followed(point, gradient, *self._direction(free, products))
        back = (point + self._picture) / 2
        useless = ~taken & ((back - self._picture).abs().max() < TINY)  # nothing better this way: begin anew
        back = torch.where(useless, self._picture, back)
        for held, new in ((self._picture, point), (self._gradient, gradient), (self._loss, values[0])):
            held.copy_(torch.where(taken, new, held))
        for held in (self._rows, self._moves, self._changes):
            held.mul_(~useless)
        self._anew.copy_(useless)
        point.copy_(torch.where(taken, ahead, back))
        if self._values.shape != values.shape:
            self._values = torch.empty_like(values)
        self._values.copy_(values)

    def _learn(self, point: Tensor, gradient: Tensor, free: Tensor, comparable: Tensor) -> Tensor:
        """Remembers the last step in place of the oldest, where that is `comparable` and bends the right way.

        Returns the inner products (2,MEMORY) of all moves and of all changes with the free descent.
        """
        step = torch.stack((as_row(point) - as_row(self._picture), as_row(gradient) - as_row(self._gradient)))
        length, product, bend = (torch.dot(step[i], step[j]) for i, j in ((0, 0), (0, 1), (1, 1)))
        useful = comparable & (product > 1e-8 * (length * bend).sqrt())
        at = (self._last + 1) % MEMORY
        self._rows.index_copy_(1, at, torch.where(useful, step[:, None], self._rows.index_select(1, at)))
        of_change, of_free = (self._rows.flatten(0, 1) @ torch.stack((step[1], as_row(free)), 1)).T.unflatten(
            1, (2, MEMORY)
        )
        for products, new in zip((self._moves, self._changes), of_change):
            products.index_copy_(1, at, torch.where(useful, new[:, None], products.index_select(1, at)))
        self._changes.index_copy_(0, at, self._changes.index_select(1, at).T)
        self._first_guess.copy_(torch.where(useful, product / bend, self._first_guess))
        self._last.copy_(torch.where(useful, at, self._last))
        return of_free

    def _direction(self, free: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
        """The step to take and a factor () of it; products (2,MEMORY) as of `_learn`."""
        order = (self._last + 1 + torch.arange(MEMORY, device=free.device)) % MEMORY  # the oldest first
        moves, changes = (kept[order][:, order] for kept in (self._moves, self._changes))
        of_moves, of_changes = products[:, order]
        own = moves.diagonal()
        known = (own > 0).any()
        bends = torch.where(own > 0, own, 1.0)
        newer = moves.triu(1) + bends.diag()
        halves = torch.linalg.solve_triangular(newer, of_moves[:, None], upper=True)[:, 0]
        rest = bends * halves - self._first_guess * (of_changes - changes @ halves)
        shares = torch.linalg.solve_triangular(newer.T, rest[:, None], upper=False)[:, 0]
        in_order = torch.cat((shares, -self._first_guess * halves))
        rows = torch.zeros_like(in_order).index_copy_(0, torch.cat((order, order + MEMORY)), in_order)
        first = torch.where(known, self._first_guess, 1.0)
        direction = first * as_row(free) + rows @ self._rows.flatten(0, 1)
        size = direction.square().mean().sqrt()
        factor = torch.where(
            known,
            (LARGEST / size.clamp_min(1e-12)).clamp(max=1.0),
            (FIRST / direction.abs().mean().clamp_min(1e-12)).clamp(max=1e6),
        )
        return direction.view(free.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2), factor
