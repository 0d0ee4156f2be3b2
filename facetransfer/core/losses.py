"""What a result is pulled by. Each loss is complete when it is made; all are free of scale.

Feature losses are divided by the mean square of what they compare with, so the same weights fit every network; called with a
`weight`, they are that many times as large. The gradients of the losses of many numbers are written out: autograd would read and
write them three times as often.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from facetransfer.core.features.passes import compiled_pass_serves
from facetransfer.core.inner_product import inner_product, mean_square


@dataclass(frozen=True)
class ContentLoss:
    """Squared difference of the content layer (Gatys et al. 2015, eq. 1). target (C,h,w)."""

    target: Tensor

    def __call__(self, features: Tensor, weight: float = 1.0) -> Tensor:
        return _square_difference(features, self.target, None, self.per_number * weight)

    @cached_property
    def per_number(self) -> Tensor:
        """(): the weight of each number's squared difference, 1 / (mean square of the target * its numbers): found once, as calls are many."""
        return 1 / (mean_square(self.target).clamp_min(1e-8) * self.target.numel())


@dataclass(frozen=True)
class StyleLoss:
    """Squared difference of windows from their matched style windows (Li and Wand 2016, eq. 2), in its voted form.

    targets (C,h,w) from `matching.votes`; scale, the mean square of the style's features. Published, a cell weighs as
    many windows as cover it, which leaves the rim almost free and shows as a frame: here all cells weigh the same, or as
    `strength` (h,w) says.
    """

    targets: Tensor
    scale: Tensor
    strength: Tensor | None = None

    def __call__(self, features: Tensor, weight: float = 1.0) -> Tensor:
        return _square_difference(features, self.targets, self.strength, self.per_number * weight)

    @cached_property
    def per_number(self) -> Tensor:
        """(): as of `ContentLoss`, with the style's mean square."""
        return 1 / (self.scale * self.targets.numel())


@dataclass(frozen=True)
class GramLoss:
    """Squared difference of Gram matrices (Gatys et al. 2015, eq. 4): which features occur together, no matter where.

    target (C,C). centre (C,1) is taken off before, 0 as published; of pixels it is their mean, which would hide how they differ.
    """

    target: Tensor
    centre: Tensor | float = 0.0

    @classmethod
    def of(cls, features: Tensor, centred: bool = False) -> GramLoss:
        """Towards features (C,h,w)."""
        centre = features.flatten(1).mean(1, keepdim=True) if centred else 0.0
        return cls(gram(features, centre), centre)

    def __call__(self, features: Tensor, weight: float = 1.0) -> Tensor:
        return (gram(features, self.centre) - self.target).square().mean() * (
            weight / self.target.square().mean().clamp_min(1e-8)
        )


def gram(features: Tensor, centre: Tensor | float = 0.0) -> Tensor:
    """(C,h,w) to (C,C): the mean over cells of the products of channels, each less its centre (C,1)."""
    flat = features.flatten(1).float() - centre
    return flat @ flat.T / flat.shape[1]


def smoothness_loss(picture: Tensor) -> Tensor:
    """Mean over pixels of (dx^2 + dy^2)^1.25 (Mahendran and Vedaldi 2015). picture (1,3,H,W) in [0,1]."""
    return (_CompiledSmoothness if picture.device.type == "cpu" else _Smoothness).apply(picture)


def _square_difference(values: Tensor, target: Tensor, strength: Tensor | None, weight: Tensor) -> Tensor:
    """The sum of weight () * strength * (values - target)^2. values (C,h,w) of any type, target (C,h,w) float32, strength (h,w) or None for 1."""
    compiled = compiled_pass_serves(values) and target.dtype == torch.float32
    return (_CompiledSquare if compiled else _Square).apply(values, target, strength, weight)


class _Square(torch.autograd.Function):
    """See `_square_difference`."""

    @staticmethod
    def forward(ctx, values: Tensor, target: Tensor, strength: Tensor | None, weight: Tensor) -> Tensor:
        difference = values.float().sub_(target) if values.dtype != torch.float32 else values - target
        weighted = difference if strength is None else difference * strength
        ctx.weighted, ctx.kind, ctx.weight = weighted, values.dtype, weight
        return inner_product(difference, weighted) * weight

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return (ctx.weighted * (gradient * (2 * ctx.weight))).to(ctx.kind), None, None, None


class _CompiledSquare(torch.autograd.Function):
    """The same of bfloat16 on the CPU, the gradient found with the value: what a loss is weighed by is known before, so features are fetched once."""

    @staticmethod
    def forward(ctx, values: Tensor, target: Tensor, strength: Tensor | None, weight: Tensor) -> Tensor:
        from facetransfer.core import (
            compiled_features as loops,  # not before it is needed: it takes a while to load
        )

        depth, height, width = values.shape
        weights, sums = (
            np.empty((0, 0), np.float32) if strength is None else strength.contiguous().numpy(),
            np.empty(height, np.float32),
        )
        share, found = weight.item(), torch.empty((height, width, depth), dtype=torch.bfloat16)
        ctx.gradient = found.permute(2, 0, 1)
        loops.run(
            loops.pulled,
            height,
            width * depth,
            *loops.span(values),
            *loops.span(target),
            weights,
            width * depth,
            np.float32(2 * share),
            loops.span(ctx.gradient)[0].reshape(height, -1),
            sums,
        )
        return target.new_tensor(sums.sum(dtype=np.float64) * share)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return ctx.gradient if gradient == 1 else ctx.gradient * gradient, None, None, None


class _Smoothness(torch.autograd.Function):
    """See `smoothness_loss`."""

    @staticmethod
    def forward(ctx, picture: Tensor) -> Tensor:
        dx = picture[..., :-1, 1:] - picture[..., :-1, :-1]
        dy = picture[..., 1:, :-1] - picture[..., :-1, :-1]
        energy = torch.addcmul(dx.square(), dy, dy).add_(1e-8)
        root = energy.sqrt().sqrt_()  # to the power of a quarter, much sooner than by pow
        ctx.passes, ctx.shape = (dx, dy, root), picture.shape
        return inner_product(energy, root) / energy.numel()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        dx, dy, root = ctx.passes
        each = root * (gradient * (2.5 / root.numel()))
        dx, dy = dx * each, dy * each
        whole = dx.new_zeros(ctx.shape).contiguous(memory_format=torch.channels_last)
        whole[..., :-1, 1:] += dx
        whole[..., 1:, :-1] += dy
        whole[..., :-1, :-1] -= dx.add_(dy)
        return whole


class _CompiledSmoothness(torch.autograd.Function):
    """The same on the CPU, value and gradient in one pass."""

    @staticmethod
    def forward(ctx, picture: Tensor) -> Tensor:
        from facetransfer.core import kernels as compiled  # not before it is needed: it takes a while to load

        pixels = picture.detach().movedim(1, 3).contiguous()
        _, height, width, _ = pixels.shape
        ctx.gradient, sums, count = (
            torch.empty_like(pixels),
            np.empty(height, np.float32),
            3 * (height - 1) * (width - 1),
        )
        rows, found = (x.view(height, 3 * width).numpy() for x in (pixels, ctx.gradient))
        compiled.in_stripes(
            compiled.smoothness, height, rows, np.float32(2.5 / count), found, sums, least=compiled.FEW_ROWS
        )
        return picture.new_tensor(sums.sum(dtype=np.float64) / count)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return (ctx.gradient * gradient).movedim(3, 1)
