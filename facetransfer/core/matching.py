"""Which 3x3 window of the style picture each window of the result takes after, under the guide.

Score of a pair of windows (Champandard 2016, arXiv 1603.01768, with the place in the face added):

    S(p,q) = 1/9 sum_d [ cos(F_p+d, S_q+d) + w cos(m_p+d, n_q+d) - v |a_p+d - b_q+d|^2 ]

F, S picture features, m, n class channels, a, b places in the face, d the nine cells of a window; w semantic
weight, v position weight. All three are one inner product of longer cell vectors, `match_vectors`. Windows
are named by their upper left cell: a grid of h x w cells has (h-2) x (w-2) of them.

Shapes: D channels of a cell vector, h w cells of the result, H W cells of the style.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.core import kernels
from facetransfer.core.guides import GridGuide

WINDOW = 3
CHUNK_BYTES = 96 << 20  # of products held at once
EXACT_PAIRS = 80_000_000  # pairs of windows up to which every pair is looked at, where nothing is known yet
FEW_PAIRS = 2_000_000  # the same where there are guesses: up to here that is as quick as improving them
BARRIER = 1e3  # what a window loses that lies across two style grids
COHERENCE_ROUNDS = 2  # rounds of `coherent`
# numbers that a processor multiplies at once: zeros fill the cells up to a multiple of it, as features come
# in such
VECTOR_WIDTH = 8


class Rounds(NamedTuple):
    """Of `improve_matches`. jumps: in each round, how far away neighbours are asked for their choice;
    narrowing: how many times closer each random try is than the one before.
    """

    jumps: tuple[int, ...]
    narrowing: int = 2


FIRST_ROUNDS = Rounds((1, 8, 3, 1))
LATER_ROUNDS = Rounds(
    (1,), 16
)  # where the guesses are matches of the same grid: closer tries find nothing that the next search would not


@dataclass(frozen=True)
class Matches:
    """For each window of the result its style window: rows and columns (h-2,w-2), int64, and the score,
    float32.

    grid: cells of the style, (H,W). copies: style grids that lie in it one below the other, see `stacked`.
    """

    rows: Tensor
    columns: Tensor
    score: Tensor
    grid: tuple[int, int]
    copies: int = 1


def stacked(grids: list[Tensor]) -> Tensor:
    """Grids (C,H,W) of one size, one below the other, an empty row between two: (C,n(H+1)-1,W), channels
    last.
    """
    return channels_last(
        torch.cat([F.pad(g, (0, 0, 0, int(i + 1 < len(grids)))) for i, g in enumerate(grids)], 1)
        if len(grids) > 1
        else grids[0]
    )


def channels_last(grid: Tensor) -> Tensor:
    """A grid (C,H,W), in memory the numbers of each cell side by side, as the search reads them."""
    return grid.permute(1, 2, 0).contiguous().permute(2, 0, 1)


def match_vectors(
    features: Tensor,
    guide: GridGuide | None,
    semantic_weight: float,
    position_weight: float,
    *,
    style: bool,
    copies: int = 1,
) -> Tensor:
    """Cell vectors (D,h,w), channels last, whose inner product, result's with style's, is a cell's part in
    S(p,q).

    The result's |a|^2 is left out: it is the same for every style window. `guide` is on the grid of
    `features` (C,h,w).
    """
    return guided_features(
        features,
        guide_channels(
            features.shape[1:],
            features.device,
            guide,
            semantic_weight,
            position_weight,
            style=style,
            copies=copies,
        ),
    )


def guided_features(features: Tensor, steering: Tensor) -> Tensor:
    """`match_vectors` of features (C,h,w) whose `guide_channels` are known."""
    (channels, height, width), along = (
        features.shape,
        steering.permute(1, 2, 0),
    )  # as they lie in memory: each cell's numbers side by side
    whole = torch.empty((height, width, channels + len(steering)), device=features.device)
    cells = features.float().permute(1, 2, 0)
    torch.div(
        cells,
        torch.linalg.vector_norm(cells, dim=2, keepdim=True).clamp_min_(1e-6).mul_(WINDOW),
        out=whole[..., :channels],
    )
    whole[..., channels:] = along
    return whole.permute(2, 0, 1)


def guide_channels(
    grid: tuple[int, ...],
    device: torch.device,
    guide: GridGuide | None,
    semantic_weight: float,
    position_weight: float,
    *,
    style: bool,
    copies: int = 1,
) -> Tensor:
    """What `match_vectors` has beside the features, and whatever they are: (G,h,w), channels last, on a grid
    of (h, w) cells.

    copies: style grids stacked in the style's; no window across the empty row between two of them is ever the
    best.
    """
    parts = [torch.empty((0, *grid), device=device)]
    if guide is not None and semantic_weight:
        parts.append(F.normalize(guide.classes, dim=0, eps=1e-6) * semantic_weight**0.5)
    if guide is not None and guide.position is not None and position_weight:
        place, length = guide.position, guide.position.square().sum(0, keepdim=True)
        parts.append(place * (2 * position_weight) ** 0.5)
        parts.append(-position_weight * length if style else torch.ones_like(length))
    if copies > 1:
        barrier = torch.ones((1, *grid), device=device)
        if style:
            height = (grid[0] + 1) // copies
            barrier = -BARRIER * ((torch.arange(grid[0], device=device) + 1) % height == 0).to(barrier).view(
                1, -1, 1
            ).expand_as(barrier)
        parts.append(barrier)
    parts.append(torch.zeros((-sum(map(len, parts)) % VECTOR_WIDTH, *grid), device=device))
    return channels_last(torch.cat(parts) / WINDOW)


def exact_matches(
    result: Tensor, style: Tensor, chunk_bytes: int = CHUNK_BYTES, bias: Tensor | None = None
) -> Matches:
    """The best style window of every window, every pair looked at. result (D,h,w), style (D,H,W).

    bias (H-2,W-2) is added to the scores of each style window.

    A window's score is the sum of nine cell products along a diagonal: one matrix product of cells, then
    shifted sums, first along rows, then along columns, on as many rows of the result at a time as
    `chunk_bytes` holds.
    """
    (_, h, w), (_, H, W) = result.shape, style.shape
    keys, best, index = style.flatten(1), [], []
    rows = max(1, chunk_bytes // (4 * w * H * W) - 2)
    for top in range(0, h - 2, rows):
        cells = result[:, top : top + rows + 2]
        n = cells.shape[1]
        product = (cells.flatten(1).T @ keys).view(n, w, H, W)
        down = product[:-2, :, :-2] + product[1:-1, :, 1:-1]
        down += product[2:, :, 2:]
        del product
        across = down[:, :-2, :, :-2] + down[:, 1:-1, :, 1:-1]
        across += down[:, 2:, :, 2:]
        if bias is not None:
            across += bias
        score, where = across.flatten(2).max(2)
        best.append(score)
        index.append(where)
    found = torch.cat(index)
    return Matches(found // (W - 2), found % (W - 2), torch.cat(best), (H, W))


def kernels_serve(cells: Tensor) -> bool:
    """Whether `facetransfer.core.kernels` works where the cells are; elsewhere the same is computed with
    tensors.
    """
    return cells.device.type == "cpu"


def first_guess(result: Tensor, style: Tensor) -> Matches:
    """A guess for one style grid where nothing is known yet: the exact matches of both grids halved until
    every pair can be looked at.
    """
    small, small_style = result, style
    while pairs(small, small_style) > EXACT_PAIRS:
        small, small_style = (
            F.avg_pool2d(x[None], 2, ceil_mode=True, count_include_pad=False)[0] for x in (small, small_style)
        )
    return enlarged_matches(exact_matches(small, small_style), result.shape[1:], style.shape[1:])


def pairs(result: Tensor, style: Tensor) -> int:
    """How many pairs of cells two grids (D,h,w) and (D,H,W) have."""
    return result[0].numel() * style[0].numel()


def window_scores(result: Tensor, style: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The score (h-2,w-2) of each window of result (D,h,w) with the window of style (D,H,W) at rows and
    columns (h-2,w-2).

    The three cells of a window's row lie side by side in memory: no window is copied together.
    """
    (depth, h, w), (_, H, W) = result.shape, style.shape
    cells, keys = (x.permute(1, 2, 0).contiguous() for x in (result, style))
    there, total = keys.as_strided((H * W - 2, WINDOW * depth), (depth, 1)), result.new_zeros(())
    for dy in range(WINDOW):
        own = cells[dy:].as_strided((h - 2, w - 2, WINDOW * depth), (w * depth, depth, 1))
        total = total + (there[(rows + dy) * W + columns].mul_(own)).sum(-1)
    return total


