"""Reads map files: `photo_sem.png` beside `photo.jpg`, in our colours, in those of other tools, or as class
numbers.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from facetransfer.base.errors import InputError
from facetransfer.base.images import open_picture
from segmentation import MAP_ENDING
from segmentation.classes import CLASSES, INDEX, PALETTE
from segmentation.semantic_map import SemanticMap

NEAR = 60.0  # RGB distance within which a colour is one of ours, moved by a soft edge or a lossy file
CERTAIN = 20.0  # RGB distance up to which a colour is no mixture of two
MOST_MIXED = 0.5  # share of mixed pixels from which nothing is certain
MIN_SKIN_SHARE = 0.002  # of a map that is read otherwise than in our colours
LEAST_CERTAIN = 0.5  # share of pixels that have a colour of ours but for what a lossy file changes
OURS = 0.9  # share of pixels that a reading must explain
GLIMPSE = 1_000_000  # pixels by which a larger picture is judged before it is read whole
FLAT = 12  # levels that neighbours in a plain area may differ by, in a lossy file
PART = 1 << 18  # colours that are compared with the palette at once
OWN_SHARE = 5e-4  # share of both maps that a hand-painted colour covers at least
OWN_DISTANCE = 24.0  # RGB distance of a hand-painted colour from every other


def _palette(**colours: tuple[int, int, int]) -> np.ndarray:
    """Colours by class name, (19,3) uint8 in the order of the classes."""
    found = np.zeros((len(CLASSES), 3), np.uint8)
    for name, colour in colours.items():
        found[INDEX[name]] = colour
    return found


# What other tools write. The numbers of the classes differ too, so each is given by name.
OTHER_PALETTES = {
    "CelebAMask-HQ": _palette(
        background=(0, 0, 0),
        skin=(204, 0, 0),
        nose=(76, 153, 0),
        eye_glasses=(204, 204, 0),
        l_eye=(51, 51, 255),
        r_eye=(204, 0, 204),
        l_brow=(0, 255, 255),
        r_brow=(255, 204, 204),
        l_ear=(102, 51, 0),
        r_ear=(255, 0, 0),
        mouth=(102, 204, 0),
        u_lip=(255, 255, 0),
        l_lip=(0, 0, 153),
        hair=(0, 0, 204),
        hat=(255, 51, 153),
        earring=(0, 204, 204),
        necklace=(0, 51, 0),
        neck=(255, 153, 51),
        cloth=(0, 204, 0),
    ),
    "face-parsing.PyTorch": _palette(
        background=(255, 255, 255),
        skin=(255, 85, 0),
        l_brow=(255, 170, 0),
        r_brow=(255, 0, 85),
        l_eye=(255, 0, 170),
        r_eye=(0, 255, 0),
        eye_glasses=(85, 255, 0),
        l_ear=(170, 255, 0),
        r_ear=(0, 255, 85),
        earring=(0, 255, 170),
        nose=(0, 0, 255),
        mouth=(85, 0, 255),
        u_lip=(170, 0, 255),
        l_lip=(0, 85, 255),
        neck=(0, 170, 255),
        necklace=(255, 255, 0),
        cloth=(255, 255, 85),
        hair=(255, 255, 170),
        hat=(255, 0, 255),
    ),
}


def map_path(picture: str | os.PathLike[str], ending: str = MAP_ENDING) -> Path:
    """The path of the map for a picture file: photo.jpg has photo_sem.png beside it, unless another ending is
    given.
    """
    picture = Path(picture)
    if not picture.name:
        raise InputError(f"{picture} is a folder: give a picture file")
    return picture.with_name(picture.stem + ending)


def from_colours(rgb: np.ndarray, palette: np.ndarray = PALETTE) -> tuple[SemanticMap, float]:
    """The face map nearest to the colours (H,W,3) uint8, and the share of pixels that are near a colour of
    the palette (19,3).

    A pixel whose colour is a mixture, at a soft or lossy border, takes the class of the nearest pixel that is
    certain: two colours mixed may look like a third.
    """
    labels, distance, inverse = _nearest(rgb, palette)
    found = labels[inverse].reshape(rgb.shape[:2])
    mixed = (distance > CERTAIN)[inverse].reshape(rgb.shape[:2])
    if mixed.any() and mixed.mean() < MOST_MIXED:
        _, nearest = cv2.distanceTransformWithLabels(
            mixed.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        certain = np.zeros(nearest.max() + 1, np.uint8)
        certain[nearest[~mixed]] = found[~mixed]
        found = certain[nearest]
    return SemanticMap(found), float((distance < NEAR)[inverse].mean())


def _packed(rgb: np.ndarray) -> np.ndarray:
    """Colours (...,3) uint8 as single numbers, (N,) uint32, which can be sorted in a fraction of the time and
    memory.
    """
    flat = rgb.reshape(-1, 3).astype(np.uint32)
    return flat[:, 0] << 16 | flat[:, 1] << 8 | flat[:, 2]


def _unpacked(codes: np.ndarray) -> np.ndarray:
    """The colours (N,3) uint8 of packed numbers."""
    return np.stack((codes >> 16, codes >> 8, codes), 1).astype(np.uint8)


def _nearest(rgb: np.ndarray, palette: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For the N different colours in (H,W,3): the index of the nearest colour in the palette (K,3) and the
    distance to it, both (N,); and for each pixel the index of its colour.
    """
    codes, inverse = np.unique(_packed(rgb), return_inverse=True)
    labels, nearest, known = (
        np.empty(len(codes), np.uint8),
        np.empty(len(codes), np.float32),
        palette.astype(np.float32),
    )
    for i in range(
        0, len(codes), PART
    ):  # a picture of noise has millions of colours, each with a distance to each class
        colours = _unpacked(codes[i : i + PART]).astype(np.float32)
        squared = (
            (colours**2).sum(1)[:, None] - 2 * colours @ known.T + (known**2).sum(1)
        )  # whole numbers: exact
        labels[i : i + PART], nearest[i : i + PART] = squared.argmin(1), np.sqrt(squared.min(1))
    return labels, nearest, inverse.ravel()


