"""Dense correspondence of two faces: where each place of one face lies in the other.

A thin-plate spline (Bookstein 1989, "Principal Warps") takes the landmarks of one face to those of the other;
between them it bends as little as possible. It is regularised, since landmarks read from a map are not exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segmentation.landmarks import Landmarks

MIN_LANDMARKS = 6  # fewer say too little: the faces are then taken to be alike
REGULARISATION = 1e-3  # added to the spline's kernel matrix, in square face sizes
MAX_DISPLACEMENT = 0.5  # face sizes; a larger one is held to be an error
FADE = (0.9, 1.3)  # face sizes from the middle over which displacements fade out
OUTLIER = (
    0.22  # face sizes that a landmark may lie beside where the others, by an affine map, say it should be
)


@dataclass(frozen=True)
class Correspondence:
    """A smooth map of face coordinates (see `segmentation.landmarks`) of one face to those of another.

    source (N,2): landmarks of the first face. weights (N+3,2): of the spline's kernel, then its affine part,
    for the displacements (du, dv).
    """

    source: np.ndarray
    weights: np.ndarray

    def displacement(self, places: np.ndarray) -> np.ndarray:
        """How far (du, dv), in face sizes, positions (..., 2) of the first face move to lie in the second,
        (..., 2).
        """
        if not len(self.source):
            return np.zeros_like(places)
        flat = places.reshape(-1, 2)
        moved = _basis(flat, self.source) @ self.weights
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        moved *= np.minimum(1.0, MAX_DISPLACEMENT / np.maximum(length, 1e-9))
        distance = np.linalg.norm(flat, axis=1, keepdims=True)
        moved *= np.clip((FADE[1] - distance) / (FADE[1] - FADE[0]), 0, 1)
        return moved.reshape(places.shape)


def correspondence(first: Landmarks, second: Landmarks) -> Correspondence:
    """The map from the first face to the second, fitted to the landmarks that both have, without outliers.

    Where there are too few landmarks, the map moves nothing.
    """
    names = [name for name in first if name in second]
    source = np.array([first[name] for name in names]).reshape(-1, 2)
    moves = np.array([second[name] for name in names]).reshape(-1, 2) - source
    kept = _inliers(source, moves)
    source, moves = source[kept], moves[kept]
    if len(source) < MIN_LANDMARKS:
        return Correspondence(np.empty((0, 2)), np.empty((0, 2)))
    basis = _basis(source, source)
    count = len(source)
    system = np.zeros((count + 3, count + 3))
    system[:count] = basis
    system[:count, :count] += REGULARISATION * np.eye(count)
    system[count:, :count] = basis[:, count:].T
    weights = np.linalg.lstsq(system, np.vstack((moves, np.zeros((3, 2)))), rcond=None)[0]
    return Correspondence(source, weights)


def _basis(places: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The basis functions of the spline at positions (M,2): the kernel r^2 log r of the distance to each
    source (N,2), then 1, u and v, (M,N+3).
    """
    squared = ((places[:, None] - source[None]) ** 2).sum(2)
    kernel = 0.5 * squared * np.log(np.maximum(squared, 1e-12))
    return np.hstack((kernel, np.ones((len(places), 1)), places))


def _inliers(source: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Which landmarks (N,) agree with one affine map. Landmarks are left out one by one, the worst first,
    until the others agree.
    """
    kept = np.ones(len(source), bool)
    design = np.hstack((np.ones((len(source), 1)), source))
    while kept.sum() >= MIN_LANDMARKS:
        affine = np.linalg.lstsq(design[kept], moves[kept], rcond=None)[0]
        error = np.where(kept, np.linalg.norm(design @ affine - moves, axis=1), 0.0)
        if error.max() <= OUTLIER:
            break
        kept[error.argmax()] = False
    return kept
