"""The search for windows against a slow twin that looks at every pair, and against planted answers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.published import window_rows
from facetransfer.core import matching
from facetransfer.core.guides import GridGuide
from facetransfer.core.matching import Matches, Rounds


def cells(channels: int, height: int, width: int, seed: int) -> Tensor:
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed))


def guide(height: int, width: int, seed: int, classes: int = 3) -> GridGuide:
    labels = torch.randint(0, classes, (height, width), generator=torch.Generator().manual_seed(seed))
    place = torch.stack(
        torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    ).flip(0)
    return GridGuide(torch.nn.functional.one_hot(labels, classes).movedim(-1, 0).float(), place)


def slow_score(
    f: Tensor,
    s: Tensor,
    g: GridGuide,
    n: GridGuide,
    semantic: float,
    position: float,
    p: tuple[int, int],
    q: tuple[int, int],
) -> float:
    """S(p,q) cell by cell, straight from the formula in `matching`."""
    total = 0.0
    for dy in range(3):
        for dx in range(3):
            a, b = (slice(None), p[0] + dy, p[1] + dx), (slice(None), q[0] + dy, q[1] + dx)
            total += torch.cosine_similarity(f[a], s[b], dim=0).item()
            total += semantic * torch.cosine_similarity(g.classes[a], n.classes[b], dim=0).item()
            total -= position * (g.position[a] - n.position[b]).square().sum().item()
    return total / 9


def test_exact_search_equals_the_slow_twin() -> None:
    f, s, g, n = cells(5, 7, 6, 0), cells(5, 6, 8, 1), guide(7, 6, 2), guide(6, 8, 3)
    found = matching.exact_matches(
        matching.match_vectors(f, g, 2.0, 0.7, style=False),
        matching.match_vectors(s, n, 2.0, 0.7, style=True),
    )
    assert found.rows.shape == (5, 4)
    for y in range(5):
        for x in range(4):
            scores = {
                (r, c): slow_score(f, s, g, n, 2.0, 0.7, (y, x), (r, c)) for r in range(4) for c in range(6)
            }
            best = max(scores, key=scores.get)
            assert (found.rows[y, x].item(), found.columns[y, x].item()) == best


@pytest.mark.parametrize("chunk_bytes", [1, 5_000, 1 << 30])
def test_slices_find_what_the_whole_finds(chunk_bytes: int) -> None:
    f, s = (
        matching.match_vectors(cells(8, 14, 11, 0), None, 0, 0, style=False),
        matching.match_vectors(cells(8, 12, 13, 1), None, 0, 0, style=True),
    )
    whole, sliced = matching.exact_matches(f, s), matching.exact_matches(f, s, chunk_bytes)
    assert torch.equal(whole.rows, sliced.rows) and torch.equal(whole.columns, sliced.columns)
    torch.testing.assert_close(whole.score, sliced.score)


def test_planted_window_is_found_where_it_was_planted() -> None:
    f, s = cells(6, 9, 9, 0), cells(6, 12, 10, 1)
    s[:, 7:10, 2:5] = f[:, 3:6, 4:7]
    found = matching.exact_matches(
        matching.match_vectors(f, None, 0, 0, style=False), matching.match_vectors(s, None, 0, 0, style=True)
    )
    assert (found.rows[3, 4], found.columns[3, 4]) == (7, 2)
    assert found.score[3, 4] == pytest.approx(1.0, abs=1e-5)


def test_a_strong_guide_keeps_every_window_in_its_class() -> None:
    f, s = cells(4, 10, 10, 0), cells(4, 10, 10, 1)
    halves = torch.zeros(2, 10, 10)
    halves[0, :, :5] = halves[1, :, 5:] = 1
    left_right, right_left = GridGuide(halves), GridGuide(halves.flip(2))
    found = matching.exact_matches(
        matching.match_vectors(f, left_right, 10, 0, style=False),
        matching.match_vectors(s, right_left, 10, 0, style=True),
    )
    assert matching.leak(found, left_right, right_left) == 0
    unguided = matching.exact_matches(
        matching.match_vectors(f, None, 0, 0, style=False), matching.match_vectors(s, None, 0, 0, style=True)
    )
    assert matching.leak(unguided, left_right, right_left) > 0.3


def test_leak_counts_only_classes_that_both_pictures_have() -> None:
    all_left = GridGuide(torch.tensor([1.0, 0, 0])[:, None, None].expand(3, 6, 6))
    all_right = GridGuide(torch.tensor([0, 1.0, 0])[:, None, None].expand(3, 6, 6))
    here = torch.zeros(4, 4, dtype=torch.long)
    assert matching.leak(Matches(here, here, torch.zeros(4, 4), (6, 6)), all_left, all_right) == 0


def test_position_alone_finds_the_same_place() -> None:
    flat, g = torch.ones(4, 9, 9), guide(9, 9, 0)
    found = matching.exact_matches(
        matching.match_vectors(flat, g, 0, 5.0, style=False),
        matching.match_vectors(flat, g, 0, 5.0, style=True),
    )
    there = torch.arange(7)
    assert torch.equal(found.rows, there[:, None].expand(7, 7)) and torch.equal(
        found.columns, there.expand(7, 7)
    )


def test_black_cells_and_classes_that_are_missing_score_zero_not_nan() -> None:
    empty = GridGuide(torch.zeros(3, 5, 5))
    found = matching.exact_matches(
        matching.match_vectors(torch.zeros(4, 5, 5), empty, 10, 1, style=False),
        matching.match_vectors(torch.zeros(4, 6, 6), GridGuide(torch.zeros(3, 6, 6)), 10, 1, style=True),
    )
    assert torch.isfinite(found.score).all()


def test_improved_guesses_come_close_to_the_exact_search() -> None:
    """Guesses up to five cells off, as a coarser grid gives them: nearly all windows find their
    true place.
    """
    style = torch.nn.functional.interpolate(cells(8, 20, 20, 0)[None], size=(40, 40), mode="bicubic")[0]
    f, s = (
        matching.match_vectors(style[:, 3:33, 5:35], None, 0, 0, style=False),
        matching.match_vectors(style, None, 0, 0, style=True),
    )
    exact, generator = matching.exact_matches(f, s), torch.Generator().manual_seed(0)
    off = torch.randint(-5, 6, (2, 28, 28), generator=generator)
    guess = Matches(
        (exact.rows + off[0]).clamp(0, 37),
        (exact.columns + off[1]).clamp(0, 37),
        torch.zeros(28, 28),
        (40, 40),
    )
    found = matching.improve_matches(f, s, [guess], generator)
    start = window_rows(f) * window_rows(s)[(guess.rows * 38 + guess.columns).flatten()]
    assert (found.score >= start.sum(1).view(28, 28) - 1e-5).all()
    assert ((found.rows == exact.rows) & (found.columns == exact.columns)).float().mean() > 0.9
    assert (found.score <= exact.score + 1e-5).all()


def test_a_first_guess_needs_no_seed_and_lands_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """On grids too large for every pair, a picture against itself: guesses lie a few cells from
    their place.
    """
    monkeypatch.setattr(matching, "EXACT_PAIRS", 10_000)
    smooth = torch.nn.functional.interpolate(cells(8, 6, 6, 0)[None], size=(36, 36), mode="bicubic")[0]
    f, s = (matching.match_vectors(smooth, None, 0, 0, style=flag) for flag in (False, True))
    found = matching.first_guess(f, s)
    there = torch.arange(34)
    off = (found.rows - there[:, None]).abs() + (found.columns - there[None]).abs()
    assert found.rows.shape == (34, 34) and off.float().median() <= 2


def test_enlarged_matches_keep_their_place() -> None:
    """Every window matched with itself stays so, to a cell, on a grid twice as fine."""
    place = torch.arange(8)
    own = Matches(place[:, None].expand(8, 8), place.expand(8, 8), torch.zeros(8, 8), (10, 10))
    finer = matching.enlarged_matches(own, (20, 20), (20, 20))
    there = torch.arange(18)
    assert (finer.rows - there[:, None]).abs().max() <= 1 and (finer.columns - there[None]).abs().max() <= 1


def test_votes_give_the_windows_loss_and_gradient() -> None:
    """sum_windows |window - match|^2 and sum_cells n |cell - target|^2 differ by a constant, so their
    gradients agree.
    """
    s, x = cells(3, 7, 8, 0), cells(3, 6, 5, 1).requires_grad_()
    generator = torch.Generator().manual_seed(2)
    m = Matches(
        torch.randint(0, 5, (4, 3), generator=generator),
        torch.randint(0, 6, (4, 3), generator=generator),
        torch.zeros(4, 3),
        (7, 8),
    )

    def by_windows(picture: Tensor) -> Tensor:
        return sum(
            (
                picture[:, y : y + 3, c : c + 3]
                - s[:, m.rows[y, c] : m.rows[y, c] + 3, m.columns[y, c] : m.columns[y, c] + 3]
            )
            .square()
            .sum()
            for y in range(4)
            for c in range(3)
        )

    def by_votes(picture: Tensor) -> Tensor:
        covering = torch.nn.functional.conv_transpose2d(torch.ones(1, 1, 4, 3), torch.ones(1, 1, 3, 3))[0]
        return (covering * (picture - matching.votes(m, s)).square()).sum()

    other = cells(3, 6, 5, 3)
    torch.testing.assert_close(by_windows(x) - by_windows(other), by_votes(x) - by_votes(other))
    torch.testing.assert_close(torch.autograd.grad(by_windows(x), x), torch.autograd.grad(by_votes(x), x))


def planted_guesses(seed: int = 0) -> tuple[Tensor, Tensor, Matches]:
    """Cells of a result and a style, and guesses anywhere."""
    f, s = (
        matching.match_vectors(cells(6, 15, 13, seed), None, 0, 0, style=False),
        matching.match_vectors(cells(6, 12, 17, seed + 1), None, 0, 0, style=True),
    )
    generator = torch.Generator().manual_seed(seed)
    rows, columns = (
        torch.randint(0, 10, (13, 11), generator=generator),
        torch.randint(0, 15, (13, 11), generator=generator),
    )
    keys = window_rows(s)[(rows * 15 + columns).flatten()]
    return f, s, Matches(rows, columns, (window_rows(f) * keys).sum(1).view(13, 11), (12, 17))


def test_compiled_loops_agree_with_the_tensor_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours' agreement, votes and scores: the same choices, the same numbers."""
    f, s, guess = planted_guesses()
    answers = []
    for compiled in (True, False):
        monkeypatch.setattr(matching, "kernels_serve", lambda cells, compiled=compiled: compiled)
        answers.append(
            (
                matching.coherent(f, s, guess, 0.05),
                matching.votes(guess, cells(3, 12, 17, 9)),
                matching.improve_matches(
                    f, s, [guess], torch.Generator(), cells(1, 10, 15, 8)[0] * 0.1, Rounds(())
                ),
            )
        )
    (agreed, targets, taken), (agreed_t, targets_t, taken_t) = answers
    assert not torch.equal(agreed.rows, guess.rows)
    for one, two in ((agreed, agreed_t), (taken, taken_t)):
        assert torch.equal(one.rows, two.rows) and torch.equal(one.columns, two.columns)
        torch.testing.assert_close(one.score, two.score)
    assert torch.equal(targets, targets_t)  # a last digit would choose other patches in the next search


