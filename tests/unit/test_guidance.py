"""What guides beyond one channel per class: kin, alignment, extra patches, variety."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.published import window_rows
from facetransfer import TransferSettings, to_tensor, transfer_steps
from facetransfer.core.matching import (
    Matches,
    coherent,
    enlarged_matches,
    exact_matches,
    match_vectors,
    reuse_penalty,
    stacked,
)
from facetransfer.core.style_augmentation import style_copies, turned
from facetransfer.jobs.face import LocatedFace
from facetransfer.jobs.job import Face, prepare
from segmentation.alignment import align, similarity
from segmentation.classes import GUIDES, INDEX, affinities, class_vectors, nearest_kin
from segmentation.guidance import guide_of, guides_of, parts_to_keep, substitutes
from segmentation.semantic_map import FaceFrame, SemanticMap
from tests.support.drawn_face import draw_face


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_class_vectors_have_the_affinities_as_inner_products() -> None:
    vectors = class_vectors(1.0)
    np.testing.assert_allclose(vectors @ vectors.T, affinities(), atol=1e-12)
    assert np.linalg.eigvalsh(affinities()).min() > 0.05, "no two mixtures of classes may look the same"
    assert (np.abs(vectors).argmax(1) == np.arange(len(GUIDES))).all(), (
        "the strongest channel of a class must stay its own"
    )
    np.testing.assert_array_equal(class_vectors(0.0), np.eye(len(GUIDES)))


def test_a_missing_class_takes_from_its_kin(face) -> None:
    with_hat = SemanticMap(np.where(np.arange(128)[:, None] < 20, np.uint8(INDEX["hat"]), face[1].labels))
    assert substitutes(with_hat, face[1]) == {"hat": "hair"}
    assert substitutes(face[1], face[1]) == {} and nearest_kin("background", {"eye"}) is None
    hat, hair, skin = (
        guide_of(SemanticMap(np.full((8, 8), INDEX[n], np.uint8))).classes[:, 0, 0]
        for n in ("hat", "hair", "skin")
    )
    assert hat @ hair > 0.4 and (hat @ skin).abs() < 1e-5


def smiling(face: tuple[Image.Image, SemanticMap]) -> tuple[np.ndarray, SemanticMap]:
    """The face with an open mouth and its map; pixels (H,W,3) uint8 with white teeth and a red tongue."""
    labels, pixels = face[1].labels.copy(), np.asarray(face[0]).copy()
    labels[84:96, 52:76] = INDEX["mouth"]
    pixels[84:96, 52:76] = (240, 235, 230)
    pixels[91:96, 52:76] = (150, 40, 40)
    return pixels, SemanticMap(labels)


def test_an_open_mouth_stays_the_person_s_where_the_style_s_is_closed(face, green_face) -> None:
    pixels, semantic = smiling(face)
    frames = semantic.frame(), green_face[1].frame()
    assert parts_to_keep(semantic, frames[0], green_face[1], frames[1]) == ("mouth",)
    assert parts_to_keep(semantic, frames[0], semantic, frames[0]) == ()
    assert parts_to_keep(face[1], frames[0], green_face[1], frames[1]) == ()
    content = Face(Image.fromarray(pixels), semantic, frames[0])
    style = Face(*green_face, frames[1])
    job = prepare(content, style, TransferSettings(size=128))
    assert job.kept == ("mouth",) and "mouth" not in job.substitutes
    *_, last = job.steps()
    teeth, tongue = (
        last.picture[0, :, 86:89, 58:70].mean((1, 2)),
        last.picture[0, :, 93:95, 58:70].mean((1, 2)),
    )
    assert teeth.mean() > tongue.mean() + 0.2
    assert teeth.max() - teeth.min() < 0.1, "teeth stay white in green skin"
    other = prepare(content, style, TransferSettings(size=128), strengths={"mouth": 2.0})
    assert other.kept == ()
    *_, last = other.steps()
    assert last.picture[0, :, 86:89, 58:70].mean() < teeth.mean() - 0.05


def test_a_mouth_of_a_few_pixels_is_kept_too(face, green_face) -> None:
    labels = face[1].labels.copy()
    labels[90, 62:64] = INDEX["mouth"]
    content = Face(face[0], SemanticMap(labels), face[1].frame())
    job = prepare(content, Face.of(*green_face), TransferSettings(size=128))
    *_, last = job.steps()
    assert job.kept == ("mouth",) and last.picture.isfinite().all()
    gray = green_face[0].convert("L").convert("RGB")
    *_, last = prepare(content, Face.of(gray, green_face[1]), TransferSettings(size=128)).steps()
    assert (last.picture.amax(1) - last.picture.amin(1)).max() < 0.005  # It has no colours of the photo.


def test_a_gray_style_leaves_no_colours_around_what_is_kept(face) -> None:
    """Neither in it nor where it fades, and also where the style's map shows none of the class around it."""
    pixels, semantic = smiling(face)
    gray = face[0].convert("L").convert("RGB")
    without_skin = face[1].labels.copy()
    without_skin[without_skin == INDEX["skin"]] = INDEX["neck"]
    for labels in (face[1].labels, without_skin):
        job = prepare(
            Face(Image.fromarray(pixels), semantic, semantic.frame()),
            Face.of(gray, SemanticMap(labels)),
            TransferSettings(size=128),
        )
        *_, last = job.steps()
        colour = last.picture[0].amax(0) - last.picture[0].amin(0)
        assert job.kept and colour.max() < 0.005 and last.picture[0, :, 84:96, 52:76].std() > 0.1


