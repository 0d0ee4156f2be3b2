"""What results must not show, planted: what only the style has, a part in the wrong place, a rim."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from facetransfer import TransferSettings
from facetransfer.jobs import metrics
from facetransfer.jobs.class_weights import NAMED_STRENGTHS
from facetransfer.jobs.face import Face
from facetransfer.jobs.job import prepare
from segmentation.classes import FACE_CLASSES, INDEX
from segmentation.semantic_map import SemanticMap
from tests.support.drawn_face import draw_face

SIDE = 192
RED = (215, 20, 30)


@pytest.fixture
def content() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (H,W,3) and labels (H,W) of a drawn face."""
    return drawn(0, (0, 0, 0))


@pytest.fixture
def style() -> tuple[np.ndarray, np.ndarray]:
    """The same face in green skin and with other strokes."""
    return drawn(1, (-90, 20, -60))


def drawn(seed: int, tint: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    picture, semantic = draw_face((SIDE, SIDE), seed, tint)
    return np.asarray(picture).copy(), semantic.labels.copy()


def result_of(
    content: tuple[np.ndarray, np.ndarray],
    style: tuple[np.ndarray, np.ndarray],
    strengths: dict[str, float] | None = None,
) -> np.ndarray:
    """The default result, (H,W,3) in [0,1]."""
    faces = [
        Face(Image.fromarray(pixels), semantic, semantic.frame())
        for pixels, semantic in ((p, SemanticMap(labels)) for p, labels in (content, style))
    ]
    *_, last = prepare(faces[0], faces[1], TransferSettings(size=SIDE), strengths=strengths).steps()
    return last.picture[0].permute(1, 2, 0).numpy()


def inside(labels: np.ndarray, *names: str, rim: int = 5) -> np.ndarray:
    """Where these classes are, without a rim of so many pixels, (H,W) bool."""
    there = np.isin(labels, [INDEX[name] for name in names]).astype(np.uint8)
    return cv2.erode(there, np.ones((rim, rim), np.uint8)) > 0


def red(picture: np.ndarray) -> np.ndarray:
    """Where a picture in [0,1] is as red as RED, (H,W) bool."""
    return (picture[..., 0] > 0.5) & (picture[..., 1:].max(2) < 0.3)


def blossoms(labels: np.ndarray) -> np.ndarray:
    """Where flowers lie in the hair, (H,W) bool: five discs on its rim."""
    mask = np.zeros(labels.shape, np.uint8)
    for angle in np.linspace(200, 340, 5):
        x = SIDE * (0.5 + 0.29 * np.cos(np.radians(angle)))
        y = SIDE * (0.38 + 0.29 * np.sin(np.radians(angle)))
        cv2.circle(mask, (round(x), round(y)), SIDE // 28, 1, -1)
    return (mask > 0) & (labels == INDEX["hair"])


def test_a_hat_that_only_the_style_wears_is_not_put_into_hair(content, style) -> None:
    pixels, labels = style
    hat = (labels == INDEX["hair"]) & (np.arange(SIDE)[:, None] < 0.2 * SIDE)
    pixels[hat], labels[hat] = RED, INDEX["hat"]
    assert hat.sum() > 500
    assert not red(result_of(content, (pixels, labels)))[content[1] == INDEX["hair"]].any()


@pytest.mark.parametrize("known_as", ["hat", "hair"])
def test_flowers_in_the_style_s_hair_stay_there(content, style, known_as: str) -> None:
    """Also where the map takes them for hair, since nothing in the content's hair looks like them."""
    pixels, labels = style
    flowers = blossoms(labels)
    pixels[flowers], labels[flowers] = RED, INDEX[known_as]
    assert flowers.sum() > 400
    found = red(result_of(content, (pixels, labels)))[content[1] == INDEX["hair"]]
    assert found.sum() < 0.02 * flowers.sum()


def test_a_fold_on_one_cheek_is_not_on_the_other(content, style) -> None:
    """Dark lines on one cheek of both pictures; the content's other cheek is smooth."""
    for pixels, _ in (content, style):
        for y in (0.56, 0.6, 0.64):
            row, left = round(y * SIDE), round(0.3 * SIDE)
            pixels[row - 1 : row + 1, left : left + 20] = (60, 40, 35)
    result = result_of(content, style).mean(2)
    rows = slice(round(0.54 * SIDE), round(0.66 * SIDE))
    folded, smooth = result[rows, round(0.3 * SIDE) :][:, :20], result[rows, round(0.62 * SIDE) :][:, :20]
    assert folded.min(1).std() > 3 * smooth.min(1).std()
    assert smooth.min() > folded.min() + 0.1


def with_ears(pixels: np.ndarray, labels: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Draws both ears, with a dark fold in each."""
    for name, x in (("r_ear", 0.235), ("l_ear", 0.765)):
        where = np.zeros(labels.shape, np.uint8)
        middle = round(x * SIDE), round(0.5 * SIDE)
        cv2.ellipse(where, middle, (SIDE // 32, SIDE // 14), 0, 0, 360, 1, -1)
        ear = (where > 0) & np.isin(labels, [INDEX["background"], INDEX["hair"]])
        labels[ear], pixels[ear] = INDEX[name], colour
        cv2.ellipse(where, middle, (SIDE // 60, SIDE // 24), 0, 0, 360, 2, 2)
        pixels[(where == 2) & ear] = np.array(colour) // 3


def test_ears_are_made_of_the_style_s_ears_with_their_folds(content, style) -> None:
    with_ears(*content, (225, 160, 130))
    with_ears(*style, (120, 190, 90))
    ears = inside(content[1], "l_ear", "r_ear", rim=3)
    result = result_of(content, style)
    wanted = style[0] / 255
    assert np.abs(result[ears].mean(0) - wanted[ears].mean(0)).max() < 0.06
    assert result[ears].std() > 0.8 * wanted[ears].std()  # the folds are there, no smear


def test_ears_of_a_style_that_hides_its_own_are_of_skin(content, style) -> None:
    with_ears(*content, (225, 160, 130))
    result = result_of(content, style)
    ears = inside(content[1], "l_ear", "r_ear", rim=3)
    skin, hair, background = (
        style[0][inside(style[1], name)].mean(0) / 255 for name in ("skin", "hair", "background")
    )
    got = result[ears].mean(0)
    assert np.linalg.norm(got - skin) < 0.5 * min(
        np.linalg.norm(got - hair), np.linalg.norm(got - background)
    )


def test_hair_ends_where_the_content_s_does(content, style) -> None:
    """The style's hairline is lower: no hair on the forehead, no forehead in the hair."""
    pixels, labels = style
    fringe = (labels == INDEX["skin"]) & (np.arange(SIDE)[:, None] < 0.3 * SIDE)
    hair = pixels[inside(labels, "hair")].mean(0)
    pixels[fringe], labels[fringe] = hair, INDEX["hair"]
    result = result_of(content, (pixels, labels))
    skin = pixels[inside(labels, "skin")].mean(0) / 255
    forehead = inside(content[1], "skin", rim=3) & (np.arange(SIDE)[:, None] < 0.3 * SIDE)
    assert np.abs(result[forehead].mean(0) - skin).max() < 0.08
    assert np.abs(result[inside(content[1], "hair", rim=3)].mean(0) - hair / 255).max() < 0.08


def test_only_the_face_has_no_rim_at_the_jaw(content, style) -> None:
    """A dark face before a white wall: the wall stays white, and no light line is left on the face."""
    pixels, labels = content
    pixels[labels == INDEX["background"]] = 250
    style[0][:] = style[0] // 3
    result = result_of(content, style, NAMED_STRENGTHS["Only the face"])
    face = np.isin(labels, FACE_CLASSES)
    outside = ~cv2.dilate(face.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    assert np.abs(result[outside] - pixels[outside] / 255).max() < 0.02
    within = cv2.erode(face.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    below = np.arange(SIDE)[:, None] > 0.5 * SIDE
    brightest = style[0][np.isin(style[1], FACE_CLASSES)].max() / 255
    assert result[within & below].max() < brightest + 0.05


def test_the_result_has_no_weave_that_the_style_lacks(content, style) -> None:
    result = torch.from_numpy(result_of(content, style)).permute(2, 0, 1)[None]
    given = torch.from_numpy(style[0] / np.float32(255)).permute(2, 0, 1)[None]
    assert metrics.weave(result) < 1.1 * metrics.weave(given)
