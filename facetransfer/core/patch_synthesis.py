"""A picture put together from patches of the style's own pixels, under guides, from coarse to fine.

Each window of the result takes the style window whose pixels fit those already there and whose guides fit
best: the class, the place in the face, and the appearance (Fiser et al. 2016, "StyLit"; Fiser et al. 2017,
"Example-Based Synthesis of Stylized Facial Animations"). Windows are found by PatchMatch (Barnes et al. 2009;
the method is the subject of US patent 8,861,869). A pixel of the result is the mean of what the windows over
it show (Kwatra et al. 2005, "Texture Optimization for Example-based Synthesis"); in the finest mean, windows
that agree on the pixel count more, which keeps strokes sharp.

Fields of windows are (2,h,w) int32: the row and the column of the style window that each window of the result
takes, both named by their upper left pixel. A picture of H x W pixels has (H-4) x (W-4) windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from facetransfer.core import patch_kernels
from facetransfer.core.kernels import parallel_rows
from facetransfer.core.patch_kernels import PATCH

COARSEST_SIDE = 64  # pixels: the longest side of the coarsest level is between this and half of it
MIN_LEVEL_SIDE = 24  # pixels: no level has a shorter side
ROUNDS = (
    (64, 6),
    (128, 5),
    (256, 4),
    (512, 3),
    (1024, 2),
)  # up to that longest side, so many rounds of search and vote
ROUNDS_ABOVE = 1  # rounds of a larger level: everything is decided by then
AGREEMENT = (
    2  # in the finest mean, a window's vote is multiplied by the number of those that agree, to this power
)
FORBIDDEN = np.float32(1e6)  # what a style window costs that must not be taken
MIN_CLASS_WINDOWS = (
    200  # of the style: with fewer allowed ones, a class may also take those that are not allowed
)
MIN_PRESENT_PIXELS = 64  # of the style: a class with fewer pixels counts as missing there
SETTLED_REACH = 8  # random tries of a settled level reach this fraction of the style's longer side


@dataclass(frozen=True)
class PatchWeights:
    """How much the guides count, as weights of squared differences; the pixels themselves have weight 1."""

    appearance: float = 16.0
    position: float = 1.5
    classes: float = 1.0
    reuse: float = 0.1  # times the logarithm of how often a style pixel is used beyond its share

    @classmethod
    def of(cls, likeness: float) -> PatchWeights:
        """The weights of a likeness in [0,1]: 0 takes no notice of how the content looks, 1 of
        little else.
        """
        return cls(appearance=16.0 * (2 * likeness) ** 3)


@dataclass(frozen=True)
class GuidedPicture:
    """A picture with its guides, all of one size.

    pixels: (H,W,3) RGB float32 in [0,1]; of the result, what it starts from, or None. labels: (H,W) uint8.
    position: (H,W,2) float32 in face sizes, all 0 where no face is known. appearance: (H,W,4) float32, see
    `appearance_guides`. allowed: (H,W) bool, where windows may be taken from, or None for everywhere.
    """

    pixels: np.ndarray | None
    labels: np.ndarray
    position: np.ndarray
    appearance: np.ndarray
    allowed: np.ndarray | None = None

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
        )


@dataclass(frozen=True)
class SynthesisRound:
    """What stands after one round. level, round: counted from 1. picture (H,W,3) float32 in [0,1] at the
    level's size.

    field: the windows taken, see above. cost: (h,w) float32, their distances. style_size: (width, height) of
    the style at this level. labels, style_labels: the classes of both at this level.
    """

    level: int
    levels: int
    round: int
    rounds: int
    picture: np.ndarray
    field: np.ndarray
    cost: np.ndarray
    style_size: tuple[int, int]
    labels: np.ndarray
    style_labels: np.ndarray


def synthesise(
    result: GuidedPicture,
    style: GuidedPicture,
    class_cost: np.ndarray,
    weights: PatchWeights,
    generator: np.random.Generator,
) -> Iterator[SynthesisRound]:
    """Rounds of the synthesis, from the coarsest level to the pictures' own size.

    class_cost (K,K) float32 in [0,1]: what it costs that a pixel of the class of the row takes one of the
    column.
    """
    levels = level_count(result.size, style.size)
    field = None
    for level in range(levels):
        scale = 2.0 ** (level + 1 - levels)
        here, there = (_at_scale(picture, scale) for picture in (result, style))
        search = _LevelSearch(here, there, class_cost, weights)
        if field is None:
            field = guess_by_position(here, there, generator)
            picture = here.pixels if here.pixels is not None else search.mean_of_windows(field, None)
        else:
            field = enlarged(field, here.size, there.size)
            picture = search.mean_of_windows(field, None)
        rounds = rounds_of(here.size)
        for i in range(rounds):
            field, cost = search.improved(picture, field, generator, known=level > 0 or i > 0)
            finest = level == levels - 1 and i == rounds - 1
            picture = search.mean_of_windows(field, cost, AGREEMENT if finest else 0)
            yield SynthesisRound(
                level + 1, levels, i + 1, rounds, picture, field, cost, there.size, here.labels, there.labels
            )


def level_count(size: tuple[int, int], style_size: tuple[int, int]) -> int:
    """How many levels pictures of (width, height) have, each twice the one before."""
    levels = 1
    while (
        max(size) / 2**levels >= COARSEST_SIDE / 2 and min(*size, *style_size) / 2**levels >= MIN_LEVEL_SIDE
    ):
        levels += 1
    return levels


def rounds_of(size: tuple[int, int]) -> int:
    """How many rounds a level of (width, height) takes: many where they are cheap and decide the layout."""
    return next((rounds for side, rounds in ROUNDS if max(size) <= side), ROUNDS_ABOVE)


def class_costs(classes: np.ndarray, style_classes: np.ndarray) -> np.ndarray:
    """What each class costs in another's place, (K,K) float32 in [0,1].

    classes (K,H,W) and style_classes (K,h,w): the class channels of both guides, a vector for each pixel,
    whose inner products say how alike two classes are. A class that the style has takes only from itself; one
    that it lacks takes from its nearest kin for nothing, and from others by how much less they are akin.
    """
    count = len(classes)
    vectors, present = np.eye(count, dtype=np.float32), np.zeros(count, bool)
    for channels, own in ((classes, False), (style_classes, True)):
        labels = channels.argmax(0)
        for label, pixels in enumerate(np.bincount(labels.ravel(), minlength=count)):
            if pixels:
                vectors[label] = channels[:, labels == label].mean(1)
                present[label] |= own and pixels >= MIN_PRESENT_PIXELS
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    alike = vectors @ vectors.T
    cost = 1 - np.eye(count, dtype=np.float32)
    missing = np.flatnonzero(~present)
    if present.any():
        cost[missing] = alike[missing][:, present].max(1, keepdims=True) - alike[missing]
    return cost.clip(0, 1).astype(np.float32)


def _at_scale(picture: GuidedPicture, scale: float) -> GuidedPicture:
    if scale == 1:
        return picture
    width, height = picture.size
    return picture.resized(
        (max(MIN_LEVEL_SIDE, round(width * scale)), max(MIN_LEVEL_SIDE, round(height * scale)))
    )


class _LevelSearch:
    """The search at one level. What does not change from round to round is computed once."""

    def __init__(
        self, result: GuidedPicture, style: GuidedPicture, class_cost: np.ndarray, weights: PatchWeights
    ) -> None:
        self.result, self.style, self.weights = result, style, weights
        self.class_cost = (class_cost * weights.classes).astype(np.float32)
        assert style.pixels is not None
        self.style_pixels = np.ascontiguousarray(style.pixels)
        self.style_cells = self._cells(style.pixels, style)
        self.forbidden = self._forbidden()

    def _cells(self, pixels: np.ndarray, guides: GuidedPicture) -> np.ndarray:
        """Pixels (H,W,3) and their weighted guides side by side in memory, (H,W,D) float32."""
        cells = np.empty((*guides.labels.shape, 10), np.float32)
        cells[..., :3] = pixels
        np.multiply(guides.appearance, np.float32(self.weights.appearance**0.5), out=cells[..., 3:7])
        np.multiply(guides.position, np.float32(self.weights.position**0.5), out=cells[..., 7:9])
        cells[..., 9] = 0  # An even number of channels is compared faster.
        return cells

    def _forbidden(self) -> np.ndarray:
        """What each style window costs by where it lies, (h-4,w-4) float32: FORBIDDEN where it is not
        allowed.
        """
        labels = self.style.labels
        forbidden = np.zeros((labels.shape[0] - PATCH + 1, labels.shape[1] - PATCH + 1), np.float32)
        if self.style.allowed is None:
            return forbidden
        whole = cv2.erode(
            self.style.allowed.astype(np.uint8), np.ones((PATCH, PATCH), np.uint8), borderValue=1
        )
        middle = PATCH // 2
        inside = whole[middle:-middle, middle:-middle] > 0
        middle_labels = labels[middle:-middle, middle:-middle]
        for label in np.unique(middle_labels):
            own = middle_labels == label
            if (own & inside).sum() >= min(MIN_CLASS_WINDOWS, own.sum() / 4):
                forbidden[own & ~inside] = FORBIDDEN
        return forbidden

    def improved(
        self, picture: np.ndarray, field: np.ndarray, generator: np.random.Generator, known: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """A better field for the picture (H,W,3), and its costs. `known`: whether the field is more than a
        first guess.
        """
        rows, columns = (np.ascontiguousarray(axis) for axis in field)
        bias = self.forbidden
        if known and self.weights.reuse:
            bias = bias + self._reuse_penalty(rows, columns)
        cells = self._cells(picture, self.result)
        pair = (
            cells.ravel(),
            self.style_cells.ravel(),
            (cells.shape[1], self.style_cells.shape[1], cells.shape[2]),
            self.result.labels,
            self.style.labels,
            self.class_cost,
            bias,
        )
        cost = np.empty(rows.shape, np.float32)
        parallel_rows(patch_kernels.evaluate_windows, rows.shape[0], pair, rows, columns, cost)
        for jump in (1,) if known else (1, 4, 1):
            new = np.empty_like(rows), np.empty_like(columns), np.empty_like(cost)
            reach = max(bias.shape) // (SETTLED_REACH if known else 2)
            radii = np.array([reach // 4**i for i in range(8) if reach // 4**i], np.int64)
            chance = int(generator.integers(2**62))
            parallel_rows(
                patch_kernels.improve_windows,
                rows.shape[0],
                pair,
                (rows, columns, cost),
                new,
                jump,
                radii,
                chance,
            )
            rows, columns, cost = new
        return np.stack((rows, columns)), cost

    def _reuse_penalty(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """What style windows cost that are taken more often than their share, (h-4,w-4) float32."""
        height, width = self.forbidden.shape
        uses = np.bincount((rows.astype(np.int64) * width + columns).ravel(), minlength=height * width)
        counts = uses.reshape(height, width).astype(np.float32)
        taken = cv2.boxFilter(counts, -1, (PATCH, PATCH), borderType=cv2.BORDER_REFLECT)
        share = max(1.0, rows.size / taken.size)
        return (self.weights.reuse * np.log(np.maximum(taken / share, 1.0))).astype(np.float32)

    def mean_of_windows(self, field: np.ndarray, cost: np.ndarray | None, agreement: int = 0) -> np.ndarray:
        """The picture (H,W,3) that the windows show, those that fit well counting more. See
        `patch_kernels.mean_of_windows`.
        """
        height, width = self.result.labels.shape
        picture = np.empty((height, width, 3), np.float32)
        weights = np.ones(field[0].shape, np.float32)
        if cost is not None:
            weights = (1 / (cost + (0.05 + float(np.median(cost))))).astype(np.float32)
        parallel_rows(
            patch_kernels.mean_of_windows,
            height,
            self.style_pixels,
            field[0],
            field[1],
            weights,
            agreement,
            picture,
        )
        return picture


def guess_by_position(
    result: GuidedPicture, style: GuidedPicture, generator: np.random.Generator
) -> np.ndarray:
    """A first field: for each window the style window at the same place of the face, or of the picture
    without one.

    Where there is neither a face nor a picture to start from, windows are drawn by chance.

    The style's position is an affine function of its pixels within the face's surroundings, so it is turned
    round.
    """
    (height, width), (style_height, style_width) = result.labels.shape, style.labels.shape
    middle = PATCH // 2
    y, x = np.mgrid[0:style_height, 0:style_width]
    place = style.position.reshape(-1, 2)
    near = (np.abs(place).max(1) < 1.9) & (np.abs(place).max(1) > 0)
    windows = height - PATCH + 1, width - PATCH + 1
    if near.sum() < 16 and result.pixels is None:
        found = generator.random((2, *windows)) * np.reshape((style_height, style_width), (2, 1, 1))
    elif near.sum() < 16:
        rows = np.arange(windows[0]) * (style_height / height)
        columns = np.arange(windows[1]) * (style_width / width)
        found = np.stack(np.broadcast_arrays(rows[:, None], columns[None]))
    else:
        design = np.hstack((np.ones((near.sum(), 1)), place[near]))
        pixels = np.stack((y.ravel()[near], x.ravel()[near]), 1)
        affine = np.linalg.lstsq(design, pixels, rcond=None)[0]
        inner = result.position[middle : height - middle, middle : width - middle]
        found = (affine[0] + inner @ affine[1:] - middle).transpose(2, 0, 1)
    return _within(found, style.size)


def enlarged(field: np.ndarray, size: tuple[int, int], style_size: tuple[int, int]) -> np.ndarray:
    """A coarser level's field as a guess for pictures of (width, height): the windows around the
    same places.
    """
    fine = (size[1] - PATCH + 1, size[0] - PATCH + 1)
    places, nearest, scales = [], [], []
    for axis in (0, 1):
        scale = size[1 - axis] / (field.shape[1 + axis] + PATCH - 1)
        place = (np.arange(fine[axis]) + PATCH / 2) / scale - PATCH / 2
        places.append(place)
        nearest.append(np.round(place).astype(np.int64).clip(0, field.shape[1 + axis] - 1))
        scales.append(scale)
    rows, columns = field[:, nearest[0][:, None], nearest[1][None]]
    rows = (rows + (places[0] - nearest[0])[:, None] + PATCH / 2) * scales[0] - PATCH / 2
    columns = (columns + (places[1] - nearest[1])[None] + PATCH / 2) * scales[1] - PATCH / 2
    return _within(np.stack((rows, columns)), style_size)


def _within(field: np.ndarray, style_size: tuple[int, int]) -> np.ndarray:
    """The nearest whole windows within a style of (width, height)."""
    last = np.array([style_size[1] - PATCH, style_size[0] - PATCH]).reshape(2, 1, 1)
    return np.round(field).clip(0, last).astype(np.int32)


def source_places(field: np.ndarray, style_size: tuple[int, int]) -> np.ndarray:
    """Where each window's source lies in the style, (2,h,w) float32: x and y of its middle, in shares of
    width and height.
    """
    rows, columns = field
    x, y = (columns + PATCH / 2) / style_size[0], (rows + PATCH / 2) / style_size[1]
    return np.stack((x, y)).astype(np.float32)


def class_mismatch_rate(result: SynthesisRound) -> float:
    """Share of windows, 0 to 1, whose source is of another class, among classes that both pictures have.

    A window's class is that of its middle pixel.
    """
    middle = PATCH // 2
    own = result.labels[middle:-middle, middle:-middle]
    source = result.style_labels[result.field[0] + middle, result.field[1] + middle]
    shared = np.isin(own, np.unique(result.style_labels))
    return float(((source != own) & shared).sum() / max(1, shared.sum()))
