"""Hostile inputs, made from a seed: pictures, maps, recipes, names, paths, settings, flags and requests that
nobody should send.

A case is a name and what it is. What a reader may do with it: refuse it with an `InputError`, or, where a
spoilt file can still be made out, read it. Nothing else.
"""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import socket
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from facetransfer.base.images import FORMATS
from facetransfer.jobs.recipe import KEY
from segmentation.classes import PALETTE

SIDE = 48  # pixels of the good pictures that bad ones are made of
BIG = 10**400  # an integer beyond any float
JUNK: tuple[Any, ...] = (
    math.nan,
    math.inf,
    -math.inf,
    -1,
    -1e-9,
    1e300,
    BIG,
    -BIG,
    2.5,
    "",
    "many",
    "1e999",
    "\x00",
    "x" * 10_000,
    None,
    True,
    [],
    {},
    [1],
    ("a",),
    b"1",
    object(),
)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    *chunks: bytes,
    size: tuple[int, int] = (SIDE, SIDE),
    depth: int = 8,
    kind: int = 2,
    pixels: bytes | None = None,
) -> bytes:
    """A PNG with these chunks before its pixels, which are gray unless given."""
    width, height = size
    if pixels is None:
        pixels = zlib.compress((b"\x00" + b"\x7f" * width * 3) * height)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
        + b"".join(chunks)
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def noise(mode: str = "RGB", size: tuple[int, int] = (SIDE, SIDE), seed: int = 0) -> Image.Image:
    """Noise under a plain upper half: where all of a picture is noise, the parser looks for a face in every
    direction, which takes four times as long.
    """
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    pixels[: size[1] // 2] = 127
    return Image.fromarray(pixels).convert(mode)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def other_formats() -> Iterator[tuple[str, bytes]]:
    """The picture in every format that this Pillow writes and the program does not take."""
    Image.init()
    for kind in sorted(
        set(Image.SAVE) - set(FORMATS) - {"MPO"}
    ):  # an MPO begins as a JPEG, and is read as one
        for mode in ("RGB", "L", "1", "P"):
            try:
                data = saved(noise(mode, (64, 64)), kind)
            except Exception:  # no writer for this mode, or none at all in this build
                continue
            if data:
                yield f"other-{kind}", data
                break


def truncated(random: Random) -> Iterator[tuple[str, bytes]]:
    """Each format that is taken, cut off at random."""
    for kind in FORMATS:
        data = saved(noise(), kind)
        for i in range(5):
            yield f"cut-{kind}-{i}", data[: random.randrange(4, int(len(data) * 0.9))]


def flipped(random: Random) -> Iterator[tuple[str, bytes]]:
    """Each format that is taken with some bytes changed, half of them near its beginning."""
    for kind in FORMATS:
        whole = saved(noise(), kind)
        for i in range(5):
            data = bytearray(whole)
            for _ in range(random.randrange(1, 12)):
                data[random.randrange(min(len(data), 64 if i % 2 else len(data)))] = random.randrange(256)
            yield f"changed-{kind}-{i}", bytes(data)


def bombs() -> Iterator[tuple[str, bytes]]:
    """A few bytes that promise, or unpack to, far too much."""
    for width, height in (
        (20000, 20000),
        (8001, 8001),
        (2**31 - 1, 2**31 - 1),
        (2**31 - 1, 1),
        (1, 100_000_000),
        (0, 0),
        (0, 5),
        (2**32 - 1, 32),
    ):
        yield f"bomb-png-{width}x{height}", png(size=(width, height), pixels=zlib.compress(b"\x00" * 100_000))
    yield "unpacks-pixels", png(size=(64, 64), pixels=zlib.compress(b"\x00" * 8_000_000, 9))
    bmp = bytearray(saved(noise(), "BMP"))
    for name, width, height in (("large", 30000, 30000), ("negative", -40, -40), ("zero", 0, 0)):
        yield f"bomb-bmp-{name}", bytes(bmp[:18] + struct.pack("<ii", width, height) + bmp[26:])
    gif = bytearray(saved(noise("P"), "GIF"))
    yield "bomb-gif", bytes(gif[:6] + struct.pack("<HH", 65535, 65535) + gif[10:])
    yield "bomb-ppm", b"P6 60000 60000 255\n" + b"\x00" * 1000
    yield "bomb-ppm-digits", b"P6 " + b"9" * 5000 + b" 1 255\n"
    jpeg = bytearray(saved(noise(), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    yield "bomb-jpeg", bytes(jpeg[:at] + struct.pack(">HH", 65500, 65500) + jpeg[at + 4 :])
    webp = saved(noise(), "WEBP", lossless=True)
    yield "bomb-webp", webp[:21] + b"\xff\xff\xff\x0f" + webp[25:]
    yield "bomb-tiff", tiff({256: 50000, 257: 50000})
    yield "bomb-tiff-strips", tiff({256: 40, 257: 40, 278: 2**32 - 1, 273: 2**32 - 8})
    yield "unpacks-zlib-text", png(chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(b"a" * 8_000_000, 9)))
    yield (
        "unpacks-international-text",
        png(chunk(b"iTXt", b"Comment\x00\x01\x00\x00\x00" + zlib.compress(b"b" * 8_000_000, 9))),
    )
    yield "unpacks-profile", png(chunk(b"iCCP", b"icc\x00\x00" + zlib.compress(b"c" * 8_000_000, 9)))
    yield "many-texts", png(*(chunk(b"tEXt", b"k%d\x00" % i + b"v" * 500) for i in range(4000)))


def tiff(tags: dict[int, int], following: int = 0) -> bytes:
    """A TIFF whose only picture has these tags, and where the next one is said to be."""
    body = (
        struct.pack("<H", len(tags))
        + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
        + struct.pack("<I", following)
    )
    return b"II*\x00" + struct.pack("<I", 8) + body


def lies() -> Iterator[tuple[str, bytes]]:
    """Metadata that is wrong, cyclic or endless around pixels that are right."""
    for value in (0, 9, 99, 65535):
        exif = Image.Exif()
        exif[274] = value
        yield f"exif-orientation-{value}", saved(noise(), "JPEG", exif=exif)
    text = b"II*\x00" + struct.pack("<IHHHI4sI", 8, 1, 274, 2, 3, b"up\x00\x00", 0)
    yield "exif-orientation-text", saved(noise(), "JPEG", exif=b"Exif\x00\x00" + text)
    for name, data in (
        ("garbage", b"Exif\x00\x00" + b"\xff" * 200),
        ("short", b"Exif\x00\x00II"),
        ("cycle", b"Exif\x00\x00" + tiff({274: 6}, 8)),
        ("far", b"Exif\x00\x00II*\x00" + struct.pack("<I", 2**31)),
        ("large", b"Exif\x00\x00" + tiff({274: 1}) + b"\x00" * 60_000),
    ):
        yield f"exif-{name}", saved(noise(), "JPEG", exif=data)
        yield f"exif-{name}-png", png(chunk(b"eXIf", data[6:]))
    whole = saved(noise(), "TIFF")
    at = struct.unpack("<I", whole[4:8])[0]
    count = struct.unpack("<H", whole[at : at + 2])[0]
    yield "tiff-cycle", whole[: at + 2 + 12 * count] + struct.pack("<I", at) + whole[at + 6 + 12 * count :]
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[270] = "d" * 100_000
    yield "tiff-description", saved(noise(), "TIFF", tiffinfo=info)
    yield "png-profile-garbage", png(chunk(b"iCCP", b"icc\x00\x00" + zlib.compress(b"no profile")))
    yield "png-palette-missing", png(kind=3, pixels=zlib.compress((b"\x00" + b"\x05" * SIDE) * SIDE))
    yield "png-transparency-garbage", png(chunk(b"tRNS", b"\x01"))
    yield "png-second-header", png(chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)))
    yield "png-wrong-sum", png().replace(b"IDAT", b"IDAT", 1)[:-20] + b"\x00" * 20
    yield "png-depth-3", png(depth=3)
    yield "png-colour-9", png(kind=9)
    yield "png-animation-endless", png(chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)))
    yield "png-and-zip", png() + zipped()
    yield (
        "gif-many-frames",
        saved(
            noise("P"),
            "GIF",
            save_all=True,
            append_images=[noise("P", seed=i) for i in range(1, 60)],
            duration=0,
        ),
    )
    yield "gif-no-frame", b"GIF89a" + struct.pack("<HHBBB", 40, 40, 0, 0, 0) + b";"


