"""The same recipe gives the same bytes; other numbers of threads differ by no more than is said here and in docs/reliability.md."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facetransfer.core.descent.curvature import combined, look_back
from facetransfer.core.inner_product import PIECE, WORTH_THREADS, inner_product, mean_square
from tests.conftest import FIGURES

ROOT = Path(__file__).resolve().parents[2]
LEVELS, SHARE = (
    6,
    0.01,
)  # of 255 that a pixel may differ by between one thread and two, but for this share of pixels


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pair transferred by processes of their own: twice with one thread, once with two, once again from the recipe."""
    from tests.conftest import draw_face

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
        words = f"-m facetransfer --style {folder}/a.png --content {folder}/b.png --output {folder}/{name}.png {given}".split()
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


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])  # compiled, and as GPUs compute it
@pytest.mark.parametrize("shape", [(1, 3, 40, 17), (1, 3, 301, 200), (64, 180, 190)])
def test_sums_of_products_have_the_same_bytes_with_any_number_of_threads(
    shape: tuple[int, ...], kind: torch.dtype
) -> None:
    a, b = (torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(kind) for seed in (1, 2))
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found += [
                inner_product(a, b).item(),
                inner_product(
                    a.contiguous(memory_format=torch.channels_last) if a.dim() == 4 else a, b
                ).item(),
            ]
    finally:
        torch.set_num_threads(threads)
    assert len(set(found[::2])) == len(set(found[1::2])) == 1
    truth = (a.double() * b.double()).sum().item()
    assert all(abs(value - truth) < 1e-5 * (a * b).abs().sum().item() for value in found)
    assert mean_square(a).item() == pytest.approx(a.double().square().mean().item(), rel=1e-5)


def test_the_optimiser_goes_the_same_way_with_any_number_of_threads() -> None:
    side = int((PIECE * WORTH_THREADS / 3) ** 0.5) + 9
    point, gradient, before, gradient_before = (
        torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed)).contiguous(
            memory_format=torch.channels_last
        )
        for seed in range(4)
    )
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            rows = torch.ones(4, point.numel())
            free, products, length = look_back(rows, 2, point, gradient, before, gradient_before)
            direction, square = combined(rows, products[:, 1], free, 0.5)
            found.append(
                b"".join(x.numpy().tobytes() for x in (rows, direction.permute(0, 2, 3, 1)))
                + repr((products.tolist(), length, square.item())).encode()
            )
    finally:
        torch.set_num_threads(threads)
    assert len(set(found)) == 1
