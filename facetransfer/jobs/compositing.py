"""Puts a result into a picture: into the style picture, or back into the photo that it was cut from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from PIL import Image

from facetransfer.jobs.face import LocatedFace
from segmentation.alignment import similarity
from segmentation.classes import FACE_CLASSES, INDEX

FADE = 1 / 8  # width of the blended rim of a part, as a share of its shorter side
SOFT = 1 / 128  # width of the soft border of what is laid over the photo, as a share of the longer side


@dataclass(frozen=True)
class IntoContent:
    """Puts a result back into the part of the content photo that it was made from.

    box: (left, top, right, bottom) of that part. strength: (H,W), how much of the style each place of the
    result takes, None for all of it. The background stays the photo's.
    """

    photo: LocatedFace
    box: tuple[int, int, int, int]
    strength: torch.Tensor | None

    def __call__(self, result: Image.Image) -> Image.Image:
        photo, (left, top, right, bottom) = self.photo, self.box
        labels = photo.semantic.resized(photo.picture.size).labels[top:bottom, left:right]
        share = (labels != INDEX["background"]).astype(np.float32)
        if self.strength is not None:
            strength = self.strength.clamp(max=1).numpy()
            share *= cv2.resize(strength, share.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return back_into(photo.picture, result, self.box, share)


@dataclass(frozen=True)
class IntoStyle:
    """Puts a result's face in the place of the face in the style picture.

    content: the picture that the result was made from, at the same size; style: the style picture as it was
    opened; mirrored: whether the style was flipped to match the content.
    """

    content: LocatedFace
    style: LocatedFace
    mirrored: bool

    def __call__(self, result: Image.Image) -> Image.Image:
        content, style = self.content, self.style
        matrix = similarity(content.frame, style.frame, self.mirrored)
        part = np.isin(content.semantic.labels, FACE_CLASSES)
        allowed = np.isin(style.semantic.resized(style.picture.size).labels, FACE_CLASSES)
        return into_picture(style.picture, result, matrix, part, allowed)


def into_picture(
    picture: Image.Image, result: Image.Image, matrix: np.ndarray, part: np.ndarray, allowed: np.ndarray
) -> Image.Image:
    """Places a part of the result into the picture without a visible seam, by Poisson blending (Perez et al.
    2003, in OpenCV's implementation).

    matrix (2,3): takes positions (x, y) in the result to positions in the picture. part: (H,W) bool, of the
    result's size, what is placed. allowed: (H,W) bool, of the picture's size, where it may be placed, so that
    it does not cover hair. Returns the picture unchanged if nothing remains to be placed.
    """
    source, target, matrix = np.asarray(result), np.asarray(picture), matrix.copy()
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 1:  # Averaging before the warp prevents aliasing.
        smaller = [max(1, round(n * scale)) for n in result.size]
        matrix[:, :2] *= result.width / smaller[0]
        source = cv2.resize(source, smaller, interpolation=cv2.INTER_AREA)
        part = cv2.resize(part.astype(np.uint8), smaller, interpolation=cv2.INTER_NEAREST_EXACT) > 0
    placed = matrix.copy()
    placed[:, 2] += placed[:, :2].sum(1) * 0.5 - 0.5  # from positions to OpenCV's pixel centres
    warped = cv2.warpAffine(
        source, placed, picture.size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    mask = cv2.warpAffine(part.astype(np.uint8) * 255, placed, picture.size, flags=cv2.INTER_LINEAR)
    mask = (mask > 127) * np.uint8(255)
    inside = cv2.warpAffine(np.full(part.shape, 255, np.uint8), placed, picture.size, flags=cv2.INTER_NEAREST)
    mask = cv2.bitwise_and(mask, cv2.erode(inside, np.ones((5, 5), np.uint8), borderValue=0))
    closed = cv2.morphologyEx(allowed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    mask[closed == 0] = 0
    mask[[0, 1, -2, -1]] = mask[:, [0, 1, -2, -1]] = 0
    x, y, width, height = cv2.boundingRect(mask)
    if width < 3 or height < 3:
        return picture
    blended = cv2.seamlessClone(
        np.ascontiguousarray(warped[..., ::-1]),
        np.ascontiguousarray(target[..., ::-1]),
        mask,
        (x + width // 2, y + height // 2),
        cv2.NORMAL_CLONE,
    )
    return Image.fromarray(np.ascontiguousarray(blended[..., ::-1]))


def back_into(
    picture: Image.Image, result: Image.Image, box: tuple[int, int, int, int], share: np.ndarray | None = None
) -> Image.Image:
    """Lays the result over the part (left, top, right, bottom) of the picture that it was made from, and
    blends its rim into the picture.

    share: (H,W) in [0,1], of the result's shape, how much of the result each pixel takes; None for all of it.
    Where it is 0, the picture stays exactly as it is.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    part = np.asarray(result.resize((width, height), Image.Resampling.LANCZOS), dtype=np.float32)
    fade = max(1, round(min(width, height) * FADE))

    def ramp(n: int, start: bool, end: bool) -> np.ndarray:
        rise = np.clip((np.arange(n, dtype=np.float32) + 0.5) / fade, 0, 1)
        return np.minimum(rise if start else 1.0, rise[::-1] if end else 1.0) * np.ones(n, np.float32)

    rim = np.minimum.outer(
        ramp(height, top > 0, bottom < picture.height), ramp(width, left > 0, right < picture.width)
    )
    share = (rim if share is None else rim * _softened(share, (width, height)))[..., None]
    pixels = np.array(picture)
    here = pixels[top:bottom, left:right]
    pixels[top:bottom, left:right] = np.round(here + share * (part - here)).astype(np.uint8)
    return Image.fromarray(pixels)


def _softened(share: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A share (H,W) in [0,1], resized to (width, height), with a soft border on the inside only, so that
    pixels outside stay exactly 0.
    """
    radius = max(1, round(max(size) * SOFT))
    whole = cv2.resize(share.astype(np.float32), size, interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.blur(cv2.erode(whole, np.ones((2 * radius + 1,) * 2, np.uint8)), (2 * radius + 1,) * 2)
