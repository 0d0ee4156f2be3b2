"""The parser's geometry with a planted network, and that the shipped weights see a face."""
from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from facetransfer import InputError
from facetransfer.images import open_picture
from segmentation.classes import INDEX, PALETTE
from segmentation.parsers import load_parser
from segmentation.parsers.compact import COARSE_SIDE, CompactParser, crop_square, largest_face
from segmentation.parsers.compact_network import CompactParserNetwork
from segmentation.semantic_map import SemanticMap
from ui.pictures import EXAMPLES


class ByColour(nn.Module):
    """Reads the class off a picture painted in the palette: its parse is known beforehand."""

    def forward(self, pictures: Tensor) -> Tensor:
        half = nn.functional.avg_pool2d(pictures, 2)
        palette = torch.from_numpy(PALETTE / 255.0).float()
        return -(half[:, None] - palette[None, :, :, None, None]).square().sum(2) * 100


def in_larger(face: SemanticMap, width: int, height: int, x: int, y: int) -> SemanticMap:
    labels = np.zeros((height, width), np.uint8)
    h, w = face.labels.shape
    labels[y:y + h, x:x + w] = face.labels
    return SemanticMap(labels)


@pytest.mark.parametrize("width, height, x, y", [(128, 128, 0, 0), (600, 400, 380, 150), (333, 701, 10, 20), (900, 700, 500, 500)])
def test_both_looks_land_where_the_face_is(face, width: int, height: int, x: int, y: int) -> None:
    truth = in_larger(face[1], width, height, x, y)
    found = CompactParser(ByColour(), "cpu")(Image.fromarray(truth.rgb()))
    assert found.found_face and found.semantic.size == (width, height) and found.confidence.shape == (height, width)
    here = truth.labels > 0
    assert (found.semantic.labels == truth.labels)[here].mean() > 0.9 and (found.semantic.labels == truth.labels).mean() > 0.96


def test_the_second_look_sees_more_than_the_first(face) -> None:
    """A small face in a large picture: eyes that the coarse look blurs away are there."""
    truth = in_larger(face[1].resized((256, 256)), 2000, 1500, 1200, 700)
    parser, eye = CompactParser(ByColour(), "cpu"), truth.labels == INDEX["l_eye"]
    found = parser(Image.fromarray(truth.rgb())).semantic.labels
    coarse = parser._probabilities(truth.rgb(), COARSE_SIDE, COARSE_SIDE * 3 // 4).argmax(0).byte().numpy()
    first_look = SemanticMap(coarse).resized((2000, 1500)).labels
    assert (found[eye] == INDEX["l_eye"]).mean() > 0.5 > 2 * (first_look[eye] == INDEX["l_eye"]).mean()


def test_a_large_photo_costs_no_more_memory_and_keeps_its_size(face) -> None:
    truth = in_larger(face[1].resized((1000, 1000)), 4000, 3000, 2000, 1500)
    found = CompactParser(ByColour(), "cpu")(Image.fromarray(truth.rgb()))
    assert found.semantic.size == (4000, 3000) and found.confidence.shape == (3000, 4000)
    assert (found.semantic.labels == truth.labels).mean() > 0.97


def test_without_a_face_there_is_no_square() -> None:
    skin_only = np.full((64, 64), INDEX["skin"], np.uint8)
    assert largest_face(skin_only, np.ones((64, 64), np.float32)) is None
    assert not CompactParser(ByColour(), "cpu")(Image.fromarray(PALETTE[np.zeros((80, 90), np.uint8)])).found_face


def test_the_square_is_cut_where_it_was_asked_for() -> None:
    rgb = np.zeros((400, 500, 3), np.uint8)
    rgb[100:200, 300:400] = 255
    for size in (50, 100, 288):
        assert crop_square(rgb, 300, 100, 100, size).mean() > 250
    assert crop_square(rgb, 280, 80, 140, 140)[:15].mean() < 5


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
    eyes, nose, lips, skin = middle("l_eye", "r_eye", "l_brow", "r_brow"), middle("nose"), middle("u_lip", "l_lip", "mouth"), middle("skin")
    assert eyes[0] < nose[0] < lips[0] and abs(nose[1] - skin[1]) < 15
    assert middle("r_eye", "r_brow")[1] < middle("l_eye", "l_brow")[1]


def test_example_maps_are_exact_maps_of_their_pictures() -> None:
    for path in EXAMPLES.glob("*_sem.png"):
        with Image.open(path) as file:
            labels = np.asarray(file)
        assert file.size == open_picture(path.with_name(path.name.replace("_sem", ""))).size
        assert {INDEX[n] for n in ("background", "skin", "nose", "l_eye", "r_eye", "u_lip", "l_lip")} <= set(np.unique(labels).tolist())


def test_unknown_parsers_are_refused() -> None:
    with pytest.raises(InputError, match="no parser is called 'magic'"):
        load_parser("magic")
