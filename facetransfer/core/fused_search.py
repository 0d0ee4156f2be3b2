"""The exact search for CUDA in one kernel (Triton): products of windows and their maximum at once, no product is ever written to memory.

Nine times the multiplications of `matching.exact_matches`, which shifts products of cells, but on the tensor cores, and none of
its traffic. Which is quicker depends on the card: `make bench-gpu` measures both, and `matching.FUSED` says which is used.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

RESULT_WINDOWS, STYLE_WINDOWS, DEPTH = (
    128,
    128,
    32,
)  # of the tiles that are multiplied: windows of either, numbers of a cell


@triton.jit
def _search(
    result,
    style,
    bias,
    best,
    index,
    h,
    w,
    H,
    W,
    depth,
    biased: tl.constexpr,
    windows: tl.constexpr,
    others: tl.constexpr,
    block: tl.constexpr,
):
    """result (h,w,depth), style (H,W,depth), bias (H-2,W-2); into best and index ((h-2)(w-2)) each window's best score and where that is."""
    own = tl.program_id(0) * windows + tl.arange(0, windows)
    all_own, all_others = (h - 2) * (w - 2), (H - 2) * (W - 2)
    corner = (own // (w - 2)) * w + own % (w - 2)
    part = tl.arange(0, block)
    top, where = tl.full((windows,), float("-inf"), tl.float32), tl.zeros((windows,), tl.int64)
    for start in range(0, all_others, others):
        other = start + tl.arange(0, others)
        there = (other // (W - 2)) * W + other % (W - 2)
        score = tl.zeros((windows, others), tl.float32)
        for cell in range(9):
            near, far = (
                (corner + cell // 3 * w + cell % 3).to(tl.int64) * depth,
                (there + cell // 3 * W + cell % 3).to(tl.int64) * depth,
            )
            for k in range(0, depth, block):
                a = tl.load(
                    result + near[:, None] + (k + part)[None, :], mask=(own < all_own)[:, None], other=0.0
                )
                b = tl.load(
                    style + far[None, :] + (k + part)[:, None], mask=(other < all_others)[None, :], other=0.0
                )
                score = tl.dot(a, b, score, input_precision="tf32x3")
        if biased:
            score += tl.load(bias + other, mask=other < all_others, other=0.0)[None, :]
        score = tl.where((other < all_others)[None, :], score, float("-inf"))
        value, at = tl.max(score, 1, return_indices=True)
        better = value > top
        where, top = tl.where(better, start + at.to(tl.int64), where), tl.where(better, value, top)
    tl.store(best + own, top, mask=own < all_own)
    tl.store(index + own, where, mask=own < all_own)


def best_windows(result: Tensor, style: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Score float32 and index int64 (h-2,w-2) of the best style window of each window. result (D,h,w), style (D,H,W), bias (H-2,W-2)."""
    (depth, h, w), (_, H, W) = result.shape, style.shape
    cells, keys = (F.pad(x.permute(1, 2, 0), (0, -depth % DEPTH)).contiguous() for x in (result, style))
    best, index = (
        result.new_empty((h - 2, w - 2)),
        torch.empty((h - 2, w - 2), dtype=torch.int64, device=result.device),
    )
    _search[(triton.cdiv(best.numel(), RESULT_WINDOWS),)](
        cells,
        keys,
        keys if bias is None else bias.contiguous(),
        best,
        index,
        h,
        w,
        H,
        W,
        cells.shape[2],
        bias is not None,
        RESULT_WINDOWS,
        STYLE_WINDOWS,
        DEPTH,
        num_warps=8,
    )
    return best, index
