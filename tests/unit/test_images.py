"""Pictures of every kind in, and results out without a trace when something goes wrong."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from facetransfer import InputError
from facetransfer.base.images import (
    check_writable,
    fit,
    open_picture,
    save_picture,
    to_image,
    to_tensor,
    with_alpha_of,
)

ROOT = Path(__file__).resolve().parents[2]


def stripes(mode: str = "RGB") -> Image.Image:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30], pixels[:, 30:] = (200, 40, 40), (20, 40, 220)
    return Image.fromarray(pixels).quantize(2) if mode == "P" else Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize(
    "mode, suffix",
    [
        ("RGB", ".png"),
        ("RGB", ".bmp"),
        ("RGB", ".webp"),
        ("RGB", ".jpg"),
        ("CMYK", ".jpg"),
        ("P", ".png"),
        ("P", ".gif"),
        ("RGBA", ".png"),
        ("RGB", ".tiff"),
    ],
)
def test_every_mode_and_format_shows_the_same_picture(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    stripes(mode).save(path)
    assert np.abs(np.asarray(open_picture(path)).astype(int) - np.asarray(stripes())).mean() < 12


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 40 * 60).reshape(40, 60).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.abs(np.asarray(open_picture(tmp_path / "deep.png"))[..., 0] - deep / 257.0).max() <= 1.5


def test_alpha_lies_on_white_and_an_animation_shows_its_first_frame(tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert open_picture(tmp_path / "clear.png").getpixel((5, 5)) == (255, 255, 255)
    frames = [Image.new("RGB", (40, 40), c) for c in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert open_picture(tmp_path / "moving.gif").getpixel((5, 5)) == (255, 0, 0)


def test_exif_turns_the_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    stripes().save(tmp_path / "turned.jpg", exif=exif)
    turned = open_picture(tmp_path / "turned.jpg")
    assert turned.size == (40, 60) and turned.getpixel((20, 5))[0] > 150


def huge_png(path: Path) -> None:
    """A valid header that promises 20000 x 20000 pixels, in a hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b""))
    )


def test_what_is_no_picture_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    stripes().save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:400])
    huge_png(tmp_path / "huge.png")
    before = sorted(p.name for p in tmp_path.iterdir())
    for name, words in (
        ("text.png", "not a picture"),
        ("empty.jpg", "not a picture"),
        ("cut.jpg", "damaged or cut off"),
        ("huge.png", "million pixels|at most 64 million"),
        ("missing.png", "does not exist"),
        (".", "is a folder"),
    ):
        with pytest.raises(InputError, match=words):
            open_picture(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_fit_keeps_the_shape_and_refuses_what_gets_too_narrow() -> None:
    assert fit(Image.new("RGB", (1000, 600)), 500).size == (500, 300)
    assert fit(Image.new("RGB", (1000, 600)), 0).size == (1000, 600)
    for size in ((1, 1), (2000, 40)):
        with pytest.raises(InputError, match="at least 32"):
            fit(Image.new("RGB", size), 0 if size == (1, 1) else 512)


def test_tensor_and_back_is_the_same_picture() -> None:
    assert np.array_equal(np.asarray(to_image(to_tensor(stripes()))), np.asarray(stripes()))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "result.png"
    target.write_bytes(b"old")

    def full(self, file, **options):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(InputError, match="No space left"):
        save_picture(stripes(), target)
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


def test_places_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "none" / "a.png", "does not exist"),
        (tmp_path / "a.xyz", "ending"),
        (tmp_path / "a", "ending"),
        (tmp_path, "ending|folder"),
    ):
        with pytest.raises(InputError, match=words):
            check_writable(path)
    save_picture(stripes(), tmp_path / "a.png")
    assert open_picture(tmp_path / "a.png").size == (60, 40)


