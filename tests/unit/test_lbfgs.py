"""The optimiser, on problems whose answer is known."""

from __future__ import annotations

import pytest
import torch

from facetransfer.core.lbfgs import LBFGS, dot


def quadratic(target: torch.Tensor, weights: torch.Tensor):
    def evaluate(point: torch.Tensor):
        return (((point - target).square() * weights).sum() / 2)[None], (point - target) * weights

    return evaluate


def test_it_finds_the_lowest_point_within_the_bounds() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(1, 3, 8, 8, generator=generator) * 1.6 - 0.3  # some beyond the range
    weights = torch.rand(1, 3, 8, 8, generator=generator) * 9 + 0.5
    descent = LBFGS(torch.full((1, 3, 8, 8), 0.5), quadratic(target, weights))
    for _ in range(60):
        descent.step()
    torch.testing.assert_close(descent.picture, target.clamp(0, 1), atol=2e-3, rtol=0)


def test_a_new_objective_does_not_throw_it_off() -> None:
    """The lowest point jumps now and then, as matches do: the loss never ends above where the jump
    left it.
    """
    generator = torch.Generator().manual_seed(1)
    weights = torch.rand(1, 3, 8, 8, generator=generator) * 50 + 0.1
    descent, evaluate = None, None
    for _ in range(6):
        evaluate = quadratic(torch.rand(1, 3, 8, 8, generator=generator), weights)
        if descent is None:
            descent = LBFGS(torch.full((1, 3, 8, 8), 0.5), evaluate)
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
        return ((1 - point).square().sum() + (1e6 if beyond else 0.0))[None], -2 * (1 - point)

    descent = LBFGS(torch.full((1, 3, 4, 4), 0.1), evaluate)
    for _ in range(40):
        descent.step()
        assert descent.picture.max() <= 0.6
    assert descent.picture.mean() > 0.5


def test_it_learns_the_curvature_though_the_objective_moves_at_every_step() -> None:
    """Directions that are a thousand times steeper than others: steps along the gradient alone would hardly
    move the flat ones.
    """
    generator = torch.Generator().manual_seed(2)
    weights = 10 ** (torch.rand(1, 3, 8, 8, generator=generator) * 3 - 1)
    target = torch.rand(1, 3, 8, 8, generator=generator)
    descent = LBFGS(torch.full((1, 3, 8, 8), 0.5), quadratic(target, weights))
    first = descent.evaluate(descent.newest)[0]
    for _ in range(40):
        descent.evaluate = quadratic(target + 1e-4 * torch.randn(1, 3, 8, 8, generator=generator), weights)
        descent.objective_changed()
        descent.step()
    assert quadratic(target, weights)(descent.picture)[0] < 0.01 * first


def test_the_direction_is_that_of_newton_where_the_objective_is_a_parabola() -> None:
    """Along one direction alone the curvature is known after one step, so that the next one lands at the
    lowest point.
    """
    bend, target = 7.0, 0.52
    optimiser = LBFGS(
        torch.full((1, 3, 4, 4), 0.5), quadratic(torch.full((1, 3, 4, 4), target), torch.tensor(bend))
    )
    optimiser.step()
    optimiser.step()
    torch.testing.assert_close(optimiser.newest, torch.full((1, 3, 4, 4), target), atol=1e-5, rtol=0)


def test_pixels_at_the_end_of_their_range_stay_where_the_gradient_leads_out() -> None:
    start = torch.tensor([0.0, 1.0, 0.5]).view(1, 3, 1, 1).expand(1, 3, 2, 2).contiguous()
    outside = torch.tensor([-1.0, 2.0, 0.7]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    optimiser = LBFGS(start, quadratic(outside, torch.tensor(1.0)))
    for _ in range(20):
        optimiser.step()
        assert (optimiser.newest[:, 0] == 0).all() and (optimiser.newest[:, 1] == 1).all()
    torch.testing.assert_close(optimiser.picture[:, 2], outside[:, 2], atol=1e-3, rtol=0)


@pytest.mark.parametrize("side", (9, 70))
def test_a_product_does_not_depend_on_the_number_of_threads(side: int) -> None:
    a, b = torch.rand(2, 1, 3, side, side, generator=torch.Generator().manual_seed(3))
    threads, found = torch.get_num_threads(), set()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.add(dot(a, b).item())
    finally:
        torch.set_num_threads(threads)
    assert len(found) == 1
