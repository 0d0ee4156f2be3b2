"""Sums of products that any number of threads find the same."""
from __future__ import annotations

import torch
from torch import Tensor

PIECE = 4096  # numbers summed by one thread


def inner_product(a: Tensor, b: Tensor) -> Tensor:
    """The sum of a * b, () of their type; both (...,C,H,W), of one shape and layout.

    BLAS (torch.dot) cuts the sum into as many pieces as there are threads, so its rounding depends on their number, and an
    optimisation makes a difference in the last digit large. Pieces of one length do not.
    """
    a, b = (x.movedim(-3, -1).reshape(-1) for x in (a, b))  # in the order in which pictures and features lie: no copy
    whole = a.numel() // PIECE * PIECE
    return torch.linalg.vecdot(a[:whole].view(-1, PIECE), b[:whole].view(-1, PIECE)).sum() + torch.linalg.vecdot(a[whole:], b[whole:])


def mean_square(x: Tensor) -> Tensor:
    """The mean of x^2, (); x (...,C,H,W)."""
    return inner_product(x, x) / x.numel()
