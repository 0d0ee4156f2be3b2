"""The content in the style's tones, class by class."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facetransfer.core.colour_transfer import CONTRAST, toned, with_means_of
from facetransfer.core.guides import Guide


def halves(
    left: tuple[float, float, float], right: tuple[float, float, float], contrast: float, seed: int = 0
) -> Tensor:
    """(1,3,40,80): two colours, with noise of a deviation."""
    picture = torch.tensor([left, right]).T.repeat_interleave(40, 1).view(1, 3, 1, 80).expand(1, 3, 40, 80)
    return picture + contrast * torch.randn((1, 3, 40, 80), generator=torch.Generator().manual_seed(seed))


def split(first: int, second: int, classes: int = 3) -> Guide:
    """Two classes, left and right."""
    labels = torch.tensor([first] * 40 + [second] * 40, dtype=torch.uint8).expand(40, 80)
    return Guide(labels, torch.eye(classes))


INSIDE = 5  # pixels from a border, where nothing is blended


def test_each_class_takes_mean_and_contrast_of_its_own_class() -> None:
    """The style has its classes the other way round: what is left in the content takes from the style's
    right.
    """
    content, style = (
        halves((0.8, 0.7, 0.6), (0.2, 0.3, 0.2), 0.03),
        halves((0.5, 0.4, 0.6), (0.3, 0.2, 0.1), 0.036, 1),
    )
    found = toned(content, style, (split(0, 1), split(1, 0)), 1.0)
    for here, there in (
        (found[0, :, :, : 40 - INSIDE], style[0, :, :, 40:]),
        (found[0, :, :, 40 + INSIDE :], style[0, :, :, :40]),
    ):
        torch.testing.assert_close(here.mean((1, 2)), there.mean((1, 2)), atol=3e-3, rtol=0)
        torch.testing.assert_close(here.std((1, 2)), there.std((1, 2)), atol=3e-3, rtol=0)


def test_contrast_is_changed_within_limits() -> None:
    content = halves((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 0.02)
    for contrast, factor in ((0.001, CONTRAST[0]), (0.2, CONTRAST[1])):
        found = toned(
            content, halves((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), contrast, 1), (split(0, 0), split(0, 0)), 1.0
        )
        assert found.std() == pytest.approx(factor * content.std().item(), rel=0.02)


def test_a_class_without_kin_keeps_its_tones_and_one_with_kin_takes_those_of_the_nearest() -> None:
    content, style = (
        halves((0.8, 0.7, 0.6), (0.2, 0.3, 0.2), 0.01),
        halves((0.4, 0.4, 0.4), (0.6, 0.6, 0.6), 0.01, 1),
    )
    found = toned(content, style, (split(0, 2), split(0, 1)), 1.0)
    torch.testing.assert_close(found[..., 40 + INSIDE :], content[..., 40 + INSIDE :])
    kin = torch.eye(3)
    kin[2, 1], kin[2, 2] = 0.6, 0.8  # class 2 is a little like class 1
    content_guide, style_guide = (replace(split(0, second), vectors=kin) for second in (2, 1))
    found = toned(content, style, (content_guide, style_guide), 1.0)
    assert found[..., 40 + INSIDE :].mean() == pytest.approx(0.6, abs=0.01)


def test_the_share_is_how_far_it_goes_and_maps_may_have_another_size() -> None:
    content, style = (
        halves((0.8, 0.7, 0.6), (0.2, 0.3, 0.2), 0.01),
        halves((0.4, 0.4, 0.4), (0.6, 0.6, 0.6), 0.01, 1),
    )
    guides = split(0, 1), Guide(split(0, 1).labels[::4, ::4], torch.eye(3))
    none, half, whole = (toned(content, style, guides, share) for share in (0.0, 0.5, 1.0))
    assert torch.equal(none, content)
    torch.testing.assert_close(half, (content + whole) / 2)
    assert 0 <= whole.min() and whole.max() <= 1


def test_the_means_of_the_content_come_back_and_the_contrast_stays() -> None:
    content = halves((0.8, 0.7, 0.6), (0.2, 0.3, 0.2), 0.02)
    picture = halves((0.7, 0.7, 0.7), (0.35, 0.2, 0.3), 0.05, seed=1)
    result = with_means_of(picture, content, split(0, 1))
    for half in (slice(0, 40), slice(40, 80)):
        wanted = content[0, :, :, half].mean((1, 2))
        torch.testing.assert_close(result[0, :, :, half].mean((1, 2)), wanted, atol=0.004, rtol=0)
    inner = slice(INSIDE, 40 - INSIDE)
    assert result[0, 0, :, inner].std() == pytest.approx(float(picture[0, 0, :, inner].std()), rel=0.02)
    torch.testing.assert_close(with_means_of(content, content, split(0, 1)), content, atol=1e-6, rtol=0)
