"""The transfer as a whole, with random weights where training does not matter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facetransfer import InputError, TransferSettings, to_tensor, transfer, transfer_steps
from facetransfer.base import allocator
from facetransfer.core.engine import Step, painted, resized
from facetransfer.core.features import load_network
from facetransfer.core.matching import Matches
from facetransfer.core.phases import phases_that_fit, prepare_phase
from facetransfer.core.search import PatchSearch, search_times
from facetransfer.core.style_augmentation import style_copies
from segmentation.guidance import guides_of

QUICK = TransferSettings(method="semantic", phases=2, iterations=3, match_every=2)


def test_same_seed_same_bytes_other_seed_other_picture(face, green_face) -> None:
    pictures = to_tensor(face[0]), to_tensor(green_face[0])
    guides = guides_of(face[1], green_face[1])
    settings = replace(QUICK, start="noise", seed=5)
    first = transfer(*pictures, guides, settings)
    assert first.shape == (1, 3, 128, 128) and 0 <= first.min() and first.max() <= 1
    assert torch.equal(first, transfer(*pictures, guides, settings))
    assert not torch.equal(first, transfer(*pictures, guides, replace(settings, seed=6)))


@pytest.mark.parametrize("size", [(33, 32), (65, 47), (101, 160)])
def test_any_size_is_kept(size: tuple[int, int], green_face) -> None:
    content = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    assert (
        transfer(content, to_tensor(green_face[0]), None, replace(QUICK, iterations=1)).shape == content.shape
    )


def test_the_face_takes_the_other_skin(face, green_face) -> None:
    """Parts of the result have the colours of the same parts of the style, not of the content."""
    result = transfer(
        to_tensor(face[0]),
        to_tensor(green_face[0]),
        guides_of(face[1], green_face[1]),
        TransferSettings(method="semantic", phases=2, iterations=25),
    )
    for part in ("skin", "hair", "background"):
        from segmentation.classes import INDEX

        here, there = (torch.from_numpy(m.labels == INDEX[part]) for m in (face[1], green_face[1]))
        got, style = result[0][:, here].mean(1), to_tensor(green_face[0])[0][:, there].mean(1)
        content = to_tensor(face[0])[0][:, here].mean(1)
        assert (got - style).norm() < 0.25 * (content - style).norm() + 0.02, part


def test_gatys_brings_the_statistics_and_no_matches(face, green_face) -> None:
    """Features as published; with the colour weight the pixels' own statistics too, which keeps noise in
    colours away that features overlook.
    """
    from facetransfer.core.features import load_network
    from facetransfer.core.losses import GramLoss
    from facetransfer.core.phases import as_cells

    pictures, network = [to_tensor(p) for p in (face[0], green_face[0])], load_network("compact")
    gatys = replace(QUICK, method="gatys", phases=1, iterations=15, content_weight=0.0)
    features, colours = (lambda p: network(p, ["3_1"])["3_1"][0]), (lambda p: as_cells(p, 2)[:, :-1, :-1])
    for weight, of, centred in ((0.0, features, False), (1.0, features, False), (1.0, colours, True)):
        target = GramLoss.of(of(pictures[1]), centred)
        steps = list(
            transfer_steps(*pictures, guides_of(face[1], green_face[1]), replace(gatys, colour_weight=weight))
        )
        assert steps[-1].leak is None and (steps[-1].losses["colour"] > 0) == bool(weight)
        before, after = (target(of(p)).item() for p in (pictures[0], steps[-1].picture))
        assert after < 0.2 * before and target(of(pictures[1])).item() < 1e-9


def test_mrf_is_semantic_without_the_guides(face, green_face) -> None:
    """They only tell how many of its windows come from elsewhere: many more than where they are followed."""
    pictures, guides = (to_tensor(face[0]), to_tensor(green_face[0])), guides_of(face[1], green_face[1])
    plain = transfer(*pictures, None, QUICK)
    *_, mrf = transfer_steps(*pictures, guides, replace(QUICK, method="mrf"))
    *_, guided = transfer_steps(*pictures, guides, QUICK)
    assert torch.equal(plain, mrf.picture) and not torch.equal(plain, guided.picture)
    assert mrf.leak > 4 * guided.leak


def test_steps_tell_where_they_are_and_can_be_left(face, green_face) -> None:
    steps = transfer_steps(
        to_tensor(face[0]), to_tensor(green_face[0]), guides_of(face[1], green_face[1]), QUICK
    )
    seen: list[Step] = [next(steps) for _ in range(4)]
    assert [(s.phase, s.iteration) for s in seen] == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert seen[0].picture.shape[-2:] == (64, 64) and seen[3].picture.shape[-2:] == (128, 128)
    assert all(a.done < b.done for a, b in zip(seen, seen[1:])) and 0 <= seen[0].leak <= 1
    assert set(seen[0].losses) == {"content", "style", "colour", "smoothness"}
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_the_loss_falls(face, green_face) -> None:
    steps = list(
        transfer_steps(
            to_tensor(face[0]),
            to_tensor(green_face[0]),
            None,
            replace(QUICK, phases=1, iterations=20, match_every=100),
        )
    )
    totals = [sum(s.losses.values()) for s in steps]
    assert totals[-1] < 0.6 * totals[0] and steps[0].leak is None


def test_start_from_an_image_and_from_nothing(face, green_face) -> None:
    pictures = to_tensor(face[0]), to_tensor(green_face[0])
    start = torch.zeros(1, 3, 50, 70)
    from_image = transfer(*pictures, None, replace(QUICK, start="image", iterations=1, phases=1), start=start)
    assert not torch.equal(from_image, transfer(*pictures, None, replace(QUICK, iterations=1, phases=1)))
    for settings, image in ((replace(QUICK, start="image"), None), (QUICK, start)):
        with pytest.raises(InputError, match="start"):
            next(transfer_steps(*pictures, None, settings, start=image))


def test_grids_too_large_for_every_pair_are_searched_from_guesses(
    face, green_face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one phase there is nothing to begin from; the result is nearly that of the exact search."""
    from facetransfer.core import matching

    pictures, guides = (to_tensor(face[0]), to_tensor(green_face[0])), guides_of(face[1], green_face[1])
    settings = replace(QUICK, phases=1, iterations=8, match_every=4)
    exact = transfer(*pictures, guides, settings)
    monkeypatch.setattr(matching, "EXACT_PAIRS", 40_000)
    near = transfer(*pictures, guides, settings)
    assert (
        not torch.equal(exact, near)
        and (exact - near).abs().mean() < 0.5 * (exact - pictures[0]).abs().mean()
    )


