"""Labelled faces as training pictures: scaled, turned, moved onto other backgrounds, recoloured, painted
over.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from segmentation.classes import FACE_CLASSES, INDEX, MIRROR
from training.drawn import drawn
from training.jewellery import noise
from training.lending import IGNORE
from training.wardrobe import dye_of, with_body

CLOSE = 0.5  # share of the upright pictures that show little more than the face
WITHOUT = 0.1  # share of pictures that show no face
NOTHING = 0.4  # share of those that show nothing at all: blots, gradients, plain paper
DRESSED = 0.2  # share that get other clothes
DRAWN = 0.25  # share that are drawn, in pencil, ink, tiles and so on
WITH_BODY = 0.6  # share of the faces seen from afar whose body is drawn below them
BODY_SIDE = 192  # pixels of a portrait to which a body is drawn: seen from afar it is no larger
WITH_FACES = (
    "Faces",
    "Faces_easy",
    "cougar_face",
    "BACKGROUND_Google",
    "buddha",
)  # folders of Caltech-101 that are not pictures without faces
HELD_OUT = 100  # of the labelled faces, never trained on: chosen by the fixed shuffle below


def read_rgb(path: Path) -> np.ndarray:
    """(H,W,3) uint8 RGB."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"{path} is not a picture")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def labelled_faces(folder: Path) -> tuple[list[tuple[Path, Path]], list[tuple[Path, Path]]]:
    """`folder` holds images/N.jpg and masks/N.png (pixel value = class). Returns (training, held-out) pairs
    of paths.
    """
    pairs = [
        (image, folder / "masks" / f"{image.stem}.png") for image in sorted((folder / "images").iterdir())
    ]
    order = np.random.default_rng(0).permutation(len(pairs))
    return [pairs[i] for i in order[HELD_OUT:]], [pairs[i] for i in order[:HELD_OUT]]


def read_labels(path: Path) -> np.ndarray:
    """(H,W) uint8 class numbers of a palette or gray PNG."""
    from PIL import Image  # keeps the palette's indices, which OpenCV turns into colours

    return np.asarray(Image.open(path))


def sides_mended(labels: np.ndarray) -> np.ndarray:
    """The labels with left and right swapped where the person's left lies left in the picture.

    One in fifteen of CelebAMask-HQ's faces is labelled like that: mirrored, and its classes were not.
    """
    votes = 0
    for left, right in (("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear")):
        columns = [np.nonzero(labels[::2, ::2] == INDEX[side])[1] for side in (left, right)]
        votes += bool(len(columns[0]) and len(columns[1])) and np.sign(columns[0].mean() - columns[1].mean())
    return _swapped(labels) if votes < 0 else labels


