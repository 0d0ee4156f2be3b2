"""Lends glasses, hats, earrings and necklaces from one labelled face to another: few faces wear them, and all
could.

Copied with their labels, as in Ghiasi et al. 2021 (Simple Copy-Paste, arXiv 2012.07177), but put where the
other face would wear them.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from segmentation.classes import INDEX

IGNORE = 255  # pixels whose class is unknown
LENT = {
    "eye_glasses": (0.08, 0.004),
    "hat": (0.1, 0.02),
    "earring": (0.05, 0.0005),
    "necklace": (0.03, 0.0005),
}  # share of faces, area of the least
PARTS = [
    [INDEX[n] for n in names]
    for names in (("l_eye",), ("r_eye",), ("l_brow",), ("r_brow",), ("nose",), ("mouth", "u_lip", "l_lip"))
]
# of the picture's width: how far the parts of two faces may lie apart when one is put over the other
AWRY = 0.04

Face = tuple[np.ndarray, np.ndarray]  # picture (H,W,3) uint8, labels (H,W) uint8


class Lender:
    """Knows which faces wear what; calls give a face as it was, or with something that another one wears."""

    def __init__(self, faces: list[Face], rng: np.random.Generator) -> None:
        self.faces, self.rng = faces, rng
        self.parts = [middles(labels) for _, labels in faces]
        self.wearing = {
            name: [i for i, (_, labels) in enumerate(faces) if (labels == INDEX[name]).mean() > least]
            for name, (_, least) in LENT.items()
        }

    def __call__(self, i: int) -> Face:
        """Face i; the returned arrays are its own where nothing was lent."""
        picture, labels = self.faces[i]
        for name, (share, _) in LENT.items():
            if self.wearing[name] and self.rng.random() < share and not (labels == INDEX[name]).any():
                donor = self.wearing[name][self.rng.integers(len(self.wearing[name]))]
                matrix = over(self.parts[donor], self.parts[i], AWRY * labels.shape[1])
                if matrix is not None:
                    return put_on(TAKEN[name], self.faces[donor], (picture, labels), matrix)
        return picture, labels


def middles(labels: np.ndarray) -> np.ndarray:
    """(6,2): the middle (x, y) of each of PARTS, NaN where a face does not show it."""
    found = []
    for part in PARTS:
        rows, columns = np.nonzero(np.isin(labels[::2, ::2], part))
        found.append((2 * columns.mean(), 2 * rows.mean()) if len(rows) > 10 else (np.nan, np.nan))
    return np.array(found)


def over(source: np.ndarray, target: np.ndarray, awry: float) -> np.ndarray | None:
    """The similarity (2,3) that lays the middles of one face over another's, None where they lie more than
    `awry` pixels apart.
    """
    both = ~np.isnan(source + target).any(1)
    if both.sum() < 4:
        return None
    a, b = (points[both] @ (1, 1j) for points in (source, target))
    factor = np.vdot(a - a.mean(), b - b.mean()) / np.vdot(a - a.mean(), a - a.mean())
    moved = b.mean() - factor * a.mean()
    if abs(factor * a + moved - b).max() > awry or not 0.5 < abs(factor) < 2:
        return None
    return np.array([[factor.real, -factor.imag, moved.real], [factor.imag, factor.real, moved.imag]])


def put_on(
    taken: Callable[[np.ndarray, np.ndarray], np.ndarray], donor: Face, face: Face, matrix: np.ndarray
) -> Face:
    """`face` with what `taken` chooses of the donor, given both faces' labels (H,W), the donor's laid over
    the face's.
    """
    picture, labels = face
    size = labels.shape[1::-1]
    lent = cv2.warpAffine(donor[0], matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    named = cv2.warpAffine(donor[1], matrix, size, flags=cv2.INTER_NEAREST, borderValue=IGNORE)
    here = taken(named, labels) & (named != IGNORE)
    share = np.maximum(cv2.GaussianBlur(here.astype(np.float32), (0, 0), 1.0), 0)[..., None]
    return (picture + share * (lent.astype(np.float32) - picture)).astype(np.uint8), np.where(
        here, named, labels
    )


def glasses(named: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(H,W) bool: the frames with all that is seen through them."""
    outlines, _ = cv2.findContours(
        (named == INDEX["eye_glasses"]).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return cv2.drawContours(np.zeros(named.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0


def hat(named: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """All above the hat's lower edge: hair that would stick out beside it goes too."""
    here = named == INDEX["hat"]
    columns = np.flatnonzero(here.any(0))
    if not len(columns):
        return here
    edge = here.shape[0] - 1 - here[::-1].argmax(0)
    return np.arange(here.shape[0])[:, None] <= np.interp(np.arange(here.shape[1]), columns, edge[columns])


def earring(named: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Those that hang near an ear of the face."""
    ears = np.isin(labels, (INDEX["l_ear"], INDEX["r_ear"])).astype(np.uint8)
    near = cv2.dilate(ears, np.ones((labels.shape[0] // 12,) * 2, np.uint8)) > 0
    count, regions = cv2.connectedComponents((named == INDEX["earring"]).astype(np.uint8))
    return np.isin(regions, [k for k in range(1, count) if near[regions == k].any()])


def necklace(named: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What of it lies on neck, skin or clothes."""
    return (named == INDEX["necklace"]) & np.isin(labels, [INDEX[n] for n in ("neck", "skin", "cloth")])


TAKEN = {"eye_glasses": glasses, "hat": hat, "earring": earring, "necklace": necklace}
