"""Semantic maps: classes, files, colours, the face's place, guides."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facetransfer import InputError
from segmentation.classes import CLASSES, GUIDES, INDEX, MIRROR, PALETTE
from segmentation.guidance import guide_of, guides_of
from segmentation.map_files import OTHER_PALETTES, map_path, read_map, read_map_pair, reading_of
from segmentation.semantic_map import SemanticMap


def test_classes_are_numbered_as_in_celebamask_and_clearly_coloured() -> None:
    assert [c.name for c in CLASSES] == (
        "background skin nose eye_glasses l_eye r_eye l_brow r_brow l_ear r_ear mouth u_lip l_lip hair hat "
        "earring necklace neck cloth"
    ).split()
    colours = PALETTE.astype(int)
    assert min(np.linalg.norm(a - b) for i, a in enumerate(colours) for b in colours[:i]) >= 120
    assert (MIRROR[MIRROR] == np.arange(19)).all() and MIRROR[INDEX["l_eye"]] == INDEX["r_eye"]
    assert len(GUIDES) < 19 and CLASSES[INDEX["l_eye"]].guide == CLASSES[INDEX["r_eye"]].guide


def test_a_map_comes_back_from_its_file(face, tmp_path: Path) -> None:
    path = map_path(tmp_path / "photo.jpg")
    assert path.name == "photo_sem.png"
    face[1].save(path)
    with Image.open(path) as file:
        assert file.mode == "P" and np.array_equal(np.asarray(file), face[1].labels)
    assert np.array_equal(read_map(path).labels, face[1].labels)


@pytest.mark.parametrize("spoil", ["rgb", "rgba", "jpeg", "smooth"])
def test_colours_snap_to_the_nearest_class(face, tmp_path: Path, spoil: str) -> None:
    labels = face[1].resized((512, 512)).labels
    picture = Image.fromarray(PALETTE[labels])
    path = tmp_path / ("m.jpg" if spoil == "jpeg" else "m.png")
    if spoil == "smooth":  # anti-aliased borders
        picture = Image.fromarray(cv2.GaussianBlur(np.asarray(picture), (3, 3), 0.5))
    (picture.convert("RGBA") if spoil == "rgba" else picture).save(
        path, **({"quality": 90} if spoil == "jpeg" else {})
    )
    assert (read_map(path).labels == labels).mean() > (0.999 if spoil.startswith("rgb") else 0.97)


def painted(colours: list[tuple[int, int, int]], size: tuple[int, int] = (90, 60)) -> Image.Image:
    """Stripes, smoothed at their borders as a paint program leaves them."""
    pixels = np.repeat(np.array(colours, np.uint8), size[0] // len(colours), 0)[None].repeat(size[1], 0)
    return Image.fromarray(cv2.GaussianBlur(pixels, (3, 3), 0.6))


def test_hand_painted_maps_bring_their_own_classes(tmp_path: Path) -> None:
    first, second = [(255, 0, 0), (0, 255, 0), (255, 255, 0)], [(255, 255, 0), (255, 0, 0), (0, 255, 0)]
    painted(first).save(tmp_path / "a.png")
    painted(second).save(tmp_path / "b.png")
    a, b, notes = read_map_pair(tmp_path / "a.png", tmp_path / "b.png")
    assert notes and "3 colours" in notes[0]
    assert not a.is_face and len(a.colours) == 3 and np.array_equal(a.colours, b.colours)
    for semantic, colours in ((a, first), (b, second)):
        assert [tuple(int(v) for v in semantic.rgb()[30, x]) for x in (15, 45, 75)] == colours
    guides = guides_of(a, b)
    assert guides[0].labels.shape == (60, 90) and len(guides[0].vectors) == 3 and guides[0].position is None
    mirrored = SemanticMap(a.labels[:, ::-1], a.colours)  # a view, as arrays of pictures may be
    assert np.array_equal(guides_of(mirrored, b)[0].labels, a.labels[:, ::-1])


def test_the_maps_of_other_tools_are_read_as_what_they_are(face, tmp_path: Path) -> None:
    """Class numbers, as this program writes them too, and the colours of two other tools."""
    labels, path = face[1].labels, tmp_path / "other_sem.png"
    files = {"class numbers": Image.fromarray(labels)}
    for name, palette in OTHER_PALETTES.items():
        assert len(np.unique(palette, axis=0)) == len(palette)
        files[name] = Image.fromarray(palette[labels])
    for name, picture in files.items():
        picture.save(path)
        semantic, words = reading_of(path)
        assert np.array_equal(semantic.labels, labels) and name in words and path.name in words
    face[1].save(path)
    assert reading_of(path)[1] == ""


def test_a_soft_brush_leaves_no_third_class_between_two(face, tmp_path: Path) -> None:
    """Borders blurred over many pixels: each is one of the classes beside it, not what a mixture is like."""
    labels = face[1].resized((512, 512)).labels
    soft = cv2.GaussianBlur(PALETTE[labels], (0, 0), 4)
    Image.fromarray(soft).save(tmp_path / "soft.png")
    found = read_map(tmp_path / "soft.png").labels
    assert set(np.unique(found)) <= set(np.unique(labels)) and (found == labels).mean() > 0.95


def test_two_dark_colours_of_a_person_s_own_are_two_classes(tmp_path: Path) -> None:
    colours = [(0, 0, 0), (60, 20, 20), (0, 128, 0)]
    for name in "ab":
        painted(colours).save(tmp_path / f"{name}.png")
    assert len(read_map_pair(tmp_path / "a.png", tmp_path / "b.png")[0].colours) == 3


@pytest.mark.parametrize("level", [0, 12])
def test_a_file_that_is_background_all_over_is_no_map(tmp_path: Path, level: int) -> None:
    """Black, or a photo of the night."""
    noise = np.random.default_rng(0).integers(0, 6, (64, 64, 3)) + level
    Image.fromarray((noise * (level > 0)).astype(np.uint8)).save(tmp_path / "dark.png")
    with pytest.raises(InputError, match="dark.png"):
        read_map(tmp_path / "dark.png")
    Image.new("RGB", (64, 64), tuple(map(int, PALETTE[0]))).save(tmp_path / "empty.png")
    with pytest.raises(InputError, match="background everywhere"):
        read_map(tmp_path / "empty.png")


def test_maps_that_do_not_belong_together_are_refused(face, tmp_path: Path) -> None:
    face[1].save(tmp_path / "ours.png")
    painted([(255, 255, 255), (0, 255, 0), (255, 255, 0)]).save(tmp_path / "own.png")
    Image.new("RGB", (64, 64), (7, 200, 90)).save(tmp_path / "flat.png")
    with pytest.raises(InputError, match="own.png is painted in other colours"):
        read_map_pair(tmp_path / "ours.png", tmp_path / "own.png")
    with pytest.raises(InputError, match="own.png is not painted in the colours"):
        read_map(tmp_path / "own.png")
    with pytest.raises(InputError, match="no two clearly different"):
        read_map_pair(tmp_path / "flat.png", tmp_path / "flat.png")


def test_the_frame_says_where_the_face_is(face) -> None:
    frame = face[1].frame()
    assert (
        frame.x == pytest.approx(64, abs=3) and frame.y == pytest.approx(72, abs=4) and 70 < frame.size < 100
    )
    twice = face[1].resized((256, 256)).frame()
    assert twice.size == pytest.approx(2 * frame.size, rel=0.05)
    assert SemanticMap(np.zeros((50, 50), np.uint8)).frame() is None


@pytest.mark.parametrize("hidden", [("l_eye", "r_eye"), ("l_eye",), ("r_eye", "l_brow")])
def test_brows_say_where_hidden_eyes_are(face, hidden: tuple[str, ...]) -> None:
    """In the shade, or closed: the frame hardly changes."""
    seen, labels = face[1].frame(), face[1].labels.copy()
    labels[np.isin(labels, [INDEX[name] for name in hidden])] = INDEX["skin"]
    frame = SemanticMap(labels).frame()
    assert frame.size == pytest.approx(seen.size, rel=0.08) and frame.tilt == pytest.approx(
        seen.tilt, abs=0.1
    )
    assert (frame.x, frame.y) == pytest.approx((seen.x, seen.y), abs=0.08 * seen.size)


def test_mirrored_swaps_left_and_right(face) -> None:
    semantic = face[1]
    left = np.argwhere(semantic.labels == INDEX["l_eye"]).mean(0)
    mirrored = semantic.mirrored()
    assert np.argwhere(mirrored.labels == INDEX["l_eye"]).mean(0)[1] == pytest.approx(left[1], abs=2)
    assert np.array_equal(mirrored.mirrored().labels, semantic.labels)


def test_a_guide_has_one_channel_per_merged_class(face) -> None:
    guide = guide_of(face[1])
    assert guide.labels.shape == (128, 128) and len(guide.vectors) == len(GUIDES)
    eyes = np.isin(face[1].labels, [INDEX["l_eye"], INDEX["r_eye"]])
    assert np.array_equal(guide.labels.numpy() == GUIDES.index("eye"), eyes)
    assert guide.position[0, 64, 64].abs() < 0.05 and guide.position.abs().max() <= 2


def test_a_pair_without_a_face_in_one_picture_has_no_position(face) -> None:
    empty = SemanticMap(np.zeros((64, 64), np.uint8))
    assert all(g.position is None for g in guides_of(face[1], empty))