def read_map(path: str | os.PathLike[str]) -> SemanticMap:
    """The face map in a file, see `reading_of`. `read_map_pair` also reads maps in other colours."""
    return reading_of(path)[0]


def reading_of(path: str | os.PathLike[str]) -> tuple[SemanticMap, str]:
    """The face map in a file, and how the file was interpreted; that is "" for a file in our colours.

    The interpretation that explains most of the file is taken. Raises InputError where none explains enough,
    or where the whole map would be background.
    """
    rgb = np.asarray(open_picture(path))
    step = max(1, round((rgb.shape[0] * rgb.shape[1] / GLIMPSE) ** 0.5))
    semantic, share, taken_for = best_reading(np.ascontiguousarray(rgb[::step, ::step]))
    if step > 1 and share >= OURS:  # a large picture that is no map is known as such by a part of its pixels
        semantic, share, taken_for = best_reading(rgb)
    name = Path(path).name
    if share < OURS:
        raise InputError(
            f"{name} is not painted in the colours of the classes (only {share:.0%} of it is): use them. The "
            f"command line also takes colours of your own, if the maps of both pictures have the same"
        )
    if not semantic.labels.any():
        raise InputError(
            f"{name} would be background everywhere, so it is no map of a face: give another file, or none "
            f"and let the parser make it"
        )
    return semantic, taken_for and f"{name} is read as {taken_for}"


