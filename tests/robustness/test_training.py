"""What training makes of faces and networks: things lent from one face to another, a network grown from a
smaller one.
"""

from __future__ import annotations

from argparse import Namespace

import cv2
import numpy as np
import pytest
import torch

from assets.characters.tracer import Camera
from segmentation.classes import INDEX
from segmentation.parsers import compact_network
from segmentation.parsers.compact_network import CompactParserNetwork
from tests.support.drawn_face import draw_face
from training import jewellery, lending, sitters, wardrobe
from training.drawn import TECHNIQUES, Draw
from training.drawn import drawn as drawn_by_hand
from training.face_pictures import FaceAugmenter, dressed, nothing
from training.jewellery import Canvas, Jeweller, lobe_of, made
from training.lending import IGNORE, TAKEN, Lender, middles, over, put_on
from training.parser import grown
from training.sitters import Sitter
from training.timed import TimedTraining
from training.wardrobe import Wardrobe

Face = tuple[np.ndarray, np.ndarray]


def drawn(seed: int, tint: tuple[int, int, int] = (0, 0, 0)) -> Face:
    picture, semantic = draw_face((240, 240), seed, tint)
    return np.array(picture), semantic.labels.copy()


def moved(face: Face, scale: float, angle: float, by: tuple[float, float]) -> Face:
    matrix = cv2.getRotationMatrix2D((120, 120), angle, scale)
    matrix[:, 2] += by
    return cv2.warpAffine(face[0], matrix, (240, 240)), cv2.warpAffine(
        face[1], matrix, (240, 240), flags=cv2.INTER_NEAREST
    )


def wearing(face: Face) -> Face:
    """Red glasses around both eyes, a blue hat from the brows up, a white earring beside an ear, a green
    necklace on the neck.
    """
    picture, labels = face[0].copy(), face[1].copy()

    def paint(name: str, colour: tuple[int, int, int], here: np.ndarray) -> None:
        picture[here], labels[here] = colour, INDEX[name]

    rows, columns = np.indices(labels.shape)
    ring = np.zeros(labels.shape, np.uint8)
    for x in (0.39, 0.61):
        cv2.circle(ring, (round(x * 240), round(0.43 * 240)), 22, 1, 4)
    paint("eye_glasses", (250, 10, 10), ring > 0)
    paint("hat", (10, 10, 250), (rows < 70) & (rows > 20) & (columns > 50) & (columns < 190))
    paint("l_ear", (200, 150, 120), (abs(rows - 120) < 12) & (abs(columns - 186) < 6))
    paint("earring", (250, 250, 250), (abs(rows - 138) < 6) & (abs(columns - 186) < 4))
    paint("necklace", (10, 250, 10), (abs(rows - 200) < 3) & (labels == INDEX["neck"]))
    return picture, labels


@pytest.mark.parametrize("name", TAKEN)
def test_what_one_face_wears_is_put_where_the_other_would_wear_it(name: str) -> None:
    """Planted: the other face is the same, larger, turned and moved; so it must then look as the donor does
    when it is moved so.
    """
    donor, other = wearing(drawn(1)), drawn(1)
    if name == "earring":
        rows, columns = np.indices(other[1].shape)
        other[1][(abs(rows - 120) < 12) & (abs(columns - 186) < 6)] = INDEX["l_ear"]
    move = 1.15, 9.0, (6.0, -4.0)
    face = moved(other, *move)
    matrix = over(middles(donor[1]), middles(face[1]), 10)
    picture, labels = put_on(TAKEN[name], donor, face, matrix)
    truth = moved(donor, *move)
    here, there = labels == INDEX[name], truth[1] == INDEX[name]
    assert (here & there).sum() > 0.7 * (here | there).sum() > 20
    inside = cv2.erode((here & there).astype(np.uint8), np.ones((3, 3))) > 0
    assert np.abs(picture[inside].astype(int) - truth[0][inside]).mean() < 40
    elsewhere = slice(180, 240) if name in ("hat", "eye_glasses") else slice(0, 100)
    assert (
        (picture[elsewhere] == face[0][elsewhere]).all()
        and (labels[elsewhere] == face[1][elsewhere]).all()
        and (labels != IGNORE).all()
    )


