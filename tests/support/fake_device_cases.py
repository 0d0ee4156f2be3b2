"""What runs on a graphics card, run on a device that is not the CPU either: `test_another_device.py` starts
this in a process of its own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facetransfer import TransferSettings, to_tensor
from facetransfer.core import matching
from facetransfer.core.engine import Step, transfer_steps
from facetransfer.jobs.job import Face, prepare, result_picture
from facetransfer.jobs.time_estimate import expected_seconds
from segmentation.guidance import guides_of
from segmentation.parsers import load_parser, published
from tests.support import fake_device as elsewhere
from tests.support.drawn_face import draw_face

elsewhere.make_known()
QUICK = TransferSettings(method="semantic", phases=1, iterations=4, match_every=2, precision="float32")
SAME = 1e-3  # of white: the mean difference of two pictures
WAITS = 3  # in a step without a search, each for a number or a few


def given(settings: TransferSettings, **changed: Any) -> dict[str, Any]:
    (content, semantic), (style, there) = (
        draw_face((96, 96)),
        draw_face((112, 80), seed=1, tint=(-110, 20, -60)),
    )
    pictures = {"content": to_tensor(content), "style": to_tensor(style)}
    return {**pictures, "guides": guides_of(semantic, there), "settings": settings, **changed}


def steps_here(settings: TransferSettings, **changed: Any) -> list[Step]:
    """The work on the CPU."""
    return list(transfer_steps(**given(settings, **changed)))


def steps_there(settings: TransferSettings, **changed: Any) -> tuple[list[Step], np.ndarray]:
    """The same work elsewhere: its steps, and how often each of them waited for the device (n,)."""
    steps, costs = [], []
    with elsewhere.device_elsewhere() as watch:
        for step in transfer_steps(**given(settings, **changed), device=elsewhere.DEVICE):
            costs.append(watch.waits)
            assert step.picture.device == torch.device(elsewhere.DEVICE)
            steps.append(
                replace(
                    step,
                    picture=step.picture.cpu(),
                    losses=dict(step.losses),
                    sources=step.sources if step.sources is None else step.sources.cpu(),
                )
            )
            watch.waits = 0  # these were not the program's
    return steps, np.array(costs)


KINDS = {
    "semantic": QUICK,
    "mrf": replace(QUICK, method="mrf", variety=1.0),
    "gatys": replace(QUICK, method="gatys"),
    "noise": replace(QUICK, start="noise", coherence=0.0),
    "more patches": replace(QUICK, turns="turned"),
    "colours kept": replace(QUICK, colours="content", tones=0.0),
}


@pytest.fixture(autouse=True)
def every_pair_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guesses are improved by chance, and on another device by other numbers."""
    monkeypatch.setattr("facetransfer.core.matching.FEW_PAIRS", matching.EXACT_PAIRS)


@pytest.mark.parametrize("kind", KINDS)
def test_another_device_makes_the_same_picture(kind: str) -> None:
    here, (there, _) = steps_here(KINDS[kind]), steps_there(KINDS[kind])
    for a, b in zip(here, there, strict=True):
        assert b.losses == pytest.approx(a.losses, rel=1e-2, abs=1e-6)
        assert (a.picture - b.picture).abs().mean() < SAME and (a.leak is None) == (b.leak is None)
    if here[-1].sources is not None:
        assert (here[-1].sources == there[-1].sources).float().mean() > 0.99


def test_the_quicker_search_is_as_good_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facetransfer.core.matching.FEW_PAIRS", 0)
    settings = replace(QUICK, phases=2, iterations=8)
    here, (there, _) = steps_here(settings), steps_there(settings)
    assert sum(there[-1].losses.values()) == pytest.approx(sum(here[-1].losses.values()), rel=0.15)
    assert there[-1].leak == pytest.approx(here[-1].leak, abs=0.02)


def test_a_step_waits_for_a_few_numbers_and_no_picture() -> None:
    _, costs = steps_there(replace(QUICK, iterations=8, match_every=8))
    assert costs[3:].max() <= WAITS


def test_the_style_s_own_pixels_are_put_together_there_too() -> None:
    """Chance draws other windows there, which are as good on the whole; no round waits for a picture."""
    here, (there, costs) = steps_here(TransferSettings()), steps_there(TransferSettings())
    assert there[-1].losses["patches"] == pytest.approx(here[-1].losses["patches"], rel=0.1)
    assert there[-1].leak == pytest.approx(here[-1].leak, abs=0.02)
    assert (here[-1].picture - there[-1].picture).abs().mean() < 0.02
    assert costs[1:].max() <= WAITS


def test_parts_of_the_picture_are_kept_there() -> None:
    strength = torch.ones(96, 96)
    strength[:, :48] = 0
    here, (there, _) = steps_here(QUICK, strength=strength), steps_there(QUICK, strength=strength)
    assert torch.equal(there[-1].picture[..., :40], here[-1].picture[..., :40])
    assert (here[-1].picture - there[-1].picture).abs().mean() < SAME


def test_half_precision_stays_near_there() -> None:
    here, (rough, _) = steps_here(QUICK), steps_there(replace(QUICK, precision="bfloat16"))
    assert sum(rough[-1].losses.values()) == pytest.approx(sum(here[-1].losses.values()), rel=0.05)
    assert (rough[-1].picture - here[-1].picture).abs().mean() < 0.02


@pytest.mark.parametrize("content", [None, "map"])
def test_textures_and_doodles_are_made_there(content: str | None) -> None:
    picture, semantic = draw_face((96, 96))
    job = prepare(
        semantic if content else None,
        Face.of(picture, semantic),
        replace(QUICK, size=64, phases=1),
    )
    with elsewhere.device_elsewhere():
        for step in job.steps(elsewhere.DEVICE):
            pass
        assert result_picture(step, job.size).size == (64, 64)


@pytest.mark.parametrize("name", ["compact", "bisenet"])
def test_parsers_see_the_same_face_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "SIDE", 128)  # less than the weights were trained on, which takes seconds
    (picture, _), file = draw_face((160, 160)), None
    if name != "compact":
        file = str(tmp_path / "weights.pth")
        torch.save(published.build(name).state_dict(), file)
    here = load_parser(name, "cpu", file)(picture)
    with elsewhere.device_elsewhere():
        there = load_parser(name, elsewhere.DEVICE, file)(picture)
    assert (here.semantic.labels == there.semantic.labels).mean() > 0.98


def test_the_time_it_takes_there_is_expected() -> None:
    with elsewhere.device_elsewhere():
        assert expected_seconds(QUICK, (96, 96), elsewhere.DEVICE) > 0


def test_what_meets_a_stranger_is_refused() -> None:
    """The device itself: or nothing above would be proved."""
    with elsewhere.device_elsewhere() as watch:
        here, there = torch.ones(3), torch.ones(3, device=elsewhere.DEVICE)
        with pytest.raises(RuntimeError, match="of the CPU"):
            there + here
        assert watch.waits == 0 and (there + 1).sum().item() == 6 and watch.waits == 1
        assert (there * 2).tolist() == [2, 2, 2] and watch.waits == 2
        with pytest.raises((RuntimeError, TypeError)):
            there.numpy()
