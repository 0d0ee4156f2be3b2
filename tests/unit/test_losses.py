"""Gradients that are written out are those that autograd finds."""

from __future__ import annotations

import pytest
import torch

from facetransfer.core import losses
from facetransfer.core.features import LAYERS, load_network
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
        torch.testing.assert_close(loss(values, 0.3), 0.3 * plain)


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


@pytest.mark.parametrize("wanted", [("2_1", "3_1", "4_2"), ("1_1",), ("1_2", "3_4"), LAYERS])
@pytest.mark.parametrize("kind, near", [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_frozen_networks_are_the_same_network(
    wanted: tuple[str, ...], kind: torch.dtype, near: float
) -> None:
    """By hand and by autograd, which is taken where weights may still change; at a size that leaves odd rows at every stride."""
    frozen, trained = (
        load_network("seeded"),
        type(load_network("seeded"))((16, 32, 64, 128), (0.0,) * 3, (1.0,) * 3),
    )
    trained.load_state_dict(frozen.state_dict())
    trained.mean, trained.std = frozen.mean, frozen.std
    picture = torch.rand(2, 3, 45, 38, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found, plain = frozen(picture, wanted, kind), trained(picture, wanted, kind)
    assert list(found) == [n for n in LAYERS if n in wanted] and all(
        f.dtype == kind and f.shape == plain[n].shape for n, f in found.items()
    )
    for name in found:
        assert (found[name] - plain[name]).abs().max() <= near * plain[name].abs().max()
    ours, theirs = (
        gradient_of(
            sum((i + 1) * (f.float() - 1).square().mean() for i, f in enumerate(fs.values())), picture
        )
        for fs in (found, plain)
    )
    assert (ours - theirs).norm() <= near * theirs.norm()


def test_features_of_frozen_networks_are_let_go() -> None:
    """What is returned and what is kept for the way back do not hold each other."""
    import gc
    import weakref

    gc.disable()
    try:
        found = load_network("seeded")(torch.rand(1, 3, 32, 32, requires_grad=True), ("2_1", "3_4"))
        watched = [weakref.ref(f) for f in found.values()]
        del found
        assert all(w() is None for w in watched)
    finally:
        gc.enable()


@pytest.mark.parametrize("threads", [1, 3])
def test_compiled_smoothness_is_that_of_tensors(threads: int) -> None:
    """As GPUs compute it; in stripes, whose rims meet."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        for height, width in ((2, 2), (3, 40), (31, 17)):
            picture = torch.rand(
                1, 3, height, width, generator=torch.Generator().manual_seed(height)
            ).requires_grad_()
            value, plain = losses._CompiledSmoothness.apply(picture), losses._Smoothness.apply(picture)
            torch.testing.assert_close(value, plain)
            torch.testing.assert_close(
                gradient_of(2 * value, picture), gradient_of(2 * plain, picture), rtol=1e-4, atol=1e-7
            )
    finally:
        torch.set_num_threads(before)
