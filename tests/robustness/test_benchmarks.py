"""The benchmarks compare with what they say they compare with."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from benchmarks import attack
from benchmarks.parsing import border_counts, groups_of
from benchmarks.published import PublishedLoss
from facetransfer import to_tensor
from facetransfer.core.features import load_network
from segmentation.classes import INDEX
from segmentation.guidance import guide_of

ROOT = Path(__file__).resolve().parents[2]


def test_the_published_loss_of_a_picture_against_itself_is_its_roughness(face) -> None:
    picture, guide = to_tensor(face[0]), guide_of(face[1])
    loss = PublishedLoss(load_network("compact"), picture, picture, (guide, guide))
    from facetransfer.core.losses import smoothness_loss

    torch.testing.assert_close(loss(picture), smoothness_loss(picture))
    other = picture.flip(3).requires_grad_()
    assert loss(other) > loss(picture) + 0.1 and torch.autograd.grad(loss(other), other)[0].abs().sum() > 0


def test_borders_within_the_tolerance_count_and_others_do_not(face) -> None:
    labels = face[1].resized((512, 512)).labels
    for shift, low, high in ((0, 1.0, 1.0), (2, 0.99, 1.0), (9, 0.0, 0.6)):
        near, found, again, painted = border_counts(np.roll(labels, shift, 1), labels)[[1, 4, 13]].sum(0)
        assert low <= near / found <= high and low <= again / painted <= high


def test_faces_are_grouped_by_the_skin_that_the_photo_shows_and_by_what_they_wear(face) -> None:
    """Planted: skin of three tones (Chardon et al. give 41 degrees and more to very light skin, under 10 to
    dark); the drawn face with nothing, and with glasses painted around an eye.
    """
    labels = face[1].resized((512, 512)).labels
    skin = labels == INDEX["skin"]
    found = []
    for colour in ((235, 205, 190), (190, 150, 115), (85, 55, 40)):
        picture = np.full((512, 512, 3), 128, np.uint8)
        picture[skin] = colour
        found.append(groups_of(picture, labels))
    assert [groups[0] for groups in found] == ["light skin", "medium skin", "dark skin"]
    assert not any("with glasses" in groups for groups in found)
    worn = labels.copy()
    worn[cv2.dilate((labels == INDEX["l_eye"]).astype(np.uint8), np.ones((31, 31))) > 0] = INDEX[
        "eye_glasses"
    ]
    assert "with glasses" in groups_of(picture, worn)


def test_quality_is_measured_for_every_variant_with_pictures_beside(tmp_path) -> None:
    """One pair, two variants, tiny: the numbers, their means and the contact sheet are written."""
    sheet, results = tmp_path / "sheet.png", tmp_path / "quality.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks.quality",
        "--json",
        str(results),
        "--sheet",
        str(sheet),
        "--size",
        "64",
        "--variants",
        "ours",
        "gatys",
        "--iterations",
        "1",
        "--pairs",
        "goblin x bust",
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    told = json.loads(results.read_text())
    assert (
        set(told["means"]) == {"ours", "gatys"}
        and told["pairs"] == 1
        and told["means"]["gatys"]["style_distance"] > 0
    )
    with Image.open(sheet) as picture:
        assert picture.width == 4 * 160


def test_an_attacker_s_pictures_are_what_they_are_said_to_be() -> None:
    with Image.open(BytesIO(attack.png_of_zeros(300))) as picture:
        assert picture.size == (300, 300) and picture.mode == "RGBA" and not np.asarray(picture).any()
    with Image.open(BytesIO(attack.largest_allowed("TIFF"))) as picture:
        assert picture.mode == "F" and picture.size[0] * picture.size[1] < 50_000_000
    one, other = (attack.visitors_picture(number, (64, 48)) for number in (1, 2))
    with Image.open(BytesIO(one)) as picture:
        assert picture.size == (64, 48) and one != other


def test_every_attack_says_what_it_is_and_is_repeated_until_it_is_over() -> None:
    assert len(attack.ATTACKS) == 10 and all(one.__doc__ for one in attack.ATTACKS.values())
    one = attack.Attack(attack.Server("127.0.0.1", 1, 0, ROOT, []))

    def strike(number: int) -> int:
        if number >= 20:
            one.over.set()
        if number % 2:
            raise attack.Refused(507, b"full")
        return 200

    one.repeat(1, strike)
    assert one.counts["answer 200"] == 11 and one.counts["answer 507"] == 10
