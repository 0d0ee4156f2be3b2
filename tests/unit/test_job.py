"""What the doors offer around the transfer: maps alone, textures, kept parts, places, recipes, reports,
animations.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facetransfer import InputError, TransferSettings, __version__, open_picture
from facetransfer.base.images import to_tensor
from facetransfer.cli.main import main
from facetransfer.jobs.class_weights import NAMED_STRENGTHS, checked_strengths
from facetransfer.jobs.compositing import back_into, into_picture
from facetransfer.jobs.face_files import face_of
from facetransfer.jobs.job import Face, prepare, result_picture
from facetransfer.jobs.metrics import (
    face_likeness,
    layout_iou,
    lost_parts,
    overused,
    sharpness,
    style_distance,
    weave,
)
from facetransfer.jobs.recipe import KEY, Recipe, read_recipe
from segmentation.classes import FACE_CLASSES, INDEX, NAMES
from segmentation.semantic_map import SemanticMap
from tests.support.drawn_face import draw_face

QUICK = ["--method", "semantic", "--iterations", "2", "--phases", "1", "--device", "cpu"]
SETTINGS = TransferSettings(iterations=3, phases=1, network="compact", size=128)


@pytest.fixture
def pair(face, green_face, tmp_path: Path) -> Path:
    for name, (picture, semantic) in (("content", face), ("style", green_face)):
        picture.save(tmp_path / f"{name}.png")
        semantic.save(tmp_path / f"{name}_sem.png")
    return tmp_path


def call(folder: Path, *extra: str, content: str | None = "content.png", output: str = "out.png") -> int:
    given = ["--content", str(folder / content)] if content else []
    return main(
        [*given, "--style", str(folder / "style.png"), "--output", str(folder / output), *QUICK, *extra]
    )


def run(job) -> Image.Image:
    for step in job.steps():
        pass
    return result_picture(step, job.size)


def test_a_kept_class_is_kept_to_the_byte(face, green_face) -> None:
    job = prepare(Face.of(*face), Face.of(*green_face), SETTINGS, strengths={"background": 0.0, "hair": 0.5})
    result, before = np.asarray(run(job)).astype(int), np.asarray(face[0]).astype(int)
    background = face[1].labels == INDEX["background"]
    assert (result[background] == before[background]).all()
    moved = np.abs(result - before).mean(2)
    assert moved[face[1].labels == INDEX["skin"]].mean() > 10


def test_the_content_s_colours_stay_and_light_and_dark_change(face, green_face) -> None:
    """Where a part is kept too, it is kept in its colours, to the byte."""
    result = run(
        prepare(
            Face.of(*face),
            Face.of(*green_face),
            replace(SETTINGS, method="semantic", colours="content", iterations=8),
            strengths={"hair": 0.0},
        )
    )
    before, after = (np.asarray(p.convert("YCbCr")).astype(int) for p in (face[0], result))
    skin, hair = (face[1].labels == INDEX[n] for n in ("skin", "hair"))
    assert np.abs(after - before)[skin][:, 1:].mean() < 6 < np.abs(after - before)[skin][:, 0].mean()
    assert np.array_equal(np.asarray(result)[hair], np.asarray(face[0])[hair])


def test_strength_grades_the_change(face, green_face) -> None:
    before = np.asarray(face[0]).astype(int)
    skin = face[1].labels == INDEX["skin"]
    moved = [
        np.abs(
            np.asarray(
                run(prepare(Face.of(*face), Face.of(*green_face), SETTINGS, strengths={"skin": s}))
            ).astype(int)
            - before
        )[skin].mean()
        for s in (0.0, 0.5, 1.0)
    ]
    assert moved[0] == 0 < moved[1] < moved[2]


def test_regions_name_classes_that_exist() -> None:
    for strengths in NAMED_STRENGTHS.values():
        assert checked_strengths(strengths) == strengths and set(strengths) <= set(NAMES)
    for wrong in ({"beard": 1.0}, {"skin": 3.0}, {"skin": float("nan")}):
        with pytest.raises(InputError, match="no class is called|strength of skin is"):
            checked_strengths(wrong)


def test_a_region_is_worked_on_and_nothing_else(pair: Path) -> None:
    region = np.zeros((128, 128), np.uint8)
    region[30:90, 20:70] = 255
    Image.fromarray(region).save(pair / "region.png")
    assert call(pair, "--size", "0") == 0
    assert (
        call(
            pair,
            "--size",
            "0",
            "--iterations",
            "8",
            "--start-image",
            str(pair / "out.png"),
            "--region",
            str(pair / "region.png"),
            output="refined.png",
        )
        == 0
    )
    before, after = (np.asarray(open_picture(pair / n)).astype(int) for n in ("out.png", "refined.png"))
    assert (before == after)[region == 0].all() and not (before == after)[region > 0].all()


def test_a_map_alone_says_what_goes_where(pair: Path) -> None:
    """The doodle: no photo, a map; the parts of the result have the style's colours."""
    assert (
        call(
            pair,
            "--content-map",
            str(pair / "content_sem.png"),
            "--size",
            "128",
            "--iterations",
            "25",
            "--network",
            "compact",
            content=None,
        )
        == 0
    )
    result, labels = (
        np.asarray(open_picture(pair / "out.png")).astype(int),
        SemanticMap(np.asarray(Image.open(pair / "content_sem.png"))).labels,
    )
    style, there = (
        np.asarray(open_picture(pair / "style.png")).astype(int),
        np.asarray(Image.open(pair / "style_sem.png")),
    )
    for part in ("hair", "skin", "background"):
        assert (
            np.abs(result[labels == INDEX[part]].mean(0) - style[there == INDEX[part]].mean(0)).max() < 40
        ), part


