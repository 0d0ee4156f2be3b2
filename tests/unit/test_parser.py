"""The parser's geometry with a planted network, and that the shipped weights see a face."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from facetransfer import InputError
from facetransfer.base.images import open_picture
from segmentation.classes import FACE_CLASSES, HEAD_CLASSES, INDEX, MIRROR, PALETTE
from segmentation.parsers import FoundFace, Parse, compact, detection, load_parser
from segmentation.parsers.cleanup import drop_scraps
from segmentation.parsers.compact import CompactParser
from segmentation.parsers.compact_network import CompactParserNetwork
from segmentation.parsers.crop import Pyramid, Square
from segmentation.parsers.detection import (
    CLOSE_SIDE,
    FIRST_SIDES,
    OVERLAP,
    TILE,
    find_faces,
    first_look,
    seen_upright,
    tile_size,
    tile_starts,
)
from segmentation.semantic_map import SemanticMap

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"


def nearness(pictures: Tensor, palette: Tensor) -> Tensor:
    """Logits (B,C,H,W) of RGB pictures: -100 |pixel - colour|^2 for each colour of a palette (C,3), up to a
    number that all classes of a pixel share.
    """
    return nn.functional.conv2d(pictures, 200 * palette[:, :, None, None], -100 * palette.square().sum(1))


class ByColour(nn.Module):
    """Reads the class off a picture painted in the palette: its parse is known beforehand. Of two pictures
    that mirror each other it names left and right by their place, as a parser does, and not by the colour.
    """

    def forward(self, pictures: Tensor) -> Tensor:
        logits = nearness(nn.functional.avg_pool2d(pictures, 2), torch.from_numpy(PALETTE / 255.0).float())
        if len(pictures) == 2 and torch.equal(pictures[0], pictures[1].flip(-1)):
            logits[1] = logits[1][torch.from_numpy(MIRROR.astype(np.int64))]
        return logits


def in_larger(face: SemanticMap, width: int, height: int, x: int, y: int) -> SemanticMap:
    labels = np.zeros((height, width), np.uint8)
    h, w = face.labels.shape
    labels[y : y + h, x : x + w] = face.labels
    return SemanticMap(labels)


@pytest.mark.parametrize(
    "width, height, x, y", [(128, 128, 0, 0), (600, 400, 380, 150), (333, 701, 10, 20), (900, 700, 500, 500)]
)
def test_both_looks_land_where_the_face_is(face, width: int, height: int, x: int, y: int) -> None:
    truth = in_larger(face[1], width, height, x, y)
    found = CompactParser(ByColour(), "cpu")(Image.fromarray(truth.rgb()))
    assert (
        found.found_face
        and found.semantic.size == (width, height)
        and found.confidence.shape == (height, width)
    )
    here = truth.labels > 0
    assert (found.semantic.labels == truth.labels)[here].mean() > 0.9 and (
        found.semantic.labels == truth.labels
    ).mean() > 0.96


def test_the_second_look_sees_more_than_the_first(face) -> None:
    """A small face in a large picture: eyes that the coarse look blurs away are there."""
    truth = in_larger(face[1], 1000, 750, 600, 350)
    parser, eye = CompactParser(ByColour(), "cpu"), truth.labels == INDEX["l_eye"]
    found = parser(Image.fromarray(truth.rgb())).semantic.labels
    coarse = first_look(Pyramid(truth.rgb()), FIRST_SIDES[0], parser._logits)[0].argmax(0).byte().numpy()
    at_first = SemanticMap(coarse).resized((1000, 750)).labels
    assert (found[eye] == INDEX["l_eye"]).mean() > 0.5 > 2 * (at_first[eye] == INDEX["l_eye"]).mean()


def test_where_looks_overlap_both_count(face, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: each look is sure of a class of its own. The last covers the middle, the one before more, the
    first the whole picture.
    """
    names = ("skin", "hair", "neck")

    def sure(self: CompactParser, rgb: np.ndarray, square: Square, size: int) -> Tensor:
        number = [size for _, size in compact.LOOKS].index(size)
        return nn.functional.one_hot(torch.full((8, 8), INDEX[names[number]]), 19).permute(2, 0, 1).float()

    monkeypatch.setattr(compact, "LOOKS", ((9.0, 320), (1.5, 352), (0.5, 288)))
    monkeypatch.setattr(CompactParser, "_fine", sure)
    found = CompactParser(ByColour(), "cpu")(Image.fromarray(in_larger(face[1], 260, 260, 60, 60).rgb()))
    x, y = round(found.faces[0].x), round(found.faces[0].y)
    beside = x + round(0.5 * found.faces[0].length)
    for column, row, name, share in (
        (x, y, "neck", compact.TRUSTED),
        (beside, y, "hair", compact.TRUSTED),
        (0, 0, "skin", 1.0),
    ):
        assert found.semantic.labels[row, column] == INDEX[name]
        assert found.confidence[row, column] == pytest.approx(share, abs=2e-3)