@pytest.mark.parametrize("compiled", [True, False])
def test_improving_comes_near_every_pair_in_both_ways(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "kernels_serve", lambda cells: compiled)
    f, s, guess = planted_guesses(3)
    found, exact = (
        matching.improve_matches(
            f, s, [guess], torch.Generator().manual_seed(0), None, Rounds((1, 3, 1, 1, 1, 1))
        ),
        matching.exact_matches(f, s),
    )
    assert (found.score >= guess.score - 1e-6).all() and (found.score <= exact.score + 1e-5).all()
    assert (exact.score - found.score).mean() < 0.35 * (exact.score - guess.score).mean()


def test_threads_do_not_change_what_is_found() -> None:
    f, s, guess = planted_guesses(5)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            matches = matching.improve_matches(f, s, [guess], torch.Generator().manual_seed(1))
            found.append(matching.coherent(f, s, matches, 0.1))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert (
            torch.equal(found[0].rows, other.rows)
            and torch.equal(found[0].columns, other.columns)
            and torch.equal(found[0].score, other.score)
        )


@pytest.mark.parametrize(
    "result, style", (((6, 9, 7), (6, 5, 12)), ((3, 3, 3), (3, 3, 3)), ((11, 4, 30), (11, 17, 3)))
)
def test_scores_of_windows_are_those_of_the_windows_written_out(
    result: tuple[int, ...], style: tuple[int, ...]
) -> None:
    f, s = cells(*result, seed=1), cells(*style, seed=2)
    rows, columns = (
        torch.randint(0, n - 2, (result[1] - 2, result[2] - 2), generator=torch.Generator().manual_seed(n))
        for n in style[1:]
    )
    slow = (
        (window_rows(f) * window_rows(s)[(rows * (style[2] - 2) + columns).flatten()]).sum(1).view(rows.shape)
    )
    for lie in (lambda x: x, matching.channels_last):
        torch.testing.assert_close(matching.window_scores(lie(f), lie(s), rows, columns), slow)