def test_a_style_alone_gives_its_texture(pair: Path) -> None:
    assert call(pair, "--size", "96", content=None) == 0
    assert open_picture(pair / "out.png").size == (96, 96)


@pytest.mark.parametrize(
    "words, extra",
    [
        ("colours or parts of the content", ["--colours", "content"]),
        ("size is 0", ["--size", "0"]),
        ("need a content photo", ["--into", "style"]),
        ("need a content photo", ["--strength", "skin=0"]),
    ],
)
def test_without_a_content_some_things_make_no_sense(
    pair: Path, capsys, words: str, extra: list[str]
) -> None:
    assert (
        call(pair, *extra, content=None) == 2
        and words in capsys.readouterr().err
        and not (pair / "out.png").exists()
    )


def test_into_the_style_picture(face) -> None:
    """The style's face takes the new one, at its place; the rest of the style picture stays as it was."""
    style, semantic = draw_face((300, 240), seed=3, tint=(-80, 10, -40))
    job = prepare(Face.of(*face), Face.of(style, semantic), SETTINGS, place="style")
    placed = np.asarray(job.placed(run(job))).astype(int)
    changed = np.abs(placed - np.asarray(style)).max(2) > 12
    skin = np.isin(
        semantic.labels,
        [INDEX[n] for n in ("skin", "nose", "l_eye", "r_eye", "u_lip", "l_lip", "l_brow", "r_brow")],
    )
    assert placed.shape == (240, 300, 3) and changed[skin].mean() > 0.3 and changed[~skin].mean() < 0.01


def test_a_result_in_the_style_picture_is_not_gone_on_from(face, green_face) -> None:
    with pytest.raises(InputError, match="cannot be gone on from"):
        prepare(
            Face.of(*face),
            Face.of(*green_face),
            replace(SETTINGS, start="image"),
            place="style",
            start=face[0],
        )


def test_a_doodle_may_start_from_an_image(face, green_face) -> None:
    job = prepare(
        face[1],
        Face.of(*green_face),
        replace(SETTINGS, start="image"),
        start=face[0],
    )
    assert run(job).size == (128, 128)


def test_placing_lays_a_part_where_the_matrix_says() -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(np.full((100, 120, 3), 128, np.uint8))
    result = Image.fromarray(rng.integers(60, 200, (40, 40, 3)).astype(np.uint8))
    matrix = np.array([[1.0, 0, 30], [0, 1.0, 20]])
    everywhere = np.ones((100, 120), bool)
    placed = np.asarray(into_picture(picture, result, matrix, np.ones((40, 40), bool), everywhere)).astype(
        float
    )
    a, b = placed[25:55, 35:65].ravel(), np.asarray(result)[5:35, 5:35].ravel().astype(float)
    assert np.corrcoef(a, b)[0, 1] > 0.97
    untouched = everywhere.copy()
    untouched[20:60, 30:70] = False
    assert (placed[untouched] == 128).all()
    assert into_picture(picture, result, matrix, np.ones((40, 40), bool), ~everywhere) is picture


