"""The method guided, on pictures whose right answer is planted."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from facetransfer import InputError, TransferSettings, to_tensor, transfer, transfer_steps
from facetransfer.core.appearance import appearance_guides
from facetransfer.core.patch_kernels import PATCH
from facetransfer.core.patch_search import GuidedPicture, LevelSearch, PatchWeights
from facetransfer.core.patch_synthesis import (
    SynthesisRound,
    class_costs,
    class_mismatch_rate,
    guess_by_position,
    level_count,
    rescaled,
    source_places,
    synthesise,
)
from segmentation.classes import INDEX
from segmentation.guidance import guides_of
from segmentation.semantic_map import SemanticMap
from tests.support.drawn_face import draw_face

GUIDED = TransferSettings(method="guided")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def places(height: int, width: int) -> np.ndarray:
    """The position of each pixel in a face that fills the picture, (H,W,2)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.dstack(((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5))


def guided_picture(pixels: np.ndarray, **changed: object) -> GuidedPicture:
    height, width = pixels.shape[:2]
    plain = GuidedPicture(
        pixels,
        np.zeros((height, width), np.uint8),
        places(height, width),
        np.dstack((pixels.mean(2), pixels)).astype(np.float32),
    )
    return replace(plain, **changed)


def last_round(
    result: GuidedPicture, style: GuidedPicture, costs: np.ndarray, **weights: float
) -> SynthesisRound:
    *_, last = synthesise(result, style, costs, PatchWeights(**weights), np.random.default_rng(0))
    return last


ONE_CLASS = np.zeros((1, 1), np.float32)


def test_the_style_itself_is_put_together_again_to_the_pixel() -> None:
    """Every guide says where each place comes from: nothing but the style's own pixels can come out."""
    style = guided_picture(noise(96, 80))
    found = last_round(style, style, ONE_CLASS)
    rows, columns = np.mgrid[0 : 96 - PATCH + 1, 0 : 80 - PATCH + 1]
    assert (found.field.numpy() == (rows, columns)).mean() > 0.999
    np.testing.assert_allclose(found.picture, style.pixels, atol=0.01)


def test_the_appearance_finds_where_a_picture_was_cut_from() -> None:
    style = guided_picture(cv2.GaussianBlur(noise(96, 96), (0, 0), 3) * 5)
    part = style.pixels[20:80, 10:70]
    found = last_round(
        guided_picture(part, position=np.zeros((60, 60, 2), np.float32)),
        replace(style, position=np.zeros((96, 96, 2), np.float32)),
        ONE_CLASS,
        reuse=0.0,
    )
    rows, columns = np.mgrid[0 : 60 - PATCH + 1, 0 : 60 - PATCH + 1]
    right = (found.field.numpy() == (rows + 20, columns + 10)).all(0)
    assert right.mean() > 0.8
    x, y = source_places(found.field, (96, 96))[:, 30, 30]
    assert (x * 96, y * 96) == pytest.approx((30 + 10 + 2.5, 30 + 20 + 2.5), abs=1e-4)


def test_a_class_takes_from_itself_alone_where_the_style_has_it() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    style = guided_picture(noise(64, 64, 1), labels=labels[:, ::-1].copy())
    found = last_round(
        guided_picture(noise(64, 64), labels=labels), style, 1 - np.eye(2, dtype=np.float32), position=0.0
    )
    assert class_mismatch_rate(found) < 0.03
    free = last_round(
        guided_picture(noise(64, 64), labels=labels), style, np.zeros((2, 2), np.float32), position=0.0
    )
    assert class_mismatch_rate(free) > 0.2


def test_what_a_class_costs_in_another_s_place() -> None:
    """The style has the first two of four classes; the third is akin to the second, the fourth to none."""
    vectors = np.eye(4, dtype=np.float32)
    vectors[2] = (0, 0.6, 0.8, 0)
    labels = np.arange(4, dtype=np.uint8)[:, None].repeat(80, 1)
    costs = class_costs(vectors, labels, labels[:2])
    np.testing.assert_allclose(costs[0], (0, 1, 1, 1))
    np.testing.assert_allclose(costs[1], (1, 0, 1, 1))
    np.testing.assert_allclose(costs[2, :2], (0.6, 0), atol=1e-6)
    np.testing.assert_allclose(costs[3, :2], 0)


def test_kin_of_which_there_is_too_little_does_not_stand_in() -> None:
    """A hat on the content; the style has only a fringe of hair, and clothes."""
    vectors = np.array([[1, 0.5, 0.3], [0.5, 1, 0], [0.3, 0, 1]], np.float32)  # hat, hair, cloth
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.zeros((100, 100), np.uint8)
    for fringe, stand_in in ((0.5, 1), (0.02, 2)):
        style_labels = np.where(np.arange(100)[:, None] < 100 * fringe, 1, 2).repeat(100, 1)
        costs = class_costs(vectors, labels, style_labels)
        assert costs[0, 1:].argmin() + 1 == stand_in, fringe


def test_patches_are_not_taken_from_where_they_are_not_allowed() -> None:
    allowed = np.zeros((96, 96), bool)
    allowed[:, :60] = True
    style = guided_picture(noise(96, 96, 1), allowed=allowed)
    found = last_round(guided_picture(noise(96, 96)), style, ONE_CLASS)
    assert (found.field[1] + PATCH <= 60).all()


def test_a_patch_is_used_less_often_where_reuse_costs() -> None:
    """A plain result: without a cost one window of the style would serve everywhere."""
    result = guided_picture(np.full((64, 64, 3), 0.5, np.float32))
    style = guided_picture(0.5 + 0.02 * (noise(64, 64) - 0.5))
    used = [
        len(
            np.unique(
                last_round(result, style, ONE_CLASS, position=0.0, reuse=reuse).field[0] * 64
                + last_round(result, style, ONE_CLASS, position=0.0, reuse=reuse).field[1]
            )
        )
        for reuse in (0.0, 0.5)
    ]
    assert used[1] > 1.3 * used[0]


def test_any_number_of_threads_finds_the_same() -> None:
    result, style = guided_picture(noise(70, 60)), guided_picture(noise(64, 80, 1))
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(last_round(result, style, ONE_CLASS).picture)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_fields_of_a_finer_level_lie_at_the_same_places() -> None:
    style = guided_picture(noise(48, 64))
    field = guess_by_position(style, style, np.random.default_rng(0))
    rows, columns = np.mgrid[0 : 48 - PATCH + 1, 0 : 64 - PATCH + 1]
    assert np.array_equal(field, np.stack((rows, columns)))
    finer = rescaled(torch.from_numpy(field), (128, 96), (128, 96)).numpy()
    rows, columns = np.mgrid[0 : 96 - PATCH + 1, 0 : 128 - PATCH + 1]
    assert np.abs(finer - np.stack((rows, columns))).max() <= 1


def test_levels_end_at_small_pictures() -> None:
    assert level_count((512, 512), (512, 512)) == 5
    assert level_count((32, 32), (512, 512)) == 1
    assert level_count((512, 512), (60, 512)) == 2


def test_the_appearance_has_the_style_s_tones_and_the_content_s_order() -> None:
    """A dark gradient becomes one of the style's few tones, the darkest where the content is darkest."""
    content = np.repeat(np.linspace(0.05, 0.3, 120, dtype=np.float32)[None, :, None], 60, 0).repeat(3, 2)
    style = np.where(np.arange(100)[None, :, None] < 40, 0.2, 0.9) * np.ones((80, 100, 3))
    labels = np.zeros((60, 120), np.uint8), np.zeros((80, 100), np.uint8)
    found, there = appearance_guides(content, content, style.astype(np.float32), *labels)
    assert found.shape == (60, 120, 4) and there.shape == (80, 100, 4)
    light = found[30, :, 0]
    assert (np.diff(light) >= -1e-4).all()
    assert light[10] == pytest.approx(0.2, abs=0.02) and light[-10] == pytest.approx(0.9, abs=0.02)
    assert (light < 0.5).mean() == pytest.approx(0.4, abs=0.03)


def test_a_class_takes_its_tones_from_the_same_class() -> None:
    content, labels = np.full((64, 64, 3), 0.5, np.float32), np.zeros((64, 64), np.uint8)
    content[:, 32:] = 0.6
    labels[:, 32:] = 1
    style = np.where(labels[..., None] == 0, 0.9, 0.1).astype(np.float32).repeat(3, 2)
    found, _ = appearance_guides(content, content, style, labels, labels)
    assert found[32, 5, 0] == pytest.approx(0.9, abs=0.02) and found[32, -5, 0] == pytest.approx(
        0.1, abs=0.02
    )


def test_the_face_takes_the_other_skin_and_keeps_its_layout(face, green_face) -> None:
    result = transfer(to_tensor(face[0]), to_tensor(green_face[0]), guides_of(face[1], green_face[1]), GUIDED)
    for part in ("skin", "hair", "background", "cloth"):
        here, there = (torch.from_numpy(m.labels == INDEX[part]) for m in (face[1], green_face[1]))
        got, style = result[0][:, here].mean(1), to_tensor(green_face[0])[0][:, there].mean(1)
        content = to_tensor(face[0])[0][:, here].mean(1)
        assert (got - style).norm() < 0.25 * (content - style).norm() + 0.02, part


def test_more_likeness_follows_the_content_s_light_more_closely() -> None:
    """A scar of light across the content's cheek shows in the result as far as the likeness asks for it."""
    (picture, semantic), (style, style_map) = draw_face((160, 160)), draw_face((160, 160), 1, (-110, 20, -60))
    pixels = np.asarray(picture).copy()
    pixels[90:100, 58:76] = 20
    content, guides = to_tensor(Image.fromarray(pixels)), guides_of(semantic, style_map)
    contrast = []
    for likeness in (0.0, 0.5, 1.0):
        found = transfer(content, to_tensor(style), guides, replace(GUIDED, likeness=likeness))[0].mean(0)
        contrast.append((found[102:108, 60:74].mean() - found[92:98, 60:74].mean()).item())
    assert contrast[0] < contrast[1] < contrast[2]
    assert contrast[0] < 0.03 and contrast[2] > 0.1


def test_steps_carry_a_picture_from_the_first_and_can_be_left(face, green_face) -> None:
    steps = transfer_steps(
        to_tensor(face[0]), to_tensor(green_face[0]), guides_of(face[1], green_face[1]), GUIDED
    )
    first = next(steps)
    assert (first.phase, first.iteration) == (1, 1) and 0 < first.done < 0.1
    assert first.picture.shape[1] == 3 and first.sources is not None and 0 <= first.leak <= 1
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_the_content_s_colours_can_be_kept(face, green_face) -> None:
    """Each part keeps its lightness and its colour, on average."""
    result = transfer(
        to_tensor(face[0]),
        to_tensor(green_face[0]),
        guides_of(face[1], green_face[1]),
        replace(GUIDED, colours="content"),
    )
    for part in ("skin", "hair", "background", "cloth"):
        here = torch.from_numpy(face[1].labels == INDEX[part])
        got, content = (picture[0][:, here].mean(1) for picture in (result, to_tensor(face[0])))
        assert (got - content).abs().max() < 0.05, part


def test_bright_hair_stays_bright_where_the_style_s_is_a_few_dark_strands(face) -> None:
    """The style's hair is blended with the background beside it nearly everywhere; the photo's lightness is
    what the result has all the same.
    """
    pixels, labels = np.asarray(face[0]).copy(), face[1].labels
    pixels[labels == INDEX["hair"]] = np.clip(pixels[labels == INDEX["hair"]].astype(int) + 110, 0, 255)
    strands = labels.copy()
    strands[:, np.arange(128) % 8 > 1] = np.where(
        labels == INDEX["hair"], np.uint8(INDEX["background"]), labels
    )[:, np.arange(128) % 8 > 1]
    style = np.asarray(face[0]).copy()
    style[strands == INDEX["hair"]] //= 3
    style[strands == INDEX["background"]] = (20, 24, 30)
    result = transfer(
        to_tensor(Image.fromarray(pixels)),
        to_tensor(Image.fromarray(style)),
        guides_of(face[1], SemanticMap(strands)),
        replace(GUIDED, colours="content"),
    )
    before = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
    after = cv2.cvtColor(np.ascontiguousarray(result[0].permute(1, 2, 0).numpy()), cv2.COLOR_RGB2LAB)[..., 0]
    for part in ("skin", "hair", "background", "cloth"):
        here = labels == INDEX[part]
        assert abs(after[here].mean() - before[here].mean()) < 2, part


def test_what_is_kept_is_kept_to_the_byte(face, green_face) -> None:
    strength = torch.ones(128, 128)
    strength[:, :50] = 0
    content = to_tensor(face[0])
    result = transfer(
        content, to_tensor(green_face[0]), guides_of(face[1], green_face[1]), GUIDED, strength=strength
    )
    assert torch.equal(result[..., :48], content[..., :48])
    assert (result[..., 60:] - content[..., 60:]).abs().mean() > 0.05


def test_a_map_alone_and_a_style_alone_are_enough(face, green_face) -> None:
    style = to_tensor(green_face[0])
    guides = guides_of(face[1], green_face[1])
    doodle = transfer(None, style, guides, GUIDED)
    skin = torch.from_numpy(face[1].labels == INDEX["skin"])
    there = torch.from_numpy(green_face[1].labels == INDEX["skin"])
    assert (doodle[0][:, skin].mean(1) - style[0][:, there].mean(1)).abs().max() < 0.1
    texture = transfer(None, style, None, replace(GUIDED, size=64))
    assert texture.shape == (1, 3, 64, 64) and texture.std() > 0.5 * style.std()


def test_only_this_method_works_beyond_what_a_network_can(face) -> None:
    large = torch.rand(1, 3, 2100, 2100)
    with pytest.raises(InputError, match="2048.*guided"):
        next(transfer_steps(large, large, None, TransferSettings(method="semantic")))
    assert next(transfer_steps(large, to_tensor(face[0]), None, GUIDED)).picture.shape[1] == 3


def test_guides_without_a_face_have_no_position() -> None:
    """Two maps of two classes each, no face in either: the work goes on by classes and light."""
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 20:] = INDEX["cloth"]
    guides = guides_of(SemanticMap(labels), SemanticMap(labels[:, ::-1].copy()))
    assert guides[0].position is None
    pictures = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert transfer(*pictures, guides, GUIDED).isfinite().all()