def test_faces_too_unlike_lend_nothing() -> None:
    a, b = (middles(drawn(seed)[1]) for seed in (1, 2))
    sideways = b * (0.3, 1) + (84, 0)
    assert over(a, b, 10) is not None and over(a, sideways, 5) is None
    assert over(a, np.full((6, 2), np.nan), 10) is None


def test_other_clothes_have_other_colours_and_the_same_folds() -> None:
    rows, columns = np.indices((64, 64))
    picture = np.full((64, 64, 3), 90, np.uint8)
    cloth = rows >= 32
    labels = np.where(cloth, INDEX["cloth"], INDEX["skin"]).astype(np.uint8)
    picture[cloth] += (20 * np.sin(columns[cloth] / 2)).astype(np.int8)[:, None].view(np.uint8)
    colours = []
    for seed in range(8):
        worn = dressed(picture, labels, picture, np.random.default_rng(seed))
        assert (worn[:28] == picture[:28]).all(), "only the clothes change"
        channel = worn[40:, :, 1].astype(float)
        if 30 < channel.min() and channel.max() < 225:  # neither black nor white
            assert np.corrcoef(channel.ravel(), picture[40:, :, 1].ravel())[0, 1] > 0.95
        colours.append(worn[40:].mean((0, 1)))
    assert np.std(colours, axis=0).min() > 20
    assert dressed(picture, np.zeros_like(labels), picture, np.random.default_rng(0)) is picture


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.__name__)
def test_a_drawing_shows_things_where_they_were(technique: Draw) -> None:
    """Planted: what is dark ends at column 70. There the drawing changes most, whatever it is made of."""
    columns = np.indices((128, 160))[1]
    picture = np.where(columns < 70, 40, 200)[..., None].astype(np.uint8).repeat(3, 2)
    labels = np.where(columns < 70, INDEX["hair"], INDEX["skin"]).astype(np.uint8)
    for seed in range(6):
        result = technique(picture, labels, 1.2, np.random.default_rng(seed)).astype(float)
        assert result.shape == picture.shape
        means = np.convolve(result.mean((0, 2)), np.ones(9) / 9, mode="valid")
        assert abs(np.abs(means[9:] - means[:-9]).argmax() + 8.5 - 70) < 8, f"chance {seed}"


def test_drawings_keep_their_size_and_no_two_are_alike() -> None:
    face = drawn(1)
    seen = [drawn_by_hand(*face, np.random.default_rng(seed)) for seed in range(12)]
    assert all(picture.shape == face[0].shape and picture.dtype == np.uint8 for picture in seen)
    assert min(np.abs(a.astype(int) - b).mean() for a, b in zip(seen, seen[1:])) > 3


def test_a_wound_cloth_hides_the_hair_and_leaves_the_face() -> None:
    face = drawn(1)
    for seed in range(12):
        picture, labels = wardrobe.wound(*face, np.random.default_rng(seed))
        hat = labels == INDEX["hat"]
        assert hat.sum() > 300 and (labels[~hat] == face[1][~hat]).all()
        for name in ("l_eye", "r_eye", "nose", "u_lip", "l_lip"):
            assert ((labels == INDEX[name]) == (face[1] == INDEX[name])).all(), name
        far = cv2.dilate(hat.astype(np.uint8), np.ones((9, 9))) == 0
        assert (picture[far] == face[0][far]).all()


