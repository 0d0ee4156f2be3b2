"""Finds the faces in a picture: looks for anything like a face at two sizes, then closely at each place.

The first look guesses freely, so that small and dark faces are not missed; the close look keeps what has the
features of a face, and says where it is more exactly. A large face that it does not know, as a profile may
be, counts where the first look saw its features already: with the rest of the head around it.

The networks know upright faces. Where none is plausible, or only the first look knows one, the picture is
looked at turned by quarters, then in tiles, as far faces need; what is found in these must be plausible. A
tilted face is looked at again in its tilt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segmentation.classes import FACE_CLASSES, INDEX
from segmentation.parsers import FoundFace
from segmentation.parsers.crop import Pyramid, Square

FEATURES = [
    [INDEX[n] for n in names]
    for names in (
        ("l_eye", "r_eye", "eye_glasses"),
        ("nose",),
        ("mouth", "u_lip", "l_lip"),
        ("l_brow", "r_brow"),
    )
]
EYES, NOSE, MOUTH, BROWS, FACE = range(5)  # rows of what `grouped` gives
FIRST_SIDES = (
    256,
    640,
)  # pixels of the longest side in the first look, and in another one where faces are small
SMALL = 0.35  # share of the longest side below which a face is small
POSSIBLE = 0.35  # probability of any part of a face from which a place is looked at
LEAST = 10, 40  # cells of a place's longer side and of its area
MOST = 16  # places looked at
CLOSE_SIDE, AROUND = 160, 1.6  # pixels of the close look, and its square's side in lengths of the face
# places that are looked at again where that one is unsure, and the pixels: a profile's features are small
CLOSER, CLOSER_SIDE = 2, 352
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
SURELY_UPRIGHT = 2.75  # of the three surest features' probabilities, summed: below, turned looks are tried
PLAUSIBLE = 2.4  # which what these find must have
BETTER = 0.1  # more than an upright face that must have, whose place a turned one takes
DOUBTFUL = 1.5  # less is no face: noise and cloth
FEW = 4  # places of each look that are looked at turned
AT_ONCE = 16  # close looks
BLOCK, NOISE = 4, 0.3  # pixels; share of the contrast that means of blocks keep: a quarter in noise
ENOUGH = 1 << 21  # pixels of a face that are looked at for noise; of a larger one every second strip, or less
FAR_SIDE = 1920  # pixels of the longest side when it is looked at in tiles
TILE, OVERLAP = 768, 96  # pixels of a tile's side at most, and at least that two of them share
FAR_PLACES = (24, 40), (48, 16)  # pixels that a face in a tile is taken to have; how many places are tried
FAR_AROUND, FAR_BLUR = 7, 3.0  # pixels: features so near each other are of one face; their places are blurred
FAR_POSSIBLE = 0.03  # probability of features of a second kind, blurred, from which a place is tried
SAME_LENGTH = 0.7  # of the longer of two faces that are one
LOOKS_UPRIGHT = 3  # at a tilted face, at most
GROWN = 1.1  # times as long as before: then it is looked at once more
APART = 0.5  # lengths between two faces: what is nearer is the same face seen twice

See = Callable[
    ..., Tensor
]  # pictures (H,W,3) uint8 of one size -> logits (B,19,h,w) of cells of 2 x 2 pixels
Seen = tuple[float, FoundFace]  # the probabilities of its surest features, summed, and a face


def find_faces(rgb: np.ndarray, see: See) -> tuple[tuple[FoundFace, ...], Tensor]:
    """The faces in the picture (H,W,3), the largest first, and the class probabilities (19,h,w) of the last
    look at all of it.
    """
    longest, places, picture = max(rgb.shape[:2]), [], Pyramid(rgb)
    for side in FIRST_SIDES:
        whole, scale = first_look(picture, side, see)
        places += [face.scaled(1 / scale) for face in possible_faces(whole[FACE_CLASSES].sum(0).numpy())]
        if longest <= side or any(place.length >= SMALL * longest for place in places):
            break
    places = sorted(places, key=lambda place: -place.length)[:MOST]
    seen = close_look(picture, places, see)
    first = [] if seen else seen_at_first(whole.numpy(), scale)
    if not seen and not first:
        seen = close_look(
            picture, [replace(place, tilt=tilt) for place in places for tilt in (-TURN, TURN)], see, KINDS + 1
        )
    if not first and surest_of(seen) < SURELY_UPRIGHT:
        at_first = grouped(whole[None])[0].numpy()
        some = [place for place in places if is_suspected(at_first, place.scaled(scale))][:CLOSER]
        closer = close_look(picture, some, see, upright=True, side=CLOSER_SIDE)
        seen = seen + [pair for pair in closer if pair[0] >= SURELY_UPRIGHT]  # those that were seen stay
    if surest_of(seen) < SURELY_UPRIGHT:  # To the first look alone a face upside down may be an upright one.
        turned = turned_looks(picture, places, see)
        if surest_of(turned) > (SURELY_UPRIGHT if first else surest_of(seen) + BETTER):
            seen, first = turned, []
        elif not seen and not first:
            seen = far_looks(picture, see)
    seen = seen or first
    seen = [pair for pair in seen if pair[0] > DOUBTFUL and not is_noise(rgb, pair[1])]
    faces = [face for _, face in in_their_tilt(picture, apart(seen), see)]
    return tuple(sorted(faces, key=lambda face: -face.length)), whole


def in_their_tilt(picture: Pyramid, seen: list[Seen], see: See) -> list[Seen]:
    """Faces as `seen_upright` has them, each once. One that would run into another face stays as it was; two
    that become the same face were parts of it.
    """
    again = [seen_upright(picture, pair, see) for pair in seen]
    told = []
    for old, (score, face) in zip(seen, again, strict=True):
        met = [  # what became of the other faces that this one has run into
            new
            for known, (_, new) in zip(seen, again, strict=True)
            if known is not old and are_near(face, known[1])
        ]
        told.append((score, face) if all(are_same(face, other) for other in met) else old)
    return apart(told)


def seen_upright(picture: Pyramid, seen: Seen, see: See) -> Seen:
    """A tilted face as it is seen in its tilt, or upside down where it is surer so: the look that found it
    may have known a part of it alone. It is looked at again as long as it grows, and stays as it was where
    the look is worse.
    """
    score, face = seen
    for _ in range(LOOKS_UPRIGHT if face.tilt else 0):
        ways = [face, replace(face, tilt=(face.tilt + 360) % 360 - 180)]
        again = close_look(picture, ways, see, upright=True)
        if not again:
            break
        best, found = max(again, key=lambda pair: pair[0])
        grown = found.length > GROWN * face.length
        if best < score - BETTER and not (grown and best >= PLAUSIBLE):
            break
        score, face = best, found
        if not grown:
            break
    return score, face


def is_suspected(seen: np.ndarray, place: FoundFace) -> bool:
    """Whether the parts (5,h,w) that the first look saw have as many kinds of features at the place, given in
    their cells, as a face must have.
    """
    left, top, right, bottom = (max(0, round(n)) for n in place.box)
    inside = seen[:, top:bottom, left:right]
    return inside.size > 0 and surest_features(inside)[KINDS - 1] > SURE


def surest_of(seen: list[Seen]) -> float:
    """The highest of their scores; 0 where there are none."""
    return max((score for score, _ in seen), default=0.0)


def is_noise(rgb: np.ndarray, face: FoundFace) -> bool:
    """Whether what was taken for a face is noise: its pixels (H,W,3) have nothing to do with each other."""
    left, top, right, bottom = (max(0, round(n)) for n in face.box)
    part = rgb[top:bottom, left:right]
    rows, columns = (n - n % BLOCK for n in part.shape[:2])
    if not rows or not columns:
        return False
    strips = part[:rows, :columns].reshape(rows // BLOCK, BLOCK, columns, 3)
    gray = strips[:: -(-rows * columns // ENOUGH)].mean(3, dtype=np.float32)
    blocks = gray.reshape(len(gray), BLOCK, columns // BLOCK, BLOCK).mean((1, 3))
    return bool(blocks.std() < NOISE * gray.std())


def are_near(face: FoundFace, other: FoundFace) -> bool:
    """Whether two faces lie so near each other that they can only be one face."""
    return bool(np.hypot(face.x - other.x, face.y - other.y) <= APART * max(face.length, other.length))


def are_same(face: FoundFace, other: FoundFace) -> bool:
    """Whether two faces are one: they lie near each other and are nearly of one length."""
    short, long = sorted((face.length, other.length))
    return are_near(face, other) and short > SAME_LENGTH * long


def apart(seen: list[Seen]) -> list[Seen]:
    """The faces, the surest first, each once: of those that lie together the surest."""
    faces: list[Seen] = []
    for pair in sorted(seen, key=lambda pair: -pair[0]):
        if not any(are_near(pair[1], other) for _, other in faces):
            faces.append(pair)
    return faces


def turned_looks(picture: Pyramid, places: list[FoundFace], see: See) -> list[Seen]:
    """The plausible faces of the picture turned: `places` of the upright look and those of its quarter turns,
    each looked at in several tilts, and again in the tilt that was found.
    """
    height, width = picture.levels[0].shape[:2]
    tried = [replace(place, tilt=float(tilt)) for place in places[:FEW] for tilt in range(45, 360, 45)]
    upright = [picture.fitted(side) for side in FIRST_SIDES]
    for quarters in (1, 2, 3):
        found = []
        for side, (small, scale) in zip(FIRST_SIDES, upright, strict=True):
            there = np.ascontiguousarray(np.rot90(small, quarters))
            seen = parts(see(there))[0, FACE, : there.shape[0], : there.shape[1]]
            found += [face.scaled(1 / scale) for face in possible_faces(seen.numpy())]
            if max(height, width) <= side or any(f.length >= SMALL * max(height, width) for f in found):
                break
        for face in sorted(found, key=lambda face: -face.length)[:FEW]:
            x, y = {
                1: (width - face.y, face.x),
                2: (width - face.x, height - face.y),
                3: (face.y, height - face.x),
            }[quarters]
            tried += [replace(face, x=x, y=y, tilt=90.0 * quarters + tilt) for tilt in (-TURN, 0.0, TURN)]
    return seen_again(picture, close_look(picture, tried, see, quick=True), see)


def seen_again(picture: Pyramid, seen: list[Seen], see: See) -> list[Seen]:
    """Of faces that were found by a guess of their tilt or in a tile: those that are plausible where they are
    seen to be, eyes above the mouth.
    """
    surest = sorted(seen, key=lambda pair: -pair[0])[:MOST]
    again = close_look(picture, [face for _, face in surest], see, KINDS + 1, upright=True, quick=True)
    return [pair for pair in again if pair[0] >= PLAUSIBLE]


def far_looks(picture: Pyramid, see: See) -> list[Seen]:
    """The plausible faces that are too far for the first looks.

    The picture is looked at in tiles, where the features of a far face are at least suspected. What looks
    like skin would run together with stone and cloth beside it; features of two kinds in one place are
    rare. Where they are most likely is looked at closely, in the picture's own pixels.
    """
    longest = max(picture.levels[0].shape[:2])
    if longest <= FIRST_SIDES[-1]:
        return []
    small, scale = picture.fitted(min(FAR_SIDE, longest))
    height, width = small.shape[:2]
    features = np.zeros((FACE, height, width), np.float32)
    for top in tile_starts(height):
        for left in tile_starts(width):
            rows, columns = slice(top, top + tile_size(height)), slice(left, left + tile_size(width))
            tile = np.ascontiguousarray(small[rows, columns])
            seen = parts(see(tile))[0, :FACE, : tile.shape[0], : tile.shape[1]].numpy()
            np.maximum(features[:, rows, columns], seen, out=features[:, rows, columns])
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * FAR_AROUND + 1,) * 2)
    near = [cv2.GaussianBlur(cv2.dilate(kind, around), (0, 0), FAR_BLUR) for kind in features]
    eyes, nose, mouth, brows = near
    second = np.maximum(  # the second highest of the four: a third of the time of sorting them
        np.minimum(np.maximum(eyes, nose), np.maximum(mouth, brows)),
        np.maximum(np.minimum(eyes, nose), np.minimum(mouth, brows)),
    )
    likely = likeliest(second)
    places = [
        FoundFace((x + 0.5) / scale, (y + 0.5) / scale, length / scale)
        for length, most in FAR_PLACES
        for x, y in likely[:most]
    ]
    return seen_again(picture, close_look(picture, places, see, quick=True), see)


def likeliest(values: np.ndarray) -> list[tuple[int, int]]:
    """(x, y) of the places of values (H,W) that none beside them exceeds, the highest first."""
    around = np.ones((2 * FAR_AROUND + 1,) * 2, np.uint8)
    rows, columns = np.nonzero((values == cv2.dilate(values, around)) & (values > FAR_POSSIBLE))
    best = np.argsort(-values[rows, columns], kind="stable")
    return [(int(x), int(y)) for x, y in zip(columns[best], rows[best])]


def tile_size(length: int) -> int:
    """Pixels of each tile along a side of `length` pixels: as few tiles as can be, all alike."""
    count = max(1, -(-(length - OVERLAP) // (TILE - OVERLAP)))
    return -(-(length + (count - 1) * OVERLAP) // count)


def tile_starts(length: int) -> list[int]:
    """Where the tiles along a side of `length` pixels begin: they overlap by OVERLAP at least."""
    return list(range(0, max(1, length - OVERLAP), max(1, tile_size(length) - OVERLAP)))


def first_look(picture: Pyramid, side: int, see: See) -> tuple[Tensor, float]:
    """Class probabilities (19,h,w) of the picture at `side` pixels, and by how much it was scaled."""
    small, scale = picture.fitted(side)
    return probabilities(see(small))[0, :, : small.shape[0], : small.shape[1]], scale


def possible_faces(face: np.ndarray) -> list[FoundFace]:
    """Places that may be faces, from the probability (h,w) of any part of a face."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((face > POSSIBLE).astype(np.uint8), connectivity=8)
    return [
        FoundFace(left + w / 2, top + h / 2, float(max(w, h)))
        for left, top, w, h, area in stats[1:count]
        if max(w, h) >= LEAST[0] and area >= LEAST[1]
    ]


