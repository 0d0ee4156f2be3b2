"""Loops over features in bfloat16, the CPU's: what is done to them between a frozen network's convolutions (see `features.passes`), and `losses`.

Features (h,w,C) are handed over as `span` has them: uint16, the bits of bfloat16, one long array, so that rows of it are known
to lie without gaps, and the step from one row to the next. Each loop works on the rows from `top` to `bottom` and holds no lock of
Python's. Choices between numbers are made by the intrinsics: as branches they would keep the processor from taking many at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor

from facetransfer.core.kernels import in_stripes

WORTH_THREADS = 1 << 22  # numbers from which several threads are quicker than one

Span = tuple[np.ndarray, int]


def run(loop: Callable[..., Any], rows: int, size: int, *arguments: Any) -> None:
    """Calls loop(*arguments, top, bottom) for all `rows` of `size` numbers, on several threads where that pays."""
    in_stripes(loop, rows, *arguments, least=0 if rows * size >= WORTH_THREADS else rows + 1)


def span(x: Tensor) -> Span:
    """(C,h,w) whose rows of cells lie without gaps, channels last, as the array of all that lies between its first and its last number, and its step."""
    x = x.detach().permute(1, 2, 0)
    if x.stride()[1:] != (x.shape[2], 1):
        x = x.contiguous()
    height, width, depth = x.shape
    flat = x.as_strided(((height - 1) * x.stride(0) + width * depth,), (1,))
    return (
        flat.view(torch.int16).numpy().view(np.uint16) if x.dtype == torch.bfloat16 else flat.numpy()
    ), x.stride(0)


@intrinsic
def _number(typing: Any, bits: Any) -> Any:
    """The float32 of bfloat16's bits."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        whole = ir.IntType(32)
        return builder.bitcast(builder.shl(builder.zext(arguments[0], whole), whole(16)), ir.FloatType())

    return types.float32(types.uint16), code


@intrinsic
def _bits(typing: Any, number: Any) -> Any:
    """The bits of the bfloat16 that is next to a float32, of two the even one."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        whole = ir.IntType(32)
        bits = builder.bitcast(arguments[0], whole)
        odd = builder.and_(builder.lshr(bits, whole(16)), whole(1))
        return builder.trunc(
            builder.lshr(builder.add(bits, builder.add(odd, whole(0x7FFF))), whole(16)), ir.IntType(16)
        )

    return types.uint16(types.float32), code


@intrinsic
def _rectified(typing: Any, bits: Any) -> Any:
    """Those of 0 for what is below it."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        none = ir.IntType(16)(0)
        return builder.select(builder.icmp_signed(">", arguments[0], none), arguments[0], none)

    return types.uint16(types.uint16), code