def test_a_face_that_shrinks_into_its_place_does_not_alias() -> None:
    """A checkerboard of single pixels at a quarter of its size is gray."""
    result = Image.fromarray(np.tile(np.array([[0, 255], [255, 0]], np.uint8), (80, 80))).convert("RGB")
    picture, matrix = Image.new("RGB", (100, 100), (128, 128, 128)), np.array([[0.25, 0, 30], [0, 0.25, 30]])
    placed = np.asarray(
        into_picture(picture, result, matrix, np.ones((160, 160), bool), np.ones((100, 100), bool))
    ).astype(int)
    assert np.abs(placed[34:66, 34:66] - 128).max() < 12


def test_what_goes_into_the_style_is_worked_on_as_large_as_it_will_be(face) -> None:
    """A small face in a large content picture, into a large one: only its surroundings are worked on, at the
    size of its place.
    """
    small, semantic = draw_face((100, 100), seed=4)
    photo, labels = Image.new("RGB", (500, 400), (90, 120, 150)), np.zeros((400, 500), np.uint8)
    photo.paste(small, (300, 200))
    labels[200:300, 300:400] = semantic.labels
    style, there = draw_face((300, 300), seed=3)
    job = prepare(
        Face.of(photo, SemanticMap(labels)), Face.of(style, there), replace(SETTINGS, size=512), place="style"
    )
    assert job.box is not None and job.content.frame.size == pytest.approx(job.whole[1].frame.size, rel=0.03)
    job = prepare(Face.of(photo, SemanticMap(labels)), Face.of(style, there), SETTINGS, place="style")
    assert max(job.size) == SETTINGS.size, "the setting is the limit"


def test_what_is_kept_goes_back_to_the_byte() -> None:
    photo, part = Image.new("RGB", (200, 160), (10, 20, 30)), Image.new("RGB", (64, 64), (250, 240, 230))
    share = np.zeros((64, 64), np.float32)
    share[16:48, 16:48] = 1
    whole = np.asarray(back_into(photo, part, (40, 30, 120, 110), share))
    inside = np.zeros((160, 200), bool)
    inside[50:90, 60:100] = True  # the box is 80 pixels wide: a quarter of it on each side is kept
    assert (whole[~inside] == (10, 20, 30)).all() and (whole[62:78, 72:88] == (250, 240, 230)).all()


def test_back_into_the_photo_keeps_what_lies_around() -> None:
    photo, part = Image.new("RGB", (200, 160), (10, 20, 30)), Image.new("RGB", (64, 64), (250, 240, 230))
    whole = np.asarray(back_into(photo, part, (40, 30, 120, 110)))
    assert (
        whole.shape == (160, 200, 3)
        and (whole[:30] == (10, 20, 30)).all()
        and (whole[60:80, 70:90] == (250, 240, 230)).all()
    )
    assert whole[32, 80, 0] < 250, "the rim is blended"


def test_a_small_face_is_worked_on_alone_and_goes_back(green_face) -> None:
    small, semantic = draw_face((128, 128), seed=4)
    photo, labels = Image.new("RGB", (500, 400), (90, 120, 150)), np.zeros((400, 500), np.uint8)
    photo.paste(small, (300, 200))
    labels[200:328, 300:428] = semantic.labels
    job = prepare(Face.of(photo, SemanticMap(labels)), Face.of(*green_face), SETTINGS, place="content")
    assert job.box is not None and max(job.size) == 128
    placed = np.asarray(job.placed(run(job)))
    background = labels == INDEX["background"]
    assert (
        placed.shape == (400, 500, 3)
        and (placed[background] == np.asarray(photo)[background]).all()
        and (placed != np.asarray(photo)).any()
    )
    again = prepare(
        Face.of(photo, SemanticMap(labels)),
        Face.of(*green_face),
        SETTINGS,
        place="content",
        start=Image.fromarray(placed),
        region=labels > 0,
    )
    part = np.asarray(Image.fromarray(placed).crop(job.box))
    assert np.array_equal((again.start[0].permute(1, 2, 0) * 255).round().byte().numpy(), part), (
        "it goes on from the same part of the photo"
    )
    assert again.strength.shape == tuple(job.size[::-1]) and 0.1 < again.strength.mean() < 0.9
    with pytest.raises(InputError, match="can only be placed into the content picture"):
        prepare(Face.of(photo, SemanticMap(labels * 0)), Face.of(*green_face), SETTINGS, place="content")


