"""How often the parser finds the face, and maps it well, in pictures that are not a centred portrait.

    python -m benchmarks.wild --faces DIR --photos DIR --json benchmarks/results/wild.json

From the held-out labelled faces (images/N.jpg, masks/N.png), so that the truth is known: put small into
photos without faces, tilted, cut, several in one photo, gray, as if painted, drawn in four techniques (none
of them is among those of `training.drawn`), partly covered, given another skin by this program; and, as no
held-out face is a profile, from the characters that ship, rendered turned aside (no training saw them so). A
face counts as found when the parser's own face lies there, and as well mapped when the parts of the face as
one region overlap the painted ones by GOOD or more (intersection over union). Photos alone, as they are and
drawn, say how often a face is seen where there is none.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from assets.render_characters import CHARACTERS
from benchmarks.machine import conditions, write
from facetransfer.base.images import fit, open_picture, to_image, to_tensor
from facetransfer.base.settings import TransferSettings
from facetransfer.core.engine import transfer
from segmentation.classes import FACE_CLASSES, INDEX
from segmentation.guidance import guides_of
from segmentation.map_files import map_path, read_map
from segmentation.parsers import Parse, Parser, load_parser
from segmentation.semantic_map import SemanticMap
from training.face_pictures import WITH_FACES, labelled_faces, read_labels, read_rgb, sides_mended

GOOD = 0.75  # IoU of the face as one region
NEAR = 0.25  # lengths of the face, from where it is to where it was seen
UNKNOWN = 255
TURNED = 0.08  # sizes of the face that the nose lies beside its middle
STYLISED_SIDE = 256  # pixels of the faces that get another skin, and of the characters
PROFILES = ((40, 50), (65, 75), (85, 95))  # degrees
Scene = tuple[np.ndarray, np.ndarray]  # picture (H,W,3) uint8 RGB, classes (H,W) uint8


def put(
    face: Scene,
    ground: np.ndarray,
    height: float,
    angle: float,
    rng: np.random.Generator,
    columns: tuple[float, float] = (0.3, 0.7),
) -> Scene:
    """The labelled picture, turned by `angle` degrees, in the ground (H,W,3) so that the face covers `height`
    of the ground's.
    """
    picture, labels = face
    rows, xs = np.nonzero(np.isin(labels, FACE_CLASSES))
    scale = height * ground.shape[0] / np.ptp(rows)
    matrix = cv2.getRotationMatrix2D((float(xs.mean()), float(rows.mean())), angle, scale)
    matrix[:, 2] += np.array(
        (rng.uniform(*columns) * ground.shape[1], rng.uniform(0.45, 0.55) * ground.shape[0])
    ) - (xs.mean(), rows.mean())
    if scale < 1:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale)
    size = ground.shape[1::-1]
    truth = cv2.warpAffine(labels, matrix, size, flags=cv2.INTER_NEAREST, borderValue=UNKNOWN)
    moved = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR)
    here = truth != UNKNOWN
    return np.where(here[..., None], moved, ground), np.where(here, truth, 0).astype(np.uint8)


def painted(face: Scene, rng: np.random.Generator) -> Scene:
    """Flat strokes, warm colours, the grain of a canvas."""
    x = cv2.medianBlur(cv2.medianBlur(face[0], 9), 9).astype(np.float32)
    x = x * (1.05, 0.9, 0.7) + cv2.GaussianBlur(rng.normal(0, 25, x.shape[:2]), (0, 0), 1.0)[..., None] * 2
    return x.clip(0, 255).astype(np.uint8), face[1]


def in_pencil(picture: np.ndarray) -> np.ndarray:
    """By OpenCV's own filter, on white paper (Gastal and Oliveira 2011)."""
    sketch, _ = cv2.pencilSketch(picture, sigma_s=40, sigma_r=0.07, shade_factor=0.05)
    return np.repeat(sketch[..., None], 3, 2)


def in_watercolour(picture: np.ndarray) -> np.ndarray:
    """By OpenCV's own filter (Gastal and Oliveira 2011)."""
    return cv2.stylization(picture, sigma_s=60, sigma_r=0.45)