@intrinsic
def _where_above_0(typing: Any, bits: Any, other: Any) -> Any:
    """The bits where other's number is above 0, elsewhere those of 0."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        none = ir.IntType(16)(0)
        return builder.select(builder.icmp_signed(">", arguments[1], none), arguments[0], none)

    return types.uint16(types.uint16, types.uint16), code


@intrinsic
def _halved(typing: Any, bits: Any, times: Any) -> Any:
    """Those of the number halved so many times: an exponent less by as much; 0 where it is too small for that."""

    def code(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list[ir.Value]) -> ir.Value:
        short = ir.IntType(16)
        less = builder.shl(arguments[1], short(7))
        enough = builder.icmp_unsigned(">", builder.and_(arguments[0], short(0x7F80)), less)
        return builder.select(enough, builder.sub(arguments[0], less), short(0))

    return types.uint16(types.uint16, types.uint16), code


@njit(inline="always")
def _empty_around(whole, y, height, size, depth, rim, beside):
    """Of the row y of `height` rows of `size` numbers, which lies `rim` cells inside whole: empties the cells around it, but for the first `beside`; around the first and last row those above and below too."""
    step = size + 2 * rim * depth
    row, outer = whole[(y + rim) * step : (y + rim + 1) * step], (rim - beside) * depth
    row[:outer], row[step - outer :] = 0, 0
    if y == 0:
        whole[: (rim - beside) * step] = 0
    if y == height - 1:
        whole[(height + rim + beside) * step :] = 0


@njit(inline="always")
def _add_border(whole, y, height, size, depth, rim):
    """Of the same row: copies its ends, and the first and last row itself, to the cells beside, and empties those further out."""
    step, first, end = size + 2 * rim * depth, rim * depth, rim * depth + size
    row = whole[(y + rim) * step : (y + rim + 1) * step]
    _empty_around(whole, y, height, size, depth, rim, 1)
    for i in range(depth):
        row[first - depth + i], row[end + i] = row[first + i], row[end - depth + i]
    if y == 0:
        whole[(rim - 1) * step : rim * step] = row
    if y == height - 1:
        whole[(height + rim) * step : (height + rim + 1) * step] = row


@njit(nogil=True, cache=True, fastmath=True)
def normalised(values, step, less, factor, whole, height, size, depth, rim, top, bottom):
    """(values - less) * factor of rows of `size` float32, the last two (size,), into whole (h+2*rim,w+2*rim,C) with its border."""
    for y in range(top, bottom):
        here, to = (
            values[y * step : y * step + size],
            whole[(y + rim) * (size + 2 * rim * depth) + rim * depth :],
        )
        for i in range(size):
            to[i] = _bits((here[i] - less[i]) * factor[i])
        _add_border(whole, y, height, size, depth, rim)


@njit(nogil=True, cache=True, fastmath=True)
def scaled(back, back_step, factor, found, size, top, bottom):
    """Into found (h,size) float32 factor * back; factor (size,)."""
    for y in range(top, bottom):
        of, to = back[y * back_step : y * back_step + size], found[y]
        for i in range(size):
            to[i] = factor[i] * _number(of[i])


@njit(nogil=True, cache=True)
def bordered(whole, height, size, depth, rim, top, bottom):
    """The border of what lies inside whole (h+2*rim,w+2*rim,C)."""
    for y in range(top, bottom):
        _add_border(whole, y, height, size, depth, rim)


@njit(nogil=True, cache=True, fastmath=True)
def averaged(values, step, whole, height, width, depth, rim, top, bottom):
    """ReLU of (h,w,C), then the averages of 2x2 cells, an odd last row or column alone, into whole (ceil(h/2)+2*rim,ceil(w/2)+2*rim,C) with its border."""
    half, size = (width + 1) // 2, width * depth
    row, beside = (half + 2 * rim) * depth, rim * depth
    sums = np.empty((2 * half, depth), np.float32)
    flat = sums.reshape(-1)
    for y in range(top, bottom):
        above, under = 2 * y * step, min(2 * y + 1, height - 1) * step
        here, below = values[above : above + size], values[under : under + size]
        for i in range(size):
            flat[i] = (_number(_rectified(here[i])) + _number(_rectified(below[i]))) * np.float32(0.25)
        if width % 2:
            sums[width] = sums[width - 1]
        to = whole[(y + rim) * row + beside : (y + rim + 1) * row - beside].reshape(half, depth)
        for x in range(half):
            for i in range(depth):
                to[x, i] = _bits(sums[2 * x, i] + sums[2 * x + 1, i])
        _add_border(whole, y, (height + 1) // 2, half * depth, depth, rim)


@njit(nogil=True, cache=True)
def kept(back, back_step, features, step, whole, height, size, depth, rim, top, bottom):
    """The gradient before ReLU, into whole (h+2*rim,w+2*rim,C), empty around it: back where the features are above 0."""
    for y in range(top, bottom):
        of, here, to = (
            back[y * back_step : y * back_step + size],
            features[y * step : y * step + size],
            whole[(y + rim) * (size + 2 * rim * depth) + rim * depth :],
        )
        for i in range(size):
            to[i] = _where_above_0(of[i], here[i])
        _empty_around(whole, y, height, size, depth, rim, 0)


@njit(nogil=True, cache=True, fastmath=True)
def kept_sum(back, back_step, more, more_step, features, step, whole, height, size, depth, rim, top, bottom):
    """The same of the sum of two gradients."""
    for y in range(top, bottom):
        of, and_of = back[y * back_step : y * back_step + size], more[y * more_step : y * more_step + size]
        here, to = (
            features[y * step : y * step + size],
            whole[(y + rim) * (size + 2 * rim * depth) + rim * depth :],
        )
        for i in range(size):
            to[i] = _where_above_0(_bits(_number(of[i]) + _number(and_of[i])), here[i])
        _empty_around(whole, y, height, size, depth, rim, 0)


@njit(nogil=True, cache=True)
def unpooled(back, back_step, features, step, whole, height, width, depth, rim, top, bottom):
    """The gradient before averages of 2x2 cells and ReLU, into whole (h+2*rim,w+2*rim,C), empty around it; back (ceil(h/2),ceil(w/2),C)."""
    half, row, beside = (width + 1) // 2, (width + 2 * rim) * depth, rim * depth
    lessened = np.empty((half, depth), np.uint16)
    flat = lessened.reshape(-1)
    for y in range(top, bottom):
        start, times = (
            (y >> 1) * back_step,
            np.uint16(1 + (height > y | 1)),
        )  # an odd last row is averaged alone
        of = back[start : start + half * depth]
        for i in range(half * depth):
            flat[i] = _halved(of[i], times)
        if width % 2:
            for i in range((half - 1) * depth, half * depth):
                flat[i] = _halved(of[i], np.uint16(times - 1))
        here, to = (
            features[y * step : y * step + width * depth].reshape(width, depth),
            whole[(y + rim) * row + beside : (y + rim + 1) * row - beside].reshape(width, depth),
        )
        for x in range(width):
            for i in range(depth):
                to[x, i] = _where_above_0(lessened[x >> 1, i], here[x, i])
        _empty_around(whole, y, height, width * depth, depth, rim, 0)


@njit(nogil=True, cache=True, fastmath=True)
def pulled(values, step, target, target_step, strength, size, factor, found, sums, top, bottom):
    """Into sums (h,) each row's sum of strength * (values - target)^2, into found (h,size) the bits of factor * strength * (values - target).

    target float32; strength (h,w), or (0,0) for 1.
    """
    for y in range(top, bottom):
        here, wanted, to, total = (
            values[y * step : y * step + size],
            target[y * target_step : y * target_step + size],
            found[y],
            np.float32(0),
        )
        if strength.size:
            width = strength.shape[1]
            cells, want, into = (
                here.reshape(width, size // width),
                wanted.reshape(width, size // width),
                to.reshape(width, size // width),
            )
            for x in range(width):
                share, part = factor * strength[y, x], np.float32(0)
                for i in range(cells.shape[1]):
                    difference = _number(cells[x, i]) - want[x, i]
                    part += difference * difference
                    into[x, i] = _bits(share * difference)
                total += strength[y, x] * part
        else:
            for i in range(size):
                difference = _number(here[i]) - wanted[i]
                total += difference * difference
                to[i] = _bits(factor * difference)
        sums[y] = total


@njit(nogil=True, cache=True, fastmath=True)
def steered(values, step, steering, share, whole, top, bottom):
    """`matching.steered`: of features (h,w,C), each cell at length `share`, and steering (h,w,G), into whole (h,w,C+G)."""
    width, depth = whole.shape[1], whole.shape[2] - steering.shape[2]
    for y in range(top, bottom):
        for x in range(width):
            here, to, square = (
                values[y * step + x * depth : y * step + (x + 1) * depth],
                whole[y, x],
                np.float32(0),
            )
            for i in range(depth):
                number = _number(here[i])
                square += number * number
            factor = share / max(np.sqrt(square), np.float32(1e-6))
            for i in range(depth):
                to[i] = factor * _number(here[i])
            to[depth:] = steering[y, x]
