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
    a, b = _flat(a), _flat(b)
    if a.device.type == "cpu" and a.dtype == torch.float32:
        return _summed("sum_products", a.numpy(), b.numpy())
    whole = a.numel() // PIECE * PIECE
    return torch.linalg.vecdot(a[:whole].view(-1, PIECE), b[:whole].view(-1, PIECE)).sum() + torch.linalg.vecdot(a[whole:], b[whole:])


def add_and_product(a: Tensor, factor: Tensor, b: Tensor, other: Tensor) -> Tensor:
    """a += factor * b in place, then `inner_product` of a and other, in one pass on the CPU. factor () of their type; other may be a.

    (1,C,H,W) each, channels last.
    """
    if a.device.type != "cpu" or a.dtype != torch.float32:
        return inner_product(a.addcmul_(b, factor), other)
    changed, b, other = (x.permute(0, 2, 3, 1).view(-1).numpy() for x in (a, b, other))  # views: a is changed through its own
    return _summed("add_and_sum_products", changed, np.float32(factor), b, other)


def _summed(loop: str, numbers: np.ndarray, *others: np.ndarray | np.float32) -> Tensor:
    """What a loop of `compiled` sums piece by piece over rows of numbers, () float32."""
    from facetransfer import compiled  # not before it is needed: it takes a while to load

    sums = np.empty(-(-numbers.size // PIECE), np.float32)
    compiled.in_stripes(getattr(compiled, loop), len(sums), numbers, *others, PIECE, sums, least=WORTH_THREADS)
    return torch.tensor(sums.sum(dtype=np.float64), dtype=torch.float32)


def _flat(x: Tensor) -> Tensor:
    """(...,C,H,W) in one row, in the order in which pictures and features lie: no copy where they lie channels last."""
    return x.movedim(-3, -1).reshape(-1)


def mean_square(x: Tensor) -> Tensor:
    """The mean of x^2, (); x (...,C,H,W)."""
    return inner_product(x, x) / x.numel()
