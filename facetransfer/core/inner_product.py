"""Sums of products that any number of the CPU's threads find the same."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

PIECE = 4096  # numbers summed by one thread
WORTH_THREADS = 512  # pieces from which several threads are quicker than one


def inner_product(a: Tensor, b: Tensor) -> Tensor:
    """The sum of a * b, () of their type; both (...,C,H,W), of one shape and layout.

    BLAS (torch.dot) cuts the sum into as many pieces as there are threads, so its rounding depends on their number, and an
    optimisation makes a difference in the last digit large. Pieces of one length do not.
    """
    a, b = (
        x.movedim(-3, -1).reshape(-1) for x in (a, b)
    )  # as pictures and features lie: no copy where they lie channels last
    if loops_compiled(a):
        return by_pieces("sum_products", a.numpy(), b.numpy())[0]
    if a.device.type != "cpu":  # has no threads to choose from, and each piece of work costs its start
        return torch.dot(a, b)
    whole = a.numel() // PIECE * PIECE
    return torch.linalg.vecdot(
        a[:whole].view(-1, PIECE), b[:whole].view(-1, PIECE)
    ).sum() + torch.linalg.vecdot(a[whole:], b[whole:])


def mean_square(x: Tensor) -> Tensor:
    """The mean of x^2, (); x (...,C,H,W)."""
    return inner_product(x, x) / x.numel()


def loops_compiled(x: Tensor) -> bool:
    """Whether the loops of `compiled` can go through it."""
    return x.device.type == "cpu" and x.dtype == torch.float32


def row(x: Tensor) -> np.ndarray:
    """(1,C,H,W), channels last, as the row of numbers that it is: what changes one changes the other."""
    return x.permute(0, 2, 3, 1).view(-1).numpy()


def by_pieces(loop: str, *rows: np.ndarray | np.float32 | int, sums: int = 1) -> Tensor:
    """Lets a loop of `compiled` go through rows of numbers piece by piece; the sums that it makes, (sums,) float32."""
    from facetransfer.core import kernels as compiled  # not before it is needed: it takes a while to load

    pieces = -(-rows[0].size // PIECE)
    by_piece = np.empty((sums, pieces), np.float32)
    compiled.in_stripes(getattr(compiled, loop), pieces, *rows, PIECE, by_piece, least=WORTH_THREADS)
    return torch.from_numpy(by_piece.sum(1, dtype=np.float64).astype(np.float32))
