"""The forward and backward pass of a frozen network, by hand: what autograd would do, in half the passes over memory.

Features are written once, into the middle of a buffer that already has the next convolution's replicated border around it;
on the way back only the gradient of the picture is computed, border folded in.
"""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Layer = tuple[str, Tensor, Tensor]  # name, weight (K,C,3,3), bias (K,)


def pooled_before(name: str) -> bool:
    """Whether a layer looks at the averages of 2x2 cells of the one before."""
    return name.endswith("_1") and name != "1_1"


class FrozenFeatures(torch.autograd.Function):
    """Normalised pictures (B,3,H,W), the layers up to the last that is wanted, and the names of those wanted, to their features.

    Features come in the order of the layers, in the type of the weights, after ReLU. Weights get no gradient.
    """

    @staticmethod
    def forward(ctx, pictures: Tensor, layers: list[Layer], wanted: set[str]) -> tuple[Tensor, ...]:
        x = bordered(pictures.to(layers[0][1].dtype))
        saved, found = [], []
        for i, (name, weight, bias) in enumerate(layers):
            y = torch.conv2d(x, weight, bias)
            if i + 1 == len(layers) or pooled_before(layers[i + 1][0]):
                y = y.clamp_min_(0)
                saved.append((x, y.detach()))  # not what is returned: that would keep alive what keeps it
                # The odd last row or column is averaged alone: no pixel is left out, whatever the size.
                x = bordered(F.avg_pool2d(y, 2, ceil_mode=True, count_include_pad=False)) if i + 1 < len(layers) else None
            else:
                after = bordered(y, 0.0)
                saved.append((x, inside(after)))
                x, y = after, inside(after)
            if name in wanted:
                found.append(y)
        ctx.layers, ctx.wanted, ctx.passes = layers, wanted, saved
        return tuple(found)

    @staticmethod
    def backward(ctx, *gradients: Tensor | None) -> tuple[Tensor, None, None]:
        own = dict(zip([name for name, *_ in ctx.layers if name in ctx.wanted], gradients))
        back, after = None, None
        for (name, weight, _), (x, y) in zip(reversed(ctx.layers), reversed(ctx.passes)):
            asked, pooled = own.get(name), back is not None and pooled_before(after)
            if pooled:
                back = unpooled(back, y)
            if asked is not None:
                back = asked if back is None else back.add_(asked)
            after = name
            if back is None:
                continue
            if asked is not None or not pooled:
                back = torch.ops.aten.threshold_backward(back, y, 0)
            back = folded(torch.ops.aten.convolution_backward(back, x, weight, [0], [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, False, False])[0])
        return back.float(), None, None


def bordered(x: Tensor, least: float | None = None) -> Tensor:
    """(B,C,H,W) to (B,C,H+2,W+2), channels last, its border replicated, clamped from below at `least`."""
    batch, channels, height, width = x.shape
    whole = x.new_empty((batch, height + 2, width + 2, channels)).permute(0, 3, 1, 2)
    if least is None:
        inside(whole).copy_(x)
    else:
        torch.clamp_min(x, least, out=inside(whole))
    for axis in (3, 2):  # both sides at once: on a graphics card each copy costs its start, not its size
        border, rim = sides(whole, axis)
        border.copy_(rim)
    return whole


def inside(whole: Tensor) -> Tensor:
    """Without the border of one cell, a view."""
    return whole[..., 1:-1, 1:-1]


def folded(gradient: Tensor) -> Tensor:
    """The gradient of what was `bordered`, from that of the whole, which it changes; a view of it."""
    for axis in (2, 3):
        border, rim = sides(gradient, axis)
        rim += border
    return inside(gradient)


def sides(whole: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Of what is `bordered`: the first and the last row (axis 2), or column (3, without the corners), and what lies beside both inside. Views."""
    size = whole.shape[axis]
    lines = whole if axis == 2 else whole[:, :, 1:-1]
    at = (slice(None),) * axis
    return lines[(*at, slice(0, None, size - 1))], lines[(*at, slice(1, size - 1, size - 3))]


def unpooled(back: Tensor, features: Tensor) -> Tensor:
    """The gradient before averages of 2x2 cells and ReLU, of what became `features` (B,C,h,w); `back` (B,C,ceil(h/2),ceil(w/2))."""
    back = back.contiguous(memory_format=torch.channels_last)
    if back.device.type != "cpu" or back.dtype != torch.bfloat16:
        back = torch.ops.aten.avg_pool2d_backward(back, features, [2, 2], [2, 2], [0, 0], True, False, None)
        return torch.ops.aten.threshold_backward(back, features, 0)
    from facetransfer import compiled  # not before it is needed: it takes a while to load

    found = torch.empty_like(features, memory_format=torch.channels_last)
    bits = [x.permute(0, 2, 3, 1).view(torch.int16).numpy() for x in (back, features, found)]
    for of, here, to in zip(*bits):
        compiled.in_stripes(compiled.unpooled, len(here), of.view(np.uint16), here, to.view(np.uint16), least=compiled.FEW_ROWS)
    return found
