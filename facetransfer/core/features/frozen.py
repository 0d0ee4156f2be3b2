"""The forward and backward pass of a frozen network, by hand: what autograd would do, in half the passes over memory.

Features are written once, where the next convolution's replicated border fits around them; on the way back only the gradient of
the picture is computed, border folded in.
"""

from __future__ import annotations

import torch
from torch import Tensor

from facetransfer.core.features.passes import (
    averaged,
    before_averaged,
    before_convolved,
    before_normalised,
    before_rectified,
    compiled_pass_serves,
    convolved_and_rectified,
    folded,
    inside,
    normalised,
    rectified,
)

Layer = tuple[
    str, Tensor, Tensor, Tensor
]  # name, weight (K,C,3,3), the same turned (C,K,3,3), see `before_convolved`, bias (K,)


def pooled_before(name: str) -> bool:
    """Whether a layer looks at the averages of 2x2 cells of the one before."""
    return name.endswith("_1") and name != "1_1"


def rim_before(first: int, layers: list[Layer], batch: int, height: int, width: int) -> int:
    """Cells around what the first layer of a block looks at, in a picture of that size there: one, or where convolutions rectify, one for each of the block, as each leaves one less."""
    block, weight = 1, layers[first][1]
    while first + block < len(layers) and not pooled_before(layers[first + block][0]):
        block += 1
    return (
        block if compiled_pass_serves(weight[0, 0, 0, 0].expand(batch * len(weight) * height * width)) else 1
    )  # of numbers as many as the block's features


class FrozenFeatures(torch.autograd.Function):
    """Pictures (B,3,H,W), what normalises them (1,3,1,1) each, the layers up to the last that is wanted, and the names of those wanted, to their features.

    Features come in the order of the layers, in the type of the weights, after ReLU. Weights get no gradient.
    """

    @staticmethod
    def forward(
        ctx, pictures: Tensor, mean: Tensor, std: Tensor, layers: list[Layer], wanted: set[str]
    ) -> tuple[Tensor, ...]:
        batch, _, height, width = pictures.shape
        rim = rim_before(0, layers, batch, height, width)
        x, saved, found = normalised(pictures, mean, std, layers[0][1].dtype, rim), [], []
        for i, (name, weight, _, bias) in enumerate(layers):
            last = i + 1 == len(layers)
            if last or pooled_before(layers[i + 1][0]):
                y = torch.conv2d(x, weight, bias)
                saved.append((x, y.detach()))  # not what is returned: that would keep alive what keeps it
                if name in wanted:
                    y.clamp_min_(0)  # otherwise only its sign is asked for
                if not last:
                    rim = rim_before(i + 1, layers, batch, -(-y.shape[2] // 2), -(-y.shape[3] // 2))
                    x = averaged(y, rim)
            else:
                if rim > 1:
                    rim -= 1
                    after = convolved_and_rectified(x, weight, bias, rim)
                else:
                    after = rectified(torch.conv2d(x, weight, bias))
                saved.append((x, inside(after, rim)))
                x, y = after, inside(after, rim)
            if name in wanted:
                found.append(y)
        ctx.std, ctx.layers, ctx.wanted, ctx.passes = std, layers, wanted, saved
        return tuple(found)

    @staticmethod
    def backward(ctx, *gradients: Tensor | None) -> tuple[Tensor, None, None, None, None]:
        own = dict(zip([name for name, *_ in ctx.layers if name in ctx.wanted], gradients))
        back, after = None, None
        for (name, weight, turned, _), (x, y) in zip(reversed(ctx.layers), reversed(ctx.passes)):
            pooled = back is not None and pooled_before(after)
            if pooled:
                back = before_averaged(y, back)
            given = [g for g in (back, own.get(name)) if g is not None]
            if len(given) > pooled:
                back = before_rectified(y, *given)
            after = name
            if back is not None:
                whole = before_convolved(x, back, weight, turned)
                back = before_normalised(whole, ctx.std) if name == ctx.layers[0][0] else folded(whole)
        return back, None, None, None, None
