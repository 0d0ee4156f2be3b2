"""The optimiser, on problems whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facetransfer.core.descent import Descent, WaitlessDescent
from facetransfer.core.descent.curvature import MEMORY, Curvature, combined, look_back
from facetransfer.core.descent.plain import followed

DESCENTS = pytest.mark.parametrize("kind", (Descent, WaitlessDescent))


def quadratic(target: torch.Tensor, weights: torch.Tensor):
    def evaluate(point: torch.Tensor):
        return (((point - target).square() * weights).sum() / 2)[None], (point - target) * weights

    return evaluate


@DESCENTS
def test_it_finds_the_lowest_point_within_the_bounds(kind: type) -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(1, 3, 8, 8, generator=generator) * 1.6 - 0.3  # some beyond the range
    weights = torch.rand(1, 3, 8, 8, generator=generator) * 9 + 0.5
    descent = kind(torch.full((1, 3, 8, 8), 0.5), quadratic(target, weights))
    for _ in range(60):
        descent.step()
    torch.testing.assert_close(descent.picture, target.clamp(0, 1), atol=2e-3, rtol=0)


@DESCENTS
def test_a_new_objective_does_not_throw_it_off(kind: type) -> None:
    """The lowest point jumps now and then, as matches do: the loss never ends above where the jump left it."""
    generator = torch.Generator().manual_seed(1)
    weights = torch.rand(1, 3, 8, 8, generator=generator) * 50 + 0.1
    descent, evaluate = None, None
    for _ in range(6):
        evaluate = quadratic(torch.rand(1, 3, 8, 8, generator=generator), weights)
        if descent is None:
            descent = kind(torch.full((1, 3, 8, 8), 0.5), evaluate)
        descent.evaluate = evaluate
        descent.objective_changed()
        before = evaluate(descent.newest)[0]
        for _ in range(12):
            descent.step()
        assert evaluate(descent.picture)[0] < 0.05 * before


@DESCENTS
def test_a_step_too_far_is_taken_back(kind: type) -> None:
    """A wall in the loss: beyond it everything is far worse. The kept picture never lies beyond the wall."""

    def evaluate(point: torch.Tensor):
        beyond = (point > 0.6).any()
        return ((1 - point).square().sum() + (1e6 if beyond else 0.0))[None], -2 * (1 - point)

    descent = kind(torch.full((1, 3, 4, 4), 0.1), evaluate)
    for _ in range(40):
        descent.step()
        assert descent.picture.max() <= 0.6
    assert descent.picture.mean() > 0.5


@DESCENTS
def test_it_learns_the_curvature_though_the_objective_moves_at_every_step(kind: type) -> None:
    """Directions that are a thousand times steeper than others: steps along the gradient alone would hardly move the flat ones."""
    generator = torch.Generator().manual_seed(2)
    weights = 10 ** (torch.rand(1, 3, 8, 8, generator=generator) * 3 - 1)
    target = torch.rand(1, 3, 8, 8, generator=generator)
    descent = kind(torch.full((1, 3, 8, 8), 0.5), quadratic(target, weights))
    first = descent.evaluate(descent.newest)[0]
    for _ in range(40):
        descent.evaluate = quadratic(target + 1e-4 * torch.randn(1, 3, 8, 8, generator=generator), weights)
        descent.objective_changed()
        descent.step()
    assert quadratic(target, weights)(descent.picture)[0] < 0.01 * first


@pytest.mark.parametrize("side", (9, 70))  # less than a piece of a sum, and several with a rest
def test_the_compiled_passes_do_what_the_tensor_code_does(side: int) -> None:
    """The compiled ones take float32, the tensor code (a GPU's) float64; points on the bounds, where some gradients lead out, among them."""
    generator = torch.Generator().manual_seed(3)
    point, before, gradient, gradient_before, free = (
        torch.randn(1, 3, side, side, generator=generator).contiguous(memory_format=torch.channels_last)
        for _ in range(5)
    )
    point = (point / 2 + 0.5).clamp(0, 1)
    assert (point == 0).any() and (point == 1).any()
    rows, factor, shares = (
        torch.randn(6, point.numel(), generator=generator),
        torch.tensor(0.3),
        np.linspace(-1, 1, 6),
    )
    for passed, arguments in (
        (look_back, (rows, 2, point, gradient, before, gradient_before)),
        (combined, (rows, shares, free, 0.7)),
        (followed, (point, gradient, free, factor)),
    ):
        expected, found = (
            [x.to(kind, copy=True) if isinstance(x, torch.Tensor) else x for x in arguments]
            for kind in (torch.float64, torch.float32)
        )
        answers = [
            (*(answer if isinstance(answer, tuple) else (answer,)), given[0])
            for given in (expected, found)
            for answer in [passed(*given)]
        ]
        for there, here in zip(*(map(torch.as_tensor, answer) for answer in answers)):
            torch.testing.assert_close(
                here.double(), there.double(), atol=1e-5 * max(1.0, there.abs().max().item()), rtol=0
            )
    stays = ((point == 0) & (gradient > 0)) | ((point == 1) & (gradient < 0))
    torch.testing.assert_close(followed(point, gradient, free, factor)[stays], point[stays], atol=0, rtol=0)


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64))
def test_the_direction_is_that_of_the_published_recursion(dtype: torch.dtype) -> None:
    """The two-loop recursion as in Nocedal and Wright 2006, algorithm 7.4, vector by vector; more steps than are remembered, one of them useless."""
    generator = torch.Generator().manual_seed(4)
    picture = lambda: (
        torch.rand(1, 3, 5, 7, generator=generator, dtype=torch.float64)
        .to(dtype)
        .contiguous(memory_format=torch.channels_last)
    )  # noqa: E731
    bend = picture() + 0.1
    curvature, points, pairs = Curvature(), [picture() * 0.8 + 0.1 for _ in range(12)], []
    points[5] = points[4]
    gradients = [(point - 0.5) * bend for point in points]
    for i in range(1, len(points)):
        direction, factor = curvature.direction(points[i], gradients[i], (points[i - 1], gradients[i - 1]))
        moved, change = ((x[i] - x[i - 1]).double().flatten() for x in (points, gradients))
        if i != 5:
            pairs = (pairs + [(moved, change)])[-MEMORY:]
        elif len(pairs) == MEMORY:
            pairs = pairs[1:]
        way, shares = -gradients[i].double().flatten(), []
        for moved, change in reversed(pairs):
            shares.append(moved @ way / (moved @ change))
            way = way - shares[-1] * change
        moved, change = pairs[-1]
        way = way * (moved @ change) / (change @ change)
        for (moved, change), share in zip(pairs, reversed(shares)):
            way = way + (share - change @ way / (moved @ change)) * moved
        torch.testing.assert_close(
            direction.double().flatten(), way, atol=1e-4 * way.abs().max().item(), rtol=0
        )
        assert factor * direction.square().mean().sqrt() < 0.0801


def test_both_descents_go_the_same_way() -> None:
    """Past more steps than are remembered, a new objective, a wall and points at the bounds."""
    generator = torch.Generator().manual_seed(5)
    target, weights = (
        torch.rand(1, 3, 8, 8, generator=generator) * 1.4 - 0.2,
        torch.rand(1, 3, 8, 8, generator=generator) * 20 + 0.1,
    )

    def evaluate(point: torch.Tensor):
        (loss,), gradient = quadratic(target, weights)(point)
        return torch.stack((loss + 1e6 * (point[..., 0, 0] > 0.7).any(), loss)), gradient

    descents = [kind(torch.full((1, 3, 8, 8), 0.5), evaluate) for kind in (Descent, WaitlessDescent)]
    for i in range(30):
        if i == 14:
            target += 0.05
            for descent in descents:
                descent.objective_changed()
        for descent in descents:
            descent.step()
        torch.testing.assert_close(descents[1].picture, descents[0].picture, atol=1e-3, rtol=0)
        torch.testing.assert_close(descents[1].values, descents[0].values, atol=1e-4, rtol=0.02)
