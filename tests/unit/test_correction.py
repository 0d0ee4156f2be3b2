"""Corrections as layers over automatic maps, and the fill that makes them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facetransfer.base.errors import InputError
from segmentation.classes import INDEX
from segmentation.correction import AUTOMATIC, Correction, as_text, from_text
from segmentation.fill import fill_region
from segmentation.semantic_map import SemanticMap

HAT, SKIN = INDEX["hat"], INDEX["skin"]


def test_text_and_layer_are_one() -> None:
    labels = np.random.default_rng(0).integers(0, 19, (37, 53)).astype(np.uint8)
    labels[5:20] = AUTOMATIC
    assert (
        np.array_equal(from_text(as_text(labels)), labels)
        and as_text(np.array([[255, 255], [14, 255]], np.uint8)) == "2x2 255*2 14*1 255*1"
    )
    assert np.array_equal(Correction.from_text(Correction(labels).to_text()).labels, labels)


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "4x2",
        "4x2 255*7",
        "4x2 255*9",
        "4x2 1*4 300*4",
        "0x0 1*0",
        "9999x9999 0*99980001",
        "2x2 255*4 ",
        "2x2 255*-4",
        "4x2 18*4 19*4",
        "2x2 " + "1*1 " * 4,
    ],
)
def test_what_is_no_layer_is_refused(text: object) -> None:
    with pytest.raises(InputError, match="All back to automatic"):
        Correction.from_text(text)


def test_a_layer_corrects_and_comes_off_again(face) -> None:
    automatic = face[1]
    layer = Correction.nothing(automatic.size)
    assert layer.over(automatic) is automatic
    where = np.zeros((128, 128), bool)
    where[10:30, 40:60] = True
    after = layer.painted(where, HAT).over(automatic).labels
    assert (after[where] == HAT).all() and np.array_equal(after[~where], automatic.labels[~where])
    assert layer.painted(where, HAT).painted(where, AUTOMATIC).over(automatic) is automatic


def test_a_layer_of_another_size_lands_in_its_place(face) -> None:
    """A page's layer of 128 pixels on a map of 1600: the planted half, to the pixel; other shapes are
    refused.
    """
    large = face[1].resized((1600, 1600))
    half = np.arange(128)[:, None] < 64 * np.ones(128)
    after = Correction.nothing((128, 128)).painted(half, HAT).over(large).labels
    assert (after[:800] == HAT).all() and np.array_equal(after[800:], large.labels[800:])
    with pytest.raises(InputError, match="does not fit"):
        Correction(np.full((10, 50), HAT, np.uint8)).over(face[1])


def test_two_maps_differ_by_a_layer(face) -> None:
    wanted = SemanticMap(np.where(np.arange(128)[:, None] < 20, np.uint8(HAT), face[1].labels))
    layer = Correction.between(face[1], wanted)
    assert (
        np.array_equal(layer.over(face[1]).labels, wanted.labels) and (layer.labels[20:] == AUTOMATIC).all()
    )


def drawn(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy, shaded disc on a noisy ground, and where it is."""
    picture = np.random.default_rng(1).normal(90, 4, (height, width, 3))
    disc = np.zeros((height, width), np.uint8)
    cv2.circle(disc, (width // 2, height // 2), height // 3, 1, -1)
    shade = np.linspace(150, 190, width)[None, :, None] + np.zeros((height, 1, 3))
    picture = np.where(
        disc[..., None] > 0, shade + np.random.default_rng(2).normal(0, 4, picture.shape), picture
    )
    return picture.clip(0, 255).astype(np.uint8), disc > 0


@pytest.mark.parametrize("size", [(240, 180), (1200, 900)])
def test_a_fill_is_the_region_under_the_stroke(size: tuple[int, int]) -> None:
    """A stroke over the shaded disc finds the disc, one beside it the ground, at any size of the picture."""
    picture, disc = drawn(*size)
    found = fill_region(picture, [(0.35, 0.5), (0.5, 0.5), (0.65, 0.5)])
    assert found.shape == disc.shape and (found & disc).sum() / (found | disc).sum() > 0.93
    outside = fill_region(picture, [(0.05, 0.05)])
    assert (outside & ~disc).sum() / (outside | ~disc).sum() > 0.93


def test_a_larger_reach_goes_further() -> None:
    ramp = np.repeat(np.linspace(0, 255, 256)[None], 64, 0).astype(np.uint8)
    picture = np.stack([ramp] * 3, 2)
    shares = [fill_region(picture, [(0.5, 0.5)], reach).mean() for reach in (8, 20, 50)]
    assert 0.03 < shares[0] < shares[1] < shares[2] < 0.6


def test_a_place_outside_counts_as_the_border() -> None:
    picture, disc = drawn(120, 90)
    assert np.array_equal(fill_region(picture, [(-3.0, 9.0)]), fill_region(picture, [(0.0, 1.0)]))