def test_a_mask_hides_the_mouth_and_leaves_the_eyes() -> None:
    face = drawn(1)
    for seed in range(12):
        picture, labels = wardrobe.masked(*face, np.random.default_rng(seed))
        mask = (labels == INDEX["cloth"]) & (face[1] != INDEX["cloth"])
        assert not np.isin(labels, [INDEX[n] for n in ("mouth", "u_lip", "l_lip")]).any()
        assert (labels == INDEX["nose"]).any() and (labels == INDEX["skin"]).any()  # it does not cover all
        assert (labels[~mask] == face[1][~mask]).all()
        far = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) == 0
        assert (picture[far] == face[0][far]).all()


def test_a_body_goes_on_where_the_portrait_ends() -> None:
    picture, labels = drawn(1)
    labels[-20:, 60:180] = INDEX["cloth"]
    for seed in range(12):
        whole, named = wardrobe.with_body(picture, labels, np.random.default_rng(seed))
        beside = (whole.shape[1] - 240) // 2
        inside = slice(0, 240), slice(beside, beside + 240)
        assert (whole[inside] == picture).all() and (named[inside] == labels).all()
        below = named[240:]
        assert (below[0, beside + 70 : beside + 170] == INDEX["cloth"]).all()
        assert set(np.unique(below)) <= {INDEX["cloth"], INDEX["neck"], IGNORE} and (below == IGNORE).any()
    alone = np.where(labels == INDEX["cloth"], 0, labels).astype(np.uint8)
    alone[-1] = 0
    assert wardrobe.with_body(picture, alone, np.random.default_rng(0))[0] is picture


def test_faces_are_dressed_as_often_as_asked_and_nobody_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wardrobe, "WORN", {"cloth wound around the head": 0.5, "mask": 0.0})
    face, dress = drawn(1), Wardrobe(np.random.default_rng(0))
    assert 60 < sum((dress(*face)[1] == INDEX["hat"]).any() for _ in range(200)) < 140
    nobody = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8)
    assert all(dress(*nobody)[0] is nobody[0] for _ in range(20))


def test_training_pictures_have_the_asked_size_and_classes_that_exist() -> None:
    """Near and far, drawn and with a body, with nobody in it: 200 of chance."""
    rng = np.random.default_rng(0)
    face = drawn(1)
    augment = FaceAugmenter([nothing(208, rng) for _ in range(4)], rng)
    empty = 0
    for _ in range(200):
        picture, labels = augment(*face, 96)
        assert picture.shape == (96, 96, 3) and labels.shape == (96, 96)
        assert np.isin(labels, (*range(len(INDEX)), IGNORE)).all()
        empty += not labels.any()
    assert 8 < empty < 40


def test_a_face_is_lent_to_as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = [drawn(1), wearing(drawn(2)), drawn(3)]
    monkeypatch.setattr(lending, "LENT", {"hat": (0.5, 0.02)})
    lend = Lender(faces, np.random.default_rng(0))
    with_hats = sum((lend(0)[1] == INDEX["hat"]).any() for _ in range(200))
    assert 70 < with_hats < 130
    assert all(lend(1)[0] is faces[1][0] for _ in range(20))  # wears one already
    assert not (faces[0][1] == INDEX["hat"]).any()


def eared(face: Face) -> Face:
    """With the person's left ear, on the picture's right."""
    picture, labels = face[0].copy(), face[1].copy()
    rows, columns = np.indices(labels.shape)
    labels[(abs(rows - 120) < 12) & (abs(columns - 192) < 5)] = INDEX["l_ear"]
    return picture, labels


@pytest.mark.parametrize("name", ["earring", "necklace"])
def test_jewels_are_drawn_where_they_are_worn_and_the_labels_say_where(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        jewellery, "WORN", {"earring": float(name == "earring"), "necklace": float(name == "necklace")}
    )
    face, worn = eared(drawn(1)), 0
    before = face[0].copy(), face[1].copy()
    for seed in range(30):
        picture, labels = Jeweller(np.random.default_rng(seed))(*face)
        changed, jewels = labels != face[1], labels == INDEX[name]
        assert (changed == jewels).all()  # nothing else is named anew
        worn += jewels.any()
        far = cv2.dilate(jewels.astype(np.uint8), np.ones((31, 31))) == 0
        assert (picture[far] == face[0][far]).all()
        rows, columns = np.nonzero(jewels)
        if name == "earring" and len(rows):
            assert rows.min() > 100 and (abs(columns - 192) < 60).any()
        elif len(rows):
            assert np.isin(face[1][jewels], [INDEX[n] for n in ("neck", "cloth", "hair")]).all()
        if jewels.sum() > 50:
            assert np.abs(picture[jewels].astype(int) - face[0][jewels]).mean() > 10  # and it is seen
    assert worn >= 20 and (face[0] == before[0]).all() and (face[1] == before[1]).all()


