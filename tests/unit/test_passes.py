"""The compiled passes over bfloat16 against the same in tensors, which is what a GPU runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from facetransfer.core import compiled_features, losses, matching
from facetransfer.core.features import passes

SIZES = [(8, 6), (7, 5), (4, 3)]


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The smallest work is worth a call; by one thread, and by three that share it."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    monkeypatch.setattr(compiled_features, "WORTH_THREADS", 0)
    monkeypatch.setattr(passes, "WORTH_A_CALL", 0)
    yield
    torch.set_num_threads(before)


def features(height: int, width: int, seed: int = 0, embedded: bool = False) -> Tensor:
    """(2,16,height,width), channels last, some of them 0 with a sign; embedded: as a view of more."""
    generator = torch.Generator().manual_seed(seed)
    x = (
        torch.randn(2, height + 2, width + 2, 16, generator=generator)
        .to(torch.bfloat16)
        .permute(0, 3, 1, 2)[..., 1:-1, 1:-1]
    )
    x[0, 0, 0, 0], x[1, 1, 0, 0] = -0.0, 0.0
    return x if embedded else x.contiguous(memory_format=torch.channels_last)


def in_tensors(monkeypatch: pytest.MonkeyPatch, work) -> Tensor:
    with monkeypatch.context() as patch:
        patch.setattr(passes, "compiled_pass_serves", lambda *x: False)
        return work()


@pytest.mark.parametrize("embedded", [False, True])
@pytest.mark.parametrize("height, width", SIZES)
def test_passes_do_what_tensors_do(
    height: int, width: int, embedded: bool, threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, back, more = (features(height, width, seed, embedded) for seed in range(3))
    for work in (
        lambda: passes.averaged(x),
        lambda: passes.averaged(x, 3),
        lambda: passes.before_rectified(x, back),
        lambda: passes.before_rectified(x, back, more),
    ):
        ours, theirs = work(), in_tensors(monkeypatch, work)
        assert ours.shape == theirs.shape and ours.dtype == torch.bfloat16
        torch.testing.assert_close(ours, theirs, rtol=2**-7, atol=0)


@pytest.mark.parametrize("height, width", SIZES)
def test_pictures_are_normalised_as_tensors_are(
    height: int, width: int, threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(3))
    mean, std = torch.tensor((0.4, 0.5, 0.6)).view(1, 3, 1, 1), torch.tensor((0.2, 0.3, 0.4)).view(1, 3, 1, 1)
    for layout in (torch.contiguous_format, torch.channels_last):
        x = pictures.contiguous(memory_format=layout)
        for rim in (4, 1):
            ours = passes.normalised(x, mean, std, torch.bfloat16, rim)
            theirs = in_tensors(monkeypatch, lambda: passes.normalised(x, mean, std, torch.bfloat16, rim))
            assert (
                ours.shape == theirs.shape == (2, 3, height + 2 * rim, width + 2 * rim)
                and ours.dtype == torch.bfloat16
            )
            torch.testing.assert_close(ours, theirs, rtol=2**-7, atol=1e-6)
    back = in_tensors(monkeypatch, lambda: passes.before_normalised(theirs.clone(), std))
    torch.testing.assert_close(passes.before_normalised(theirs.clone(), std), back)


@pytest.mark.parametrize("height, width", [*SIZES, (1, 2), (2, 1), (1, 1)])
def test_gradients_go_back_through_averages_as_torch_takes_them(
    height: int, width: int, threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, with numbers among them that are too small to be halved."""
    x, back = features(height, width), features(-(-height // 2), -(-width // 2), 1)
    back[1, 3, 0, 0], x[1, 3, 0, 0] = 1e-38, 1.0
    ours, theirs = (
        passes.before_averaged(x, back),
        in_tensors(monkeypatch, lambda: passes.before_averaged(x, back)),
    )
    torch.testing.assert_close(ours, theirs, atol=1e-37, rtol=0)


@pytest.mark.parametrize("strong", [False, True])
@pytest.mark.parametrize("embedded", [False, True])
def test_differences_from_a_target_are_those_of_tensors(strong: bool, embedded: bool, threads: None) -> None:
    generator = torch.Generator().manual_seed(5)
    values, target = (
        features(7, 5, 0, embedded)[0].detach().requires_grad_(),
        torch.randn(16, 7, 5, generator=generator),
    )
    strength = torch.rand(7, 5, generator=generator) * 2 if strong else None
    found, gradients = [], []
    for way in (losses._CompiledSquare, losses._Square):
        found.append(way.apply(values, target, strength, torch.tensor(0.7)))
        gradients.append(
            [torch.autograd.grad(times * found[-1], values, retain_graph=True)[0] for times in (1, 3)]
        )
    torch.testing.assert_close(*found)
    for ours, theirs in zip(*gradients):
        torch.testing.assert_close(ours, theirs, rtol=2**-7, atol=1e-6)


@pytest.mark.parametrize("embedded", [False, True])
@pytest.mark.parametrize("height, width", SIZES)
def test_cells_to_search_with_are_made_as_tensors_are(
    height: int, width: int, embedded: bool, threads: None
) -> None:
    values = features(height, width, 0, embedded)[1]
    values[:, 1, 1] = 0.0
    steering = matching.channels_last(
        torch.randn(8, height, width, generator=torch.Generator().manual_seed(6))
    )
    torch.testing.assert_close(matching.steered(values, steering), matching.steered(values.float(), steering))


@pytest.mark.parametrize("height, width", SIZES)
def test_gradients_go_back_through_convolutions_as_torch_takes_them(
    height: int, width: int, threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, back = features(height, width), features(-(-height // 2), -(-width // 2), 1)
    weight = torch.randn(16, 5, 3, 3, generator=torch.Generator().manual_seed(7)).to(torch.bfloat16)
    before = torch.zeros(2, 5, height + 2, width + 2, dtype=torch.bfloat16).contiguous(
        memory_format=torch.channels_last
    )
    for given in (
        lambda: passes.before_averaged(x, back),
        lambda: passes.before_rectified(x, x),
        lambda: passes.before_rectified(x, x, x),
    ):
        ours = passes.before_convolved(
            before,
            given(),
            weight,
            weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last),
        )
        theirs = in_tensors(
            monkeypatch, lambda: passes.before_convolved(before, given(), weight, torch.empty(0))
        )
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=2**-7, atol=1e-2)


@pytest.mark.parametrize("way", [passes.RECTIFYING, None])
@pytest.mark.parametrize("height, width", SIZES)
def test_convolutions_that_rectify_leave_a_border(
    height: int, width: int, way: object, threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three in a row, each around what the one before left."""
    monkeypatch.setattr(passes, "RECTIFYING", way)
    generator = torch.Generator().manual_seed(8)
    weight, bias = (
        torch.randn(*shape, generator=generator).to(torch.bfloat16) * 0.1 for shape in ((16, 16, 3, 3), (16,))
    )
    ours = theirs = features(height, width)
    ours = passes.bordered(ours, 4)
    for rim in (3, 2, 1):
        ours = passes.convolved_and_rectified(ours, weight, bias, rim)
        theirs = torch.conv2d(passes.bordered(theirs), weight, bias).relu()
        torch.testing.assert_close(ours, passes.bordered(theirs, rim), rtol=2**-7, atol=1e-2)