def odd_pixels() -> Iterator[tuple[str, bytes]]:
    """Modes and values of pixels that are rare, and not wrong."""
    values = np.random.default_rng(0).normal(0, 1e30, (SIDE, SIDE)).astype(np.float32)
    values[:4], values[4:8], values[8:12] = np.nan, np.inf, -np.inf
    yield "floats-nan-inf", saved(Image.fromarray(values), "TIFF")
    yield "floats-all-nan", saved(Image.fromarray(np.full((SIDE, SIDE), np.nan, np.float32)), "TIFF")
    yield "integers", saved(Image.fromarray(np.full((SIDE, SIDE), -(2**31), np.int32)), "TIFF")
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB"):
        yield (
            f"mode-{mode}",
            saved(
                noise("RGB").convert("RGBA" if mode == "RGBA" else "RGB") if mode == "LAB" else noise(mode),
                "TIFF",
            ),
        )
    for size in ((1, 1), (1, 500), (500, 1), (31, 31), (3000, 1)):
        yield f"size-{size[0]}x{size[1]}", saved(noise(size=size), "PNG")


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../outside.txt", "outside")
    return file.getvalue()


def pretenders() -> Iterator[tuple[str, bytes]]:
    """What is no picture at all."""
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><script>alert(1)</script>'
        b'<image href="file:///etc/passwd"/></svg>'
    )
    for name, data in (
        ("empty", b""),
        ("byte", b"\x89"),
        ("zeros", b"\x00" * 5000),
        ("text", "kein Bild ☃".encode()),
        ("svg", svg),
        ("html", b"<script>alert(1)</script>"),
        ("pickle", pickle.dumps({"a": 1})),
        ("zip", zipped()),
        ("json", b'{"path": "/etc/passwd"}'),
        ("script", b"#!/bin/sh\nrm -rf /\n"),
        ("elf", b"\x7fELF" + b"\x00" * 100),
        ("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(/etc/passwd) (r) file\n%%EOF"),
        ("pdf", b"%PDF-1.4\n%%EOF"),
        ("xml-bomb", b'<!DOCTYPE a [<!ENTITY b "x">]>' + b"<a>&b;</a>" * 50),
        ("fits", b"SIMPLE  =" + b" " * 3000),
    ):
        yield f"no-{name}", data
    for name, magic in (
        ("png", b"\x89PNG\r\n\x1a\n"),
        ("jpeg", b"\xff\xd8\xff\xe0"),
        ("gif", b"GIF89a"),
        ("bmp", b"BM"),
        ("tiff", b"II*\x00"),
        ("tiff-big", b"MM\x00+"),
        ("webp", b"RIFF\x00\x00\x00\x00WEBP"),
        ("ppm", b"P6"),
    ):
        yield f"magic-{name}", magic
        yield f"magic-{name}-noise", magic + bytes(Random(name).randrange(256) for _ in range(300))


