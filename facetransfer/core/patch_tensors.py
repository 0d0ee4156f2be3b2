"""The inner loops of `patch_synthesis` as tensor operations, for a GPU.

The functions are those of `patch_kernels`, with the same arguments, tensors in place of arrays, and the same
meaning: each works on the rows from `top` to `bottom`. A window tries all its candidates at once and keeps
the best; the compiled loops try them one after the other. Both improve the same costs, but do not choose the
same windows by chance.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facetransfer.core.patch_kernels import CLASS_SHARE, PATCH, SAMPLES

BAND_PIXELS = 2**19  # How many pixels of the result are worked on at once: it bounds the memory.
NEIGHBOURS = ((1, 0), (-1, 0), (0, 1), (0, -1))

Pair = tuple[Tensor, Tensor, tuple[int, int, int], Tensor, Tensor, Tensor, Tensor]


def window_costs(pair: Pair, rows: Tensor, columns: Tensor, top: int, bottom: int) -> Tensor:
    """What it costs that the windows in the rows from `top` to `bottom` take the style windows at rows and
    columns, (K,b,w) int64 of K candidates each: (K,b,w) float32.
    """
    result, style, (width, style_width, depth), labels, style_labels, class_cost, bias = pair
    across, run = rows.shape[-1], PATCH * depth
    place = rows * style_width + columns
    seen = torch.arange(0, PATCH, (PATCH - 1) // (SAMPLES - 1), device=rows.device)
    own = labels[top:, :].long().unfold(0, PATCH, 1).unfold(1, PATCH, 1)[: bottom - top, :across]
    own = own[..., seen[:, None], seen].flatten(-2) * class_cost.shape[1]
    there = style_labels.flatten()[place[..., None] + (seen[:, None] * style_width + seen).flatten()]
    total = class_cost.flatten()[own + there.long()].sum(-1) * float(CLASS_SHARE)
    total += bias.flatten()[rows * bias.shape[1] + columns]
    # The pixels of a window's row lie side by side in memory: each is read as one run of numbers.
    runs = result.as_strided((labels.shape[0], across, run), (width * depth, depth, 1))
    style_runs = style.as_strided((style.numel() // depth - PATCH + 1, run), (depth, 1))
    for i in range(PATCH):
        difference = style_runs[place + i * style_width] - runs[top + i : bottom + i]
        total += difference.square_().sum(-1)
    return total


def evaluate_windows(pair: Pair, rows: Tensor, columns: Tensor, cost: Tensor, top: int, bottom: int) -> None:
    """As `patch_kernels.evaluate_windows`."""
    band = slice(top, bottom)
    cost[band] = window_costs(pair, rows[None, band].long(), columns[None, band].long(), top, bottom)[0]


def improve_windows(
    pair: Pair,
    chosen: tuple[Tensor, Tensor, Tensor],
    new: tuple[Tensor, Tensor, Tensor],
    jump: int,
    radii: np.ndarray,
    seed: int,
    top: int,
    bottom: int,
) -> None:
    """As `patch_kernels.improve_windows`: first the best of the neighbours' choices, then of those by chance
    around it.
    """
    rows, columns, cost = chosen
    height, across = rows.shape
    last_row, last_column = pair[6].shape[0] - 1, pair[6].shape[1] - 1
    y = torch.arange(top, bottom, device=rows.device)
    x = torch.arange(across, device=rows.device)
    best = rows[top:bottom].long(), columns[top:bottom].long(), cost[top:bottom]
    asked_rows, asked_columns = [], []
    for dy, dx in NEIGHBOURS:
        there = (y - dy * jump).clamp(0, height - 1)[:, None], (x - dx * jump).clamp(0, across - 1)[None]
        asked_rows.append((rows[there].long() + dy * jump).clamp(0, last_row))
        asked_columns.append((columns[there].long() + dx * jump).clamp(0, last_column))
    best = _better(pair, best, torch.stack(asked_rows), torch.stack(asked_columns), top, bottom)
    if len(radii):
        reach = torch.as_tensor(radii, device=rows.device)[:, None, None]
        chance = _chance(seed, len(radii), y[:, None] * across + x)
        offsets = [(numbers % (2 * reach + 1)) - reach for numbers in (chance >> 31, chance & 0x7FFFFFFF)]
        near = (best[0] + offsets[0]).clamp(0, last_row), (best[1] + offsets[1]).clamp(0, last_column)
        best = _better(pair, best, *near, top, bottom)
    for kept, found in zip(new, best, strict=True):
        kept[top:bottom] = found


def _better(
    pair: Pair,
    best: tuple[Tensor, Tensor, Tensor],
    rows: Tensor,
    columns: Tensor,
    top: int,
    bottom: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, columns and costs (b,w) of the best of what is known and of the candidates (K,b,w)."""
    costs = window_costs(pair, rows, columns, top, bottom)
    cost, which = costs.min(0)
    better = cost < best[2]
    row, column = (axis.gather(0, which[None])[0] for axis in (rows, columns))
    return (
        torch.where(better, row, best[0]),
        torch.where(better, column, best[1]),
        torch.where(better, cost, best[2]),
    )


def _chance(seed: int, count: int, windows: Tensor) -> Tensor:
    """`count` numbers by chance for each of the windows (b,w) int64, (count,b,w) int64 in [0, 2^62).

    Steele et al. 2014, "Fast Splittable Pseudorandom Number Generators": they depend on the seed and the
    window alone, and need no generator, which not all devices have.
    """
    draws = torch.arange(1, count + 1, device=windows.device)[:, None, None]
    z = seed + (windows * 64 + draws) * -0x61C8864680B583EB  # int64 arithmetic wraps round, as it shall.
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        z = (z ^ ((z >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return (z >> 2) & ((1 << 62) - 1)


def mean_of_windows(
    style: Tensor,
    rows: Tensor,
    columns: Tensor,
    weights: Tensor,
    agreement: int,
    result: Tensor,
    top: int,
    bottom: int,
) -> None:
    """As `patch_kernels.mean_of_windows`."""
    height, across = rows.shape
    width, style_width, flat = result.shape[1], style.shape[1], style.reshape(-1, 3)
    y = torch.arange(top, bottom, device=rows.device)[:, None]
    x = torch.arange(width, device=rows.device)[None]
    offsets = torch.arange(PATCH, device=rows.device)
    dy, dx = (axis.flatten()[:, None, None] for axis in torch.meshgrid(offsets, offsets, indexing="ij"))
    row, column = y - dy, x - dx
    there = (row >= 0) & (row < height) & (column >= 0) & (column < across)
    row, column = row.clamp(0, height - 1), column.clamp(0, across - 1)
    place = (rows[row, column].long() + dy) * style_width + columns[row, column] + dx
    place = torch.where(there, place, -1)  # No window lies there, and none agrees with it.
    share = weights[row, column] * there
    if agreement:
        agreeing = torch.stack([(place == own).sum(0) for own in place])
        share = share * agreeing**agreement
    shown = (flat[place.clamp(min=0)] * share[..., None]).sum(0)
    result[top:bottom] = shown / share.sum(0)[..., None]
