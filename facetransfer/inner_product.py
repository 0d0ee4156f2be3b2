"""Sums of products that any number of threads find the same."""
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
    a, b = (x.movedim(-3, -1).reshape(-1) for x in (a, b))  # in the order in which pictures and features lie: no copy
    if a.device.type == "cpu" and a.dtype == torch.float32:
        from facetransfer import compiled  # not before it is needed: it takes a while to load

        sums = np.empty(-(-a.numel() // PIECE), np.float32)
        compiled.in_stripes(compiled.sum_products, len(sums), a.numpy(), b.numpy(), PIECE, sums, least=WORTH_THREADS)
        return a.new_tensor(sums.sum(dtype=np.float64))
    whole = a.numel() // PIECE * PIECE
    return torch.linalg.vecdot(a[:whole].view(-1, PIECE), b[:whole].view(-1, PIECE)).sum() + torch.linalg.vecdot(a[whole:], b[whole:])


def mean_square(x: Tensor) -> Tensor:
    """The mean of x^2, (); x (...,C,H,W)."""
    return inner_product(x, x) / x.numel()