def test_a_face_wears_jewels_as_often_as_asked_and_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jewellery, "WORN", {"earring": 0.5, "necklace": 0.0})
    face, wearer, adorn = eared(drawn(1)), wearing(drawn(1)), Jeweller(np.random.default_rng(0))
    assert 60 < sum((adorn(*face)[1] == INDEX["earring"]).any() for _ in range(200)) < 110
    assert all(adorn(*wearer)[0] is wearer[0] for _ in range(20))
    nobody = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8)
    assert all(adorn(*nobody)[0] is nobody[0] for _ in range(20))


def test_an_earring_hangs_from_the_lobe_or_from_where_it_is_under_the_hair() -> None:
    _, labels = eared(drawn(1))
    assert lobe_of(labels, "l_ear") == pytest.approx((192, 130), abs=2)
    assert lobe_of(labels, "r_ear") is None  # no ear, and the face lies against the background
    row = np.nonzero((labels == INDEX["nose"]).any(1))[0][-1]
    edge = np.nonzero(labels[row] == INDEX["skin"])[0][0]
    labels[:, :edge] = INDEX["hair"]
    assert lobe_of(labels, "r_ear") == pytest.approx((edge - 4, row), abs=1)
    assert lobe_of(np.zeros_like(labels), "l_ear") is None


def test_every_jewel_is_lit_and_lies_where_it_was_drawn() -> None:
    for seed in range(40):
        rng, canvas = np.random.default_rng(seed), Canvas((160, 160))
        jewellery.earring(canvas, 80.0, 20.0, 100.0, rng)
        rows, columns = np.nonzero(canvas.cover > 128)
        assert len(rows) and rows.min() >= 10 and rows.max() < 110 and abs(columns - 80).max() < 60
        assert made(canvas.cover, rng)[canvas.cover > 128].mean() > 8


