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
import torch
from torch import Tensor

from facetransfer.core.patch_kernels import PATCH
from facetransfer.core.patch_search import GuidedPicture, LevelSearch, PatchWeights

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
FOLLOWING_LEVELS = 2  # of a frame that follows another one: what is coarser is known from that
FOLLOWING_ROUNDS = 2  # at each of them
AGREEMENT = (
    2  # in the finest mean, a window's vote is multiplied by the number of those that agree, to this power
)
MIN_KIN_SHARE = 0.1  # of a class's pixels in the content: kin with fewer in the style does not stand in
MIN_AFFINITY = 0.01  # inner product of two classes' vectors from which they count as kin
MIN_PRESENT_PIXELS = 64  # of the style: a class with fewer pixels counts as missing there


@dataclass(frozen=True)
class PreviousFrame:
    """The result of a film's frame before, moved to where things are in the frame that is made now.

    picture: (H,W,3) float32 in [0,1]. field: (2,h,w) int32, its windows, see above, or None where the style
    is another one now. certainty: (H,W) float32 in [0,1], how far each pixel is known to be the same thing.
    """

    picture: np.ndarray
    field: np.ndarray | None
    certainty: np.ndarray


@dataclass(frozen=True)
class SynthesisRound:
    """What stands after one round; all tensors lie on the device of the work.

    level, round: counted from 1, of `levels` and `rounds`. picture: (H,W,3) in [0,1], of the level's size.
    field: the windows taken, see above. cost: (h,w), their distances. style_size: (width, height) of the
    style at this level. labels (H,W), style_labels: the classes of both at this level.
    """

    level: int
    levels: int
    round: int
    rounds: int
    picture: Tensor
    field: Tensor
    cost: Tensor
    style_size: tuple[int, int]
    labels: Tensor
    style_labels: Tensor


def synthesise(
    result: GuidedPicture,
    style: GuidedPicture,
    class_cost: np.ndarray,
    weights: PatchWeights,
    generator: np.random.Generator,
    device: torch.device = torch.device("cpu"),
    previous: PreviousFrame | None = None,
    coherence: float = 0.0,
) -> Iterator[SynthesisRound]:
    """Rounds of the synthesis, from the coarsest level to the pictures' own size.

    previous: of a film's frame that follows another one. Its windows are the first guess, and the windows of
    this frame have to fit its pixels as well as those already there, `coherence` times as much (Jamriska et
    al. 2019, "Stylizing Video by Example"). Only the finest levels are searched then.

    class_cost (K,K) float32 in [0,1]: what it costs that a pixel of the class of the row takes one of the
    column. device: where the rounds are computed; the guides are brought to each level on the CPU.
    """
    levels = level_count(result.size, style.size)
    field = None
    follows = previous is not None and previous.field is not None
    for level in range(max(0, levels - FOLLOWING_LEVELS) if follows else 0, levels):
        scale = 2.0 ** (level + 1 - levels)
        here, there = (_at_scale(picture, scale) for picture in (result, style))
        search = LevelSearch(here, there, class_cost, weights, device)
        before = None if previous is None else _Before(previous, here.size, coherence, device)
        known = field is not None or follows
        if field is None:
            field = torch.from_numpy(guess_by_position(here, there, generator)).to(device)
            if before is not None and follows:
                field = before.windows_over(field, there.size)
        else:
            field = rescaled(field, here.size, there.size)
        if not known and here.pixels is not None:
            picture = torch.from_numpy(here.pixels).to(device)
        else:
            picture = search.mean_of_windows(field, None)
        rounds = min(FOLLOWING_ROUNDS, rounds_of(here.size)) if follows else rounds_of(here.size)
        for i in range(rounds):
            wanted = picture if before is None else before.over(picture)
            field, cost = search.improved(wanted, field, generator, known=known or i > 0)
            finest = level == levels - 1 and i == rounds - 1
            picture = search.mean_of_windows(field, cost, AGREEMENT if finest else 0)
            labels = search.labels, search.style_labels
            yield SynthesisRound(level + 1, levels, i + 1, rounds, picture, field, cost, there.size, *labels)


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


