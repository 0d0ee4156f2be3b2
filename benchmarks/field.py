"""How much of what people bring is done right: turned and far faces, pictures without a face, photos saved
again, transparent ones, results that go back into their photo, colours that shall stay.

    python -m benchmarks.field --data DIR --json benchmarks/results/field.json

DIR holds pictures with one upright face each; drawn faces and the characters that ship are added. Every input
is made here from these, so that the right answer is known; each kind has the share that is right.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from benchmarks.machine import ROOT, conditions, write
from facetransfer.base.errors import InputError
from facetransfer.base.images import fit, open_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.cli.main import main as command_line
from facetransfer.jobs.face_files import face_of
from facetransfer.jobs.job import Face, prepare, result_picture
from segmentation.classes import FACE_CLASSES, INDEX
from segmentation.parsers import Parse, Parser, load_parser
from segmentation.semantic_map import SemanticMap
from tests.support.drawn_face import draw_face

SIDE = 512  # pixels of the longest side of the pictures that faces are taken from
ANGLES = (30, 70, 110, 150, 180, 215, 250, 290, 330)
FAR = 40  # pixels of the height of a far face
PHOTOS = (640, 1280, 2560, 4000)  # longest sides of the photos with far faces
RIGHT_SHARE = 0.75  # of a turned face's pixels that keep their class: an upright map turned has all
SAME_MAP, SAME_RESULT = 0.98, 3.0  # agreement of two maps, levels between two results
GRAY = 2.0  # levels between the channels of a gray result's pixel
LIGHTNESS = 5.0  # L* by which a part may move where the photo's colours are kept

Case = tuple[bool, str]  # whether it is right, and what was measured


def far_photo(picture: Image.Image, parse: Parse, longest: int, seed: int) -> tuple[Image.Image, list[float]]:
    """A photo of soft colours with the picture in it, its face FAR pixels high, and the face's middle."""
    rng = np.random.default_rng(seed)
    soft = rng.integers(60, 190, (6, 8, 3)).astype(np.uint8)
    photo = Image.fromarray(soft).resize((longest, longest * 3 // 4), Image.Resampling.BICUBIC)
    face = parse.faces[0]
    scale = FAR / face.length
    small = picture.resize([max(1, round(n * scale)) for n in picture.size], Image.Resampling.LANCZOS)
    x, y = (int(rng.uniform(0.1, 0.8) * (a - b)) for a, b in zip(photo.size, small.size))
    photo.paste(small, (x, y))
    return photo, [x + face.x * scale, y + face.y * scale]


def turned(pictures: list[Image.Image], parse: Parser) -> Iterator[Case]:
    """The map is the upright picture's, turned."""
    for picture in pictures:
        upright = parse(picture).semantic.labels
        for angle in ANGLES:
            found = parse(picture.rotate(angle, Image.Resampling.BICUBIC, expand=True)).semantic.labels
            truth = np.asarray(Image.fromarray(upright).rotate(angle, expand=True))
            here = np.isin(truth, FACE_CLASSES)
            agreement = float((found == truth)[here].mean())
            yield agreement >= RIGHT_SHARE, f"{angle} degrees: {agreement:.2f}"


def far(pictures: list[Image.Image], parse: Parser) -> Iterator[Case]:
    """The face is found where it was put."""
    for seed, picture in enumerate(pictures):
        near = parse(picture)
        for longest in PHOTOS:
            photo, (x, y) = far_photo(picture, near, longest, seed)
            began = time.perf_counter()
            faces = parse(photo).faces
            took = time.perf_counter() - began
            there = any(np.hypot(f.x - x, f.y - y) < FAR / 2 and FAR / 2 < f.length < 2 * FAR for f in faces)
            yield there, f"{longest} px: {'found' if there else 'missed'} in {took:.2f} s"


def without_faces(pictures: list[Image.Image], parse: Parser) -> Iterator[np.ndarray]:
    """Plain colours, noise, soft blots, two of them as large as photos are, and skin without a face."""
    rng = np.random.default_rng(0)
    for colour in (255, 0, (224, 180, 150), (70, 90, 140)):
        yield np.full((400, 320, 3), colour)
    for side in (64, 400, 700):
        yield rng.integers(0, 256, (side, side, 3))
    soft = [cv2.GaussianBlur(rng.normal(128, 900, (400, 500, 3)), (0, 0), s).clip(0, 255) for s in (3, 9, 25)]
    yield from soft
    for blots in soft[:2]:
        yield cv2.resize(blots, (2400, 1800), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    for picture in pictures:  # its cheek, repeated
        face = parse(picture).faces[0]
        half = max(4, round(face.length / 10))
        x, y = round(face.x - face.length / 6), round(face.y + face.length / 10)
        tile = np.asarray(picture)[y - half : y + half, x - half : x + half][::-1]
        yield np.tile(tile, (8, 8, 1))


def no_face(pictures: list[Image.Image], parse: Parser) -> Iterator[Case]:
    """Neither the parser nor the frame knows a face."""
    for pixels in without_faces(pictures, parse):
        picture = Image.fromarray(pixels.astype(np.uint8))
        found = parse(picture)
        known = bool(found.faces) or Face.of(picture, parse=found).frame
        yield not known, f"{picture.width}x{picture.height}: {'a face' if known else 'no face'}"


def saved_again(picture: Image.Image) -> Image.Image:
    """The picture as a JPEG of quality 90."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return Image.open(file).convert("RGB")


def again(pictures: list[Image.Image], parse: Parser) -> Iterator[Case]:
    """Map and result hardly change."""
    style = Face.of(open_picture(ROOT / "assets" / "examples" / "oil.png"), parse=parse)
    for picture in pictures:
        faces = [Face.of(p, parse=parse) for p in (picture, saved_again(picture))]
        maps = [face.semantic.labels for face in faces]
        agreement = float((maps[0] == maps[1]).mean())
        first, second = (result_of(face, style) for face in faces)
        levels = float(np.abs(first - second).mean())
        yield (
            agreement >= SAME_MAP and levels <= SAME_RESULT,
            f"maps agree {agreement:.3f}, results differ {levels:.1f} levels",
        )


def result_of(content: Face, style: Face, **settings: object) -> np.ndarray:
    """The result at 256 pixels, (H,W,3) float."""
    job = prepare(content, style, TransferSettings(size=256, **settings))
    *_, step = job.steps()
    return np.asarray(result_picture(step, job.size), dtype=np.float64)


def lightness_kept(pictures: list[Image.Image], parse: Parser) -> Iterator[Case]:
    """With the photo's colours the mean lightness of skin, hair and cloth stays."""
    faces = [Face.of(p, parse=parse) for p in pictures]
    for content, style in zip(faces, faces[1:] + faces[:1]):
        result = result_of(content, style, colours="content")
        small = content.fitted(256)
        before, after = (
            cv2.cvtColor(np.asarray(p, dtype=np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
            for p in (small.picture, result)
        )
        moved = {}
        for name in ("skin", "hair", "cloth"):
            here = small.semantic.labels == INDEX[name]
            if here.mean() > 0.02:
                moved[name] = float(after[here].mean() - before[here].mean())
        words = ", ".join(f"{name} {value:+.1f}" for name, value in moved.items())
        yield all(abs(value) <= LIGHTNESS for value in moved.values()), words


def gray(pictures: list[Image.Image], parse: Parser) -> Iterator[Case]:
    """A gray style gives a gray result, whatever is kept of the photo."""
    plain = open_picture(ROOT / "assets" / "examples" / "oil.png").convert("L").convert("RGB")
    style = Face.of(plain, parse=parse)
    for picture in pictures:
        result = result_of(Face.of(picture, parse=parse), style)
        colour = float((result.max(2) - result.min(2)).max())
        yield colour <= GRAY, f"{colour:.0f} levels of colour"


def files(pictures: list[Image.Image], parse: Parser) -> Iterator[Case]:
    """By the command line: alpha is kept, the result says sRGB, and into the content has the photo's size."""
    style = str(ROOT / "assets" / "examples" / "oil.png")
    with tempfile.TemporaryDirectory() as folder:
        for picture in pictures:
            photo, out = str(Path(folder, "photo.png")), str(Path(folder, "result.png"))
            clear = picture.convert("RGBA")
            alpha = np.full(picture.size[::-1], 255, np.uint8)
            alpha[-picture.height // 8 :] = 0  # Where no face is.
            clear.putalpha(Image.fromarray(alpha))
            clear.save(photo)
            for into in ("alone", "content"):
                status = command_line(
                    ["--content", photo, "--style", style, "--output", out, "--size", "192", "--into", into]
                )
                if status:
                    yield False, f"--into {into}: status {status}"
                    continue
                with Image.open(out) as result:
                    kept = "A" in result.getbands() and result.getchannel("A").getextrema() == (0, 255)
                    tagged = "srgb" in result.info or "icc_profile" in result.info
                    size = into == "alone" or result.size == picture.size
                    yield kept, f"--into {into}: {'alpha' if kept else 'no alpha'}"
                    yield tagged, f"--into {into}: {'says sRGB' if tagged else 'says nothing of sRGB'}"
                    yield size, f"--into {into}: {result.size[0]}x{result.size[1]} of {picture.size}"


def told_by_name(pictures: list[Image.Image], parse: Parser) -> Iterator[Case]:
    """A map of another shape is refused with the names of the picture's file and of the map's."""
    for semantic in (SemanticMap(np.zeros((64, 200), np.uint8)), SemanticMap(np.zeros((200, 64), np.uint8))):
        try:
            face_of(pictures[0], semantic, Path("sitter.png"), parse)
            yield False, "taken"
        except InputError as error:
            yield "sitter.png" in str(error), str(error)


KINDS: dict[str, Callable[[list[Image.Image], Parser], Iterator[Case]]] = {
    "turned in the plane": turned,
    f"far, {FAR} px high": far,
    "no face at all": no_face,
    "saved again as JPEG 90": again,
    "colours of the content": lightness_kept,
    "gray styles": gray,
    "alpha, sRGB, the promised size": files,
    "errors name the file": told_by_name,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, help="folder of pictures with one upright face each")
    parser.add_argument("--most", type=int, default=8, help="pictures of it that are used (8)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(2)
    parse = load_parser()
    names = sorted(p for p in args.data.iterdir() if p.suffix in (".jpg", ".png")) if args.data else []
    chosen = names[:: max(1, len(names) // args.most)][: args.most]
    examples = [ROOT / "assets" / "examples" / f"{name}.png" for name in ("bust", "goblin", "oil")]
    pictures = [draw_face((384, 384))[0], *(fit(open_picture(p), SIDE) for p in (*examples, *chosen))]
    pictures = [picture for picture in pictures if parse(picture).faces]
    table = {}
    for kind in args.kinds:
        began = time.perf_counter()
        cases, seconds = [], []
        before = time.process_time()
        for case in KINDS[kind](pictures, parse):
            cases.append(case)
            seconds.append(time.process_time() - before)
            before = time.process_time()
        right = sum(bool(ok) for ok, _ in cases)
        table[kind] = {
            "right": right,
            "of": len(cases),
            "share": right / len(cases),
            "seconds": time.perf_counter() - began,
            "processor_seconds": {"mean": float(np.mean(seconds)), "most": max(seconds)},
            "wrong": [words for ok, words in cases if not ok],
        }
        print(
            f"{kind:32} {right:4} of {len(cases):4}  {right / len(cases):4.0%}  "
            f"{np.mean(seconds):.2f} s each, {max(seconds):.2f} at most",
            flush=True,
        )
    if args.json:
        write(args.json, {**conditions(2), "pictures": len(pictures), "kinds": table})


if __name__ == "__main__":
    main()