def test_a_process_may_know_our_formats_alone() -> None:
    """In a process of its own, since it lasts: PostScript and large pictures are refused to all."""
    code = """
import io
from PIL import Image
from facetransfer.base.images import open_no_other_formats
large, small, other = io.BytesIO(), io.BytesIO(), io.BytesIO()
Image.new("1", (9000, 9000)).save(large, "PNG")
Image.new("L", (8, 8)).save(small, "PNG")
Image.new("RGB", (8, 8)).save(other, "PCX")
open_no_other_formats()
assert Image.open(small).size == (8, 8)
postscript = b"%!PS-Adobe-3.0 EPSF-3.0\\n%%BoundingBox: 0 0 9 9\\nshowpage"
for data in (postscript, other.getvalue(), large.getvalue()):
    try:
        Image.open(io.BytesIO(data))
    except (OSError, Image.DecompressionBombError):
        continue
    raise SystemExit(f"opened {data[:8]}")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True)


def test_pictures_that_take_much_memory_are_refused_whatever_their_file_takes(tmp_path: Path) -> None:
    """Numbers of 32 bits, which a file of 10 kB can hold many of."""
    path = tmp_path / "deep.tif"
    Image.fromarray(np.zeros((7500, 7500), np.float32)).save(path, compression="tiff_deflate")
    assert path.stat().st_size < 1 << 21
    with pytest.raises(InputError, match="MB when it is opened"):
        open_picture(path)


def profile_with_red_and_green_swapped() -> bytes:
    """The sRGB profile, in which the tags of two primaries point to each other's values."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    tags = {bytes(data[i : i + 4]): i for i in range(132, 132 + 12 * count, 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red + 4 : red + 12], data[green + 4 : green + 12] = (
        data[green + 4 : green + 12],
        data[red + 4 : red + 12],
    )
    return bytes(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_profile_says_what_colours_mean(tmp_path: Path, mode: str) -> None:
    picture = Image.new(mode, (40, 40), "red")
    picture.save(tmp_path / "a.png", icc_profile=profile_with_red_and_green_swapped())
    red, green, blue = np.asarray(open_picture(tmp_path / "a.png"))[20, 20]
    assert green > 220 and red < 60 and blue < 60
    picture.save(tmp_path / "b.png", icc_profile=b"no profile")
    assert tuple(np.asarray(open_picture(tmp_path / "b.png"))[20, 20]) == (255, 0, 0)


@pytest.mark.parametrize("ending", ["avif", "heic"])
def test_the_formats_of_phones_are_read(tmp_path: Path, ending: str) -> None:
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, 48:] = 200, 120, 40
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(pixels).save(path, quality=90)
    found = np.asarray(open_picture(path)).astype(int)
    assert found.shape == pixels.shape and np.abs(found[:, 60:] - pixels[:, 60:]).max() < 20


def test_transparency_is_kept_where_the_format_can_and_white_elsewhere(tmp_path) -> None:
    """Planted: the left half of the file is transparent; the result has another size."""
    clear = stripes().convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 30, 40))
    clear.save(tmp_path / "clear.png")
    opened = open_picture(tmp_path / "clear.png")
    result = with_alpha_of(Image.new("RGB", (120, 80), "red"), opened)
    for name, kept in (
        ("a.png", True),
        ("a.webp", True),
        ("a.tif", True),
        ("a.jpg", False),
        ("a.bmp", False),
    ):
        save_picture(result, tmp_path / name)
        with Image.open(tmp_path / name) as file:
            assert (file.mode == "RGBA") == kept, name
            if kept:
                assert [file.getchannel("A").getpixel((x, 40)) for x in (10, 110)] == [0, 255]
        pixels = np.asarray(open_picture(tmp_path / name)).astype(int)
        assert pixels[40, 10].min() > 250 and np.abs(pixels[40, 110] - (255, 0, 0)).max() < 6, name
    save_picture(stripes(), tmp_path / "opaque.png")
    assert with_alpha_of(result.convert("RGB"), open_picture(tmp_path / "opaque.png")).mode == "RGB"


def test_what_is_written_says_that_it_is_srgb(tmp_path) -> None:
    for name in ("a.png", "a.jpg", "a.webp", "a.tif"):
        save_picture(stripes(), tmp_path / name)
        with Image.open(tmp_path / name) as file:
            assert "srgb" in file.info or file.info.get("icc_profile"), name
        first = (tmp_path / name).read_bytes()
        save_picture(stripes(), tmp_path / name)
        assert first == (tmp_path / name).read_bytes()