def seen_at_first(whole: np.ndarray, scale: float) -> list[Seen]:
    """Large faces in the first look's class probabilities (19,h,w), as `close_look` has them, of those that
    stand upright.
    """
    found = []
    seen = grouped(torch.from_numpy(whole)[None])[0].numpy()
    _, regions, stats, _ = cv2.connectedComponentsWithStats(
        (seen[FACE] > POSSIBLE).astype(np.uint8), connectivity=8
    )
    for k, (left, top, w, h, area) in enumerate(stats):
        if k == 0 or max(w, h) < SEEN_WELL or area < FILLED * (AROUND * max(w, h)) ** 2:
            continue
        inside = seen * (regions == k)
        surest = surest_features(inside)
        if sum(surest[:3]) > SURELY_UPRIGHT and stands_upright(inside):
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
    """The highest probability of each kind of feature, the highest first, of the parts (5,h,w) of a face."""
    return sorted((float(kind.max()) for kind in inside[:FACE]), reverse=True)


def close_look(
    picture: Pyramid,
    places: list[FoundFace],
    see: See,
    kinds: int = KINDS,
    upright: bool = False,
    quick: bool = False,
    side: int = CLOSE_SIDE,
) -> list[Seen]:
    """The places that are faces, each where it is seen to be, with the probabilities of its surest features,
    summed. upright: only those whose features lie as a face's do that stands upright in its square. quick: a
    little less exact, see `parts`. side: pixels at which a square is seen.
    """
    found = []
    for first in range(0, len(places), AT_ONCE):
        some = places[first : first + AT_ONCE]
        squares = [Square(place.x, place.y, AROUND * place.length, place.tilt) for place in some]
        logits = see(*(picture.cut(square, side) for square in squares))
        parts_there = parts(logits) if quick else grouped(probabilities(logits))
        found += faces_within(squares, parts_there.numpy(), kinds, upright)
    return found