def test_the_place_in_the_face_turns_with_the_face() -> None:
    frame = FaceFrame(50, 60, 40, tilt=math.radians(30))
    position = frame.position(100, 120)
    down = np.array([-math.sin(frame.tilt), math.cos(frame.tilt)]) * 20 + (
        50,
        60,
    )  # half a face below its middle, along its own axis
    x, y = np.round(down).astype(int)
    assert position[:, y, x] == pytest.approx((0, 0.5), abs=0.03)


@pytest.mark.parametrize("tilt", [-25, 0, 25])
def test_the_frame_knows_how_a_face_is_tilted(tilt: float) -> None:
    _, semantic = draw_face((256, 256))
    matrix = cv2.getRotationMatrix2D((128, 128), -tilt, 1.0)  # OpenCV counts against the clock
    frame = SemanticMap(cv2.warpAffine(semantic.labels, matrix, (256, 256), flags=cv2.INTER_NEAREST)).frame()
    assert math.degrees(frame.tilt) == pytest.approx(tilt, abs=2)


def test_a_turned_head_is_known_by_its_nose() -> None:
    _, semantic = draw_face((256, 256))
    labels = np.where(semantic.labels == INDEX["nose"], np.uint8(INDEX["skin"]), semantic.labels)
    cv2.ellipse(labels, (150, 138), (10, 26), 0, 0, 360, INDEX["nose"], -1)
    assert SemanticMap(labels).frame().turn > 0.05 > abs(semantic.frame().turn)
    assert SemanticMap(labels).mirrored().frame().turn < -0.05


@pytest.mark.parametrize("turn, mirrored", [(0.0, False), (0.02, False), (0.035, True), (0.1, True)])
def test_views_in_three_quarters_to_opposite_sides_are_mirrored(turn: float, mirrored: bool) -> None:
    content, style = FaceFrame(100, 100, 80, turn=-turn), FaceFrame(100, 100, 80, turn=turn)
    assert align(content, style, (200, 200), (200, 200)).mirrored == mirrored
    assert not align(style, style, (200, 200), (200, 200)).mirrored


def test_a_similarity_takes_a_face_to_the_other_and_back() -> None:
    a, b = FaceFrame(30, 40, 50, 0.3), FaceFrame(120, 80, 75, -0.2)
    for mirrored in (False, True):
        there, back = similarity(a, b, mirrored), similarity(b, a, mirrored)
        place = there @ (37, 51, 1)
        np.testing.assert_allclose(back @ (*place, 1), (37, 51), atol=1e-9)
        np.testing.assert_allclose(there @ (a.x, a.y, 1), (b.x, b.y), atol=1e-9)


