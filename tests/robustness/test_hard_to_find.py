"""Faces that are far, turned or not there, as the shipped weights see them: a search in many looks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from segmentation.classes import FACE_CLASSES
from segmentation.parsers import load_parser
from segmentation.parsers.detection import find_faces
from tests.support.drawn_face import COLOURS, draw_face


@pytest.mark.parametrize("angle", [70, 135, 180, 250])
def test_a_face_turned_by_any_angle_has_its_upright_map_turned(angle: int) -> None:
    """The shipped weights, which know upright faces alone, and a drawn face."""
    picture, truth = draw_face((384, 384))
    parse = load_parser("compact")
    turned = np.asarray(Image.fromarray(truth.labels).rotate(angle, expand=True))
    found = parse(picture.rotate(angle, Image.Resampling.BICUBIC, expand=True))
    here = np.isin(turned, FACE_CLASSES)
    assert (found.semantic.labels == turned)[here].mean() > 0.85
    assert (found.faces[0].tilt + angle + 180) % 360 - 180 == pytest.approx(0, abs=12)


def test_white_paper_noise_and_plain_pictures_are_no_faces() -> None:
    rng = np.random.default_rng(0)
    parse = load_parser("compact")
    for pixels in (
        np.full((400, 300, 3), 255),
        np.full((300, 300, 3), (224, 180, 150)),
        rng.integers(0, 256, (400, 400, 3)),
        rng.integers(0, 256, (64, 64, 3)),
    ):
        found = parse(Image.fromarray(pixels.astype(np.uint8)))
        assert found.faces == () and not found.found_face
        assert not np.isin(found.semantic.labels, FACE_CLASSES).any()


@pytest.mark.parametrize("longest", [1280, 2560])
def test_a_far_face_of_40_pixels_is_found_in_a_large_photo(longest: int) -> None:
    picture, truth = draw_face((384, 384))
    scale = 40 / load_parser("compact")(picture).faces[0].length
    small = picture.resize([round(n * scale) for n in picture.size], Image.Resampling.LANCZOS)
    photo = Image.new("RGB", (longest, 640), COLOURS["background"])
    photo.paste(small, (longest // 3, 213))
    (found,) = load_parser("compact")(photo).faces
    frame = truth.frame().scaled(small.width / truth.size[0])
    at = longest // 3 + frame.x, 213 + frame.y
    assert (found.x, found.y) == pytest.approx(at, abs=10) and found.length == pytest.approx(40, rel=0.4)


def test_a_far_face_is_found_beside_what_looks_like_skin() -> None:
    """Soft colours, as of walls and cloth, that the looks take for skin here and there."""
    picture, _ = draw_face((384, 384))
    parse, rng = load_parser("compact"), np.random.default_rng(4)
    small = picture.resize((62, 62), Image.Resampling.LANCZOS)
    for longest in (1280, 2560):
        soft = rng.integers(60, 190, (6, 8, 3)).astype(np.uint8)
        photo = Image.fromarray(soft).resize((longest, longest * 3 // 4), Image.Resampling.BICUBIC)
        photo.paste(small, (longest // 2, longest // 3))
        near = [np.hypot(f.x - longest // 2 - 31, f.y - longest // 3 - 31) for f in parse(photo).faces]
        assert min(near, default=longest) < 20


@pytest.mark.parametrize("kind", ["noise", "soft"])
def test_a_large_picture_without_a_face_costs_a_bounded_number_of_looks(kind: str) -> None:
    """What the network sees, in pixels, is what the time goes by."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (1500, 2000, 3)).astype(np.uint8)
    if kind == "soft":
        pixels = cv2.resize(pixels[:12, :16], (2000, 1500), interpolation=cv2.INTER_CUBIC)
    seen, see = [], load_parser("compact")._logits

    def counted(*pictures: np.ndarray) -> torch.Tensor:
        seen.append(sum(p.shape[0] * p.shape[1] for p in pictures))
        return see(*pictures)

    faces, _ = find_faces(pixels, counted)
    assert faces == () and sum(seen) < 9e6
