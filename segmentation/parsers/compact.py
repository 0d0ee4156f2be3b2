"""`compact`: our own face parser. It finds the faces, then parses squares around one of them at higher
resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from facetransfer.base.devices import arithmetic
from facetransfer.base.errors import InputError
from facetransfer.base.weights import load_weights
from segmentation.classes import FACE_CLASSES, HEAD_CLASSES, MIRROR
from segmentation.parsers import FoundFace, Parse
from segmentation.parsers.cleanup import drop_scraps
from segmentation.parsers.compact_network import STRIDE, CompactParserNetwork
from segmentation.parsers.crop import Square
from segmentation.parsers.detection import find_faces

# pixels; a larger picture is parsed at this size, or 19 probabilities for each of its pixels would fill the
# memory
LARGEST_SIDE = 1536
LOOKS = (
    (2.0, 320),
    (1.3, 352),
    (0.9, 352),
)  # of the later looks: the square's side in lengths of the face, the pixels it is seen at
# of the look at the body of a far or leaning face: as above, and how many lengths its middle lies
# below that of the face
BODY_LOOK = 3.4, 320, 0.7
# Degrees of tilt from which a face leans. The look at all of the picture is not turned: of a leaning person
# it is asked for parts of the head alone, in a square of so many lengths of the face.
LEANING, LEANING_HEAD = 20.0, 2.4
# share of a later look where an earlier one saw the same place: their errors differ, so that the mean has
# fewer
TRUSTED = 0.6

Look = tuple[
    float, Callable[[np.ndarray, Square], Tensor]
]  # the square's side in lengths of the face; what sees it there


@dataclass(frozen=True)
class CompactParser:
    """A call returns a `Parse` of the picture's own size. `published` replaces the close looks of our network
    by one of another network.
    """

    network: CompactParserNetwork
    device: str
    published: Look | None = None

    @torch.inference_mode()
    def __call__(self, picture: Image.Image, face: int = 1) -> Parse:
        """`face` counts the faces from 1, the largest first. Raises InputError where there are fewer."""
        rgb = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
        faces, coarse = find_faces(rgb, self._logits)
        if max(picture.size) > LARGEST_SIDE:
            scale = LARGEST_SIDE / max(picture.size)
            smaller = picture.resize([max(1, round(n * scale)) for n in picture.size], Image.Resampling.BOX)
            found = self._mapped(
                np.array(smaller.convert("RGB")), tuple(f.scaled(scale) for f in faces), coarse, face
            )
            return Parse(
                found.semantic.resized(picture.size),
                cv2.resize(found.confidence, picture.size),
                faces,
                found.chosen,
            )
        return self._mapped(rgb, faces, coarse, face)

    def _mapped(self, rgb: np.ndarray, faces: tuple[FoundFace, ...], coarse: Tensor, face: int) -> Parse:
        """The map of a picture (H,W,3) whose faces are known, and the probabilities (19,h,w) of a look at all
        of it.
        """
        height, width = rgb.shape[:2]
        if face < 1 or face > max(1, len(faces)):
            raise InputError(
                f"face {face} was asked for, but {len(faces) or 'no'} "
                f"{'face was' if len(faces) == 1 else 'faces were'} found: "
                f"give a number from 1 to {max(1, len(faces))}"
            )
        if not faces:  # Without a face, any apparent parts of one are something else.
            return Parse.of(_enlarged(_without(coarse, FACE_CLASSES), height, width).numpy())
        here = faces[face - 1]
        looks = [(margin, partial(self._fine, size=size)) for margin, size in LOOKS]
        whole: Tensor | None = None
        for margin, see in [self.published] if self.published else looks:
            square = _square_at(here, margin, width, height)
            if whole is None and square.covers(width, height):
                whole = torch.from_numpy(square.back(see(rgb, square).numpy(), (0, 0, width, height)))
                continue
            share = 1.0 if whole is None else TRUSTED
            whole = self._surroundings(rgb, faces, here, coarse) if whole is None else whole
            _put_onto(whole, square, see(rgb, square), share)
        assert whole is not None  # There is a look at least.
        if not self.published:
            drop_scraps(whole.numpy(), faces, face)
        return Parse.of(whole.numpy(), faces, face)

    def _surroundings(
        self, rgb: np.ndarray, faces: tuple[FoundFace, ...], here: FoundFace, coarse: Tensor
    ) -> Tensor:
        """Probabilities (19,H,W) of what is around the face: by the look at all of the picture, which knows
        parts of a head only around a face, and by a look at the body where the face is far or leans.
        """
        height, width = rgb.shape[:2]
        margin, size, below = BODY_LOOK
        around = _without(coarse, HEAD_CLASSES)
        rows, columns = coarse.shape[1:]
        for face in (face.scaled(columns / width) for face in faces):
            if abs(face.tilt) < LEANING:
                square = _square_at(face, margin, columns, rows, below)
            else:
                square = _square_at(replace(face, tilt=0.0), LEANING_HEAD, columns, rows)
            left, top, right, bottom = square.box(columns, rows)
            around[:, top:bottom, left:right] = coarse[:, top:bottom, left:right]
        whole = _enlarged(around, height, width)
        if margin * here.length < max(height, width) or abs(here.tilt) >= LEANING:
            square = _square_at(here, margin, width, height, below)
            _put_onto(whole, square, self._fine(rgb, square, size))
        return whole

    def _logits(self, *pictures: np.ndarray) -> Tensor:
        """(B,19,h,w) of B pictures (H,W,3) uint8; a cell answers for 2 x 2 pixels, the last ones for less or
        for none.
        """
        height, width = pictures[0].shape[:2]
        x = torch.from_numpy(np.stack(pictures)).to(self.device).permute(0, 3, 1, 2).float() / 255
        padded = F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        kind = arithmetic("auto", x.device.type)
        with torch.autocast(x.device.type, kind, enabled=kind != torch.float32):
            return self.network(padded.contiguous(memory_format=torch.channels_last)).float()

    def _fine(self, rgb: np.ndarray, square: Square, size: int) -> Tensor:
        """The square's probabilities (19,size/2,size/2), by the mean of what is seen in it and in its mirror
        image.
        """
        crop = square.cut(rgb, size)
        plain, mirrored = self._logits(crop, crop[:, ::-1])
        both = (plain + mirrored[torch.from_numpy(MIRROR.astype(np.int64))].flip(2)) / 2
        return both.softmax(0).cpu()


def _square_at(face: FoundFace, margin: float, width: int, height: int, below: float = 0) -> Square:
    """The square of `margin` lengths of the face, its middle `below` lengths below that of the face, in a
    picture of (width, height).
    """
    angle, down = np.deg2rad(face.tilt), below * face.length
    x, y = face.x - down * np.sin(angle), face.y + down * np.cos(angle)
    side = min(margin * face.length, float(max(width, height)))
    return Square(float(x), float(y), side, face.tilt).within(width, height)


def _put_onto(whole: Tensor, square: Square, seen: Tensor, share: float = 1) -> None:
    """Blends probabilities (19,S,S) seen in the square into those of the picture (19,H,W), in place, by their
    share.
    """
    height, width = whole.shape[1:]
    box = left, top, right, bottom = square.box(width, height)
    weights = torch.from_numpy(square.fade(box, width, height)) * share
    whole[:, top:bottom, left:right].lerp_(torch.from_numpy(square.back(seen.numpy(), box)), weights)


def _without(probabilities: Tensor, classes: list[int]) -> Tensor:
    """Probabilities (19,H,W) where these classes are known not to be there."""
    left = probabilities.clone()
    left[classes] = 0
    return left / left.sum(0).clamp_min(1e-6)


def _enlarged(values: Tensor, height: int, width: int) -> Tensor:
    """Probabilities (19,h,w) resized to (height, width)."""
    return F.interpolate(values[None], size=(height, width), mode="bilinear", align_corners=False)[0]


def load(device: str) -> CompactParser:
    """The trained parser, with the weights that ship with the program."""
    network = CompactParserNetwork()
    network.load_state_dict(load_weights("parser"), strict=False)
    frozen = network.eval().folded().requires_grad_(False).to(device)
    return CompactParser(frozen.to(memory_format=torch.channels_last), device)
