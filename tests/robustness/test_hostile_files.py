"""Hostile files, values and names through the Python API: refused in words or read, never a fault, and
nothing is left behind.
"""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from PIL import Image

from facetransfer import InputError, TransferSettings, open_picture
from facetransfer.base.images import MAX_PIXELS, WORKED_PIXELS, check_writable, fit, save_picture
from facetransfer.base.settings import all_settings
from facetransfer.base.weights import published_weights
from facetransfer.jobs.class_weights import checked_strengths
from facetransfer.jobs.recipe import Recipe, read_recipe
from segmentation import map_files
from segmentation.classes import INDEX
from segmentation.correction import Correction
from segmentation.map_files import from_colours, map_path, own_colours, read_map, read_map_pair
from segmentation.semantic_map import SemanticMap
from tests.support import hostile
from tests.support.figures import FIGURES

LONGEST_WORDS = 1200  # characters that an error has at most
QUICK = profile(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
)


def resident() -> float:
    """Megabytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def in_words(error: InputError) -> None:
    """What every refusal owes: words, of a length that a toast holds, without a trace of the machinery."""
    words = str(error)
    assert (
        len(words) > 10
        and len(words) < LONGEST_WORDS
        and ":" in words
        and "Traceback" not in words
        and "object at 0x" not in words
    )


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all hostile pictures."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, data in hostile.pictures():
        (folder / f"{name}.png").write_bytes(data)
    return folder


def test_every_spoilt_picture_is_refused_in_words_or_read(spoilt: Path) -> None:
    before, refused = sorted(p.name for p in spoilt.iterdir()), 0
    assert len(before) > 180
    open_picture(spoilt / "mode-P.png")  # whatever a first picture loads is loaded
    memory = resident()
    for path in sorted(spoilt.iterdir()):
        try:
            picture = open_picture(path)
        except InputError as error:
            in_words(error)
            assert path.name in str(error)
            refused += 1
        else:
            assert (
                picture.mode == "RGB"
                and 0 < picture.width * picture.height <= MAX_PIXELS
                and np.asarray(picture).shape == (*picture.size[::-1], 3)
            ), path.name
            assert not path.name.startswith(hostile.SURELY_BAD), path.name
    assert refused > 110 and sorted(p.name for p in spoilt.iterdir()) == before
    assert resident() - memory < 100, "memory does not come back"
    assert open_picture(spoilt / "mode-RGBA.png").size == (hostile.SIDE, hostile.SIDE)
    FIGURES["hostile files through the Python API"] += len(before)
    FIGURES["hostile files through the Python API, refused"] += refused


def test_names_of_any_letters_are_read_and_written(tmp_path: Path) -> None:
    good, bad = hostile.png(), b"no picture"
    for name in hostile.NAMES:
        path = tmp_path / name
        path.write_bytes(good)
        assert open_picture(path).size == (hostile.SIDE, hostile.SIDE)
        save_picture(open_picture(path), path)
        path.write_bytes(bad)
        with pytest.raises(InputError, match="not a picture") as error:
            open_picture(path)
        in_words(error.value)
        path.unlink()
    assert not list(tmp_path.iterdir())
    FIGURES["strange names of files"] += len(hostile.NAMES)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe or a device would be waited for, or read, for ever."""
    cases = hostile.paths(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    for name, path in cases:
        with pytest.raises(InputError) as error:
            open_picture(path)
        in_words(error.value)
        for wrong in (read_map, read_recipe):
            with pytest.raises(InputError):
                wrong(path)
        if not str(name).endswith(("missing.png", "x.png", "AAAA", "dangling.png", "pipe.png", "socket.png")):
            with pytest.raises(InputError) as error:
                check_writable(path)
            in_words(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    for name in ("", ".", "/"):
        with pytest.raises(InputError, match="is a folder"):
            map_path(name)
    FIGURES["paths that are no file"] += len(cases)


def test_a_link_leads_to_its_picture_and_a_result_goes_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(hostile.png())
    (tmp_path / "link.png").symlink_to("real.png")
    save_picture(open_picture(tmp_path / "link.png").convert("L"), tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink() and (tmp_path / "real.png").read_bytes() != hostile.png()
    assert open_picture(tmp_path / "real.png").size == open_picture(tmp_path / "link.png").size


def test_every_wrong_map_is_refused_in_words_or_read(tmp_path: Path) -> None:
    cases, refused = hostile.maps((48, 40)), 0
    for name, data in cases:
        (tmp_path / f"{name}.png").write_bytes(data)
    good = tmp_path / "good.png"
    Image.fromarray(np.zeros((40, 48), np.uint8)).save(good)
    for name, _ in cases:
        for read in (
            read_map,
            lambda path: read_map_pair(path, path)[0],
            lambda path: read_map_pair(good, path)[1],
        ):
            try:
                semantic = read(tmp_path / f"{name}.png")
            except InputError as error:
                in_words(error)
                refused += 1
            else:
                assert isinstance(semantic, SemanticMap) and semantic.labels.max() < (
                    19 if semantic.is_face else len(semantic.colours)
                )
    assert refused > len(cases)
    FIGURES["wrong maps, each read in three ways"] += len(cases)


def test_a_map_of_millions_of_colours_needs_little_memory() -> None:
    """Every pixel another colour: a table of all their distances would take gigabytes."""
    import resource

    codes = np.arange(1000 * 1000, dtype=np.uint32)
    rgb = np.stack((codes >> 16, codes >> 8, codes), 1).astype(np.uint8).reshape(1000, 1000, 3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    semantic, near = from_colours(rgb)
    with pytest.raises(InputError, match="no two clearly different"):
        own_colours([rgb[:300, :300] * 0])
    assert (
        semantic.size == (1000, 1000)
        and near < 0.9
        and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before < 400
    )


def test_texts_that_pretend_to_be_recipes_are_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in them is run, and no path is followed."""
    ran: list[object] = []
    monkeypatch.setattr(os, "system", ran.append)
    files = hostile.recipe_files()
    for name, data in files:
        (tmp_path / f"{name}.png").write_bytes(data)
        with pytest.raises(InputError) as error:
            found = read_recipe(tmp_path / f"{name}.png")
            assert found.settings == TransferSettings(), (
                name
            )  # what is right in it may stand: an empty recipe is the defaults
            raise InputError("an empty recipe: nothing to refuse")
        in_words(error.value)
    assert not ran
    for _, options in hostile.wrong_options():
        recipe = Recipe(TransferSettings(), options=options)
        assert "/" not in Recipe.from_json(recipe.to_json()).command().replace("/etc", "")
    FIGURES["texts that pretend to be recipes"] += len(files)


def test_every_setting_refuses_every_kind_of_junk() -> None:
    tried = 0
    for s in all_settings():
        for junk in hostile.JUNK:
            tried += 1
            try:
                settings = TransferSettings(**{s.name: junk})
            except InputError as error:
                in_words(error)
                assert s.label.lower() in str(error) or "noise" in str(error)
            else:  # a number in range
                assert s.minimum <= getattr(settings, s.name) <= s.maximum
    for junk in hostile.JUNK:
        if not (type(junk) in (int, float) and 0 <= junk <= 2):
            with pytest.raises(InputError):
                checked_strengths({"skin": junk} if junk is not True else {"tail": 1})
    FIGURES["junk in settings"] += tried


numbers = st.one_of(
    st.floats(),
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.booleans(),
    st.text(max_size=20),
    st.none(),
    st.binary(max_size=5),
)


@QUICK
@given(st.dictionaries(st.sampled_from([s.name for s in all_settings()]), numbers, max_size=6))
def test_settings_are_right_or_refused(given_values: dict[str, object]) -> None:
    """Whatever is given: an InputError, or settings within their ranges that come back from their recipe as
    they are.
    """
    try:
        settings = TransferSettings(**given_values)
    except InputError as error:
        in_words(error)
        return
    for s in all_settings():
        value = getattr(settings, s.name)
        assert s.choices or (math.isfinite(value) and s.minimum <= value <= s.maximum)
    assert Recipe.from_json(Recipe(settings).to_json()).settings == settings


@QUICK
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=10)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "settings",
                        "inputs",
                        "options",
                        "versions",
                        "seed",
                        "size",
                        "method",
                        "into",
                        "strength",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_recipe_or_refused(data: object) -> None:
    import json

    try:
        recipe = Recipe.from_json(json.dumps(data))
    except InputError as error:
        in_words(error)
    else:
        assert Recipe.from_json(recipe.to_json()).settings == recipe.settings and all(
            type(v) in (str, int, float, bool, list) for v in recipe.options.values()
        )


@QUICK
@given(
    st.one_of(
        st.text(max_size=60),
        st.integers(),
        st.none(),
        st.from_regex(r"\A[0-9]{1,5}x[0-9]{1,5}( [0-9]{1,4}\*[0-9]{1,9}){1,5}\Z"),
    )
)
def test_any_text_is_a_layer_or_refused(text: object) -> None:
    try:
        layer = Correction.from_text(text)
    except InputError as error:
        in_words(error)
    else:
        assert layer.to_text() and Correction.from_text(layer.to_text()).size == layer.size


@QUICK
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([2, 8, 256]))
def test_any_colours_are_a_map_of_their_size(width: int, height: int, seed: int, levels: int) -> None:
    rgb = (
        np.random.default_rng(seed).integers(0, levels, (height, width, 3)) * (255 // (levels - 1))
    ).astype(np.uint8)
    semantic, near = from_colours(rgb)
    assert (
        semantic.size == (width, height)
        and 0 <= near <= 1
        and semantic.mirrored().mirrored().labels.tolist() == semantic.labels.tolist()
    )
    again, certain = from_colours(semantic.rgb())
    assert certain == 1 and np.array_equal(again.labels, semantic.labels)
    frame = semantic.frame()
    assert frame is None or all(map(math.isfinite, (frame.x, frame.y, frame.size, frame.tilt, frame.turn)))


def test_readers_hold_against_a_fuzzer(tmp_path: Path) -> None:
    """Bytes changed, cut, doubled and moved in pictures, maps, recipes and weights: words or a reading,
    nothing else.
    """
    weights = tmp_path / "w.pth"
    torch.save({"a.weight": torch.zeros(4, 3), "b": torch.arange(5.0)}, weights)
    starts = [
        (open_picture, hostile.saved(hostile.noise(), kind))
        for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM")
    ]
    starts += [
        (read_recipe, hostile.with_recipe(Recipe(TransferSettings()).to_json(), packed))
        for packed in (False, True)
    ]
    starts += [(read_map, dict(hostile.maps((48, 40)))["halves"]), (published_weights, weights.read_bytes())]
    refused = tried = 0
    random = Random(7)
    for read, whole in starts:
        for _ in range(60):
            data = bytearray(whole)
            for _ in range(random.randrange(1, 5)):
                at, n = random.randrange(len(data)), random.randrange(1, 40)
                match random.randrange(5):
                    case 0:
                        data[at] ^= 1 << random.randrange(8)
                    case 1:
                        data[at : at + n] = random.randbytes(n)
                    case 2:
                        del data[at : at + n]
                    case 3:
                        data[at:at] = data[max(0, at - n) : at]
                    case 4:
                        data[at : at + 4] = random.choice(
                            (
                                b"\xff\xff\xff\xff",
                                b"\x00\x00\x00\x00",
                                b"\x7f\xff\xff\xff",
                                b"\x80\x00\x00\x00",
                            )
                        )
                data = data or bytearray(b"\x00")
            (tmp_path / "fuzzed").write_bytes(data)
            tried += 1
            try:
                read(tmp_path / "fuzzed")
            except InputError as error:
                in_words(error)
                refused += 1
    assert refused > tried / 3
    FIGURES["files of the fuzzer"] += tried


def test_weights_that_would_run_something_are_refused(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"a": torch.zeros(1), "b": Runs()}, tmp_path / "evil.pth")
    (tmp_path / "pickle.pth").write_bytes(__import__("pickle").dumps(Runs()))
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    torch.save({"a": 5}, tmp_path / "number.pth")
    for name in ("evil", "pickle", "list", "number"):
        with pytest.raises(InputError, match="cannot be read as weights"):
            published_weights(tmp_path / f"{name}.pth")
    assert not (tmp_path / "ran").exists()


def test_as_large_as_the_content_has_a_limit() -> None:
    """Size 0 and a photo of 60 million pixels would need a hundred gigabytes."""
    side = int(WORKED_PIXELS**0.5)
    assert fit(Image.new("L", (side, side)), 0).size == (side, side)
    with pytest.raises(
        InputError,
        match="8000x7000 pixels are more than .* give a size",
    ):
        fit(Image.new("L", (8000, 7000)), 0)


def test_pillow_s_remarks_are_not_for_people(spoilt: Path) -> None:
    """On the command line a spoilt file is one line: Pillow's warnings are silent under Python's
    own filters.
    """
    import subprocess
    import sys

    code = (
        "import sys; from facetransfer import open_picture, InputError\nfor p in sys.argv[1:]:\n    try: "
        "open_picture(p)\n    except InputError: pass"
    )
    names = [
        str(spoilt / f"{n}.png")
        for n in (
            "bomb-png-20000x20000",
            "bomb-png-8001x8001",
            "exif-garbage",
            "exif-short",
            "tiff-cycle",
            "bomb-tiff",
            "mode-P",
        )
    ]
    told = subprocess.run(
        [sys.executable, "-c", code, *names],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        check=True,
    )
    assert told.stderr == "" and told.stdout == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError):
            open_picture(spoilt / "bomb-png-8001x8001.png")


def test_a_large_picture_that_is_no_map_is_refused_at_a_glimpse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four million pixels are judged by one; a map of that size is read whole."""
    seen: list[int] = []
    whole = map_files.best_reading

    def judged(rgb: np.ndarray) -> tuple[SemanticMap, float, str]:
        seen.append(rgb.shape[0] * rgb.shape[1])
        return whole(rgb)

    monkeypatch.setattr(map_files, "best_reading", judged)
    hostile.noise(size=(2000, 2000)).save(tmp_path / "photo.png", compress_level=0)
    with pytest.raises(InputError, match="is not painted in the colours of the classes"):
        map_files.read_map(tmp_path / "photo.png")
    assert seen == [1_000_000]
    labels = np.full((2000, 2000), INDEX["skin"], np.uint8)
    labels[:1000] = INDEX["hair"]
    SemanticMap(labels).save(tmp_path / "map.png")
    assert np.array_equal(map_files.read_map(tmp_path / "map.png").labels, labels)
    assert seen == [1_000_000, 1_000_000, 4_000_000]