@pytest.mark.parametrize("turns", [0, 1])
def test_the_body_of_a_far_face_is_looked_at(face, turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: only what sees squares knows clothes, and sees them everywhere. They are there far below the
    chin, and as far above the head they are not; so it is with a face that lies on its side.
    """
    cloth = nn.functional.one_hot(torch.full((8, 8), INDEX["cloth"]), 19).permute(2, 0, 1).float()
    monkeypatch.setattr(CompactParser, "_fine", lambda *_, **__: cloth)
    (found,) = find_faces(
        in_larger(face[1], 900, 900, 390, 390).rgb(), CompactParser(ByColour(), "cpu")._logits
    )[0]
    lying = replace(found, tilt=90.0 * turns)
    monkeypatch.setattr(
        compact, "find_faces", lambda rgb, see: ((lying,), torch.eye(19)[0].expand(90, 90, 19).movedim(2, 0))
    )
    labels = CompactParser(ByColour(), "cpu")(Image.new("RGB", (900, 900))).semantic.labels
    labels = np.rot90(labels, turns)  # so that the head is above
    x, y = (round(found.x), round(found.y)) if not turns else (round(found.y), 900 - round(found.x))
    reach = round(1.9 * found.length)
    assert labels[y + reach, x] == INDEX["cloth"] and labels[y - reach, x] == INDEX["background"]


def test_parts_of_a_head_are_known_near_a_face_alone(face) -> None:
    """Hair and skin in two corners of the picture are something else; beside the head they are themselves."""
    truth = in_larger(face[1], 800, 800, 100, 100).labels.copy()
    truth[650:780, 650:780], truth[650:780, 20:150], truth[120:180, 240:270] = (
        INDEX["hair"],
        INDEX["skin"],
        INDEX["hair"],
    )
    found = CompactParser(ByColour(), "cpu")(Image.fromarray(PALETTE[truth])).semantic.labels
    assert not np.isin(found[600:], HEAD_CLASSES).any()
    assert (found[125:175, 244:266] == INDEX["hair"]).mean() > 0.9


def test_a_large_photo_costs_no_more_memory_and_keeps_its_size(face, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probabilities of all classes are enlarged to a limit and no further."""
    shapes = []
    monkeypatch.setattr(compact, "LARGEST_SIDE", 512)
    monkeypatch.setattr(compact, "drop_scraps", lambda whole, *faces: shapes.append(whole.shape))
    truth = in_larger(face[1].resized((400, 400)), 1600, 1200, 800, 600)
    found = CompactParser(ByColour(), "cpu")(Image.fromarray(truth.rgb()))
    assert found.semantic.size == (1600, 1200) and found.confidence.shape == (1200, 1600)
    assert shapes == [(19, 384, 512)]
    assert (found.semantic.labels == truth.labels).mean() > 0.97


def test_without_a_face_there_is_no_square() -> None:
    skin_only = PALETTE[np.full((300, 300), INDEX["skin"], np.uint8)]
    assert find_faces(skin_only, CompactParser(ByColour(), "cpu")._logits)[0] == ()
    assert not CompactParser(ByColour(), "cpu")(
        Image.fromarray(PALETTE[np.zeros((80, 90), np.uint8)])
    ).found_face


def test_a_face_must_have_features_of_two_kinds(face) -> None:
    see = CompactParser(ByColour(), "cpu")._logits
    for kept, is_face in (
        (("skin",), False),
        (("skin", "u_lip", "l_lip", "mouth"), False),
        (("skin", "nose", "l_eye", "r_eye"), True),
    ):
        labels = in_larger(face[1].resized((200, 200)), 500, 400, 150, 80).labels
        labels = np.where(
            np.isin(labels, [INDEX[n] for n in (*kept, "hair", "neck", "cloth")]),
            labels,
            INDEX["skin"] * (labels > 0),
        )
        assert bool(find_faces(SemanticMap(labels.astype(np.uint8)).rgb(), see)[0]) == is_face, kept


def test_a_small_face_is_found_by_the_second_look(face) -> None:
    truth = in_larger(face[1].resized((90, 90)), 1280, 800, 700, 300)
    (found,), whole = find_faces(truth.rgb(), CompactParser(ByColour(), "cpu")._logits)
    frame = truth.frame()
    assert (found.x, found.y) == pytest.approx((frame.x, frame.y), abs=6) and found.length == pytest.approx(
        0.66 * 90, rel=0.15
    )
    assert max(whole.shape[1:]) == FIRST_SIDES[1]


def test_a_large_face_that_only_the_first_look_knows_is_found_where_it_was_seen(face) -> None:
    """Planted: what sees close squares is blind, as it may be for a profile that fills them."""
    see, blind = CompactParser(ByColour(), "cpu")._logits, torch.zeros(len(PALETTE), 80, 80)
    blind[0] = 50
    truth = in_larger(face[1].resized((300, 300)), 640, 480, 250, 100)
    for shown, is_face in (
        (truth.labels, True),
        (np.where(np.isin(truth.labels, FACE_CLASSES), INDEX["skin"], truth.labels).astype(np.uint8), False),
    ):
        faces, _ = find_faces(
            SemanticMap(shown).rgb(),
            lambda *pictures: (
                see(*pictures)
                if max(pictures[0].shape) != CLOSE_SIDE
                else blind.expand(len(pictures), -1, -1, -1)
            ),
        )
        assert len(faces) == is_face
        if is_face:
            (top, left), (bottom, right) = (
                f(np.nonzero(np.isin(shown, FACE_CLASSES)), axis=1) for f in (np.min, np.max)
            )
            assert (faces[0].x, faces[0].y, faces[0].length) == pytest.approx(
                ((left + right) / 2, (top + bottom) / 2, bottom - top), abs=6
            )


def test_a_face_whose_features_are_small_is_found_by_a_closer_look(face) -> None:
    """Planted: the close look does not know features, as it may not know those of a profile."""
    see = CompactParser(ByColour(), "cpu")._logits
    features = [n for n in FACE_CLASSES if n != INDEX["skin"]]

    def short_sighted(*pictures: np.ndarray) -> Tensor:
        logits = see(*pictures)
        if max(pictures[0].shape) == CLOSE_SIDE:
            logits[:, features] -= 1e4
        return logits

    truth = in_larger(face[1].resized((80, 80)), 200, 200, 60, 60)
    (found,), _ = find_faces(truth.rgb(), short_sighted)
    rows, columns = np.nonzero(np.isin(truth.labels, FACE_CLASSES))
    middle = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
    assert (found.x, found.y) == pytest.approx(middle, abs=6)
    skin = SemanticMap(
        np.where(np.isin(truth.labels, features), INDEX["skin"], truth.labels).astype(np.uint8)
    )
    assert find_faces(skin.rgb(), short_sighted)[0] == ()


def test_a_closer_look_at_some_faces_keeps_the_others(face) -> None:
    """Planted: the close look is unsure of every face. More are there than are looked at again."""
    see = CompactParser(ByColour(), "cpu")._logits

    def unsure(*pictures: np.ndarray) -> Tensor:
        logits = see(*pictures)
        return logits if max(pictures[0].shape) != CLOSE_SIDE else logits / 12

    labels = np.zeros((200, 600), np.uint8)
    for left in (20, 220, 420):
        labels[60:140, left : left + 80] = face[1].resized((80, 80)).labels
    faces, _ = find_faces(SemanticMap(labels).rgb(), unsure)
    assert sorted(round(found.x / 200) for found in faces) == [0, 1, 2]


def test_the_square_is_cut_where_it_was_asked_for() -> None:
    rgb = np.zeros((400, 500, 3), np.uint8)
    rgb[100:200, 300:400] = 255
    for size in (50, 100, 288):
        assert Square(350, 150, 100).cut(rgb, size).mean() > 250
    assert Square(350, 150, 140).cut(rgb, 140)[:15].mean() < 5


@pytest.mark.parametrize("tilt", [0.0, 33.0, -120.0])
def test_what_a_square_shows_goes_back_to_its_place(tilt: float) -> None:
    y, x = np.mgrid[:300, :400].astype(np.float32)
    picture, square = np.stack((x, y, x + y), 2), Square(250, 140, 90, tilt)
    box = left, top, right, bottom = square.box(400, 300)
    seen = square.cut(picture, 180)
    inside = square.fade(box, 400, 300) == 1
    assert 50**2 < inside.sum() < 90**2
    for back, planted in zip(square.back(seen.transpose(2, 0, 1), box), picture.transpose(2, 0, 1)):
        assert np.abs(back - planted[top:bottom, left:right])[inside].max() < 0.1
    up = seen[20, 90, :2] - seen[160, 90, :2]  # from the picture's place at the bottom to that at the top
    assert np.rad2deg(np.arctan2(up[0], -up[1])) == pytest.approx(tilt, abs=1)


def test_a_tilted_face_is_seen_upright(face) -> None:
    upright = in_larger(face[1].resized((260, 260)), 560, 560, 150, 150)
    for tilt in (-40.0, 25.0):
        truth = SemanticMap(np.asarray(Image.fromarray(upright.labels).rotate(-tilt, center=(280, 280))))
        parse = CompactParser(ByColour(), "cpu")(Image.fromarray(truth.rgb()))
        assert parse.faces[0].tilt == pytest.approx(tilt, abs=10)
        assert (parse.semantic.labels == truth.labels).mean() > 0.96


def test_a_tilted_face_that_was_known_in_part_is_seen_whole(face) -> None:
    """Planted: the mouth alone was taken for a face."""
    upright = in_larger(face[1].resized((260, 260)), 560, 560, 150, 150)
    turned = Image.fromarray(upright.rgb()).rotate(-70, center=(280, 280))
    see = CompactParser(ByColour(), "cpu")._logits
    (whole,) = find_faces(np.asarray(turned), see)[0]
    part = replace(whole, x=whole.x - 40, y=whole.y + 15, length=0.6 * whole.length, tilt=whole.tilt - 10)
    seen = seen_upright(Pyramid(np.asarray(turned)), (2.5, part), see)[1]
    assert seen.length > 0.8 * whole.length and np.hypot(seen.x - whole.x, seen.y - whole.y) < 30


@pytest.mark.parametrize("name, quarters", [("astronaut", 2), ("bust", 1)])
def test_a_picture_turned_has_the_map_turned(name: str, quarters: int) -> None:
    """With the body, by a quarter and upside down."""
    from skimage.data import astronaut

    picture = Image.fromarray(astronaut()) if name == "astronaut" else open_picture(EXAMPLES / "bust.png")
    upright = load_parser("compact")(picture).semantic.labels
    body = np.isin(upright, [INDEX["neck"], INDEX["cloth"]])
    found = load_parser("compact")(picture.rotate(90 * quarters, expand=True)).semantic.labels
    same = np.rot90(found, -quarters) == upright
    assert same.mean() > 0.95 and same[body].mean() > 0.9


def test_a_face_that_grows_does_not_run_into_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the large one grows over the small one beside it, which stays. Two parts that grow into the
    same face are one.
    """
    large, small = FoundFace(260.0, 270.0, 186.0, 27.0), FoundFace(144.0, 322.0, 119.0, 20.0)
    grown = {large: replace(large, x=190.0, y=310.0, length=241.0)}
    monkeypatch.setattr(
        detection, "seen_upright", lambda picture, pair, see: (pair[0], grown.get(pair[1], pair[1]))
    )
    picture = Pyramid(np.zeros((8, 8, 3), np.uint8))
    found = detection.in_their_tilt(picture, [(2.9, small), (2.8, large)], lambda *_: torch.zeros(()))
    assert {face for _, face in found} == {large, small}
    halves = FoundFace(220.0, 210.0, 80.0, -56.0), FoundFace(208.0, 256.0, 76.0, -79.0)
    grown = {half: FoundFace(212.0, 230.0 + i, 140.0, -70.0) for i, half in enumerate(halves)}
    (one,) = detection.in_their_tilt(picture, [(2.9, h) for h in halves], lambda *_: torch.zeros(()))
    assert one[1].length == 140.0


def test_a_worse_look_does_not_move_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    face = FoundFace(100.0, 100.0, 80.0, -15.0)
    worse = replace(face, length=50.0, tilt=-24.0)
    monkeypatch.setattr(detection, "close_look", lambda *_, **__: [(2.4, worse)])
    picture = Pyramid(np.zeros((8, 8, 3), np.uint8))
    assert seen_upright(picture, (2.9, face), lambda *_: torch.zeros(())) == (2.9, face)


def test_a_face_is_not_taken_for_one_upside_down() -> None:
    """What is seen of the goblin in the opposite of its tilt is nearly a face too."""
    turned = open_picture(EXAMPLES / "goblin.png").rotate(215, Image.Resampling.BICUBIC, expand=True)
    assert load_parser("compact")(turned).faces[0].tilt == pytest.approx(145, abs=15)


def test_tiles_cover_a_side_and_overlap() -> None:
    for length in (30, 96, 300, 640, 769, 1280, 1440, 1919, 2560):
        starts, size = tile_starts(length), tile_size(length)
        assert starts[0] == 0 and starts[-1] + size >= length and size <= TILE
        assert all(b - a <= size - OVERLAP for a, b in zip(starts, starts[1:]))


def test_the_network_keeps_half_the_size() -> None:
    assert CompactParserNetwork()(torch.rand(1, 3, 64, 96)).shape == (1, 19, 32, 48)


def test_the_shipped_weights_see_a_face() -> None:
    """A real photo (NASA's, from scikit-image): the parts lie as in a face."""
    from skimage.data import astronaut

    found = load_parser("compact")(Image.fromarray(astronaut()[0:320, 70:390]))
    labels = found.semantic.labels

    def middle(*names: str) -> np.ndarray:
        places = np.argwhere(np.isin(labels, [INDEX[n] for n in names]))
        assert len(places) > 20, names
        return places.mean(0)

    eyes, nose, lips, skin = (
        middle("l_eye", "r_eye", "l_brow", "r_brow"),
        middle("nose"),
        middle("u_lip", "l_lip", "mouth"),
        middle("skin"),
    )
    assert eyes[0] < nose[0] < lips[0] and abs(nose[1] - skin[1]) < 15
    assert middle("r_eye", "r_brow")[1] < middle("l_eye", "l_brow")[1]


def test_example_maps_are_exact_maps_of_their_pictures() -> None:
    for path in EXAMPLES.glob("*_sem.png"):
        with Image.open(path) as file:
            labels = np.asarray(file)
        assert file.size == open_picture(path.with_name(path.name.replace("_sem", ""))).size
        assert {INDEX[n] for n in ("background", "skin", "nose", "l_eye", "r_eye", "u_lip", "l_lip")} <= set(
            np.unique(labels).tolist()
        )


def test_unknown_parsers_are_refused() -> None:
    with pytest.raises(InputError, match="no parser is called 'magic'"):
        load_parser("magic")


def group(face: SemanticMap) -> SemanticMap:
    """Three faces of three sizes."""
    labels = np.zeros((400, 700), np.uint8)
    for side, x, y in ((128, 20, 40), (240, 180, 100), (160, 500, 200)):
        labels[y : y + side, x : x + side] = face.resized((side, side)).labels
    return SemanticMap(labels)


def test_all_faces_are_found_and_each_can_be_chosen(face) -> None:
    truth, parse = group(face[1]), CompactParser(ByColour(), "cpu")
    picture = Image.fromarray(truth.rgb())
    for number, (x, size) in enumerate(((300, 240), (580, 160), (84, 128)), 1):
        found = parse(picture, number)
        assert len(found.faces) == 3 and found.chosen == number
        assert found.frame.x == pytest.approx(x, abs=3) and found.frame.size == pytest.approx(
            0.66 * size, rel=0.15
        )
    for number in (0, 4):
        with pytest.raises(InputError, match="but 3 faces were found: give a number from 1 to 3"):
            parse(picture, number)


def test_scraps_of_glasses_and_hats_are_what_is_second_most_likely(face) -> None:
    """Planted beside the chosen face: whole glasses and a scrap of them, a scrap of a hat, and a scrap that
    another face wears.
    """
    truth = np.zeros((300, 600), np.uint8)
    for x in (0, 300):
        truth[:256, x + 22 : x + 278] = face[1].resized((256, 256)).labels
    faces = FoundFace(150.0, 128.0, 130.0), FoundFace(450.0, 128.0, 130.0)

    def probabilities(*planted: tuple[str, int, int, int, int]) -> np.ndarray:
        there = np.full((19, *truth.shape), 0.4 / 18, np.float32)
        np.put_along_axis(there, truth[None].astype(int), 0.6, 0)
        for name, y, x, height, width in planted:
            block = there[:, y : y + height, x : x + width]
            block *= 0.45
            block[INDEX[name]] += 0.55
        return there

    scraps, theirs, glasses = (
        ("eye_glasses", 100, 110, 6, 20),
        ("eye_glasses", 100, 410, 6, 20),
        ("eye_glasses", 95, 110, 30, 80),
    )
    found = probabilities(scraps, theirs, ("hat", 30, 140, 15, 20))
    drop_scraps(found, faces, 1)
    labels = found.argmax(0)
    assert (labels[:, :300] == truth[:, :300]).all()
    assert (labels[100:106, 410:430] == INDEX["eye_glasses"]).all(), "what the other face wears is left to it"
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    whole = probabilities(glasses, ("hat", 10, 90, 40, 120))
    before = whole.copy()
    drop_scraps(whole, faces, 1)
    assert (whole == before).all() and (before.argmax(0)[95:125, 110:190] == INDEX["eye_glasses"]).all()


def test_what_a_face_wears_is_measured_by_that_face_alone() -> None:
    """Planted: glasses of 0.06 of their face, and a larger face beside it."""
    there = np.full((19, 200, 300), 0.01, np.float32)
    there[INDEX["skin"], 50:150, 50:150] = there[INDEX["skin"], 20:180, 160:300] = 0.8
    there[INDEX["eye_glasses"], 80:90, 70:130] = 0.9
    before = there.copy()
    drop_scraps(there, (FoundFace(230.0, 100.0, 160.0), FoundFace(100.0, 100.0, 100.0)), 2)
    assert (there == before).all()


class Planted(nn.Module):
    """A published network's stand-in: reads the palette off a normalised picture and answers in another
    numbering, as a tuple.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], order: list[int]) -> None:
        super().__init__()
        self.order = order
        self.mean, self.std = torch.tensor(mean).view(1, 3, 1, 1), torch.tensor(std).view(1, 3, 1, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        assert pictures.shape[-2:] == (512, 512)
        rgb = pictures * self.std + self.mean
        return nearness(rgb, torch.from_numpy(PALETTE / 255.0).float()[self.order]), rgb


@pytest.mark.parametrize("name", ["bisenet", "parsenet"])
def test_published_parsers_are_normalised_and_renumbered(face, name: str) -> None:
    from segmentation.parsers.published import NETWORKS, SquareParser

    kind = NETWORKS[name]
    order = [INDEX[n] for n in kind.order]
    truth = in_larger(face[1].resized((300, 300)), 700, 600, 200, 150)
    parse = CompactParser(
        ByColour(), "cpu", (kind.margin, SquareParser(Planted(kind.mean, kind.std, order), kind, "cpu"))
    )
    found = parse(Image.fromarray(truth.rgb()))
    assert sorted(order) == list(range(19)) and (found.semantic.labels == truth.labels).mean() > 0.96
    for part in ("l_brow", "r_eye", "nose", "u_lip", "hair"):
        here = truth.labels == INDEX[part]
        assert (found.semantic.labels[here] == INDEX[part]).mean() > 0.7, part


@pytest.mark.parametrize("name", ["bisenet", "parsenet"])
def test_published_weights_are_read_from_a_file_and_checked(
    name: str, tmp_path, face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights of the right shapes, made here; then a file with one tensor missing, and one that is no weights
    at all. The networks see a smaller square than the published ones, which take seconds.
    """
    from segmentation.parsers import published

    monkeypatch.setattr(published, "SIDE", 128)
    network = published.build(name)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    found = load_parser(name, "cpu", str(tmp_path / "w.pth"))(face[0])
    assert found.semantic.size == face[0].size
    torch.save(dict(list(network.state_dict().items())[1:]), tmp_path / "short.pth")
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    for file, words in (
        ("short.pth", "has not the weights of"),
        ("broken.pth", "cannot be read as weights"),
        ("none.pth", "does not exist"),
    ):
        with pytest.raises(InputError, match=words):
            load_parser(name, "cpu", str(tmp_path / file))


def test_a_published_parser_without_its_package_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    def asked(*args, **kwargs):
        pytest.fail("weights were downloaded that nothing can use")

    monkeypatch.setitem(sys.modules, "facexlib.parsing", None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", asked)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match="needs the package facexlib.*choose the parser compact"):
        load_parser("bisenet")


def test_published_weights_without_a_connection_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    def offline(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match="could not be downloaded.*choose the parser compact"):
        load_parser("bisenet")
    assert not any(p.is_file() for p in tmp_path.rglob("*"))


def test_compact_takes_no_file() -> None:
    with pytest.raises(InputError, match="has its own weights"):
        load_parser("compact", "cpu", "x.pth")


def test_folding_the_normalisation_changes_no_logit() -> None:
    torch.manual_seed(0)
    network = CompactParserNetwork()
    pictures = torch.rand(4, 3, 64, 64)
    network.train()(pictures)  # means and variances of its own
    network.eval()
    with torch.inference_mode():
        before = network(pictures)
        after = network.folded()(pictures)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    assert (before - after).abs().max() < 1e-4 * before.abs().max()


@pytest.mark.parametrize("size", [(3000, 1), (1, 3000), (1, 1)])
def test_a_picture_that_is_a_line_has_no_face(size: tuple[int, int]) -> None:
    found = load_parser("compact")(Image.new("RGB", size, (90, 120, 200)))
    assert found.semantic.size == size and not found.found_face


def test_a_face_in_the_far_corner_is_there_when_its_map_was_made_smaller(face) -> None:
    """Planted: the drawn face in the right lower corner of a map that is then halved."""
    labels = np.zeros((600, 800), np.uint8)
    drawn = face[1].resized((200, 200))
    labels[400:, 600:] = drawn.labels
    found = Parse(SemanticMap(labels), np.ones(labels.shape), (FoundFace(700.0, 500.0, 130.0),))
    smaller = found.with_smaller_map((400, 300))
    assert found.found_face and smaller.found_face and smaller.box == found.box
    assert smaller.frame.x == pytest.approx(found.frame.x / 2, abs=2)
    assert smaller.frame.size == pytest.approx(found.frame.size / 2, rel=0.05)


def test_a_square_of_a_large_picture_is_cut_from_a_smaller_one_and_looks_the_same() -> None:
    """From a half, a quarter and so on, made once: within a grey level of cutting it from all of it. Odd
    sides are no reason to shift, and what is no larger than is needed is the picture itself.
    """
    rng = np.random.default_rng(4)
    rgb = cv2.resize(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8), (2041, 1603))
    picture = Pyramid(rgb)
    for square in (Square(1000, 800, 1500), Square(900, 700, 2600, 30.0), Square(500, 400, 700)):
        difference = picture.cut(square, 80).astype(int) - square.cut(rgb, 80)
        assert abs(difference).mean() < 1 and abs(difference.mean()) < 0.3, square
    assert [level.shape[:2] for level in picture.levels] == [
        (1603, 2041),
        (802, 1020),
        (401, 510),
        (200, 255),
        (100, 128),
    ]
    assert picture.enough_for(0.5) is rgb and picture.enough_for(3.0) is rgb
    assert (Pyramid(rgb).cut(Square(700, 600, 150), 80) == Square(700, 600, 150).cut(rgb, 80)).all()
    small, scale = picture.fitted(100)
    assert small.shape == (79, 100, 3) and scale == pytest.approx(100 / 2041)
    assert abs(small.astype(int) - cv2.resize(rgb, (100, 79), interpolation=cv2.INTER_AREA)).mean() < 1