def faces_within(squares: list[Square], seen_parts: np.ndarray, kinds: int, upright: bool) -> list[Seen]:
    """The faces in squares whose parts (B,5,h,w) are known, see `close_look`."""
    found = []
    for square, seen in zip(squares, seen_parts, strict=True):
        _, regions, stats, _ = cv2.connectedComponentsWithStats(
            (seen[FACE] > 0.5).astype(np.uint8), connectivity=8
        )
        if len(stats) < 2:
            continue
        largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        left, top, w, h, area = stats[largest]
        inside = seen * (regions == largest)
        surest = surest_features(inside)
        if upright and not stands_upright(inside):
            continue
        if surest[kinds - 1] > SURE and area > FILLED * seen[FACE].size:
            x, y = square.to_picture(seen.shape[-1]) @ (left + w / 2, top + h / 2, 1)
            tilt = (square.tilt + tilt_of(inside) + 180) % 360 - 180
            found.append(
                (
                    sum(surest[:3]),
                    FoundFace(
                        x, y, max(w, h) * square.side / seen.shape[-1], tilt if abs(tilt) > TILTED else 0.0
                    ),
                )
            )
    return found


def tilt_of(seen: np.ndarray) -> float:
    """Degrees that a face's top leans to the right, by its parts (5,h,w); 0 where nothing tells."""
    ends = seen[EYES] + seen[BROWS], seen[MOUTH]
    if any(end.max() <= SURE for end in ends):
        return 0.0
    (top_x, top_y), (bottom_x, bottom_y) = (
        [np.average(place, weights=end) for place in np.indices(end.shape)[::-1]] for end in ends
    )
    return float(np.rad2deg(np.arctan2(top_x - bottom_x, bottom_y - top_y)))


