"""The search for the style's windows at one level of `patch_synthesis`.

The loops over all windows are in `patch_kernels`, compiled for the CPU, and in `patch_tensors` for a GPU.
Fields and pictures of the result are tensors on the device that the search works on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.core import patch_kernels, patch_tensors
from facetransfer.core.kernels import parallel_rows
from facetransfer.core.patch_kernels import PATCH

FORBIDDEN = 1e6  # what a style window costs that must not be taken
MIN_CLASS_WINDOWS = 200  # of the style: with fewer allowed ones, a class also takes those not allowed
SETTLED_REACH = 8  # random tries of a settled level reach this fraction of the style's longer side


@dataclass(frozen=True)
class PatchWeights:
    """How much the guides count, as weights of squared differences; the pixels themselves have weight 1."""

    appearance: float = 20.0
    position: float = 1.5
    classes: float = 3.0
    reuse: float = 0.6  # times the logarithm of how often a style pixel is used beyond its share

    @classmethod
    def of(cls, likeness: float) -> PatchWeights:
        """The weights of a likeness in [0,1]: 0 takes no notice of how the content looks, 1 of
        little else.
        """
        return cls(appearance=20.0 * (2 * likeness) ** 2.5)


@dataclass(frozen=True)
class GuidedPicture:
    """A picture with its guides, all of one size.

    pixels: (H,W,3) RGB float32 in [0,1]; of the result, what it starts from, or None. labels: (H,W) uint8.
    position: (H,W,2) float32 in face sizes, all 0 where no face is known. appearance: (H,W,4) float32, see
    `appearance_guides`. allowed: (H,W) bool, where windows may be taken from, or None for everywhere. kept:
    (H,W) float32 in [0,1], of the result: how far what it starts from stays, or None for nowhere.
    """

    pixels: np.ndarray | None
    labels: np.ndarray
    position: np.ndarray
    appearance: np.ndarray
    allowed: np.ndarray | None = None
    kept: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.labels.shape[1], self.labels.shape[0]

    def resized(self, size: tuple[int, int]) -> GuidedPicture:
        """At (width, height), not larger: each pixel the mean of those it covers, and the class of the
        nearest one.
        """

        def mean(values: np.ndarray) -> np.ndarray:
            return cv2.resize(values, size, interpolation=cv2.INTER_AREA)

        return GuidedPicture(
            None if self.pixels is None else mean(self.pixels),
            cv2.resize(self.labels, size, interpolation=cv2.INTER_NEAREST_EXACT),
            mean(self.position),
            mean(self.appearance),
            None if self.allowed is None else mean(self.allowed.astype(np.float32)) > 0.99,
            None if self.kept is None else mean(self.kept),
        )


class LevelSearch:
    """The search at one level. What does not change from round to round is computed once.

    class_cost: (K,K) float32 in [0,1], see `patch_synthesis.class_costs`.
    """

    def __init__(
        self,
        result: GuidedPicture,
        style: GuidedPicture,
        class_cost: np.ndarray,
        weights: PatchWeights,
        device: torch.device = torch.device("cpu"),
    ) -> None:
        assert style.pixels is not None
        self.weights, self.device = weights, device
        self.compiled = device.type == "cpu"  # Whether the loops are the compiled ones.
        self.labels, self.style_labels = (self._tensor(picture.labels) for picture in (result, style))
        self.class_cost = self._tensor(class_cost * np.float32(weights.classes))
        self.style_pixels = self._tensor(style.pixels)
        self.cells, self.style_cells = self._cells(result), self._cells(style)
        self.style_cells[..., :3] = self.style_pixels
        self.forbidden = self._tensor(_forbidden(style))
        self.kept, self.first = None, None
        if result.kept is not None and result.pixels is not None:
            self.kept, self.first = self._tensor(result.kept)[..., None], self._tensor(result.pixels)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def _cells(self, picture: GuidedPicture) -> Tensor:
        """The channels that are compared, side by side in memory, (H,W,10): 3 for the pixels, still 0, the
        appearance and the position, each times the root of its weight, and one of 0, since an even number of
        channels is compared faster.
        """
        cells = np.zeros((*picture.labels.shape, 10), np.float32)
        np.multiply(picture.appearance, np.float32(self.weights.appearance**0.5), out=cells[..., 3:7])
        np.multiply(picture.position, np.float32(self.weights.position**0.5), out=cells[..., 7:9])
        return self._tensor(cells)

    def _over_rows(self, name: str, rows: int, *arguments: Any) -> None:
        """The loop of that name over `rows`."""
        if self.compiled:
            parallel_rows(getattr(patch_kernels, name), rows, *map(_as_array, arguments))
            return
        loop: Callable[..., None] = getattr(patch_tensors, name)
        band = max(1, patch_tensors.BAND_PIXELS // self.labels.shape[1])
        for top in range(0, rows, band):
            loop(*arguments, top, min(rows, top + band))

    def improved(
        self, picture: Tensor, field: Tensor, generator: np.random.Generator, known: bool
    ) -> tuple[Tensor, Tensor]:
        """A better field for the picture (H,W,3), and its costs. `known`: whether the field is more than a
        first guess.
        """
        rows, columns = field[0].contiguous(), field[1].contiguous()
        pair = self._pair(picture, field if known else None)
        cost = torch.empty(rows.shape, device=self.device)
        self._over_rows("evaluate_windows", rows.shape[0], pair, rows, columns, cost)
        reach = max(self.forbidden.shape) // (SETTLED_REACH if known else 2)
        radii = np.array([reach // 4**i for i in range(8) if reach // 4**i], np.int64)
        for jump in (1,) if known else (1, 4, 1):
            new = torch.empty_like(rows), torch.empty_like(columns), torch.empty_like(cost)
            chance = int(generator.integers(2**62))
            chosen = (rows, columns, cost)
            self._over_rows("improve_windows", rows.shape[0], pair, chosen, new, jump, radii, chance)
            rows, columns, cost = new
        return torch.stack((rows, columns)), cost

    def _pair(self, picture: Tensor, known: Tensor | None) -> tuple[Any, ...]:
        """What the loops compare, see `patch_kernels`. known: the field whose windows are used already."""
        self.cells[..., :3] = picture
        widths = self.cells.shape[1], self.style_cells.shape[1], self.cells.shape[2]
        bias = self.forbidden
        if known is not None and self.weights.reuse:
            bias = bias + self._reuse_penalty(*known)
        cells = self.cells.ravel(), self.style_cells.ravel()
        return (*cells, widths, self.labels, self.style_labels, self.class_cost, bias)

    def _reuse_penalty(self, rows: Tensor, columns: Tensor) -> Tensor:
        """What style windows cost that are taken more often than their share, (h-4,w-4)."""
        height, width = self.forbidden.shape
        uses = torch.bincount((rows.long() * width + columns).ravel(), minlength=height * width)
        around = [PATCH // 2] * 4
        counts = F.pad(uses.view(1, 1, height, width).float(), around, mode="replicate")
        taken = F.avg_pool2d(counts, PATCH, 1)[0, 0]
        share = max(1.0, rows.numel() / taken.numel())
        return self.weights.reuse * (taken / share).clamp(min=1).log()

    def mean_of_windows(self, field: Tensor, cost: Tensor | None, agreement: int = 0) -> Tensor:
        """The picture (H,W,3) that the windows show, those that fit well counting more. See
        `patch_kernels.mean_of_windows`.
        """
        picture = torch.empty((*self.labels.shape, 3), device=self.device)
        if cost is None:
            weights = torch.ones(field.shape[1:], device=self.device)
        else:
            weights = 1 / (cost + (0.05 + cost.median()))
        windows = (self.style_pixels, field[0].contiguous(), field[1].contiguous(), weights)
        self._over_rows("mean_of_windows", picture.shape[0], *windows, agreement, picture)
        if self.kept is None or self.first is None:
            return picture
        return torch.lerp(picture, self.first, self.kept)


def _as_array(argument: Any) -> Any:
    """What a compiled loop reads and writes: tensors as arrays of the same memory."""
    if isinstance(argument, Tensor):
        return argument.numpy()
    return tuple(map(_as_array, argument)) if isinstance(argument, tuple) else argument


def _forbidden(style: GuidedPicture) -> np.ndarray:
    """What each style window costs by where it lies, (h-4,w-4) float32: FORBIDDEN where it is not allowed."""
    labels = style.labels
    forbidden = np.zeros((labels.shape[0] - PATCH + 1, labels.shape[1] - PATCH + 1), np.float32)
    if style.allowed is None:
        return forbidden
    whole = cv2.erode(style.allowed.astype(np.uint8), np.ones((PATCH, PATCH), np.uint8), borderValue=1)
    middle = PATCH // 2
    inside = whole[middle:-middle, middle:-middle] > 0
    middle_labels = labels[middle:-middle, middle:-middle]
    for label in np.unique(middle_labels):
        own = middle_labels == label
        if (own & inside).sum() >= min(MIN_CLASS_WINDOWS, own.sum() / 4):
            forbidden[own & ~inside] = FORBIDDEN
    return forbidden