def best_reading(rgb: np.ndarray) -> tuple[SemanticMap, float, str]:
    """The interpretation of colours (H,W,3) uint8 that explains most pixels, the share that it explains, and
    its name, which is "" for our own colours.
    """
    if rgb.max() < len(CLASSES) and (rgb == rgb[..., :1]).all():
        numbers = SemanticMap(np.ascontiguousarray(rgb[..., 0]))
        if _is_plausible(numbers):
            return numbers, 1.0, "class numbers"
    exact = {name: _exact_share(rgb, palette) for name, palette in OTHER_PALETTES.items()}
    name = max(exact, key=lambda n: exact[n])
    if exact[name] >= OURS and exact[name] > _exact_share(rgb, PALETTE):
        other, _ = from_colours(rgb, OTHER_PALETTES[name])
        if _is_plausible(other):
            return other, exact[name], f"the colours of {name}"
    own, near = from_colours(rgb)
    certain = _exact_share(rgb, PALETTE)  # Plain areas have our colours, or they are colours beside ours.
    return own, near if certain >= LEAST_CERTAIN else certain, ""


def _is_plausible(semantic: SemanticMap) -> bool:
    """Whether a map can show a person: it needs skin and at least three other classes."""
    shares = semantic.shares()
    return bool(shares[INDEX["skin"]] > MIN_SKIN_SHARE and (shares > 0).sum() >= 4)


def _exact_share(rgb: np.ndarray, palette: np.ndarray) -> float:
    """The share of pixels whose colour is in the palette, allowing for changes by lossy compression."""
    _, distance, inverse = _nearest(rgb, palette)
    return float((distance <= CERTAIN)[inverse].mean())


def read_map_pair(
    content: str | os.PathLike[str], style: str | os.PathLike[str]
) -> tuple[SemanticMap, SemanticMap, list[str]]:
    """The maps in two files, and notes on how they were interpreted where that is not obvious.

    Files in our palette or that of another tool are face maps. Otherwise the colours of both files together
    are the classes.
    """
    pictures = [np.asarray(open_picture(path)) for path in (content, style)]
    shares = [best_reading(picture)[1] for picture in pictures]
    if min(shares) >= OURS:
        (first, one), (second, two) = reading_of(content), reading_of(style)
        return first, second, [words for words in (one, two) if words]
    if max(shares) >= OURS:
        odd = content if shares[0] < shares[1] else style
        raise InputError(
            f"{Path(odd).name} is painted in other colours than the other map: paint both in the colours of "
            f"the classes, or both in the same colours of your own"
        )
    colours = own_colours(pictures)
    both = f"the maps are read by their own {len(colours)} colours"
    return _by_colours(pictures[0], colours), _by_colours(pictures[1], colours), [both]


def own_colours(pictures: list[np.ndarray]) -> np.ndarray:
    """The colours of hand-painted maps, (K,3) uint8: those that are frequent and far from every more frequent
    one.

    Only pixels whose neighbours have the same colour are counted, because the mixed colours at anti-aliased
    borders are not classes.
    """
    block = np.ones((3, 3), np.uint8)
    flat = np.concatenate(
        [_packed(p[(cv2.dilate(p, block) - cv2.erode(p, block)).max(2) <= FLAT]) for p in pictures]
    )
    codes, counts = np.unique(flat, return_counts=True)
    colours = _unpacked(codes)
    chosen: list[np.ndarray] = []
    for i in counts.argsort()[::-1][:4096]:
        if counts[i] < OWN_SHARE * len(flat) or len(chosen) == 64:
            break
        colour = colours[i].astype(np.float32)
        if all(np.linalg.norm(colour - c) >= OWN_DISTANCE for c in chosen):
            chosen.append(colour)
    if len(chosen) < 2:
        raise InputError(
            "the maps have no two clearly different colours: paint each part in a plain colour of its own"
        )
    return np.array(chosen, dtype=np.uint8)


def _by_colours(rgb: np.ndarray, palette: np.ndarray) -> SemanticMap:
    labels, _, inverse = _nearest(rgb, palette)
    return SemanticMap(labels[inverse].reshape(rgb.shape[:2]), palette)