@pytest.mark.parametrize("scale, tilt, mirrored", [(0.6, 0, False), (1.3, 20, False), (1.0, -30, True)])
def test_alignment_brings_the_style_face_to_the_content_s(scale: float, tilt: float, mirrored: bool) -> None:
    """A face is moved, scaled, tilted and mirrored; aligned to itself it has its size, tilt and direction
    again, picture and map alike.
    """
    picture, semantic = draw_face((240, 240))
    labels = np.where(semantic.labels == INDEX["nose"], np.uint8(INDEX["skin"]), semantic.labels)
    cv2.ellipse(labels, (142, 130), (9, 24), 0, 0, 360, INDEX["nose"], -1)  # looks to the right
    semantic = SemanticMap(labels)
    other = semantic.mirrored() if mirrored else semantic
    shown = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else picture
    matrix = cv2.getRotationMatrix2D((120, 120), -tilt, scale)
    style_map = SemanticMap(cv2.warpAffine(other.labels, matrix, (240, 240), flags=cv2.INTER_NEAREST))
    style = Image.fromarray(cv2.warpAffine(np.asarray(shown), matrix, (240, 240), flags=cv2.INTER_CUBIC))
    alignment = align(semantic.frame(), style_map.frame(), (240, 240), (240, 240))
    assert alignment.mirrored == mirrored
    aligned_map, aligned = alignment.map(style_map, 240), alignment.picture(style)
    assert aligned.size == aligned_map.size == alignment.size
    frame, wanted = aligned_map.frame(), semantic.frame()
    assert frame.size == pytest.approx(wanted.size, rel=0.04) and math.degrees(
        frame.tilt - wanted.tilt
    ) == pytest.approx(0, abs=4.5)
    assert frame.turn == pytest.approx(wanted.turn, abs=0.03)
    # Cut out where the faces lie on each other, the picture is the content again.
    x, y = round(frame.x - wanted.x), round(frame.y - wanted.y)
    box = (slice(80, 160), slice(85, 155))
    there = np.asarray(aligned)[80 + y : 160 + y, 85 + x : 155 + x].astype(float)
    here = np.asarray(picture)[box].astype(float)
    assert (
        np.corrcoef(cv2.GaussianBlur(here, (0, 0), 3).ravel(), cv2.GaussianBlur(there, (0, 0), 3).ravel())[
            0, 1
        ]
        > 0.8
    )
    same = aligned_map.labels[80 + y : 160 + y, 85 + x : 155 + x] == semantic.labels[box]
    assert same.mean() > 0.93


def test_a_face_found_a_little_aside_gives_the_same_style(face, green_face) -> None:
    """A photo saved again has its face 0.2 pixels aside and 0.2 % larger. The style is the same to the byte
    for most of them, so that the result hardly changes, where another seed changes it.
    """
    chance = np.random.default_rng(5)
    same = 0
    for _ in range(100):
        x, y = chance.uniform(180, 220, 2)
        size, tilt = chance.uniform(60, 300), chance.uniform(-0.4, 0.4)
        here, there = FaceFrame(x, y, size, tilt), FaceFrame(x + 0.2, y - 0.2, size * 1.002, tilt + 0.002)
        style = FaceFrame(150, 160, 120)
        first, second = (align(frame, style, (400, 400), (300, 320)) for frame in (here, there))
        same += np.allclose(first.matrix, second.matrix, rtol=1e-12) and first.size == second.size
    assert same >= 75
    frame = face[1].frame()
    moved = replace(frame, x=frame.x + 0.05, y=frame.y - 0.05, size=frame.size * 1.001)
    style = Face(*green_face, green_face[1].frame())

    def result(frame: FaceFrame, seed: int = 0) -> torch.Tensor:
        job = prepare(Face(*face, frame), style, TransferSettings(size=128, seed=seed))
        *_, last = job.steps()
        return last.picture

    plain = result(frame)
    assert (result(moved) - plain).abs().mean() < 0.4 * (result(frame, seed=1) - plain).abs().mean()


def test_a_face_found_a_little_aside_gives_the_same_part_of_its_photo(face) -> None:
    photo = Image.new("RGB", (1500, 1200))
    semantic = SemanticMap(np.zeros((1200, 1500), np.uint8))
    chance, same = np.random.default_rng(5), 0
    for _ in range(100):
        x, y, size = chance.uniform(500, 700), chance.uniform(500, 700), chance.uniform(60, 250)
        frames = FaceFrame(x, y, size), FaceFrame(x + 0.2, y - 0.2, size * 1.002)
        first, second = (LocatedFace(photo, semantic, frame).box_around(3.0) for frame in frames)
        same += first == second
        assert first is not None
        assert first[0] < x - 1.3 * size and first[2] > x + 1.3 * size and first[1] < y - 1.3 * size
        assert first[3] > y + 1.3 * size
    assert same >= 85


