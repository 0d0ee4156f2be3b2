"""What each loss measures, and that its gradient is that of the formula."""

from __future__ import annotations

import pytest
import torch

from facetransfer.core.features import load_network
from facetransfer.core.losses import ContentLoss, StyleLoss, smoothness_loss


def gradient_of(loss: torch.Tensor, *of: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(loss, of)[0]


@pytest.mark.parametrize("strength", [None, torch.rand(9, 7, generator=torch.Generator().manual_seed(1)) * 2])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_style_and_content_are_mean_squares(kind: torch.dtype, strength: torch.Tensor | None) -> None:
    generator = torch.Generator().manual_seed(0)
    values, target = (torch.randn(5, 9, 7, generator=generator) for _ in range(2))
    values = values.to(kind).requires_grad_()
    weights = torch.ones(9, 7) if strength is None else strength
    for loss, plain in (
        (
            StyleLoss(target, torch.tensor(0.7), strength),
            ((values.float() - target).square() * weights).mean() / 0.7,
        ),
        (ContentLoss(target), (values.float() - target).square().mean() / target.square().mean()),
    ):
        torch.testing.assert_close(loss(values), plain)
        torch.testing.assert_close(
            gradient_of(3 * loss(values), values),
            gradient_of(3 * plain, values),
            rtol=1e-5 if kind == torch.float32 else 1e-2,
            atol=1e-6,
        )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_smoothness_is_the_power_of_the_slope(layout: torch.memory_format) -> None:
    picture = (
        torch.rand(1, 3, 13, 10, generator=torch.Generator().manual_seed(0))
        .contiguous(memory_format=layout)
        .requires_grad_()
    )
    dx, dy = picture[..., :-1, 1:] - picture[..., :-1, :-1], picture[..., 1:, :-1] - picture[..., :-1, :-1]
    plain = (dx.square() + dy.square() + 1e-8).pow(1.25).mean()
    torch.testing.assert_close(smoothness_loss(picture), plain)
    torch.testing.assert_close(
        gradient_of(2 * smoothness_loss(picture), picture), gradient_of(2 * plain, picture)
    )
    flat = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    assert gradient_of(smoothness_loss(flat), flat).abs().max() == 0


def test_features_of_frozen_networks_are_let_go() -> None:
    """What is returned and what is kept for the way back do not hold each other."""
    import gc
    import weakref

    gc.disable()
    try:
        found = load_network("compact")(torch.rand(1, 3, 32, 32, requires_grad=True), ("2_1", "3_4"))
        watched = [weakref.ref(f) for f in found.values()]
        del found
        assert all(w() is None for w in watched)
    finally:
        gc.enable()