def improve_matches(
    result: Tensor,
    style: Tensor,
    seeds: list[Matches],
    generator: torch.Generator,
    bias: Tensor | None = None,
    rounds: Rounds = FIRST_ROUNDS,
) -> Matches:
    """Good style windows from guesses, without looking at every pair (PatchMatch, Barnes et al. 2009).

    Each window asks its neighbours what they chose, shifts that to its own place, and tries random windows
    around its best, within a radius that shrinks from try to try. Approximate, and never worse than the best
    seed.
    """
    if kernels_serve(result):
        return _improve_on_cpu(result, style, seeds, generator, bias, rounds)
    (_, h, w), (_, H, W) = result.shape, style.shape
    rows, columns = torch.zeros((2, h - 2, w - 2), dtype=torch.int64, device=result.device)
    score = torch.full((h - 2, w - 2), -torch.inf, device=result.device)

    def try_(offered: tuple[Tensor, Tensor]) -> None:
        offered = offered[0].clamp(0, H - WINDOW), offered[1].clamp(0, W - WINDOW)
        new = window_scores(result, style, *offered)
        if bias is not None:
            new += bias[offered]
        better = new > score
        for held, value in zip((rows, columns, score), (*offered, new)):
            held.copy_(torch.where(better, value, held))

    for seed in seeds:
        try_((seed.rows, seed.columns))
    for jump in rounds.jumps:
        for dy, dx in ((jump, 0), (-jump, 0), (0, jump), (0, -jump)):
            # torch.roll wraps around; a window at the rim is merely asked for a far one's choice.
            try_((rows.roll((dy, dx), (0, 1)) + dy, columns.roll((dy, dx), (0, 1)) + dx))
        for radius in radii(H, W, rounds.narrowing):
            down, aside = torch.randint(-radius, radius + 1, (2, *score.shape), generator=generator).to(
                result.device
            )
            try_((rows + down, columns + aside))
    return Matches(rows, columns, score, (H, W))