def test_a_tiny_face_does_not_shrink_the_style_to_nothing() -> None:
    alignment = align(FaceFrame(250, 250, 20), FaceFrame(300, 300, 400), (512, 512), (600, 600))
    assert min(alignment.size) >= 0.5 * 512 - 2
    enlarged = align(FaceFrame(250, 250, 400), FaceFrame(60, 60, 20), (512, 512), (120, 120))
    assert enlarged.scale == pytest.approx(0.75 * 512 / 120) and max(enlarged.size) <= 1.25 * 512 + 2


@pytest.mark.parametrize("size, tilt", [((200, 200), 0.0), ((400, 300), 0.5), ((300, 400), -0.3)])
def test_a_thin_frame_of_the_style_is_not_mirrored_in(size: tuple[int, int], tilt: float) -> None:
    """A scan's white rim would lie as a line across the aligned picture. Picture and map stay together."""
    width, height = size
    gray = np.full((height, width, 3), 90, np.uint8)
    gray[[0, 1, -1, -2]] = gray[:, [0, 1, -1, -2]] = 255
    gray[height // 2 - 9 : height // 2 + 9, width // 2 - 9 : width // 2 + 9] = 30
    alignment = align(FaceFrame(200, 200, 100, tilt), FaceFrame(width / 2, height / 2, 120), (400, 400), size)
    aligned = np.asarray(alignment.picture(Image.fromarray(gray)))
    assert aligned.max() < 120
    labels = np.where(gray[..., 0] == 30, INDEX["nose"], 0).astype(np.uint8)
    assert (
        (aligned[..., 0] < 60) == (alignment.map(SemanticMap(labels), width).labels == INDEX["nose"])
    ).mean() > 0.995


def test_turning_twice_by_opposite_angles_brings_a_picture_back() -> None:
    picture = torch.nn.functional.interpolate(random(1, 3, 6, 9), size=(48, 72), mode="bicubic")[0]
    back = turned(turned(picture, 20), -20)
    assert (
        (back - picture)[:, 16:32, 24:48].abs().mean()
        < 0.05
        < (turned(picture, 20) - picture)[:, 16:32, 24:48].abs().mean()
    )
    assert [len(style_copies(picture[None], None, t)) for t in ("none", "turned")] == [1, 3]


def test_a_window_of_a_copy_is_found_and_none_across_two() -> None:
    """Planted: the result is cut from the second of three style grids; windows across two grids never win."""
    grids = [random(8, 9, 10, seed=s) for s in range(3)]
    whole = stacked(grids)
    assert whole.shape == (8, 29, 10)
    result = grids[1][:, 2:8, 3:9]
    matches = exact_matches(
        match_vectors(result, None, 0, 0, style=False, copies=3),
        match_vectors(whole, None, 0, 0, style=True, copies=3),
    )
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    assert torch.equal(matches.rows, rows + 2 + 10) and torch.equal(matches.columns, columns + 3)
    other = exact_matches(
        match_vectors(random(8, 12, 12, seed=9), None, 0, 0, style=False, copies=3),
        match_vectors(whole, None, 0, 0, style=True, copies=3),
    )
    assert (other.rows % 10 <= 6).all()


def test_matches_of_copies_stay_in_their_copy_on_a_finer_grid() -> None:
    rows = torch.tensor([[0, 5], [10, 15], [20, 26]])  # of three grids of 9 rows
    coarse = Matches(rows, torch.zeros_like(rows), torch.zeros(3, 2), (29, 10), 3)
    fine = enlarged_matches(coarse, (10, 8), (56, 20))  # grids of 18 rows
    assert (fine.rows % 19 <= 15).all() and set((fine.rows // 19).unique().tolist()) == {0, 1, 2}


def test_variety_avoids_what_was_used_too_often() -> None:
    """Planted: a result all alike takes one window only; what it is worth and how often it was taken say how
    much it loses.
    """
    style = random(6, 10, 10)
    result = style[:, 3:4, 3:4].expand(-1, 8, 8)
    cells = match_vectors(result, None, 0, 0, style=False), match_vectors(style, None, 0, 0, style=True)
    first = exact_matches(*cells)
    taken = list(zip(first.rows.flatten().tolist(), first.columns.flatten().tolist()))
    assert len(set(taken)) == 1
    bias = reuse_penalty(first, 0.5)
    assert (bias < 0).sum() == 1 and bias[taken[0]].item() == pytest.approx(-0.5 * math.log(36))
    again = exact_matches(*cells, bias=bias)
    assert not ((again.rows == taken[0][0]) & (again.columns == taken[0][1])).any()
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    assert (
        reuse_penalty(Matches(rows, columns, torch.zeros(8, 8), (10, 10)), 0.5).abs().max() == 0
    )  # each window once: its share


def test_neighbours_agree_where_it_costs_little() -> None:
    """Planted: a style in two copies, all windows matched to the first but some alone to the second: told to
    agree, they join.
    """
    tile = random(6, 10, 10)
    style = torch.cat((tile, tile + 0.01 * random(6, 10, 10, seed=1)), 2)
    cells = match_vectors(tile, None, 0, 0, style=False), match_vectors(style, None, 0, 0, style=True)
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    alone = torch.zeros(8, 8, dtype=torch.bool)
    alone[1::3, 2::3] = True
    columns_then = torch.where(alone, columns + 10, columns)
    keys = window_rows(cells[1])

    def matches(at: torch.Tensor) -> Matches:
        score = (window_rows(cells[0]) * keys[(rows * 18 + at).flatten()]).sum(1).view(8, 8)
        return Matches(rows, at, score, (10, 20))

    agreed = coherent(*cells, matches(columns_then), 0.1)
    assert torch.equal(agreed.rows, rows) and torch.equal(agreed.columns, columns)
    torch.testing.assert_close(agreed.score, matches(columns).score)
    far = matches(
        torch.where(alone, 17 - columns, columns)
    )  # alone and no better anywhere: neighbours' offers win even without a bonus
    assert (coherent(*cells, far, 0.0).score >= far.score).all()


@pytest.mark.parametrize(
    "change",
    [
        dict(turns="turned"),
        dict(variety=0.0),
        dict(coherence=0.0),
        dict(colours="content"),
        dict(style_layers="3_1"),
        dict(content_layers="3_1"),
        dict(tones=0.0),
    ],
)
def test_each_setting_changes_the_picture_and_keeps_it_clean(face, green_face, change: dict) -> None:
    settings = TransferSettings(method="semantic", phases=2, iterations=4, match_every=2)
    guides, pictures = guides_of(face[1], green_face[1]), []
    for s in (settings, replace(settings, **change)):
        pictures.append(
            [
                step.picture
                for step in transfer_steps(to_tensor(face[0]), to_tensor(green_face[0]), guides, s)
            ][-1]
        )
    plain, changed = pictures
    assert (
        changed.shape == plain.shape
        and changed.isfinite().all()
        and 0 <= changed.min()
        and changed.max() <= 1
    )
    assert (plain - changed).abs().mean() > 1e-4


def test_hair_on_a_bald_style_is_of_its_skin(face) -> None:
    """Black hair, and a style of one green skin before a black wall: not the wall, nor a brow, stands in."""
    content, semantic = np.asarray(face[0]).copy(), face[1]
    content[semantic.labels == INDEX["hair"]] = 5
    bald = np.where(semantic.labels == INDEX["hair"], INDEX["skin"], semantic.labels).astype(np.uint8)
    style = np.zeros((128, 128, 3), np.uint8)
    style[bald != INDEX["background"]] = 40, 160, 60
    given = Face(Image.fromarray(content), semantic, semantic.frame())
    job = prepare(given, Face.of(Image.fromarray(style), SemanticMap(bald)), TransferSettings(size=128))
    *_, last = job.steps()
    inner = cv2.erode((semantic.labels == INDEX["hair"]).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    hair = last.picture[0][:, torch.from_numpy(inner)].mean(1)
    assert hair.tolist() == pytest.approx([40 / 255, 160 / 255, 60 / 255], abs=0.08)
    assert job.substitutes == {"hair": "skin"}