def pictures(seed: int = 0) -> list[tuple[str, bytes]]:
    """All of these files, by name."""
    random = Random(seed)
    return [
        *other_formats(),
        *truncated(random),
        *flipped(random),
        *bombs(),
        *lies(),
        *odd_pixels(),
        *pretenders(),
    ]


SURELY_BAD = (
    "other-",
    "no-",
    "bomb-",
    "magic-",
)  # beginnings of names of what no reader may take for a picture

NAMES = (
    "new\nline.png",
    "tab\there.png",
    "\x1b[31mred.png",
    "emoji 🎭.png",
    "שלום.png",
    "\u202egnp.exe.png",
    "quote'\".png",
    "; rm -rf ~ ;.png",
    "$(reboot).png",
    "`id`.png",
    "-rf.png",
    "--help.png",
    "a" * 251 + ".png",
    "space .png",
    "dot..png",
    "..png",
    "%2e%2e%2f.png",
    "<img src=x onerror=alert(1)>.png",
    "{0}.png",
    "%s%n.png",
    "\\back\\slash.png",
    "CON.png",
    "not utf-8 \udcff.png",
    "NAME_sem.png",
    "\u00e9.png",
    "e\u0301.png",
)


def paths(folder: Path) -> list[tuple[str, Path | str]]:
    """Names that are no picture: nothing there, or no file."""
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "dangling.png").symlink_to("nowhere.png")
    (folder / "a folder.png").mkdir()
    (folder / "to a folder.png").symlink_to("a folder.png")
    (folder / "text").write_text("text")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket.png"))
    names = (
        "pipe.png",
        "loop.png",
        "dangling.png",
        "a folder.png",
        "to a folder.png",
        "socket.png",
        "text/inside.png",
        "missing.png",
        "n" * 300 + ".png",
        "../missing/../x.png",
    )
    return [
        *((name, folder / name) for name in names),
        *(
            (name, name)
            for name in (
                "",
                ".",
                "..",
                "/",
                "~",
                "//",
                "/dev/null",
                "/dev/zero",
                "/dev/stdin",
                "/proc/self/mem",
                "/" + "d/" * 2500,
                "nul\x00.png",
                "http://127.0.0.1/x.png",
                "file:///etc/passwd",
                "data:image/png;base64,AAAA",
            )
        ),
    ]