def in_tiles(picture: np.ndarray) -> np.ndarray:
    """Squares of one colour with dark joints, 64 in a row."""
    side = max(4, max(picture.shape[:2]) // 64)
    height, width = (n // side for n in picture.shape[:2])
    tiles = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    large = cv2.resize(tiles, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    large[::side], large[:, ::side] = (40, 45, 50), (40, 45, 50)
    return large


def in_hatching(picture: np.ndarray) -> np.ndarray:
    """Three layers of black lines, thicker where it is darker."""
    gray = cv2.createCLAHE(2, (8, 8)).apply(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)) / np.float32(255)
    rows, columns = np.indices(gray.shape, dtype=np.float32)
    tone = np.ones_like(gray)
    for angle, below in ((0.6, 0.75), (-0.7, 0.5), (0.05, 0.3)):
        wave = np.cos((columns * np.cos(angle) + rows * np.sin(angle)) * 2 * np.pi / 5)
        tone[wave > 1 - 2 * np.clip(below - gray, 0, 0.6) / 0.6] = 0.1
    tone = cv2.GaussianBlur(tone, (0, 0), 0.6)
    return np.repeat((tone * 235 + 10).astype(np.uint8)[..., None], 3, 2)


DRAWN = {
    "drawn in pencil": in_pencil,
    "drawn in watercolour": in_watercolour,
    "laid in tiles": in_tiles,
    "drawn in hatching": in_hatching,
}


def blots(number: int) -> np.ndarray:
    """(512,768,3) uint8: soft blots of colour, without a face."""
    noise = np.random.default_rng(number).uniform(0, 255, (512, 768, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4 + 3 * number % 40)
    low, high = smooth.min(), smooth.max()
    return ((smooth - low) / (high - low) * 255).astype(np.uint8)


def covered(face: Scene, photo: np.ndarray, rng: np.random.Generator) -> Scene:
    """Something over a lower corner of the face, as a hand or a cup would be."""
    picture, labels = face[0].copy(), face[1].copy()
    rows, xs = np.nonzero(np.isin(labels, FACE_CLASSES))
    over = np.zeros(labels.shape, np.uint8)
    radius = np.ptp(rows) * 0.25
    cv2.ellipse(
        over,
        (int(rng.choice((xs.min(), xs.max()))), int(rows.max() - radius)),
        (int(radius), int(1.3 * radius)),
        rng.uniform(-30, 30),
        0,
        360,
        1,
        -1,
    )
    picture[over > 0] = cv2.resize(photo, labels.shape[::-1])[over > 0]
    labels[over > 0] = 0
    return picture, labels


def stylised(face: Scene, style: tuple[Image.Image, SemanticMap]) -> Scene:
    """In the skin of a character, by this program."""
    content, truth = (
        fit(Image.fromarray(face[0]), STYLISED_SIDE),
        SemanticMap(face[1]).resized((STYLISED_SIDE,) * 2),
    )
    result = transfer(
        to_tensor(content),
        to_tensor(style[0]),
        guides_of(truth, style[1]),
        TransferSettings(size=STYLISED_SIDE),
    )
    return np.asarray(to_image(result)), truth.labels


def drawn_with(draw: Callable[[np.ndarray], np.ndarray]) -> Callable[[Scene], Scene]:
    """Draws the picture of a face, whose labels stay."""
    return lambda face: (draw(face[0]), face[1])


def character(name: str, degrees: float) -> Scene:
    """Rendered with its head turned by so much to the picture's right."""
    model = importlib.import_module(f"assets.characters.{name}")
    with torch.no_grad():
        return model.render(STYLISED_SIDE, camera=model.CAMERA.seeing(model.FORM.yaw, degrees))


def characters(degrees: tuple[int, ...]) -> Iterable[Scene]:
    """Each of them turned so far, to either side."""
    return (character(name, sign * turn) for turn in degrees for name in CHARACTERS for sign in (-1, 1))


def turn_of(face: Scene) -> float:
    """How far the nose lies beside the middle of the face, in its sizes; 0 where nothing tells."""
    frame = SemanticMap(face[1]).frame()
    return abs(frame.turn) if frame else 0.0


def well_mapped(parse: Parse, truth: np.ndarray) -> tuple[bool, bool]:
    """(found, well mapped) of the one face that `truth` shows."""
    here = np.isin(truth, FACE_CLASSES)
    rows, columns = np.nonzero(here)
    middle, length = (
        np.array((np.ptp(columns) / 2 + columns.min(), np.ptp(rows) / 2 + rows.min())),
        max(np.ptp(rows), np.ptp(columns)),
    )
    if not parse.faces:
        return False, False
    seen = parse.faces[parse.chosen - 1]
    found = bool(np.hypot(*(middle - (seen.x, seen.y))) < NEAR * length)
    box = [
        int(n)
        for n in (
            max(0, rows.min() - length / 4),
            rows.max() + length / 4,
            max(0, columns.min() - length / 4),
            columns.max() + length / 4,
        )
    ]
    a, b = (
        region[box[0] : box[1], box[2] : box[3]]
        for region in (here, np.isin(parse.semantic.labels, FACE_CLASSES))
    )
    return found, found and (a & b).sum() >= GOOD * (a | b).sum()


class Scenes:
    """What scenes are made of: labelled faces, photos without faces, characters with their maps; and the
    chance that combines them.
    """

    def __init__(self, faces: Path, photos: Path) -> None:
        self.rng = np.random.default_rng(0)
        self.faces: list[Scene] = [
            (read_rgb(image), sides_mended(read_labels(mask))) for image, mask in labelled_faces(faces)[1]
        ]
        paths = sorted(p for p in photos.rglob("*.jpg") if p.parent.name not in WITH_FACES)
        self.photos = [read_rgb(paths[i]) for i in self.rng.permutation(len(paths))[:100]]
        assets = Path(__file__).parents[1] / "assets" / "examples"
        self.characters = [
            (
                picture := fit(open_picture(path), STYLISED_SIDE),
                read_map(map_path(path)).resized(picture.size),
            )
            for path in sorted(assets.glob("*.png"))
            if map_path(path).exists()
        ]

    def photo(self) -> np.ndarray:
        return self.photos[self.rng.integers(len(self.photos))]

    def ground(self) -> np.ndarray:
        return cv2.resize(self.photo(), (768, 512), interpolation=cv2.INTER_CUBIC)

    def in_photo(self, height: float, tilts: float | tuple[int, ...] = 8) -> Callable[[Scene], Scene]:
        """Puts a face into a photo, of that share of its height, tilted by one of the degrees given or by
        chance with that deviation.
        """

        def change(face: Scene) -> Scene:
            ground = self.ground()
            return put(
                face,
                ground,
                height,
                self.rng.choice(tilts) if isinstance(tilts, tuple) else self.rng.normal(0, tilts),
                self.rng,
            )

        return change

    def wearing(self, name: str, least: float) -> list[Scene]:
        return [f for f in self.faces if (f[1] == INDEX[name]).mean() > least]

    def kinds(
        self, count: int, in_another_skin: int
    ) -> dict[str, tuple[Iterable[Scene], Callable[[Scene], Scene]]]:
        """By name: the faces, and what is done with each."""
        everybody = self.faces[:count]
        return {
            "as they are": (everybody, lambda f: f),
            "15 % of the height": (everybody, self.in_photo(0.15)),
            "25 % of the height": (everybody, self.in_photo(0.25)),
            "50 % of the height": (everybody, self.in_photo(0.5)),
            "the whole height": (everybody, lambda f: put(f, self.ground(), 1.0, 0, self.rng)),
            "tilted by 30 degrees": (everybody, self.in_photo(0.5, (-30, 30))),
            "tilted by 45 degrees": (everybody, self.in_photo(0.5, (-45, 45))),
            "gray": (
                everybody,
                lambda f: (np.repeat(f[0].mean(2, keepdims=True), 3, 2).astype(np.uint8), f[1]),
            ),
            "as if painted": (everybody, lambda f: painted(f, self.rng)),
            **{kind: (everybody, drawn_with(draw)) for kind, draw in DRAWN.items()},
            "partly covered": (everybody, lambda f: covered(f, self.photo(), self.rng)),
            "with a hat": (self.wearing("hat", 0.02), lambda f: f),
            "with glasses": (self.wearing("eye_glasses", 0.004), lambda f: f),
            "turned aside": ([f for f in self.faces if turn_of(f) > TURNED], lambda f: f),
            "in another skin": (
                self.faces[-in_another_skin:] if in_another_skin else [],
                lambda f: stylised(f, self.characters[self.rng.integers(len(self.characters))]),
            ),
            **{
                f"a character turned by {near} to {far} degrees": (characters((near, far)), lambda f: f)
                for near, far in PROFILES
            },
        }


def rates_of(scenes: Iterable[Scene], parse: Parser) -> dict[str, float]:
    """How many pictures, and the shares of them in which the face is found and well mapped; nothing where
    there are none.
    """
    results = [well_mapped(parse(Image.fromarray(picture)), truth) for picture, truth in scenes]
    return (
        {
            "pictures": len(results),
            "found": float(np.mean([r[0] for r in results])),
            "well_mapped": float(np.mean([r[1] for r in results])),
        }
        if results
        else {}
    )


def rates_of_three(scenes: Scenes, groups: int, parse: Parser) -> dict[str, float]:
    """Three faces of different size side by side: all found, and each mapped when it is asked for."""
    all_found, each = 0, []
    for i in range(groups):
        picture, places = scenes.ground(), []
        for k, height in enumerate((0.42, 0.34, 0.26)):
            picture, truth = put(
                scenes.faces[3 * i + k],
                picture,
                height,
                scenes.rng.normal(0, 6),
                scenes.rng,
                ((2 * k + 1) / 6,) * 2,
            )
            places.append(truth)
        first = parse(Image.fromarray(picture))
        all_found += len(first.faces) == 3
        each += [
            well_mapped(parse(Image.fromarray(picture), k + 1), places[k])[1]
            for k in range(min(3, len(first.faces)))
        ] + [False] * max(0, 3 - len(first.faces))
    return {"pictures": groups, "found": all_found / groups, "well_mapped": float(np.mean(each))}


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=Path, required=True, help="folder of images/ and masks/")
    parser.add_argument(
        "--photos", type=Path, required=True, help="folder of photos without faces, searched through"
    )
    parser.add_argument("--count", type=int, default=40, help="faces of each kind")
    parser.add_argument(
        "--stylised", type=int, default=10, help="faces in another skin: each takes some seconds"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    return parser


def main() -> None:
    args = options().parse_args()
    torch.set_num_threads(args.threads)
    scenes, parse, rates = Scenes(args.faces, args.photos), load_parser("compact"), {}
    for kind, (faces, change) in scenes.kinds(args.count, args.stylised).items():
        if told := rates_of(map(change, faces), parse):
            rates[kind] = told
            print(kind, told, flush=True)
    rates["three in one photo"] = rates_of_three(scenes, args.count // 3, parse)
    print("three in one photo", rates["three in one photo"], flush=True)
    photos = scenes.photos[: args.count]
    without = {
        "photos": photos,
        **{f"photos {kind}": [draw(photo) for photo in photos] for kind, draw in DRAWN.items()},
        "soft blots": [blots(number) for number in range(args.count)],
    }
    alarms = {}
    for kind, pictures in without.items():
        alarms[kind] = float(np.mean([bool(parse(Image.fromarray(picture)).faces) for picture in pictures]))
        print("a face seen where there is none:", kind, alarms[kind], flush=True)
    if args.json:
        write(
            args.json,
            {
                "command": "python -m benchmarks.wild --faces DIR --photos DIR",
                **conditions(args.threads),
                "good_iou": GOOD,
                "rates": rates,
                "seen_where_there_is_none": alarms,
            },
        )


if __name__ == "__main__":
    main()
