"""The measures of the judges on pictures whose right answer is planted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.judges import head_box, repeated_share, sharpness, sliced_distance, summary
from segmentation.semantic_map import FaceFrame


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(128, 90, (160, 160, 3))
    return cv2.GaussianBlur(noise, (0, 0), 1.5).clip(0, 255).astype(np.uint8)


def test_a_blurred_picture_is_less_sharp() -> None:
    picture = texture()
    assert sharpness(cv2.GaussianBlur(picture, (0, 0), 2)) < 0.5 * sharpness(picture)
    assert sharpness(np.full((32, 32, 3), 90, np.uint8)) == 0


def test_a_tile_that_stands_again_is_counted() -> None:
    picture = texture()
    plain = repeated_share(picture)
    assert plain < 0.01
    picture[40:70, 64:94] = picture[40:70, 40:70]  # 24 pixels further right
    assert repeated_share(picture) == pytest.approx(24 * 24 / 154**2, rel=0.5)
    assert repeated_share(np.full((64, 64, 3), 90, np.uint8)) == 0


def test_the_distance_of_two_clouds_is_how_far_they_lie_apart() -> None:
    import torch

    cloud = torch.randn(1, 40, 40, generator=torch.Generator().manual_seed(0))
    assert sliced_distance([cloud], [cloud.flip(2)]) == pytest.approx(0, abs=1e-6)
    assert sliced_distance([cloud], [cloud + 3]) == pytest.approx(3, rel=1e-4)


def test_the_worst_is_the_lowest_where_more_is_better() -> None:
    found = summary([{"likeness": 0.2, "crisp": 0.5}, {"likeness": 0.6, "crisp": 1.5}, {"crisp": 1.0}])
    assert found["likeness"] == {"mean": 0.4, "worst": 0.6}
    assert found["crisp"] == {"mean": 1.0, "worst": 0.5}


def test_the_head_s_box_stays_in_the_picture() -> None:
    rows, columns = head_box(FaceFrame(50, 60, 80), (100, 120))
    assert (rows.start, rows.stop, columns.start, columns.stop) == (0, 120, 0, 100)