def radii(height: int, width: int, narrowing: int) -> list[int]:
    """How far random tries go, in cells: a sixteenth of the grid's longer side, and from there closer and
    closer.
    """
    radius, found = max(2, max(height, width) // 16), []
    while radius:
        found.append(radius)
        radius //= narrowing
    return found


def _improve_on_cpu(
    result: Tensor,
    style: Tensor,
    seeds: list[Matches],
    generator: torch.Generator,
    bias: Tensor | None,
    rounds: Rounds,
) -> Matches:
    (_, h, w), (_, H, W) = result.shape, style.shape
    query, keys, taken = kernels.cells_last(result), kernels.cells_last(style), _none_yet(h - 2, w - 2)
    extra = np.empty((0, 0), np.float32) if bias is None else bias.numpy()
    for seed in seeds:
        kernels.parallel_rows(
            kernels.take_better,
            h - 2,
            query,
            keys,
            extra,
            torch.stack((seed.rows, seed.columns)).numpy(),
            *taken,
        )
    for jump in rounds.jumps:
        better = _none_yet(h - 2, w - 2)
        chance = int(torch.randint(2**62, (), generator=generator))
        kernels.parallel_rows(
            kernels.improve,
            h - 2,
            query,
            keys,
            extra,
            *taken,
            *better,
            jump,
            np.array(radii(H, W, rounds.narrowing)),
            chance,
        )
        taken = better
    found_rows, found_columns, score = map(torch.from_numpy, taken)
    return Matches(found_rows, found_columns, score, (H, W))


def _none_yet(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and scores (height,width) of windows that have chosen nothing."""
    return (
        np.zeros((height, width), np.int64),
        np.zeros((height, width), np.int64),
        np.full((height, width), -np.inf, np.float32),
    )


def coherent(result: Tensor, style: Tensor, matches: Matches, bonus: float) -> Matches:
    """Matches of which neighbours more often lie side by side in the style (coherence, Ashikhmin 2001), in
    COHERENCE_ROUNDS rounds.

    Each window chooses anew among its own match and its four neighbours' shifted to its place, by score plus
    `bonus` for each neighbour that agrees. Where neighbours agree the votes do too: whole strokes are kept
    instead of their average.
    """
    if kernels_serve(result):
        return _coherent_on_cpu(result, style, matches, bonus)
    (_, H, W), shape = style.shape, matches.rows.shape
    rows, columns, score = matches.rows, matches.columns, matches.score
    inside = F.pad(torch.ones(shape, dtype=torch.bool, device=result.device), (1, 1, 1, 1))
    for _ in range(COHERENCE_ROUNDS):
        offers = []
        for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            # What the window above (below, left, right) of each chose, shifted by as much; none beyond the
            # rim.
            there = inside[1 - dy : 1 - dy + shape[0], 1 - dx : 1 - dx + shape[1]]
            offer = torch.stack((rows.roll((dy, dx), (0, 1)) + dy, columns.roll((dy, dx), (0, 1)) + dx))
            there = there & (offer >= 0).all(0) & (offer[0] <= H - WINDOW) & (offer[1] <= W - WINDOW)
            offers.append(torch.where(there, offer, -1))
        index = [torch.where(y >= 0, y * (W - 2) + x, -1) for y, x in offers]
        own = rows * (W - 2) + columns
        best, chosen, value = score + bonus * _count(index, own).to(score), own, score
        for i in index:
            there = i.clamp_min(0)
            score_i = torch.where(
                (i >= 0) & (i != own),
                window_scores(result, style, there // (W - 2), there % (W - 2)),
                -torch.inf,
            )
            total = score_i + bonus * _count(index, i).to(score)
            better = total > best
            best, chosen, value = (
                torch.where(better, total, best),
                torch.where(better, i, chosen),
                torch.where(better, score_i, value),
            )
        rows, columns, score = chosen // (W - 2), chosen % (W - 2), value
    return replace(matches, rows=rows, columns=columns, score=score)


def _count(offers: list[Tensor], chosen: Tensor) -> Tensor:
    """How many of the offers (h,w) are the one chosen (h,w)."""
    return torch.stack([offer == chosen for offer in offers]).sum(0)


def _coherent_on_cpu(result: Tensor, style: Tensor, matches: Matches, bonus: float) -> Matches:
    query, keys = kernels.cells_last(result), kernels.cells_last(style)
    chosen = (matches.rows.numpy(), matches.columns.numpy(), matches.score.numpy())
    for _ in range(COHERENCE_ROUNDS):
        new = _none_yet(*matches.rows.shape)
        rows = matches.rows.shape[0]
        kernels.parallel_rows(kernels.agree, rows, query, keys, np.float32(bonus), *chosen, *new)
        chosen = new
    rows_now, columns_now, score_now = map(torch.from_numpy, chosen)
    return replace(matches, rows=rows_now, columns=columns_now, score=score_now)


def enlarged_matches(matches: Matches, result_grid: tuple[int, ...], style_grid: tuple[int, ...]) -> Matches:
    """Matches of a coarser grid as guesses for a finer one: the window around the same place, as far from
    that place as it was.
    """
    copies = matches.copies
    coarse_height, fine_height = (
        (g[0] + 1) // copies - 1 for g in (matches.grid, style_grid)
    )  # of one style grid
    copy = matches.rows // (coarse_height + 1)

    def along(axis: int, found: Tensor, coarse_style: int, fine_style: int) -> tuple[Tensor, Tensor, float]:
        """For each fine window along an axis: the nearest coarse one, how far it lies beyond it, and the
        style's growth.
        """
        fine, coarse = result_grid[axis], found.shape[axis] + 2
        middle = (
            torch.arange(fine - 2, device=found.device) + WINDOW / 2
        ) * coarse / fine - WINDOW / 2  # in coarse windows
        nearest = middle.round().clamp(0, coarse - 3)
        return nearest.long(), middle - nearest, fine_style / coarse_style

    y, beyond_y, up_y = along(0, matches.rows, coarse_height, fine_height)
    x, beyond_x, up_x = along(1, matches.columns, matches.grid[1], style_grid[1])
    copy = copy[y][:, x]
    within = matches.rows[y][:, x] - copy * (coarse_height + 1)
    rows = ((within + beyond_y[:, None] + WINDOW / 2) * up_y - WINDOW / 2).round().long()
    columns = ((matches.columns[y][:, x] + beyond_x[None] + WINDOW / 2) * up_x - WINDOW / 2).round().long()
    if copies > 1:
        rows = rows.clamp(0, fine_height - WINDOW) + copy * (fine_height + 1)
    return Matches(
        rows,
        columns,
        torch.full(rows.shape, -torch.inf, device=rows.device),
        (style_grid[0], style_grid[1]),
        copies,
    )


def sources(matches: Matches) -> Tensor:
    """Where each window's match lies in the style picture, (2,h-2,w-2): x and y of its middle, in shares of
    width and height.
    """
    height = (matches.grid[0] + 1) // matches.copies - 1
    rows = matches.rows % (height + 1)
    return torch.stack(((matches.columns + WINDOW / 2) / matches.grid[1], (rows + WINDOW / 2) / height))


def reuse_penalty(matches: Matches, variety: float) -> Tensor:
    """What each style window loses, (H-2,W-2): `variety` times the logarithm of how many times its share it
    was taken in the matches before.

    Nothing up to its share, which is one window, or more where the result has more windows than the style.
    """
    H, W = matches.grid
    taken = torch.bincount(
        (matches.rows * (W - 2) + matches.columns).flatten(), minlength=(H - 2) * (W - 2)
    ).float()
    share = max(1.0, matches.rows.numel() / taken.numel())
    return -variety * (taken / share).clamp_min(1).log().view(H - 2, W - 2)


def votes(matches: Matches, style: Tensor) -> Tensor:
    """What the matched windows want of each cell: their mean, (C,h,w). `style` are features (C,H,W).

    sum over windows of |window - match|^2 = sum over cells of count |cell - mean|^2 + a constant, count being
    the number of windows that cover a cell: between two searches the style loss is one weighted squared
    difference with the same gradient.
    """
    total, counts = _votes_on_cpu(matches, style) if kernels_serve(style) else _votes(matches, style)
    return total.div_(counts)


def _votes(matches: Matches, style: Tensor) -> tuple[Tensor, Tensor]:
    """The sum (C,h,w) of what windows want of each cell, and their number (1,h,w)."""
    (h, w), W = matches.rows.shape, style.shape[2]
    flat, index = style.flatten(1), matches.rows * W + matches.columns
    total = style.new_zeros(style.shape[0], h + 2, w + 2)
    counts = style.new_zeros(1, h + 2, w + 2)
    for dy in range(WINDOW):
        for dx in range(WINDOW):
            total[:, dy : dy + h, dx : dx + w] += flat[:, (index + dy * W + dx).flatten()].view(-1, h, w)
            counts[:, dy : dy + h, dx : dx + w] += 1
    return total, counts


def _votes_on_cpu(matches: Matches, style: Tensor) -> tuple[Tensor, Tensor]:
    h, w = (n + 2 for n in matches.rows.shape)
    total, counts = np.empty((h, w, style.shape[0]), np.float32), np.empty((h, w), np.float32)
    kernels.parallel_rows(
        kernels.sum_votes,
        h,
        kernels.cells_last(style),
        matches.rows.numpy(),
        matches.columns.numpy(),
        total,
        counts,
    )
    return torch.from_numpy(total).permute(2, 0, 1), torch.from_numpy(counts)[None]


def leak(matches: Matches, result: GridGuide, style: GridGuide) -> float:
    """Share of windows, 0 to 1, whose style window is of another class, among classes that both pictures
    have.

    A window's class is the strongest class of its middle cell; both guides are on their layer's grid.
    """
    own, there = result.strongest[1:-1, 1:-1], style.strongest
    source = there[matches.rows + 1, matches.columns + 1]
    shared = own.new_zeros(len(style.classes), dtype=torch.bool).index_fill_(0, there.flatten(), True)[own]
    return ((source != own) & shared).sum().item() / max(1, shared.sum().item())