def class_costs(vectors: np.ndarray, labels: np.ndarray, style_labels: np.ndarray) -> np.ndarray:
    """What each class costs in another's place, (K,K) float32 in [0,1].

    vectors (K,C) float32: a vector for each class, whose inner products say how alike two classes are; labels
    (H,W) and style_labels (h,w): the classes in both pictures. A class that the style has takes only from
    itself. One that it lacks takes from its nearest kin for nothing, and from others by how much less they
    are akin; kin of which there is too little to take from does not count.
    """
    count = len(vectors)
    pixels = [np.bincount(each.ravel(), minlength=count) for each in (labels, style_labels)]
    alike = vectors @ vectors.T
    cost = 1 - np.eye(count, dtype=np.float32)
    present = pixels[1] >= MIN_PRESENT_PIXELS
    for label in np.flatnonzero(~present):
        akin = present & (alike[label] > MIN_AFFINITY)
        ample = akin & (pixels[1] >= MIN_KIN_SHARE * pixels[0][label])
        found = next((group for group in (ample, akin, present) if group.any()), None)
        if found is not None:
            nearest = alike[label][found].max()
            cost[label] = np.where(found | (alike[label] <= nearest), nearest - alike[label], 1)
    return cost.clip(0, 1).astype(np.float32)


def _at_scale(picture: GuidedPicture, scale: float) -> GuidedPicture:
    if scale == 1:
        return picture
    width, height = picture.size
    return picture.resized(
        (max(MIN_LEVEL_SIDE, round(width * scale)), max(MIN_LEVEL_SIDE, round(height * scale)))
    )


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
    last = np.array([style_height - PATCH, style_width - PATCH]).reshape(2, 1, 1)
    return np.round(found).clip(0, last).astype(np.int32)


class _Before:
    """A `PreviousFrame` at one level, of (width, height)."""

    def __init__(
        self, previous: PreviousFrame, size: tuple[int, int], coherence: float, device: torch.device
    ) -> None:
        def at_size(values: np.ndarray) -> Tensor:
            same = values.shape[1::-1] == size
            small = values if same else cv2.resize(values, size, interpolation=cv2.INTER_AREA)
            return torch.from_numpy(np.ascontiguousarray(small)).to(device)

        self.size, self.picture = size, at_size(previous.picture)
        self.certainty = at_size(previous.certainty)[..., None]
        # The mean of what is there and what was there before, weighted 1 and `coherence`, has the same
        # nearest window as both of them together.
        self.share = self.certainty * (coherence / (1 + coherence))
        self.field = None if previous.field is None else torch.from_numpy(previous.field).to(device)

    def over(self, picture: Tensor) -> Tensor:
        """The picture drawn towards the frame before, where that is certain."""
        return torch.lerp(picture, self.picture, self.share)

    def windows_over(self, field: Tensor, style_size: tuple[int, int]) -> Tensor:
        """The field with the windows of the frame before, where they are certain."""
        assert self.field is not None
        middle = PATCH // 2
        certain = self.certainty[middle:-middle, middle:-middle, 0] > 0.5
        return torch.where(certain, rescaled(self.field, self.size, style_size), field)


def rescaled(field: Tensor, size: tuple[int, int], style_size: tuple[int, int]) -> Tensor:
    """Another level's field as a guess for pictures of (width, height): windows around the same places."""
    own_size = (size[1] - PATCH + 1, size[0] - PATCH + 1)
    nearest, shifts, scales = [], [], []
    for axis in (0, 1):
        scale = size[1 - axis] / (field.shape[1 + axis] + PATCH - 1)
        place = (torch.arange(own_size[axis], device=field.device) + PATCH / 2) / scale - PATCH / 2
        own = place.round().long().clamp(0, field.shape[1 + axis] - 1)
        nearest.append(own)
        shifts.append(place - own)
        scales.append(scale)
    rows, columns = field[:, nearest[0][:, None], nearest[1][None]]
    rows = (rows + shifts[0][:, None] + PATCH / 2) * scales[0] - PATCH / 2
    columns = (columns + shifts[1][None] + PATCH / 2) * scales[1] - PATCH / 2
    last = style_size[1] - PATCH, style_size[0] - PATCH
    found = [axis.round().clamp(0, end) for axis, end in zip((rows, columns), last, strict=True)]
    return torch.stack(found).int()


def source_places(field: Tensor, style_size: tuple[int, int]) -> Tensor:
    """Where each window's source lies in the style, (2,h,w): x and y of its middle, in shares of width and
    height.
    """
    rows, columns = field
    return torch.stack(((columns + PATCH / 2) / style_size[0], (rows + PATCH / 2) / style_size[1]))


def class_mismatch_rate(result: SynthesisRound) -> float:
    """Share of windows, 0 to 1, whose source is of another class, among classes that both pictures have.

    A window's class is that of its middle pixel.
    """
    middle = PATCH // 2
    own = result.labels[middle:-middle, middle:-middle]
    source = result.style_labels[(result.field[0] + middle).long(), (result.field[1] + middle).long()]
    in_style = torch.bincount(result.style_labels.flatten(), minlength=256) > 0
    shared = in_style[own.long()]
    return float(((source != own) & shared).sum() / shared.sum().clamp(min=1))
