"""The work on a real GPU against the work on the CPU; passed over where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetransfer import TransferSettings, to_tensor, transfer_steps
from facetransfer.base.devices import available_devices
from segmentation.guidance import guides_of
from segmentation.parsers import load_parser
from tests.support.drawn_face import draw_face

DEVICE = available_devices()[0]
pytestmark = pytest.mark.skipif(DEVICE == "cpu", reason="this machine has no GPU")
QUICK = TransferSettings(method="semantic", phases=2, iterations=12)
SETTINGS = {
    "guided": TransferSettings(),
    "guided, more likeness": TransferSettings(likeness=0.9, colours="content"),
    "semantic": QUICK,
    "semantic, float32": replace(QUICK, precision="float32"),
    "mrf": replace(QUICK, method="mrf", variety=1.0),
    "gatys": replace(QUICK, method="gatys"),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_gpu_makes_what_the_cpu_makes(kind: str) -> None:
    """Chance and rounding choose other patches here and there: the losses and most of the picture are the
    same.
    """
    (content, semantic), (style, there) = draw_face((160, 160)), draw_face((176, 144), 1, (-110, 20, -60))
    given = to_tensor(content), to_tensor(style), guides_of(semantic, there), SETTINGS[kind]
    *_, here = transfer_steps(*given)
    *_, last = transfer_steps(*given, device=DEVICE)
    assert last.picture.device == torch.device(DEVICE)
    assert sum(last.losses.values()) == pytest.approx(sum(here.losses.values()), rel=0.15)
    assert last.leak is None or last.leak == pytest.approx(here.leak, abs=0.03)
    assert (last.picture.cpu() - here.picture).abs().mean() < 0.03


def test_a_gpu_sees_the_same_face() -> None:
    picture, _ = draw_face((256, 256))
    here, there = (load_parser("compact", device)(picture) for device in ("cpu", DEVICE))
    assert (here.semantic.labels == there.semantic.labels).mean() > 0.98
