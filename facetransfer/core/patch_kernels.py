"""The inner loops of `patch_synthesis` for the CPU, compiled by numba when they are first used.

Every loop works on the rows from `top` to `bottom`, reads what was chosen before and writes what is chosen
now, so that any number of threads finds the same. Windows are named by their upper left pixel. What is
compared comes as one tuple, `pair`: the channels of all pixels of the result and of the style, each as one
long array, a pixel's numbers side by side; the widths of both and the channels of a pixel; both label maps;
what each class costs in another's place (K,K); and what each style window costs wherever it is put (h,w).
"""

from __future__ import annotations

import numpy as np
from numba import njit

PATCH = 5  # pixels of a window's side
SAMPLES = 3  # places along a window's side, every other pixel, at which the classes are compared
CLASS_SHARE = np.float32(PATCH * PATCH / SAMPLES**2)
NO_LIMIT = np.float32(1e30)  # Not infinity, which the compiler may assume away for speed.


@njit(inline="always", fastmath=True)
def window_cost(pair, y, x, row, column, limit):
    """What it costs that the result's window (y,x) takes the style's window (row,column).

    The sum is left as soon as it is above `limit`: such a window is not taken.
    """
    result, style, (width, style_width, depth), labels, style_labels, class_cost, bias = pair
    total = np.float32(0)
    for i in range(0, PATCH, 2):
        for j in range(0, PATCH, 2):
            total += class_cost[labels[y + i, x + j], style_labels[row + i, column + j]]
    total = total * CLASS_SHARE + bias[row, column]
    run = PATCH * depth
    own, there = (y * width + x) * depth, (row * style_width + column) * depth
    for _ in range(PATCH):
        if total > limit:
            return total
        a, b = result[own : own + run], style[there : there + run]
        for k in range(run):
            difference = a[k] - b[k]
            total += difference * difference
        own += width * depth
        there += style_width * depth
    return total


@njit(nogil=True, cache=True, fastmath=True)
def evaluate_windows(pair, rows, columns, cost, top, bottom):
    """Into cost what each window's choice costs."""
    for y in range(top, bottom):
        for x in range(rows.shape[1]):
            cost[y, x] = window_cost(pair, y, x, rows[y, x], columns[y, x], NO_LIMIT)


@njit(nogil=True, cache=True, fastmath=True)
def improve_windows(pair, chosen, new, jump, radii, seed, top, bottom):
    """One round of PatchMatch (Barnes et al. 2009): each window asks its four neighbours, `jump` away, for
    their choice shifted to its own place, then tries one window at random within each of the radii around its
    best.

    chosen, new: rows, columns and cost before and after.
    """
    (rows, columns, cost), (new_rows, new_columns, new_cost) = chosen, new
    height, across = rows.shape
    last_row, last_column = pair[6].shape[0] - 1, pair[6].shape[1] - 1
    for y in range(top, bottom):
        for x in range(across):
            row, column, best = np.int64(rows[y, x]), np.int64(columns[y, x]), cost[y, x]
            for k in range(4):
                dy = jump if k == 0 else -jump if k == 1 else 0
                dx = jump if k == 2 else -jump if k == 3 else 0
                if not (0 <= y - dy < height and 0 <= x - dx < across):
                    continue
                r = min(max(rows[y - dy, x - dx] + dy, 0), last_row)
                c = min(max(columns[y - dy, x - dx] + dx, 0), last_column)
                if (r == row and c == column) or (r == rows[y, x] and c == columns[y, x]):
                    continue  # It was looked at already.
                value = window_cost(pair, y, x, r, c, best)
                if value < best:
                    row, column, best = r, c, value
            state = np.uint64(seed) + np.uint64(y * across + x) * np.uint64(0x9E3779B97F4A7C15)
            for reach in radii:
                # splitmix64 (Steele et al. 2014): the same numbers however the rows are shared among threads.
                state = state + np.uint64(0x9E3779B97F4A7C15)
                z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                span = np.uint64(2 * reach + 1)
                r = min(max(row + np.int64((z >> np.uint64(33)) % span) - reach, 0), last_row)
                c = min(max(column + np.int64((z & np.uint64(0x7FFFFFFF)) % span) - reach, 0), last_column)
                value = window_cost(pair, y, x, r, c, best)
                if value < best:
                    row, column, best = r, c, value
            new_rows[y, x], new_columns[y, x], new_cost[y, x] = row, column, best


@njit(nogil=True, cache=True, fastmath=True)
def mean_of_windows(style, rows, columns, weights, agreement, result, top, bottom):
    """Into result (H,W,3) the weighted mean of what the windows over each pixel show there. style (h,w,3).

    A window's vote counts its weight, times the number of windows over the same pixel that show the very same
    style pixel, to the power `agreement`: with 0 all count alike, with more the picture is sharper.
    """
    height, across = rows.shape
    style_width, flat = style.shape[1], style.ravel()
    place, share = np.empty(PATCH * PATCH, np.int64), np.empty(PATCH * PATCH, np.float32)
    for y in range(top, bottom):
        for x in range(result.shape[1]):
            count = 0
            for dy in range(max(0, y - height + 1), min(PATCH, y + 1)):
                for dx in range(max(0, x - across + 1), min(PATCH, x + 1)):
                    r, c = rows[y - dy, x - dx] + dy, columns[y - dy, x - dx] + dx
                    place[count], share[count] = r * style_width + c, weights[y - dy, x - dx]
                    count += 1
            red, green, blue, total = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for i in range(count):
                weight = share[i]
                if agreement > 0:
                    agreeing = np.float32(0)
                    for j in range(count):
                        agreeing += np.float32(place[j] == place[i])
                    weight *= agreeing**agreement
                at = 3 * place[i]
                red += weight * flat[at]
                green += weight * flat[at + 1]
                blue += weight * flat[at + 2]
                total += weight
            result[y, x, 0], result[y, x, 1], result[y, x, 2] = red / total, green / total, blue / total
