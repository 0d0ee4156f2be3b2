"""The colours of the classes for people who see fewer of them: how far apart they are, and their letters."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from facetransfer.ui.components.map_editor import LETTERS
from segmentation.classes import NAMES, PALETTE

# Machado, Oliveira and Fernandes 2009, severity 1.0, for linear RGB.
SEEN_BY = {
    "everybody": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def simulated(colours: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """sRGB colours (N,3), 0..255, as they are seen: (N,3), 0..1."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = (linear @ matrix.T).clip(0, 1)
    return np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(
    "eyes, least, pair",
    [
        ("everybody", 11.0, {"l_ear", "cloth"}),
        ("deuteranopia", 3.4, {"skin", "l_ear"}),
        ("protanopia", 0.8, {"l_eye", "hat"}),
    ],
)
def test_the_least_distance_between_two_classes_is_what_the_documentation_says(eyes, least, pair) -> None:
    """CIEDE2000 between every two colours, of which 1 is just seen side by side. docs/access.md has these
    numbers: they are why the map has letters.
    """
    lab = rgb2lab(simulated(PALETTE.astype(float), SEEN_BY[eyes])[None])[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    np.fill_diagonal(apart, np.inf)
    i, j = np.unravel_index(apart.argmin(), apart.shape)
    assert apart.min() == pytest.approx(least, abs=0.05) and {NAMES[i], NAMES[j]} == pair


def test_every_class_has_letters_of_its_own() -> None:
    assert set(LETTERS) == set(NAMES) and len(set(LETTERS.values())) == len(NAMES)
