"""The optimiser, on problems whose answer is known."""
from __future__ import annotations

import torch

from facetransfer.descent import Descent


def quadratic(target: torch.Tensor, weights: torch.Tensor):
    def evaluate(point: torch.Tensor):
        return ((point - target).square() * weights).sum() / 2, (point - target) * weights
    return evaluate


def test_it_finds_the_lowest_point_within_the_bounds() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(1, 3, 8, 8, generator=generator) * 1.6 - 0.3  # some beyond the range
    weights = torch.rand(1, 3, 8, 8, generator=generator) * 9 + 0.5
    descent = Descent(torch.full((1, 3, 8, 8), 0.5), quadratic(target, weights))
    for _ in range(60):
        descent.step()
    torch.testing.assert_close(descent.picture, target.clamp(0, 1), atol=2e-3, rtol=0)


def test_a_new_objective_does_not_throw_it_off() -> None:
    """The lowest point jumps now and then, as matches do: the loss never ends above where the jump left it."""
    generator = torch.Generator().manual_seed(1)
    weights = torch.rand(1, 3, 8, 8, generator=generator) * 50 + 0.1
    descent, evaluate = None, None
    for _ in range(6):
        evaluate = quadratic(torch.rand(1, 3, 8, 8, generator=generator), weights)
        if descent is None:
            descent = Descent(torch.full((1, 3, 8, 8), 0.5), evaluate)
        descent.evaluate = evaluate
        descent.objective_changed()
        before = evaluate(descent.newest)[0]
        for _ in range(12):
            descent.step()
        assert evaluate(descent.picture)[0] < 0.05 * before


def test_a_step_too_far_is_taken_back() -> None:
    """A wall in the loss: beyond it everything is far worse. The kept picture never lies beyond the wall."""
    def evaluate(point: torch.Tensor):
        beyond = (point > 0.6).any()
        return (1 - point).square().sum() + (1e6 if beyond else 0.0), -2 * (1 - point)
    descent = Descent(torch.full((1, 3, 4, 4), 0.1), evaluate)
    for _ in range(40):
        descent.step()
        assert descent.picture.max() <= 0.6
    assert descent.picture.mean() > 0.5


def test_it_learns_the_curvature_though_the_objective_moves_at_every_step() -> None:
    """Directions that are a thousand times steeper than others: steps along the gradient alone would hardly move the flat ones."""
    generator = torch.Generator().manual_seed(2)
    weights = 10 ** (torch.rand(1, 3, 8, 8, generator=generator) * 3 - 1)
    target = torch.rand(1, 3, 8, 8, generator=generator)
    descent = Descent(torch.full((1, 3, 8, 8), 0.5), quadratic(target, weights))
    first = descent.evaluate(descent.newest)[0]
    for _ in range(40):
        descent.evaluate = quadratic(target + 1e-4 * torch.randn(1, 3, 8, 8, generator=generator), weights)
        descent.objective_changed()
        descent.step()
    assert quadratic(target, weights)(descent.picture)[0] < 0.01 * first
