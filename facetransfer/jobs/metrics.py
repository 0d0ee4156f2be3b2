"""Measurements of how good a result is. They need only pictures and maps."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.core.colour_transfer import luminance
from facetransfer.core.features import load_network

DIRECTIONS = 64  # that a cloud of features is looked at from
QUANTILES = 64  # by which two clouds are compared along a direction
SAMPLE = 1 << 14  # cells of a class that are compared at most: with all of them a distance differs by 1 %
LEAST = 32  # cells that a class must have in both pictures
CELL = 4  # pixels of the style's side: windows that are taken from one cell count as one source
OVERUSED = 6  # times as often as there are windows in a cell, or as its share is, that it is taken
PLAIN = 0.04  # deviation of light and dark around a cell: below, nobody sees a repeat
FOUND_AGAIN = 0.15  # of a part's pixels that must be seen in the result, or the part is lost
FEATURE_BANDS = 1 / 40, 1 / 6  # of the face's size: finer is brush stroke, coarser is light


@torch.no_grad()
def style_distance(
    result: Tensor, style: Tensor, result_classes: Tensor | None = None, style_classes: Tensor | None = None
) -> float:
    """How far the result's texture and colours are from the style's: 0 where their statistics are the same,
    about 1 for those of an unrelated picture.

    Sliced Wasserstein distance (Rabin et al. 2011) of the colours and of the `compact` features 3_1 within
    each class, divided by the style's own spread; the mean over the classes, weighted by their share of the
    result. Pictures are (1,3,H,W) in [0,1]. Classes are integer labels (H,W) of each picture's size; None
    treats each picture as a single class.
    """
    network, distances = load_network("compact"), []
    for layer in ("pixels", "3_1"):
        clouds = [p if layer == "pixels" else network(p, (layer,))[layer] for p in (result, style)]
        labels = [
            torch.zeros(c.shape[-2:], dtype=torch.long)
            if k is None
            else F.interpolate(k[None, None].float(), size=c.shape[-2:], mode="nearest-exact")[0, 0].long()
            for c, k in zip(clouds, (result_classes, style_classes))
        ]
        directions = F.normalize(
            torch.randn(clouds[0].shape[1], DIRECTIONS, generator=torch.Generator().manual_seed(0)), dim=0
        ).T
        total = weight = 0.0
        for k in labels[0].unique():
            here, there = (c[0][:, m == k] for c, m in zip(clouds, labels))
            if min(here.shape[1], there.shape[1]) < LEAST:
                continue
            a, b = (_quantiles(cells, directions) for cells in (here, there))
            spread = (b - b.mean(1, keepdim=True)).abs().mean().clamp_min(1e-3 if layer == "pixels" else 1e-2)
            total += here.shape[1] * ((a - b).abs().mean() / spread).item()
            weight += here.shape[1]
        distances.append(total / weight if weight else float("nan"))
    return float(np.mean(distances))


def _quantiles(cells: Tensor, directions: Tensor) -> Tensor:
    """The quantiles (D,QUANTILES) of cells (C,N) along each of the directions (D,C), by a sample where there
    are many.
    """
    if cells.shape[1] > SAMPLE:
        cells = cells[:, torch.randint(cells.shape[1], (SAMPLE,), generator=torch.Generator().manual_seed(0))]
    at = (torch.linspace(0.01, 0.99, QUANTILES) * (cells.shape[1] - 1)).long().numpy()
    along = (directions @ cells).numpy()
    along.sort()  # numpy's, which is twenty times as quick as torch's
    return torch.from_numpy(along[:, at])


def _fine(picture: Tensor) -> float:
    """The energy of the finest detail: the mean square of the luminance minus its mean over 3x3 pixels."""
    gray = luminance(picture)
    return (
        (gray - F.avg_pool2d(F.pad(gray, (1, 1, 1, 1), mode="replicate"), 3, stride=1)).square().mean().item()
    )


def sharpness(result: Tensor, style: Tensor) -> float:
    """The finest detail of the result compared with the style's: 1 where they are equal, clearly lower where
    the result is blurred, clearly higher where it is noisy. Pictures are (1,3,H,W) in [0,1].
    """
    return (_fine(result) / max(_fine(style), 1e-8)) ** 0.5


def weave(picture: Tensor) -> float:
    """The energy at a period of 2 pixels divided by that at 3 pixels, along rows and columns. It is high
    where neighbouring pixels alternate, as in woven cloth. The picture is (1,3,H,W) in [0,1].
    """
    gray, energies = luminance(picture)[0, 0].double(), []
    for axis in (0, 1):
        spectrum = torch.fft.rfft(gray - gray.mean(axis, keepdim=True), dim=axis).abs().square()
        power = spectrum.mean(1 - axis)
        frequency = torch.linspace(0, 0.5, len(power), dtype=power.dtype)
        energies.append([power[frequency > 0.46].mean(), power[(frequency - 1 / 3).abs() < 0.03].mean()])
    alternating, beside = (sum(pair) for pair in zip(*energies))
    return float(alternating / max(float(beside), 1e-9))


def layout_iou(found: np.ndarray, wanted: np.ndarray, classes: int, least: float = 2e-3) -> float:
    """How well the result kept the layout of the content: the intersection over union of two maps (H,W),
    averaged over the classes.

    Classes that cover less than the share `least` of the wanted map are not counted.
    """
    scores = []
    for k in range(classes):
        here, there = found == k, wanted == k
        if there.mean() >= least:
            scores.append((here & there).sum() / (here | there).sum())
    return float(np.mean(scores)) if scores else float("nan")


def overused(sources: Tensor, style: Tensor) -> float:
    """Share of the windows, 0 to 1, that are taken from where far more are taken than there are, and where
    the style (1,3,H,W) is not plain: repeats that one sees. sources (2,h,w): x and y of each in shares of
    the style's width and height.
    """
    gray = luminance(style)
    height, width = (max(1, round(length / CELL)) for length in gray.shape[-2:])
    mean, square = (F.adaptive_avg_pool2d(x, (height, width)) for x in (gray, gray.square()))
    mean, square = (F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) for x in (mean, square))
    plain = ((square - mean.square()).clamp_min(0).sqrt() < PLAIN).flatten()
    columns, rows = (
        (places * count).long().clamp(0, count - 1).flatten()
        for places, count in zip(sources, (width, height), strict=True)
    )
    uses = torch.bincount(rows * width + columns, minlength=height * width)
    share = max(CELL * CELL, len(rows) / len(uses))
    return float(uses[(uses > OVERUSED * share) & ~plain].sum() / len(rows))


def lost_parts(found: np.ndarray, wanted: np.ndarray, parts: dict[str, list[int]]) -> list[str]:
    """Which of the parts (names, and the classes of each) of the map that was wanted (H,W) are hardly seen
    where they should be in the map that was found.
    """
    return [
        name
        for name, classes in parts.items()
        if (there := np.isin(wanted, classes)).sum() >= LEAST
        and np.isin(found, classes)[there].mean() < FOUND_AGAIN
    ]


def face_likeness(result: Tensor, content: Tensor, inside: np.ndarray, size: float) -> float:
    """How much the face's features look alike in both pictures (1,3,H,W): the correlation, -1 to 1, of light
    and dark without what is finer than a lid or coarser than a cheek, where `inside` (H,W) says.

    size: the face's, in pixels. Nothing in it knows people: two faces of one shape in one light look alike.
    """
    bands = []
    for picture in (result, content):
        gray = luminance(picture)[0, 0].cpu().numpy()
        fine, coarse = (cv2.GaussianBlur(gray, (0, 0), max(0.5, size * band)) for band in FEATURE_BANDS)
        bands.append((fine - coarse)[inside])
    if len(bands[0]) < LEAST or min(band.std() for band in bands) < 1e-6:
        return 0.0
    return float(np.corrcoef(bands[0], bands[1])[0, 1])
