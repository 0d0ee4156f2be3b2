"""The same recipe gives the same bytes; other numbers of threads differ by no more than is said here and in
docs/reliability.md.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.figures import FIGURES

ROOT = Path(__file__).resolve().parents[2]
LEVELS, SHARE = (
    6,
    0.01,
)  # of 255 that a pixel may differ by between one thread and two, but for this share of pixels


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pair transferred by processes of their own: twice with one thread, once with two, once again
    from the recipe.
    """
    from tests.support.drawn_face import draw_face

    folder = tmp_path_factory.mktemp("made")
    for name, (picture, semantic) in (
        ("a", draw_face((160, 160), 1, (-110, 20, -60))),
        ("b", draw_face((160, 160))),
    ):
        picture.save(folder / f"{name}.png")
        semantic.save(folder / f"{name}_sem.png")
    settings = "--size 160 --phases 2 --iterations 6 --seed 7 --start noise --device cpu"
    for name, threads, given in (
        ("one", 1, settings),
        ("again", 1, settings),
        ("two", 2, settings),
        ("recipe", 1, f"--recipe {folder}/one.png --device cpu"),
    ):
        words = (
            f"-m facetransfer --style {folder}/a.png --content {folder}/b.png "
            f"--output {folder}/{name}.png {given}"
        ).split()
        subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
            check=True,
            capture_output=True,
        )
    return folder


def test_the_same_recipe_gives_the_same_bytes(made: Path) -> None:
    """Of the whole file: pixels and recipe."""
    assert (
        len(
            {
                hashlib.sha256((made / f"{name}.png").read_bytes()).hexdigest()
                for name in ("one", "again", "recipe")
            }
        )
        == 1
    )


def test_the_number_of_threads_changes_little(made: Path) -> None:
    one, two = (
        np.asarray(Image.open(made / f"{name}.png").convert("RGB")).astype(int) for name in ("one", "two")
    )
    apart = np.abs(one - two).max(2)
    FIGURES["pixels in 10000 apart by more than 6 of 255, one thread and two"] += round(
        1e4 * (apart > LEVELS).mean()
    )
    assert (apart > LEVELS).mean() <= SHARE and one.std() > 10