def test_one_sees_through_openwork_and_it_is_a_jewel_all_over() -> None:
    seen_through = []
    for seed in range(20):
        canvas = Canvas((160, 160))
        jewellery.openwork(canvas, 80.0, 20.0, 45.0, np.random.default_rng(seed))
        whole = canvas.whole > 128
        assert whole[canvas.cover > 128].all()
        seen_through.append((canvas.cover[whole] < 50).mean())
        rims, _ = cv2.findContours(whole.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = cv2.drawContours(np.zeros(whole.shape, np.uint8), rims, -1, 1, cv2.FILLED) > 0
        assert len(rims) == 1 and whole.sum() > 0.85 * filled.sum(), (
            "only loops that stand out from its rim are open"
        )
    assert 0.1 < np.mean(seen_through) < 0.7


def test_a_network_grown_from_a_smaller_one_answers_as_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    with monkeypatch.context() as smaller:
        smaller.setattr(compact_network, "STAGES", ((24, 1), (40, 1), (48, 1), (56, 1)))
        smaller.setattr(compact_network, "PYRAMID", 24)
        before = CompactParserNetwork().eval()
    monkeypatch.setattr(compact_network, "STAGES", ((32, 2), (40, 2), (64, 1), (56, 2)))
    after = CompactParserNetwork().eval()
    pictures = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        assert (after(pictures) - before(pictures)).abs().max() > 0.01
        after.load_state_dict(grown(after, before.state_dict()))
        torch.testing.assert_close(after(pictures), before(pictures), atol=1e-5, rtol=1e-4)
        assert after.stages[0][2].first[0].weight.abs().max() > 0  # what is new can learn


def test_a_training_lasts_its_time_and_is_gone_on_from(tmp_path) -> None:
    """Planted: a line. Half the time, then the other half by another process's means: the checkpoint."""
    options = Namespace(minutes=2 / 60, rate=0.1, bf16=False, out=tmp_path / "run")
    x = torch.linspace(-1, 1, 32).view(-1, 1)

    def train(until: float) -> TimedTraining:
        training = TimedTraining(torch.nn.Linear(1, 1), options, weight_decay=0.0, clip=1.0)
        for arithmetic in training.steps():
            with arithmetic:
                found = training.model(x)
            training.learn((found - 3 * x - 1).square().mean())
            if training.spent > until * training.budget:
                training._reported = 0.0  # a report is due
            if training.saved(more=torch.ones(1)) and not training.over:
                break
        return training

    first = train(0.5)
    second = train(1.0)
    assert second.step > first.step > 10 and 2.0 <= second.spent < 4.0
    assert second.optimiser.param_groups[0]["lr"] < 0.05 * options.rate
    saved = torch.load(second.checkpoint, weights_only=True)
    assert saved["step"] == second.step and saved["more"] == 1
    assert saved["average"]["weight"].item() == pytest.approx(3, abs=0.02) and saved["average"][
        "bias"
    ].item() == pytest.approx(1, abs=0.02)


def test_a_camera_gone_round_projects_points_to_where_its_rays_meet_them() -> None:
    camera, size = Camera(centre_x=0.3).seeing(yaw=0.2, degrees=70), 32
    origin, directions = camera.rays(size)
    pixels = np.array([0, 37, 500, size * size - 1])
    points = (origin[:, None] + 8.5 * directions[:, pixels]).T.numpy()
    assert camera.project(points, size) == pytest.approx(
        np.stack((pixels % size, pixels // size), 1), abs=1e-3
    )


@pytest.mark.parametrize("turn", [-60, 60])
def test_a_sitter_turned_aside_shows_the_nose_there_and_the_other_side_of_the_head(turn: int) -> None:
    """Planted: turned to the picture's right, a person shows the right ear."""
    behind = np.full((128, 128, 3), 77, np.uint8)
    with torch.no_grad():
        (picture, labels), again = (Sitter(3).seen(128, turn, behind, factor=1) for _ in range(2))

    def place(*names: str) -> np.ndarray:
        return np.nonzero(np.isin(labels, [INDEX[n] for n in names]))[1]

    shown, hidden = ("r", "l") if turn > 0 else ("l", "r")
    nose, ear = place("nose").mean(), place(f"{shown}_ear").mean()
    assert (nose - place("skin").mean()) * np.sign(turn) > 3 and (ear - nose) * np.sign(turn) < -10
    assert (
        len(place(f"{hidden}_ear")) == 0
        and len(place(f"{shown}_eye")) > len(place(f"{hidden}_eye"))
        and len(place("u_lip", "l_lip")) > 5
    )
    assert (picture[labels == 0] == 77).all() and (picture[labels != 0] != 77).any(-1).mean() > 0.95
    assert (again[0] == picture).all() and (again[1] == labels).all()


def test_a_statue_is_of_one_material_all_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the same person alive has eyes and hair of other colours than the skin."""
    spread = []
    for share in (1.0, 0.0):
        monkeypatch.setattr(sitters, "STATUES", share)
        sitter = Sitter(3)
        world = torch.rand(3, 400, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
        label = torch.arange(400) % 19
        with torch.no_grad():
            albedo = sitter.look(world, label).albedo
        hues = albedo / albedo.sum(1, keepdim=True)
        spread.append(hues.std(0).max().item())
        assert sitter.statue == bool(share) and (albedo > 0).all()
    assert spread[0] < 1e-5 < 0.02 < spread[1]
