"""Finds the faces in a picture: looks for anything like a face at two sizes, then closely at each place.

The first look guesses freely, so that small and dark faces are not missed; the close look keeps what has the
features of a face, and says where it is more exactly. A large face that it does not know, as a profile may
be, counts where the first look saw its features already: with the rest of the head around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from torch import Tensor
from torch.nn import functional as F

from segmentation.classes import FACE_CLASSES, INDEX
from segmentation.parsers import FoundFace
from segmentation.parsers.crop import Square

FEATURES = [
    [INDEX[n] for n in names]
    for names in (
        ("l_eye", "r_eye", "eye_glasses"),
        ("nose",),
        ("mouth", "u_lip", "l_lip"),
        ("l_brow", "r_brow"),
    )
]
FIRST_SIDES = (
    256,
    640,
)  # pixels of the longest side in the first look, and in another one where faces are small
SMALL = 0.35  # share of the longest side below which a face is small
POSSIBLE = 0.35  # probability of any part of a face from which a place is looked at
LEAST = 10, 40  # cells of a place's longer side and of its area
MOST = 16  # places looked at
CLOSE_SIDE, AROUND = 160, 1.6  # pixels of the close look, and its square's side in lengths of the face
SURE, KINDS = (
    0.5,
    2,
    # probability of a feature, and how many kinds of them make a face; one more where it is looked for in a
    # guess
    # of its tilt
)
FILLED = 0.08  # share of the close look that a face fills at least
SEEN_WELL = 60  # pixels of a face in the first look from which it has seen what the close look would
TILTED, TURN = (
    12.0,
    35.0,
)  # degrees from which a face is seen turned upright; that are tried where no upright face is seen
APART = 0.5  # lengths between two faces: what is nearer is the same face seen twice

See = Callable[
    ..., Tensor
]  # pictures (H,W,3) uint8 of one size -> logits (B,19,h,w) of cells of 2 x 2 pixels


def find_faces(rgb: np.ndarray, see: See) -> tuple[tuple[FoundFace, ...], Tensor]:
    """The faces in the picture (H,W,3), the largest first, and the class probabilities (19,h,w) of the last
    look at all of it.
    """
    longest, places = max(rgb.shape[:2]), []
    for side in FIRST_SIDES:
        whole, scale = first_look(rgb, side, see)
        places += [face.scaled(1 / scale) for face in possible_faces(whole[FACE_CLASSES].sum(0).numpy())]
        if longest <= side or any(place.length >= SMALL * longest for place in places):
            break
    places = sorted(places, key=lambda place: -place.length)[:MOST]
    faces: list[FoundFace] = []
    seen = close_look(rgb, places, see) or seen_at_first(whole.numpy(), scale)
    if not seen:
        seen = close_look(
            rgb, [replace(place, tilt=tilt) for place in places for tilt in (-TURN, TURN)], see, KINDS + 1
        )
    for _, face in sorted(seen, key=lambda pair: -pair[0]):
        if all(
            np.hypot(face.x - other.x, face.y - other.y) > APART * max(face.length, other.length)
            for other in faces
        ):
            faces.append(face)
    return tuple(sorted(faces, key=lambda face: -face.length)), whole


def first_look(rgb: np.ndarray, side: int, see: See) -> tuple[Tensor, float]:
    """Class probabilities (19,h,w) of the picture (H,W,3) at `side` pixels, and by how much it was scaled."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return probabilities(see(small))[0, :, : size[1], : size[0]], scale


def possible_faces(face: np.ndarray) -> list[FoundFace]:
    """Places that may be faces, from the probability (h,w) of any part of a face."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((face > POSSIBLE).astype(np.uint8), connectivity=8)
    return [
        FoundFace(left + w / 2, top + h / 2, float(max(w, h)))
        for left, top, w, h, area in stats[1:count]
        if max(w, h) >= LEAST[0] and area >= LEAST[1]
    ]


def seen_at_first(whole: np.ndarray, scale: float) -> list[tuple[float, FoundFace]]:
    """Large faces in the first look's class probabilities (19,h,w), as `close_look` has them."""
    found = []
    _, regions, stats, _ = cv2.connectedComponentsWithStats(
        (whole[FACE_CLASSES].sum(0) > POSSIBLE).astype(np.uint8), connectivity=8
    )
    for k, (left, top, w, h, area) in enumerate(stats):
        if k == 0 or max(w, h) < SEEN_WELL or area < FILLED * (AROUND * max(w, h)) ** 2:
            continue
        inside = whole * (regions == k)
        surest = surest_features(inside)
        if surest[KINDS - 1] > SURE:
            tilt = tilt_of(inside)
            found.append(
                (
                    sum(surest[:3]),
                    FoundFace(
                        left + w / 2, top + h / 2, float(max(w, h)), tilt if abs(tilt) > TILTED else 0.0
                    ).scaled(1 / scale),
                )
            )
    return found


def surest_features(inside: np.ndarray) -> list[float]:
    """The highest probability of each kind of feature, the highest first."""
    return sorted((float(inside[names].sum(0).max()) for names in FEATURES), reverse=True)


def close_look(
    rgb: np.ndarray, places: list[FoundFace], see: See, kinds: int = KINDS
) -> list[tuple[float, FoundFace]]:
    """The places that are faces, each where it is seen to be, with the probabilities of its surest features,
    summed.
    """
    if not places:
        return []
    squares = [Square(place.x, place.y, AROUND * place.length, place.tilt) for place in places]
    found = []
    for square, seen in zip(
        squares, probabilities(see(*(square.cut(rgb, CLOSE_SIDE) for square in squares))).numpy()
    ):
        _, regions, stats, _ = cv2.connectedComponentsWithStats(
            (seen[FACE_CLASSES].sum(0) > 0.5).astype(np.uint8), connectivity=8
        )
        if len(stats) < 2:
            continue
        largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        left, top, w, h, area = stats[largest]
        inside = seen * (regions == largest)
        surest = surest_features(inside)
        if surest[kinds - 1] > SURE and area > FILLED * CLOSE_SIDE**2:
            x, y = square.to_picture(CLOSE_SIDE) @ (left + w / 2, top + h / 2, 1)
            tilt = square.tilt + tilt_of(inside)
            found.append(
                (
                    sum(surest[:3]),
                    FoundFace(
                        x, y, max(w, h) * square.side / CLOSE_SIDE, tilt if abs(tilt) > TILTED else 0.0
                    ),
                )
            )
    return found


def tilt_of(seen: np.ndarray) -> float:
    """Degrees that a face's top leans to the right, from the class probabilities (19,h,w) inside it; 0 where
    nothing tells.
    """
    ends = [
        seen[[INDEX[name] for name in names]].sum(0)
        for names in (("l_eye", "r_eye", "eye_glasses", "l_brow", "r_brow"), ("mouth", "u_lip", "l_lip"))
    ]
    if any(end.max() <= SURE for end in ends):
        return 0.0
    (top_x, top_y), (bottom_x, bottom_y) = (
        [np.average(place, weights=end) for place in np.indices(end.shape)[::-1]] for end in ends
    )
    return float(np.rad2deg(np.arctan2(top_x - bottom_x, bottom_y - top_y)))


def probabilities(logits: Tensor) -> Tensor:
    """(B,19,2h,2w), on the CPU, of logits (B,19,h,w)."""
    return F.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False).softmax(1).cpu()
