"""The inner loops of the search for the CPU, compiled by numba when they are first used.

What they compute is said in `matching`, whose tensor code other devices run and tests compare with. Cells
here are (h,w,D) float32 arrays. The three cells of a window's row lie side by side in memory, so that a score
is three inner products.

Each loop works on the rows from `top` to `bottom`, reads what was chosen before and writes what is chosen
now, so that any number of threads finds the same. None of them holds Python's lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

BLOCK_COLUMNS = (
    128  # Columns searched row by row before those beside them, so that the cache holds what they look at.
)
PIECES_PER_THREAD = 4  # Some pieces of work are done sooner than others.

_pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="search")


def cells_last(cells: Tensor) -> np.ndarray:
    """Cells (D,h,w) as (h,w,D) float32."""
    return cells.detach().permute(1, 2, 0).float().contiguous().numpy()


def parallel_rows(loop: Callable[..., Any], rows: int, *arguments: Any) -> None:
    """Calls loop(*arguments, top, bottom) for stripes that cover `rows`, on as many threads as torch uses."""
    threads = torch.get_num_threads()
    if threads == 1:
        loop(*arguments, 0, rows)
        return
    step = max(1, -(-rows // (threads * PIECES_PER_THREAD)))
    stripes = [(top, min(rows, top + step)) for top in range(0, rows, step)]
    for done in [_pool.submit(loop, *arguments, *stripe) for stripe in stripes]:
        done.result()


@njit(inline="always", fastmath=True)
def _score(query, keys, grids, bias, y, x, row, column):
    """S of the window (y,x) of the result with the window (row,column) of the style.

    query, keys: all numbers of the cells; grids: the width of the result, that of the style, and the depth of
    a cell.
    """
    width, width_there, depth = grids
    run, step, step_there = (
        3 * depth,
        width * depth,
        width_there * depth,
    )  # the three cells of a window's row are one row of numbers
    own, there = y * step + x * depth, row * step_there + column * depth
    above, middle, below = (
        query[own : own + run],
        query[own + step : own + step + run],
        query[own + 2 * step : own + 2 * step + run],
    )
    above_there, middle_there, below_there = (
        keys[there : there + run],
        keys[there + step_there : there + step_there + run],
        keys[there + 2 * step_there : there + 2 * step_there + run],
    )
    total = bias[row, column] if bias.size else np.float32(0)
    for i in range(run):
        total += above[i] * above_there[i] + middle[i] * middle_there[i] + below[i] * below_there[i]
    return total


@njit(nogil=True, cache=True, fastmath=True)
def take_better(query, keys, bias, offered, rows, columns, score, top, bottom):
    """Where the windows (2,h-2,w-2) that are offered score better than those in (rows, columns), they are
    taken instead, in place.
    """
    last_row, last_column = keys.shape[0] - 3, keys.shape[1] - 3
    own, there, grids = query.ravel(), keys.ravel(), (query.shape[1], keys.shape[1], keys.shape[2])
    for y in range(top, bottom):
        for x in range(rows.shape[1]):
            row, column = min(max(offered[0, y, x], 0), last_row), min(max(offered[1, y, x], 0), last_column)
            value = _score(own, there, grids, bias, y, x, row, column)
            if value > score[y, x]:
                rows[y, x], columns[y, x], score[y, x] = row, column, value


@njit(nogil=True, cache=True, fastmath=True)
def improve(
    query, keys, bias, rows, columns, score, new_rows, new_columns, new_score, jump, radii, seed, top, bottom
):
    """One round of PatchMatch: each window asks four neighbours, `jump` away, then tries one place at random
    within each of the radii.
    """
    height, width = rows.shape
    last_row, last_column = keys.shape[0] - 3, keys.shape[1] - 3
    own, there, grids = query.ravel(), keys.ravel(), (query.shape[1], keys.shape[1], keys.shape[2])
    for left in range(0, width, BLOCK_COLUMNS):
        for y in range(top, bottom):
            for x in range(left, min(width, left + BLOCK_COLUMNS)):
                row, column, best = rows[y, x], columns[y, x], score[y, x]
                for k in range(4):
                    dy, dx = (
                        (jump if k == 0 else -jump if k == 1 else 0),
                        (jump if k == 2 else -jump if k == 3 else 0),
                    )
                    if not (0 <= y - dy < height and 0 <= x - dx < width):
                        continue
                    r, c = (
                        min(max(rows[y - dy, x - dx] + dy, 0), last_row),
                        min(max(columns[y - dy, x - dx] + dx, 0), last_column),
                    )
                    if r == row and c == column or r == rows[y, x] and c == columns[y, x]:
                        continue  # neighbours that agree need no second look
                    value = _score(own, there, grids, bias, y, x, r, c)
                    if value > best:
                        row, column, best = r, c, value
                state = np.uint64(seed) + np.uint64(y * width + x) * np.uint64(0x9E3779B97F4A7C15)
                for reach in radii:
                    state = state + np.uint64(
                        0x9E3779B97F4A7C15
                    )  # splitmix64 (Steele et al. 2014): the same numbers whatever the stripes
                    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                    span = 2 * reach + 1
                    r = min(max(row + np.int64((z >> np.uint64(33)) % np.uint64(span)) - reach, 0), last_row)
                    c = min(
                        max(column + np.int64((z & np.uint64(0x7FFFFFFF)) % np.uint64(span)) - reach, 0),
                        last_column,
                    )
                    value = _score(own, there, grids, bias, y, x, r, c)
                    if value > best:
                        row, column, best = r, c, value
                new_rows[y, x], new_columns[y, x], new_score[y, x] = row, column, best


@njit(nogil=True, cache=True, fastmath=True)
def agree(query, keys, bonus, rows, columns, score, new_rows, new_columns, new_score, top, bottom):
    """One round of `matching.coherent`."""
    height, width = rows.shape
    last_row, last_column = keys.shape[0] - 3, keys.shape[1] - 3
    own, there, grids = query.ravel(), keys.ravel(), (query.shape[1], keys.shape[1], keys.shape[2])
    none, offered = np.empty((0, 0), np.float32), np.empty((4, 2), np.int64)
    for y in range(top, bottom):
        for x in range(width):
            own_row, own_column, same = rows[y, x], columns[y, x], 0
            for k in range(4):
                dy, dx = (1 if k == 0 else -1 if k == 1 else 0), (1 if k == 2 else -1 if k == 3 else 0)
                offered[k, 0] = -1
                if 0 <= y - dy < height and 0 <= x - dx < width:
                    r, c = rows[y - dy, x - dx] + dy, columns[y - dy, x - dx] + dx
                    if 0 <= r <= last_row and 0 <= c <= last_column:
                        offered[k, 0], offered[k, 1] = r, c
                        same += r == own_row and c == own_column
            row, column, value, best = own_row, own_column, score[y, x], score[y, x] + bonus * same
            for k in range(4):
                r, c = offered[k, 0], offered[k, 1]
                if r < 0 or r == own_row and c == own_column:
                    continue
                agreeing, known = 0, False
                for j in range(4):
                    agreeing += offered[j, 0] == r and offered[j, 1] == c
                    known |= j < k and offered[j, 0] == r and offered[j, 1] == c
                if known:
                    continue
                this = _score(own, there, grids, none, y, x, r, c)
                if this + bonus * agreeing > best:
                    row, column, value, best = r, c, this, this + bonus * agreeing
            new_rows[y, x], new_columns[y, x], new_score[y, x] = row, column, value


@njit(nogil=True, cache=True)
def sum_votes(style, rows, columns, total, counts, top, bottom):
    """Into total (h,w,C) and counts (h,w) what the windows over each cell want of it; style (H,W,C)."""
    (_, width, depth), height, (_, width_there, _) = total.shape, rows.shape[0], style.shape
    whole, there = total.ravel(), style.ravel()
    for y in range(top, bottom):
        to = whole[y * width * depth : (y + 1) * width * depth]
        to[:], counts[y] = 0, 0
        for dy in range(max(0, y - height + 1), min(3, y + 1)):
            for x in range(
                rows.shape[1] - 1, -1, -1
            ):  # backwards: a cell's wishes are added in the order of the tensor code, so both round alike
                at = ((rows[y - dy, x] + dy) * width_there + columns[y - dy, x]) * depth
                wanted, here = (
                    there[at : at + 3 * depth],
                    to[x * depth : (x + 3) * depth],
                )  # of the three cells of a window's row at once
                for i in range(here.size):
                    here[i] += wanted[i]
                for dx in range(3):
                    counts[y, x + dx] += 1
