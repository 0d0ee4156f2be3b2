"""What is done to features between the convolutions of a frozen network: forward, the next one's replicated border and what fills it; backward the same again.

Each as tensor code, and as one compiled pass where features are bfloat16 on the CPU: beside convolutions that multiply twice as
fast, five passes over memory would take as long as they do. All are (B,C,h,w), channels last.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

RECTIFYING = getattr(
    torch.ops.mkldnn, "_convolution_pointwise", None
)  # oneDNN's convolution that ends in ReLU, as torch.compile calls it; not in every build of torch
RIM = 2  # empty cells on each side of a gradient: with them, one 3x3 convolution more gives the gradient of all cells that the first one looked at
WORTH_A_CALL = 1 << 15  # numbers; to call a loop takes as long as torch takes to go through so many


def bordered(x: Tensor, rim: int = 1) -> Tensor:
    """x with its border replicated, one cell wide. rim: cells around it on each side in all; those further out are empty."""
    whole = _whole(x, *x.shape[-2:], rim=rim)
    if rim > 1:
        whole.zero_()
    inside(whole, rim).copy_(x)
    _add_border(inside(whole, rim - 1))
    return whole


def normalised(pictures: Tensor, mean: Tensor, std: Tensor, kind: torch.dtype, rim: int = 1) -> Tensor:
    """Pictures (B,3,H,W) float32 less the mean (1,3,1,1) and divided by std, in the type `kind`, `bordered`."""
    if kind != torch.bfloat16 or not compiled_pass_serves(pictures, torch.float32):
        return bordered(((pictures - mean) / std).to(kind), rim)
    from facetransfer.core import (
        compiled_features as loops,  # not before it is needed: it takes a while to load
    )

    height, width = pictures.shape[-2:]
    whole, depth = _whole(pictures, height, width, kind, rim), pictures.shape[1]
    less, factor, size = _along_a_row(mean, width), _along_a_row(1 / std, width), width * depth
    for one, to in zip(pictures, whole):
        loops.run(
            loops.normalised,
            height,
            size,
            *loops.span(one),
            less,
            factor,
            loops.span(to)[0],
            height,
            size,
            depth,
            rim,
        )
    return whole


def before_normalised(gradient: Tensor, std: Tensor) -> Tensor:
    """The gradient of pictures, float32, from that of them `normalised`, which it changes."""
    back = folded(gradient)
    if not compiled_pass_serves(back):
        return back.float() / std
    from facetransfer.core import compiled_features as loops

    batch, depth, height, width = back.shape
    found, factor = torch.empty((batch, height, width * depth)), _along_a_row(1 / std, width)
    for one, to in zip(back, found):
        loops.run(loops.scaled, height, width * depth, *loops.span(one), factor, to.numpy(), width * depth)
    return found.view(batch, height, width, depth).permute(0, 3, 1, 2)


def rectified(x: Tensor) -> Tensor:
    """ReLU, `bordered`."""
    whole = _whole(x, *x.shape[-2:])
    torch.clamp_min(x, 0, out=inside(whole))
    _add_border(whole)
    return whole


def convolved_and_rectified(x: Tensor, weight: Tensor, bias: Tensor, rim: int) -> Tensor:
    """ReLU of the convolution of x, which is `bordered` with `rim` + 1 cells, `bordered` with `rim`: it is written once, and only its border after it."""
    from facetransfer.core import compiled_features as loops

    whole = (
        RECTIFYING(x, weight, bias, [0, 0], [1, 1], [1, 1], 1, "relu", [], "")
        if RECTIFYING
        else torch.conv2d(x, weight, bias).clamp_min_(0)
    )
    depth, height, width = whole.shape[1], whole.shape[2] - 2 * rim, whole.shape[3] - 2 * rim
    for one in whole:
        loops.run(loops.bordered, height, depth, loops.span(one)[0], height, width * depth, depth, rim)
    return whole


def averaged(x: Tensor, rim: int = 1) -> Tensor:
    """ReLU and the averages of 2x2 cells, `bordered`. An odd last row or column is averaged alone: no pixel is left out, whatever the size."""
    height, width = x.shape[-2:]
    if not compiled_pass_serves(x):
        return bordered(F.avg_pool2d(F.relu(x), 2, ceil_mode=True, count_include_pad=False), rim)
    from facetransfer.core import compiled_features as loops

    whole = _whole(x, -(-height // 2), -(-width // 2), rim=rim)
    for one, to in zip(x, whole):
        loops.run(
            loops.averaged,
            -(-height // 2),
            2 * width * x.shape[1],
            *loops.span(one),
            loops.span(to)[0],
            height,
            width,
            x.shape[1],
            rim,
        )
    return whole


def before_rectified(x: Tensor, *gradients: Tensor) -> Tensor:
    """The gradient of x (only its sign is looked at, so it may be the result) from those of its ReLU: one, or the two that add up."""
    if not compiled_pass_serves(x):
        return torch.ops.aten.threshold_backward(sum(gradients[1:], gradients[0]), x, 0)
    from facetransfer.core import compiled_features as loops

    batch, depth, height, width = x.shape
    whole, size, loop = (
        _whole(x, height, width, rim=RIM),
        width * depth,
        loops.kept if len(gradients) == 1 else loops.kept_sum,
    )
    for i, to in enumerate(whole):
        spans = (part for y in (*gradients, x) for part in loops.span(y[i]))
        loops.run(loop, height, size, *spans, loops.span(to)[0], height, size, depth, RIM)
    return inside(whole, RIM)


def before_averaged(x: Tensor, back: Tensor) -> Tensor:
    """The gradient of x (as above) from that of its `averaged`, (B,C,ceil(h/2),ceil(w/2))."""
    if not compiled_pass_serves(x):
        back = back.contiguous(memory_format=torch.channels_last)
        back = torch.ops.aten.avg_pool2d_backward(back, x, [2, 2], [2, 2], [0, 0], True, False, None)
        return torch.ops.aten.threshold_backward(back, x, 0)
    from facetransfer.core import compiled_features as loops

    batch, depth, height, width = x.shape
    whole = _whole(x, height, width, rim=RIM)
    for i, to in enumerate(whole):
        loops.run(
            loops.unpooled,
            height,
            width * depth,
            *loops.span(back[i]),
            *loops.span(x[i]),
            loops.span(to)[0],
            height,
            width,
            depth,
            RIM,
        )
    return inside(whole, RIM)


def before_convolved(x: Tensor, back: Tensor, weight: Tensor, turned: Tensor) -> Tensor:
    """The gradient of x (B,C,h+2,w+2) from that of its convolution (B,K,h,w), as `before_rectified` or `before_averaged` gave it.

    turned: the weight (K,C,3,3) as (C,K,3,3), upside down. oneDNN takes up to three times as long for cells that it has to make up
    beside the gradient as for those that are there: compiled passes leave them.
    """
    if not compiled_pass_serves(back):
        return torch.ops.aten.convolution_backward(
            back, x, weight, [0], [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, False, False]
        )[0]
    batch, depth, height, width = back.shape
    return torch.conv2d(
        back.as_strided((batch, depth, height + 2 * RIM, width + 2 * RIM), back.stride(), 0), turned
    )


def folded(gradient: Tensor) -> Tensor:
    """The gradient of what was `bordered`, from that of the whole, which it changes; a view of it."""
    for axis in (2, 3):
        border, rim = _sides(gradient, axis)
        rim += border
    return inside(gradient)


def inside(whole: Tensor, rim: int = 1) -> Tensor:
    """Without what lies around, `rim` cells on each side, a view."""
    return whole[..., rim : whole.shape[-2] - rim, rim : whole.shape[-1] - rim]


def compiled_pass_serves(x: Tensor, kind: torch.dtype = torch.bfloat16) -> bool:
    """Whether the loops of `compiled_features` can go through it, and are worth calling."""
    return x.device.type == "cpu" and x.dtype == kind and x.numel() >= WORTH_A_CALL


def _along_a_row(channels: Tensor, width: int) -> np.ndarray:
    """(1,C,1,1) as (width*C,): a number for each number of a row of cells."""
    return np.tile(channels.flatten().numpy(), width)


def _whole(x: Tensor, height: int, width: int, kind: torch.dtype | None = None, rim: int = 1) -> Tensor:
    """Memory for x at that size and `rim` cells around it, of its type or another."""
    return x.new_empty((x.shape[0], height + 2 * rim, width + 2 * rim, x.shape[1]), dtype=kind).permute(
        0, 3, 1, 2
    )


def _add_border(whole: Tensor) -> None:
    """Fills the border, one cell wide, in place."""
    for axis in (3, 2):  # both sides at once: on a graphics card each copy costs its start, not its size
        border, beside = _sides(whole, axis)
        border.copy_(beside)


def _sides(whole: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Of what is `bordered`: the first and the last row (axis 2), or column (3, without the corners), and what lies beside both inside. Views."""
    size = whole.shape[axis]
    lines = whole if axis == 2 else whole[:, :, 1:-1]
    at = (slice(None),) * axis
    return lines[(*at, slice(0, None, size - 1))], lines[(*at, slice(1, size - 1, size - 3))]