def maps(size: tuple[int, int]) -> list[tuple[str, bytes]]:
    """Files that are pictures, of (width, height) or not, and no map."""
    width, height = size
    rows = np.arange(height, dtype=np.uint16)[:, None] + np.zeros(width, np.uint16)
    numbers = (rows % 19).astype(np.uint8)
    ramp = np.stack([np.linspace(0, 255, width, dtype=np.uint8)[None].repeat(height, 0)] * 3, 2)
    right = Image.fromarray(PALETTE[numbers])
    return [
        ("noise", saved(noise(size=size), "PNG")),
        ("ramp", saved(Image.fromarray(ramp), "PNG")),
        ("white", saved(Image.new("RGB", size, "white"), "PNG")),
        ("numbers", saved(Image.fromarray(numbers), "PNG")),
        ("numbers-16", saved(Image.fromarray(rows * 3000), "PNG")),
        ("clear", saved(Image.new("RGBA", size, (0, 0, 0, 0)), "PNG")),
        ("wide", saved(right.resize((width * 3, height)), "PNG")),
        ("dot", saved(right.resize((1, 1)), "PNG")),
        ("line", saved(right.resize((400, 1)), "PNG")),
        ("lossy", saved(noise(size=size), "JPEG", quality=1)),
        (
            "foreign",
            saved(
                Image.fromarray(
                    np.roll(PALETTE[numbers].astype(np.int16) + 60, 1, 2).clip(0, 255).astype(np.uint8)
                ),
                "PNG",
            ),
        ),
        (
            "halves",
            saved(
                Image.fromarray(np.where(rows[..., None] % 2, PALETTE[numbers], 255 - PALETTE[numbers])),
                "PNG",
            ),
        ),
        ("cut", saved(right, "PNG")[:60]),
        ("text", b"no map"),
        ("bits", saved(right.convert("1"), "PNG")),
        ("indices", palette_beyond(size)),
    ]


def palette_beyond(size: tuple[int, int]) -> bytes:
    """A palette picture whose indices go beyond its palette's colours."""
    return png(
        chunk(b"PLTE", b"\x10\x20\x30" * 2),
        size=size,
        kind=3,
        pixels=zlib.compress((b"\x00" + b"\xc8" * size[0]) * size[1]),
    )


def recipes() -> list[tuple[str, str]]:
    """Texts that pretend to be a recipe."""

    def settings(**given: Any) -> str:
        return json.dumps({"settings": given})

    wrong = [
        ("number", settings(size="big")),
        ("nan", settings(style_weight=math.nan)),
        ("infinite", settings(size=math.inf)),
        ("far", settings(iterations=10**9)),
        ("true", settings(seed=True)),
        ("none", settings(seed=None)),
        ("list", settings(phases=[3])),
        ("object", settings(phases={"a": 1})),
        ("dunder", settings(__class__="os.system")),
        ("code", settings(method="__import__('os').system('id')")),
        ("path", settings(network="../../x")),
        ("unknown", settings(nothing=1)),
        ("digits", '{"settings": {"seed": ' + "9" * 15_000 + "}}"),
        ("exponent", '{"settings": {"size": 1e400}}'),
        ("layers", settings(style_layers="1_1,1_1")),
        ("layer-list", settings(style_layers=["1_1"])),
        ("both-zero", settings(content_weight=0, style_weight=0)),
        ("settings-list", '{"settings": []}'),
        ("inputs-text", '{"inputs": "x"}'),
        ("options-null", '{"options": null}'),
    ]
    texts = [
        ("empty", ""),
        ("space", "  "),
        ("word", "recipe"),
        ("null", "null"),
        ("array", "[]"),
        ("string", '"x"'),
        ("deep", "[" * 9_000),
        ("deep-object", '{"a":' * 3_000),
        ("long", "{" + " " * 30_000 + "}"),
        ("open", '{"settings": {'),
        ("yaml", "!!python/object/apply:os.system [id]"),
        ("pickle", "cos\nsystem\n(S'id'\ntR."),
        ("bom", "﻿[]"),
        ("nul", "\x00"),
    ]
    return [*texts, *wrong]