def test_guides_that_do_not_go_together_are_refused(face, green_face) -> None:
    pictures = to_tensor(face[0]), to_tensor(green_face[0])
    first, second = guides_of(face[1], green_face[1])
    fewer = replace(second, vectors=second.vectors[:2])
    for guides, words in (
        ((first, fewer), "same classes"),
        ((replace(first, vectors=fewer.vectors), fewer), "label"),
    ):
        with pytest.raises(InputError, match=words):
            next(transfer_steps(*pictures, guides, GUIDED))


def level_search() -> tuple[LevelSearch, torch.Tensor, torch.Tensor]:
    """A search among three classes, a picture of the result, and any field."""
    labels = [
        np.random.default_rng(i).integers(0, 3, shape).astype(np.uint8)
        for i, shape in ((0, (50, 40)), (1, (44, 64)))
    ]
    result = guided_picture(noise(50, 40), labels=labels[0])
    style = guided_picture(noise(44, 64, 1), labels=labels[1], allowed=places(44, 64)[..., 0] < 0.3)
    costs = np.random.default_rng(2).random((3, 3), np.float32)
    search = LevelSearch(result, style, costs, PatchWeights())
    generator = torch.Generator().manual_seed(0)
    field = torch.stack([torch.randint(0, end, (46, 36), generator=generator) for end in (40, 60)]).int()
    return search, torch.from_numpy(result.pixels), field


