"""Landmarks of a map and the dense correspondence of two faces, on faces whose parts were moved by a known
amount.
"""

from __future__ import annotations

import numpy as np
import pytest

from segmentation.classes import INDEX
from segmentation.correspondence import correspondence
from segmentation.guidance import corresponding_position, guides_of
from segmentation.landmarks import landmarks
from segmentation.semantic_map import FaceFrame, SemanticMap
from tests.support.drawn_face import draw_face


@pytest.fixture(scope="module")
def semantic() -> SemanticMap:
    return draw_face((256, 256))[1]


def pixels_of(place: np.ndarray, frame: FaceFrame) -> np.ndarray:
    """Face coordinates of an upright face in pixels."""
    return np.array((frame.x, frame.y)) + place * frame.size


def with_eyes(semantic: SemanticMap, radius: float) -> SemanticMap:
    """The map with round eyes of that radius in shares of the picture, about the same middles."""
    labels = semantic.labels.copy()
    labels[np.isin(labels, [INDEX["l_eye"], INDEX["r_eye"]])] = INDEX["skin"]
    y, x = np.mgrid[0:256, 0:256] / 256
    for name, middle in (("r_eye", 0.39), ("l_eye", 0.61)):
        labels[np.hypot(x - middle, y - 0.43) < radius] = INDEX[name]
    return SemanticMap(labels)


def test_landmarks_lie_where_the_parts_were_drawn(semantic: SemanticMap) -> None:
    frame = semantic.frame()
    found = {name: pixels_of(place, frame) / 256 for name, place in landmarks(semantic, frame).items()}
    for name, place in {
        "left eye left end": (0.39 - 0.055, 0.43),
        "left eye right end": (0.39 + 0.055, 0.43),
        "right eye top": (0.61, 0.43 - 0.028),
        "mouth left": (0.5 - 0.09, 0.68),
        "mouth bottom": (0.5, 0.71 + 0.022),
        "nose base": (0.5, 0.64),
        "chin": (0.5, 0.83),
        "left brow middle": (0.39, 0.36),
    }.items():
        np.testing.assert_allclose(found[name], place, atol=0.015, err_msg=name)


def test_stray_pixels_move_no_landmark(semantic: SemanticMap) -> None:
    labels = semantic.labels.copy()
    labels[236:240, 20:40] = INDEX["l_lip"]
    labels[30:36, 10:16] = INDEX["l_eye"]
    frame = semantic.frame()
    plain, spoilt = landmarks(semantic, frame), landmarks(SemanticMap(labels), frame)
    assert plain.keys() == spoilt.keys()
    for name in plain:
        np.testing.assert_allclose(plain[name], spoilt[name], atol=1e-9)


def test_stray_pixels_do_not_move_the_frame(semantic: SemanticMap) -> None:
    """A belly whose pixels look like a lip, far below the face."""
    labels = semantic.labels.copy()
    labels[240:252, 30:60] = INDEX["l_lip"]
    frame, plain = SemanticMap(labels).frame(), semantic.frame()
    assert frame.size == pytest.approx(plain.size, rel=0.03)
    assert (frame.x, frame.y) == pytest.approx((plain.x, plain.y), abs=0.03 * plain.size)


def test_a_face_corresponds_to_itself(semantic: SemanticMap) -> None:
    found = landmarks(semantic, semantic.frame())
    places = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    np.testing.assert_allclose(correspondence(found, found).displacement(places), 0, atol=1e-6)


def test_corners_of_small_eyes_correspond_to_corners_of_large_ones(semantic: SemanticMap) -> None:
    small, large = with_eyes(semantic, 0.03), with_eyes(semantic, 0.055)
    first, second = (landmarks(m, m.frame()) for m in (small, large))
    moves = correspondence(first, second)
    for name in ("left eye left end", "left eye right end", "right eye top", "right eye bottom"):
        wanted = second[name] - first[name]
        assert np.linalg.norm(wanted) > 0.03
        np.testing.assert_allclose(moves.displacement(first[name][None])[0], wanted, atol=0.02, err_msg=name)
    assert np.abs(moves.displacement(np.array([[1.4, 0.0], [0.0, -1.4]]))).max() == 0


def test_a_wrong_landmark_is_left_out(semantic: SemanticMap) -> None:
    found = landmarks(semantic, semantic.frame())
    spoilt = dict(found, chin=found["chin"] + (0.6, -0.5))
    places = np.array([[0.0, 0.0], [0.2, 0.3], [0.0, 0.45]])
    np.testing.assert_allclose(correspondence(found, spoilt).displacement(places), 0, atol=1e-6)


def test_too_few_landmarks_move_nothing() -> None:
    few = {"chin": np.array([0.0, 0.5]), "nose base": np.array([0.0, 0.1])}
    moved = correspondence(few, {name: place + 0.2 for name, place in few.items()})
    assert np.abs(moved.displacement(np.zeros((4, 2)))).max() == 0


def test_the_guide_s_position_is_the_place_in_the_other_face(semantic: SemanticMap) -> None:
    small, large = with_eyes(semantic, 0.03), with_eyes(semantic, 0.055)
    content, style = guides_of(small, large)
    there = corresponding_position(small, small.frame(), large, large.frame())
    np.testing.assert_allclose(content.position, there, atol=1e-6)
    top_of_small, top_of_large = (round((0.43 - r) * 256) for r in (0.03, 0.055))
    column = round(0.61 * 256)
    own = style.position[1, top_of_large, column].item()
    assert content.position[1, top_of_small, column].item() == pytest.approx(own, abs=0.03)