def wrong_options() -> list[tuple[str, dict[str, Any]]]:
    """Options in a recipe that is otherwise right, which the command line takes over."""
    return [
        ("into-path", {"into": "/etc"}),
        ("into-number", {"into": 3}),
        ("into-list", {"into": ["style"]}),
        ("strength-text", {"strength": "much"}),
        ("strength-nan", {"strength": "skin=nan"}),
        ("strength-far", {"strength": "skin=9"}),
        ("strength-class", {"strength": "tail=1"}),
        ("strength-list", {"strength": ["skin=1"]}),
        ("strength-number", {"strength": 1.5}),
        ("strength-equals", {"strength": "skin==1=,"}),
        ("face-text", {"face": "x"}),
        ("face-list", {"face": ["2"]}),
        ("size-text", {"output_size": "much"}),
    ]


def with_recipe(text: str, packed: bool = False) -> bytes:
    """A PNG that carries the text where a recipe would be."""
    info = PngImagePlugin.PngInfo()
    info.add_text(KEY, text, zip=packed)
    return saved(noise(), "PNG", pnginfo=info)


def recipe_files() -> list[tuple[str, bytes]]:
    """Files without a usable recipe."""
    return [
        *((name, with_recipe(text, len(text) % 2 == 0)) for name, text in recipes()),
        ("bomb", png(chunk(b"zTXt", KEY.encode() + b"\x00\x00" + zlib.compress(b"{" * 8_000_000, 9)))),
        ("latin", png(chunk(b"tEXt", KEY.encode() + b"\x00\xff\xfe\xfd"))),
        ("no text", png()),
        ("jpeg", saved(noise(), "JPEG", comment=b'{"settings": {}}')),
        ("no picture", b'{"settings": {}}'),
        ("binary", png(chunk(b"iTXt", KEY.encode() + b"\x00\x01\x07\x00\x00" + b"junk"))),
    ]


def flags(folder: Path) -> list[tuple[str, list[str]]]:
    """Arguments that are added to a right call of `python -m facetransfer`, and make it wrong. `folder` has
    a.png and b.png.
    """
    there = str(folder)
    cases = [
        ["--size", "-5"],
        ["--size", "1e3"],
        ["--size", "9999999999999999999999"],
        ["--size", "nan"],
        ["--style-weight", "inf"],
        ["--style-weight", "-inf"],
        ["--content-weight", "nan"],
        ["--content-weight", "١٢x"],
        ["--phases", "0"],
        ["--phases", "7"],
        ["--iterations", "2001"],
        ["--seed", "-1"],
        ["--seed", str(2**31)],
        ["--memory", "1"],
        ["--memory", "99999999"],
        ["--noise-low", "200", "--noise-high", "100"],
        ["--content-weight", "0", "--style-weight", "0"],
        ["--method", "magic"],
        ["--style-layers", ""],
        ["--style-layers", "1_1,1_1"],
        ["--style-layers", "9_9"],
        ["--content-layer", "x"],
        ["--network", "../x"],
        ["--network", "alexnet"],
        ["--preset", "None"],
        ["--turns", "all"],
        ["--device", "gpu99"],
        ["--device", ""],
        ["--device", "cuda:-1"],
        ["--device", "cpu;id"],
        ["--parser", "../../x"],
        ["--parser", "compact", "--parser-file", f"{there}/a.png"],
        ["--parser", "bisenet", "--parser-file", f"{there}/a.png"],
        ["--parser", "bisenet", "--parser-file", there],
        ["--parser", "bisenet", "--parser-file", f"{there}/none.pth"],
        ["--face", "0"],
        ["--face", "-1"],
        ["--face", "999", "--parser", "compact"],
        ["--face", "x"],
        ["--strength", "tail=1"],
        ["--strength", "skin=3"],
        ["--strength", "skin=nan"],
        ["--strength", "skin"],
        ["--strength", "=1"],
        ["--strength", ","],
        ["--into", "../x"],
        ["--into", "style"],
        ["--print-every", "-1"],
        ["--save-every", "-2"],
        ["--save-every", "x"],
        ["--animation", f"{there}/x.png"],
        ["--animation", f"{there}/none/x.webp"],
        ["--animation", f"{there}/folder.webp"],
        ["--report", f"{there}/none/r.json"],
        ["--report", there],
        ["--report", f"{there}/{'r' * 300}.json"],
        ["--animation", f"{there}/c.webp", "--report", f"{there}/c.webp"],
        ["--region", f"{there}/none.png"],
        ["--region", there],
        ["--region", f"{there}/text.txt"],
        ["--start-image", f"{there}/none.png"],
        ["--start-image", f"{there}/text.txt"],
        ["--recipe", f"{there}/a.png"],
        ["--recipe", f"{there}/text.txt"],
        ["--recipe", there],
        ["--content-map", f"{there}/a.png"],
        ["--content-map", f"{there}/none.png"],
        ["--style-map", there],
        ["--style-map", f"{there}/text.txt"],
        ["--seed", "loud"],
        ["--seed", f"{there}/none.png"],
        ["--seed-range", "16"],
        ["--seed-range", "240:16"],
        ["--slices", "0"],
        ["--slices", "x"],
        ["--cache", "2"],
        ["--output-size", "512"],
        ["--output-size", "0x0"],
        ["--content-layers", "3_1,5_9"],
        ["--semantic-ext", "../x.png"],
        ["--semantic-ext", ""],
        ["--strength", "only-the-beard"],
        ["--nothing", "1"],
        ["--output"],
        ["stray"],
        ["--output", there],
        ["--output", f"{there}/none/c.png"],
        ["--output", f"{there}/c.exe"],
        ["--output", f"{there}/c"],
        ["--output", f"{there}/{'c' * 300}.png"],
        ["--output", "/proc/c.png"],
        ["--output", "/dev/null"],
        ["--output", ""],
        ["--output", f"{there}/nul\x00.png"],
        ["--output", f"{there}/text.txt/c.png"],
        ["--size", "16"],
    ]
    return [(" ".join(c)[:80].replace(there, "DIR"), c) for c in cases]