def test_tensors_show_what_the_compiled_loops_show() -> None:
    search, _, field = level_search()
    cost = torch.rand(field.shape[1:], generator=torch.Generator().manual_seed(1))
    for agreement in (0, 2):
        shown = []
        for search.compiled in (True, False):
            shown.append(search.mean_of_windows(field, cost, agreement))
        torch.testing.assert_close(*shown)


def test_tensors_find_windows_as_good_as_the_compiled_loops() -> None:
    """What each of them finds costs the same for the other, and is far better than what was given."""
    found, costs, again = [], [], []
    for compiled in (True, False):
        search, picture, field = level_search()
        search.compiled = compiled
        given = search.improved(picture, field, np.random.default_rng(0), known=False)
        found.append(given[0])
        costs.append(given[1])
        search.compiled = not compiled
        pair = search._pair(picture, None)
        measured = torch.empty_like(given[1])
        search._over_rows("evaluate_windows", 46, pair, *given[0], measured)
        again.append(measured)
    torch.testing.assert_close(again, costs, rtol=1e-4, atol=1e-4)
    search._over_rows("evaluate_windows", 46, pair, *field, before := torch.empty_like(measured))
    assert costs[0].mean() < 0.7 * before.mean()
    assert costs[1].mean() == pytest.approx(costs[0].mean().item(), rel=0.05)