def stands_upright(seen: np.ndarray) -> bool:
    """Whether eyes or brows lie above the nose or the mouth, by the parts (5,h,w) of a face."""

    def height(part: np.ndarray) -> float | None:
        return None if part.max() <= SURE else float(np.average(np.indices(part.shape)[0], weights=part))

    above, below = height(seen[EYES] + seen[BROWS]), height(seen[MOUTH]) or height(seen[NOSE])
    return above is not None and below is not None and above < below


def probabilities(logits: Tensor) -> Tensor:
    """(B,19,2h,2w), on the CPU, of logits (B,19,h,w)."""
    return F.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False).softmax(1).cpu()


def grouped(classes: Tensor) -> Tensor:
    """The probabilities (B,5,h,w) of each kind of feature and of any part of a face, of those of the
    classes (B,19,h,w).
    """
    return torch.stack([classes[:, names].sum(1) for names in (*FEATURES, list(FACE_CLASSES))], 1)


def parts(logits: Tensor) -> Tensor:
    """What `grouped` gives, (B,5,2h,2w), on the CPU, of logits (B,19,h,w): a third of the time of all
    classes.
    """
    seen = grouped(logits.softmax(1))
    return F.interpolate(seen, scale_factor=2, mode="bilinear", align_corners=False).cpu()