def payloads(good: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    """Inputs of the endpoint /transfer that are wrong; `good` is an uploaded file."""

    def transfer(**changed: Any) -> list[Any]:
        named = dict(
            content=good,
            style=good,
            preset="Preview",
            place="alone",
            phases=1,
            iterations=1,
            content_weight=-1,
            style_weight=-1,
            size=64,
            seed=-1,
            likeness=-1,
        )
        return list({**named, **changed}.values())

    places = (
        "/etc/passwd",
        "/etc/hostname",
        "../../../etc/passwd",
        "/proc/self/environ",
        "app.py",
        good["path"] + "/../../../../../etc/passwd",
        "",
        "\x00",
        "x" * 5000,
        "/dev/zero",
        "~/.bashrc",
    )
    addresses = (
        "http://127.0.0.1:1/x.png",
        "http://localhost/x.png",
        "http://169.254.169.254/latest/meta-data/",
        "https://example.com/x.png",
        "ftp://example.com/x",
        "HTTP://example.com/x.png",
        "file:///etc/passwd",
        "//example.com/x",
    )

    def file(path: Any, **more: Any) -> dict[str, Any]:
        return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}

    cases = [
        *((f"path {p[:40]!r}", transfer(content=file(p))) for p in places),
        *((f"address {a}", transfer(style=file(a))) for a in addresses),
        *((f"url beside {a}", transfer(style=file("/etc/passwd", url=a))) for a in addresses[:4]),
        *(
            (f"content is {v!r}"[:60], transfer(content=v))
            for v in (
                1,
                "x",
                [],
                {},
                True,
                [good],
                {"path": 5},
                {"meta": {}},
                {"url": "x"},
                file(None),
                file([]),
                file(5),
                file({"a": 1}),
            )
        ),
        *(
            (f"preset is {v!r}"[:60], transfer(preset=v))
            for v in (None, 1, "", "none", [], {}, ["Preview"], "__class__")
        ),
        *((f"place is {v!r}"[:60], transfer(place=v)) for v in (None, 0, "", "/etc", [], {}, "..")),
        *(
            (f"{name} is {v!r}"[:60], transfer(**{name: v}))
            for name in ("phases", "size", "seed", "style_weight")
            for v in ("x", "", [], {}, True, 1e300, 10**30, math.nan, math.inf, "1e999")
        ),
        ("phases is 2.5", transfer(phases=2.5)),
        ("size is 5", transfer(size=5)),
        ("size is 5000", transfer(size=5000)),
        ("both weights 0", transfer(content_weight=0, style_weight=0)),
        ("nothing", []),
        ("too few", transfer()[:4]),
        ("no content", transfer(content=None)),
    ]
    return cases