def test_patches_are_searched_more_seldom_as_they_settle() -> None:
    assert search_times(TransferSettings(iterations=16, match_every=4)) == [0, 4, 8, 14]
    assert search_times(TransferSettings(iterations=100, match_every=4)) == [0, 4, 8, 14, 24, 42, 73]
    assert search_times(TransferSettings(iterations=9, match_every=1)) == list(range(9)) and search_times(
        TransferSettings(iterations=5, match_every=9)
    ) == [0]


def test_content_alone_keeps_the_picture(face, green_face) -> None:
    content = to_tensor(face[0])
    kept = transfer(
        content,
        to_tensor(green_face[0]),
        None,
        replace(QUICK, style_weight=0.0, colour_weight=0.0, smoothness=0.0, phases=1),
    )
    torch.testing.assert_close(kept, content, atol=1e-3, rtol=0)


def test_too_small_pictures_are_refused_in_words(face) -> None:
    with pytest.raises(InputError, match="style picture is 31x200 pixels.*at least 32"):
        next(transfer_steps(to_tensor(face[0]), torch.zeros(1, 3, 200, 31)))


def test_phases_are_capped_by_the_smallest_side() -> None:
    assert phases_that_fit(6, (512, 512), (512, 512)) == 5
    assert phases_that_fit(6, (512, 512), (512, 64)) == 2
    assert phases_that_fit(3, (32, 32), (512, 512)) == 1


def test_patches_found_are_painted_where_they_lie(face) -> None:
    """Every window matched with itself paints the style picture; shifted by a window, the picture shifted."""
    style = to_tensor(face[0])
    phase = prepare_phase(
        load_network("compact"), style.shape[-2:], None, style_copies(style, None, "none"), None, QUICK, 1.0
    )
    height, width = phase.style_cells.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height - 2), torch.arange(width - 2), indexing="ij")
    for shift in (0, 1):
        matches = Matches(
            rows, (columns + shift).clamp(max=width - 3), torch.zeros(rows.shape), (height, width)
        )
        search = PatchSearch(QUICK, torch.Generator(), {phase.finest_layer: matches})
        found = painted(phase, search, style.shape[-2:])
        torch.testing.assert_close(found[..., :-12], style[..., 2 * shift :][..., : found.shape[-1] - 12])


@pytest.mark.skipif(allocator._libc is None, reason="only glibc is told what to keep")
def test_a_run_gives_its_memory_back(face, green_face) -> None:
    """It keeps what it frees while it works, and not one moment longer."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

    pictures = [resized(to_tensor(p), (384, 384)) for p in (face[0], green_face[0])]
    settings = replace(QUICK, phases=1, iterations=2, network="compact")
    transfer(*pictures, None, settings)  # what is loaded once
    before, during = resident(), []
    for step in transfer_steps(*pictures, None, settings):
        during.append(resident())
    del step
    assert resident() - before < 0.25 * (max(during) - before) and max(during) - before > 40