class FaceAugmenter:
    """Draws training pictures from labelled faces. `others` are pictures without labels: backgrounds,
    textures, colours.

    `calm`, 0 to 1, is raised towards the end of training: more pictures are then as a camera and the second
    look see them.
    """

    def __init__(self, others: list[np.ndarray], rng: np.random.Generator) -> None:
        self.others, self.rng, self.calm = others, rng, 0.0

    def __call__(self, picture: np.ndarray, labels: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        """(H,W,3), (H,W) uint8 -> (side,side,3), (side,side) uint8."""
        if self.rng.random() < WITHOUT:
            other = self.others[self.rng.integers(len(self.others))]
            picture = cv2.resize(other, (side, side), interpolation=cv2.INTER_AREA)
            if self.rng.random() < NOTHING:
                picture = nothing(side, self.rng)
            labels = np.zeros((side, side), np.uint8)
        else:
            picture, labels = self._place(picture, labels, side)
            if self.rng.random() < 0.5:
                picture, labels = picture[:, ::-1], _swapped(labels[:, ::-1])
        picture, labels = np.ascontiguousarray(picture), np.ascontiguousarray(labels)
        if self.rng.random() < DRAWN:
            return self._as_seen(drawn(picture, labels, self.rng)), labels
        return self._recolour(picture), labels

    def _place(self, picture: np.ndarray, labels: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        rng = self.rng
        kind = (
            rng.random()
        )  # most are as the later looks see them: upright, filling the square; others as the first look may
        upright, (x, y) = 0.65 + 0.2 * self.calm, (n / 2 for n in picture.shape[1::-1])
        if kind < CLOSE * upright:
            scale, angle, slack = rng.uniform(1.1, 2.1), rng.normal(0, 7), 0.06
            x, y = _face_centre(labels) or (x, y)
        elif kind < upright:
            scale, angle, slack = rng.uniform(0.8, 1.2), rng.normal(0, 7), 0.06
        elif kind < upright + 0.65 * (1 - upright):
            scale, angle, slack = rng.uniform(0.6, 1.4), rng.uniform(-45, 45), 0.15
        else:
            scale, angle, slack = rng.uniform(0.2, 0.6), rng.normal(0, 12), 0.35
        far = scale < 0.6
        scale *= side / max(picture.shape[:2])
        bodied = far and rng.random() < WITH_BODY
        if bodied:
            portrait = max(picture.shape[:2])
            picture, labels, (x, y) = self._with_body(picture, labels)
            scale *= portrait / BODY_SIDE
        matrix = cv2.getRotationMatrix2D((x, y), angle, scale)
        matrix[:, 2] += side / 2 - np.array((x, y)) + rng.uniform(-slack, slack, 2) * side
        matrix[:, :2] *= 1 + rng.normal(0, 0.06, (1, 2))  # a face a little wider or longer than it is
        small = scale < 0.5
        source = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) if small else picture
        to_source = matrix.copy()
        if small:
            to_source[:, :2] *= 2
        border = cv2.BORDER_REFLECT_101 if not far and rng.random() < 0.3 else cv2.BORDER_CONSTANT
        warped = cv2.warpAffine(source, to_source, (side, side), flags=cv2.INTER_LINEAR, borderMode=border)
        truth = cv2.warpAffine(labels, matrix, (side, side), flags=cv2.INTER_NEAREST, borderValue=IGNORE)
        outside = truth == IGNORE
        if border == cv2.BORDER_CONSTANT and outside.any():
            warped[outside] = self._other(side)[outside] if rng.random() < 0.8 else rng.integers(0, 256, 3)
            truth[outside] = 0
            if not bodied:
                self._go_on_below(warped, truth, outside, labels, matrix)
        if rng.random() < DRESSED:
            warped = dressed(warped, truth, self._other(side), rng)
        if rng.random() < 0.15 and not outside.all():  # another background behind the person
            behind = truth == 0
            warped[behind] = self._other(side)[behind]
        return warped, truth

    def _with_body(
        self, picture: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
        """The portrait, BODY_SIDE large, with a body, and the place (x, y) that the picture is taken of."""
        scale = BODY_SIDE / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        named = cv2.resize(labels, small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        whole, whole_named = with_body(small, named, self.rng)
        below = whole.shape[0] - small.shape[0]
        return whole, whole_named, (whole.shape[1] / 2, small.shape[0] / 2 + self.rng.uniform(0, 0.7) * below)

    def _go_on_below(
        self,
        warped: np.ndarray,
        truth: np.ndarray,
        outside: np.ndarray,
        labels: np.ndarray,
        matrix: np.ndarray,
    ) -> None:
        """Labelled pictures end at the shoulders; photos do not. Draws the rest of the body, or leaves its
        class open, in place.
        """
        rng, cloth = self.rng, INDEX["cloth"]
        columns = np.flatnonzero(labels[-1] == cloth)
        if len(columns) < 0.1 * labels.shape[1]:
            return
        below = labels.shape[0] * rng.uniform(0.6, 1.5)
        left, right = columns[0], columns[-1]
        wider = labels.shape[1] * rng.uniform(0.0, 0.3)
        body = np.array([(left, -2), (right, -2), (right + wider, below), (left - wider, below)], float) + (
            0,
            labels.shape[0],
        )
        shape = np.zeros(truth.shape, np.uint8)
        cv2.fillPoly(shape, [np.round(np.c_[body, np.ones(4)] @ matrix.T).astype(np.int32)], 1)
        here, near = (shape > 0) & outside, truth == cloth
        if not here.any():
            return
        if rng.random() < 0.3 or not near.any():
            truth[here] = IGNORE
            return
        texture = self._other(truth.shape[0]).astype(np.float32)
        texture = (texture - texture.mean((0, 1))) * rng.uniform(0.1, 0.6) + warped[near].mean(0)
        warped[here] = texture[here].clip(0, 255)
        truth[here] = cloth

    def _other(self, side: int) -> np.ndarray:
        other = self.others[self.rng.integers(len(self.others))]
        y, x = (self.rng.integers(0, max(1, n - side + 1)) for n in other.shape[:2])
        other = other[y : y + side, x : x + side]
        return other if other.shape[:2] == (side, side) else cv2.resize(other, (side, side))

    def _as_seen(self, picture: np.ndarray) -> np.ndarray:
        """As a camera may see it: a little lighter or darker, of more or less contrast."""
        rng = self.rng
        moved = rng.normal(0, 0.05) + rng.normal(0, 0.02, 3)
        x = (picture.astype(np.float32) / 255 - 0.5) * rng.uniform(0.8, 1.2) + 0.5 + moved
        return (np.clip(x, 0, 1) * 255).astype(np.uint8)

    def _recolour(self, picture: np.ndarray) -> np.ndarray:
        rng, side = self.rng, picture.shape[0]
        if rng.random() < 0.4 + 0.3 * self.calm:
            return self._as_seen(picture)
        if rng.random() < 0.15:  # brush strokes: flat patches with crisp borders
            picture = cv2.medianBlur(picture, int(rng.choice((3, 5, 7))))
        x = picture.astype(np.float32) / 255
        if rng.random() < 0.2:  # the colours of another picture (Reinhard et al. 2001, in RGB)
            other = self._other(side).astype(np.float32) / 255
            share = rng.uniform(0.4, 1)
            moved = (x - x.mean((0, 1))) / (x.std((0, 1)) + 0.05) * (other.std((0, 1)) + 0.05) + other.mean(
                (0, 1)
            )
            x = x + share * (moved - x)
        if rng.random() < 0.2:  # the relief of another picture on the skin
            gray = self._other(side).astype(np.float32).mean(2, keepdims=True) / 255
            relief = gray - cv2.GaussianBlur(gray[..., 0], (0, 0), side / 24)[..., None]
            x = x * (1 + rng.uniform(0.3, 1.5) * relief)
        if rng.random() < 0.1:  # skins of any colour
            x = x @ (np.eye(3) + rng.normal(0, 0.35, (3, 3))).astype(np.float32)
        if rng.random() < 0.12:
            x = np.repeat(x.mean(2, keepdims=True), 3, 2)
        x = np.clip(x, 0, 1) ** rng.uniform(0.6, 1.6)
        x = (x - 0.5) * rng.uniform(0.6, 1.4) + 0.5 + rng.normal(0, 0.08) + rng.normal(0, 0.04, 3)
        if rng.random() < 0.2:  # light from one side
            ramp = np.linspace(-1, 1, side, dtype=np.float32) * rng.uniform(-0.4, 0.4)
            x = x * (1 + (ramp[None, :, None] if rng.random() < 0.5 else ramp[:, None, None]))
        if rng.random() < 0.2:
            x = cv2.GaussianBlur(x.astype(np.float32), (0, 0), rng.uniform(0.5, 2.0))
        if rng.random() < 0.2:
            x = x + rng.normal(0, rng.uniform(0.01, 0.08), x.shape)
        return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def nothing(side: int, rng: np.random.Generator) -> np.ndarray:
    """(side,side,3) uint8 in which nobody is: soft blots of one or more sizes, a gradient or plain paper,
    some with grain, some with ovals and bars where a face has its parts.
    """
    x = rng.uniform(0, 1, 3) * np.ones((side, side, 3), np.float32)
    for _ in range(rng.integers(0, 4)):
        blots = noise((side, side), side * rng.uniform(0.02, 0.6), rng)[..., None]
        x += blots * rng.uniform(-0.6, 0.6, 3 if rng.random() < 0.5 else 1)
    if rng.random() < 0.4:
        x += np.linspace(-1, 1, side, dtype=np.float32)[:, None, None] * rng.uniform(-0.4, 0.4, 3)
    for _ in range(rng.integers(0, 7) if rng.random() < 0.4 else 0):
        centre, axes = rng.integers(0, side, 2).tolist(), rng.integers(2, side // 4, 2).tolist()
        colour = rng.uniform(0, 1, 3).tolist()
        cv2.ellipse(x, centre, axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.5, side / 40))
    x += rng.normal(0, rng.choice((0, 0.02, 0.2)), x.shape)
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def dressed(
    picture: np.ndarray, labels: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The clothes of a picture (H,W,3) with labels (H,W) in another colour, or printed with another picture
    (H,W,3); their folds stay.
    """
    cloth = labels == INDEX["cloth"]
    if not cloth.any():
        return picture
    x, share = picture.astype(np.float32), cv2.GaussianBlur(cloth.astype(np.float32), (0, 0), 1.0)[..., None]
    dye = dye_of(picture, labels, rng)
    if rng.random() < 0.4:
        dye = dye + (other - other.mean((0, 1))) * rng.uniform(0.2, 1)
    worn = dye + (x - x[cloth].mean(0)) * rng.uniform(0.4, 1.2)
    return (x + share * (worn - x)).clip(0, 255).astype(np.uint8)


def _face_centre(labels: np.ndarray) -> tuple[float, float] | None:
    """The middle (x, y) of the parts of the face, None without any."""
    rows, columns = np.nonzero(np.isin(labels[::4, ::4], FACE_CLASSES))
    return ((columns.min() + columns.max()) * 2.0, (rows.min() + rows.max()) * 2.0) if len(rows) else None


def _swapped(labels: np.ndarray) -> np.ndarray:
    """Left and right exchanged in the classes, not in the picture."""
    table = np.full(256, IGNORE, np.uint8)
    table[: len(MIRROR)] = MIRROR
    return table[labels]