def test_the_recipe_gives_the_same_bytes_again(pair: Path, capsys) -> None:
    assert call(pair, "--size", "96", "--seed", "7", "--strength", "background=0", "--start", "noise") == 0
    recipe = read_recipe(pair / "out.png")
    assert (
        recipe.settings.seed == 7
        and recipe.options["strength"] == "background=0"
        and set(recipe.inputs) == {"content", "style", "content map", "style map"}
    )
    again = [
        "--content",
        str(pair / "content.png"),
        "--style",
        str(pair / "style.png"),
        "--output",
        str(pair / "again.png"),
        "--recipe",
        str(pair / "out.png"),
        "--device",
        "cpu",
    ]
    assert main(again) == 0 and (pair / "again.png").read_bytes() == (pair / "out.png").read_bytes()
    told = capsys.readouterr().err
    assert (
        "in full: python -m facetransfer --content content.png --style style.png --output again.png" in told
        and "--seed 7" in told
        and "--strength background=0" in told
    )
    draw_face((144, 112), seed=8)[0].save(pair / "style.png")
    assert (
        main(again) == 2
        and "the style is not the one that the recipe was made with" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "content, extra",
    [
        (None, ["--output-size", "96x48"]),
        (None, ["--content-map", "content_sem.png", "--size", "96"]),
        ("content.png", ["--into", "style", "--size", "96"]),
        ("content.png", ["--into", "content", "--size", "64", "--strength", "only-the-skin,hair=0.5"]),
        ("content.png", ["--method", "gatys", "--size", "64"]),
        ("content.png", ["--parser", "none", "--size", "64"]),
        ("content.png", ["--start-image", "style.png", "--region", "style_sem.png", "--size", "0"]),
    ],
)
def test_a_recipe_of_each_kind_gives_the_same_bytes(
    pair: Path, content: str | None, extra: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing given again but the files. Without a parser too: the maps that lay there are gone in the
    meantime for neither run.
    """
    monkeypatch.chdir(pair)
    if "none" in extra:
        for path in pair.glob("*_sem.png"):
            path.unlink()
    assert call(pair, *extra, content=content) == 0
    files = [word for flag, name in zip(extra, extra[1:]) if name.endswith(".png") for word in (flag, name)]
    given = ["--content", "content.png"] if content else []
    assert (
        main(
            [
                *given,
                "--style",
                "style.png",
                "--output",
                "again.png",
                *files,
                "--recipe",
                "out.png",
                "--device",
                "cpu",
            ]
        )
        == 0
    )
    assert (pair / "again.png").read_bytes() == (pair / "out.png").read_bytes()
    if "--output-size" in extra:
        assert open_picture(pair / "out.png").size == (96, 48)
    if files and content:
        assert (
            main(
                [
                    *given,
                    "--style",
                    "style.png",
                    "--output",
                    "again.png",
                    "--recipe",
                    "out.png",
                    "--device",
                    "cpu",
                ]
            )
            == 2
        )


def test_a_recipe_of_another_version_is_said(pair: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(pair, "--size", "64") == 0
    capsys.readouterr()
    assert (
        call(pair, "--recipe", str(pair / "out.png"), output="again.png") == 0
        and "the recipe was made with" not in capsys.readouterr().err
    )
    monkeypatch.setattr("facetransfer.jobs.recipe.__version__", "9.9")
    assert call(pair, "--recipe", str(pair / "out.png"), output="again.png") == 0
    assert (
        f"note: the recipe was made with facetransfer {__version__}, here 9.9: the result may differ a little"
        in capsys.readouterr().err
    )


def test_a_recipe_says_which_picture_is_missing(pair: Path, capsys) -> None:
    assert call(pair, "--start-image", str(pair / "style.png"), "--size", "64") == 0
    assert call(pair, "--recipe", str(pair / "out.png"), output="again.png") == 2
    assert (
        "the recipe was made with a start, and none is given" in capsys.readouterr().err
        and not (pair / "again.png").exists()
    )


def test_a_doodle_is_measured_against_its_map(pair: Path) -> None:
    assert (
        call(
            pair,
            "--content-map",
            str(pair / "content_sem.png"),
            "--size",
            "96",
            "--report",
            str(pair / "r.json"),
            content=None,
        )
        == 0
    )
    report = json.loads((pair / "r.json").read_text())
    assert (
        0 <= report["layout_iou"] <= 1
        and "--content-map content_sem.png" in report["command"]
        and "--content " not in report["command"]
    )


def test_the_report_s_command_line_makes_the_same_picture(
    pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shlex

    monkeypatch.chdir(pair)
    assert (
        call(
            pair,
            "--start-image",
            "style.png",
            "--region",
            "style_sem.png",
            "--size",
            "64",
            "--report",
            "r.json",
        )
        == 0
    )
    before = (pair / "out.png").read_bytes()
    (pair / "out.png").unlink()
    assert (
        main([*shlex.split(json.loads((pair / "r.json").read_text())["command"])[3:], "--device", "cpu"]) == 0
        and (pair / "out.png").read_bytes() == before
    )


def test_the_recipe_prints_a_command_line_that_means_the_same(pair: Path) -> None:
    import shlex

    from facetransfer.cli.flags import options, settings_from

    settings = TransferSettings(phases=2, style_weight=3.5, turns="turned", style_layers="3_1,4_1")
    words = shlex.split(Recipe(settings, options={"into": "style", "strength": "hair=0"}).command())
    args = options().parse_args(words[3:])
    assert settings_from(args) == settings and args.into == "style" and args.strength == {"hair": 0.0}


@pytest.mark.parametrize(
    "text, words",
    [
        ("no json", "cannot be read"),
        ("[" * 5000, "cannot be read"),
        ("[]", "cannot be read"),
        (json.dumps({"settings": {"exec": "rm"}}), "setting 'exec'"),
        (json.dumps({"settings": {"phases": 99}}), "phases is 99"),
        (json.dumps({"settings": {**asdict(TransferSettings()), "seed": "x"}}), "not a number"),
        ("x" * 30000, "more than the"),
    ],
)
def test_a_spoilt_recipe_is_refused_in_words(pair: Path, capsys, text: str, words: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text(KEY, text)
    Image.new("RGB", (40, 40)).save(pair / "forged.png", pnginfo=info)
    assert (
        call(pair, "--recipe", str(pair / "forged.png")) == 2
        and words in capsys.readouterr().err
        and not (pair / "out.png").exists()
    )


def test_a_picture_without_a_recipe_is_refused(pair: Path, capsys) -> None:
    assert (
        call(pair, "--recipe", str(pair / "style.png")) == 2
        and "carries no recipe" in capsys.readouterr().err
    )


def test_the_report_measures(pair: Path) -> None:
    assert call(pair, "--report", str(pair / "report.json"), "--size", "96") == 0
    report = json.loads((pair / "report.json").read_text())
    assert (
        0 <= report["leak"] <= 1
        and 0 <= report["layout_iou"] <= 1
        and report["style_distance"] > 0
        and report["sharpness"] > 0
    )
    assert report["seconds"] > 0 and "--style style.png" in report["command"]


def test_the_numbers_know_good_from_bad(face, green_face) -> None:
    import torch
    from torch.nn import functional as F

    content, style = to_tensor(face[0]), to_tensor(green_face[0])
    classes = [torch.from_numpy(m.labels.astype(np.int64)) for m in (face[1], green_face[1])]
    assert style_distance(style, style, classes[1], classes[1]) == pytest.approx(0, abs=1e-6)
    twin, semantic = draw_face((128, 128), seed=5, tint=(-110, 20, -60))  # another face in the style's skin
    same = style_distance(
        to_tensor(twin), style, torch.from_numpy(semantic.labels.astype(np.int64)), classes[1]
    )
    assert same < 0.35 * style_distance(content, style, *classes)
    blurred = F.avg_pool2d(style, 5, 1, 2)
    noisy = (style + 0.3 * torch.randn(style.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert sharpness(blurred, style) < 0.6 < 1 == sharpness(style, style) < 1.3 < sharpness(noisy, style)
    assert (
        layout_iou(face[1].labels, face[1].labels, 19)
        == 1
        > 0.8
        > layout_iou(np.roll(face[1].labels, 12, 1), face[1].labels, 19)
    )


def test_the_report_names_lost_parts_and_worn_out_places(face) -> None:
    """Planted: a map without a mouth, a face in other tones and another one, one window for half of all."""
    import torch

    content, (found, labels) = to_tensor(face[0]), (face[1].labels.copy(), face[1].labels)
    lips = [INDEX["u_lip"], INDEX["l_lip"]]
    found[np.isin(found, lips)] = INDEX["skin"]
    parts = {"lips": lips, "skin": [INDEX["skin"]], "glasses": [INDEX["eye_glasses"]]}
    assert lost_parts(found, labels, parts) == ["lips"] and lost_parts(labels, labels, parts) == []

    inside, size = np.isin(labels, FACE_CLASSES), face[1].frame().size
    toned = content * 0.6 + torch.tensor([0.3, 0.1, 0.0]).view(1, 3, 1, 1)
    assert face_likeness(toned, content, inside, size) > 0.98
    assert abs(face_likeness(torch.roll(content, 64, 3), content, inside, size)) < 0.4
    assert face_likeness(torch.full_like(content, 0.5), content, inside, size) == 0

    style = torch.rand((1, 3, 80, 80), generator=torch.Generator().manual_seed(0))
    places = (torch.arange(76) + 2.5) / 80
    each = torch.stack(torch.meshgrid(places, places, indexing="xy"))
    assert overused(each, style) == 0
    half = torch.where(torch.arange(76)[:, None] < 38, each, torch.full_like(each, 0.5))
    assert overused(half, style) == pytest.approx(0.5, abs=0.01)
    assert overused(half, torch.full_like(style, 0.5)) == 0, "repeats of a plain colour are not seen"


def test_a_result_that_lost_the_face_is_not_praised(pair: Path) -> None:
    from facetransfer.ui.components.result import report_words
    from segmentation.parsers import load_parser

    content, style = (
        Face.of(open_picture(pair / f"{n}.png"), parse=load_parser()) for n in ("content", "style")
    )
    job = prepare(content, style, TransferSettings(size=128))
    *_, step = job.steps()
    good = job.report(job.content.picture, step, load_parser())
    assert good["face_found"] and not good["lost"] and good["likeness"] > 0.99
    blank = job.report(Image.new("RGB", job.size, (40, 60, 90)), step, load_parser())
    assert blank["face_found"] is False and "eye" in blank["lost"] and blank["likeness"] == 0
    told = report_words(blank | {"layout_iou": 0.9})
    assert "eye" in told and "well" not in told and "well" in report_words(good | {"layout_iou": 0.9})


@pytest.mark.parametrize("name", ["run.webp", "run.gif", "run.mp4"])
def test_the_run_as_an_animation(pair: Path, name: str) -> None:
    assert (
        call(pair, "--animation", str(pair / name), "--size", "64", "--save-every", "1", "--print-every", "1")
        == 0
    )
    assert {p.name for p in pair.glob("out_*.png")} == {"out_00001.png", "out_00002.png"}
    if name.endswith(".mp4"):
        import cv2

        video = cv2.VideoCapture(str(pair / name))
        assert video.get(cv2.CAP_PROP_FRAME_COUNT) >= 2 and video.get(cv2.CAP_PROP_FRAME_WIDTH) == 64
    else:
        with Image.open(pair / name) as film:
            assert film.n_frames == 2 and film.size == (64, 64)


@pytest.mark.parametrize(
    "extra, words",
    [
        (["--animation", "x.avi"], "no ending of an animation"),
        (["--print-every", "-1"], "print every is -1"),
        (["--report", "none/r.json"], "does not exist"),
        (["--into", "style", "--parser", "none"], None),
        (["--strength", "nose=9"], "strength of nose is 9"),
        (["--noise-low", "200", "--noise-high", "100"], "noise from"),
        (["--style-layers", "9_9"], "style layers is '9_9'"),
    ],
)
def test_wrong_wishes_are_refused_before_any_work(
    pair: Path, capsys, extra: list[str], words: str | None
) -> None:
    if words is None:  # without maps no face is known
        for path in pair.glob("*_sem.png"):
            path.unlink()
        words = "can only be placed into the style picture where a face is known"
    before = set(pair.iterdir())
    assert call(pair, *extra) == 2 and words in capsys.readouterr().err and set(pair.iterdir()) == before


def test_a_map_of_another_shape_is_told_with_the_pictures_name(face) -> None:
    for shape in ((64, 200), (200, 64)):
        with pytest.raises(InputError, match="the map of sitter.png is .* another shape"):
            face_of(face[0], SemanticMap(np.zeros(shape, np.uint8)), Path("sitter.png"), None)


def test_a_weave_is_noticed_and_a_texture_is_none(face) -> None:
    """Planted: columns that alternate by ten levels."""
    picture = to_tensor(face[0])
    woven = picture.clone()
    woven[..., ::2] += 10 / 255
    assert (
        weave(woven) > 3 * weave(picture)
        and weave(picture.mean((2, 3), keepdim=True).expand(-1, -1, 64, 64)) < 1
    )
