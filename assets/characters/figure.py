"""What the three characters share: labels, looks, relief shading, hairs drawn over a surface, and the final
picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from segmentation.classes import INDEX

from .anatomy import Form, Parts, nearest_part, side
from .noise import gradient_noise
from .tracer import Camera, Surface

PART_NAMES = ["skin", "nose", "u_lip", "l_lip", "ear", "neck", "eye", "cloth", "hair"]
LEFT, RIGHT = ({"eye": f"{s}_eye", "ear": f"{s}_ear"} for s in "lr")


def class_of(world: Tensor, parts: Parts, form: Form) -> Tensor:
    """(N,) class index of surface points: the nearest part, with the person's own left and right
    told apart.
    """
    names = [n for n in PART_NAMES if n in parts]
    left = torch.tensor([INDEX[LEFT.get(n, n)] for n in names])
    right = torch.tensor([INDEX[RIGHT.get(n, n)] for n in names])
    part = nearest_part(parts, names)
    return torch.where(side(world, form), left[part], right[part])


def browed(label: Tensor, p: Tensor, brow: Tensor) -> Tensor:
    """The labels (N,), changed in place: skin in `brow` (bool (N,)) on the front of the head becomes brow. p:
    head frame.
    """
    here = brow & (p[2] > 0) & is_class(label, "skin")
    label[here & (p[0] > 0)] = INDEX["l_brow"]
    label[here & (p[0] <= 0)] = INDEX["r_brow"]
    return label


@dataclass
class Look:
    """Material of N surface points: albedo (N, 3) linear, relief height (N,), gloss exponent (N,), shine
    (N,).
    """

    albedo: Tensor
    height: Tensor
    gloss: Tensor
    shine: Tensor

    @classmethod
    def plain(cls, count: int) -> Look:
        """Matt mid grey everywhere."""
        return cls(
            torch.full((count, 3), 0.3),
            torch.zeros(count),
            torch.full((count,), 20.0),
            torch.full((count,), 0.1),
        )

    def put(
        self, where: Tensor, albedo: Tensor, height: Tensor, gloss: float | Tensor, shine: float | Tensor
    ) -> None:
        """Set the points in `where` (bool (N,)); the values are for those points only."""
        self.albedo[where], self.height[where] = albedo, height
        self.gloss[where] = torch.as_tensor(gloss)
        self.shine[where] = torch.as_tensor(shine)


def is_class(label: Tensor, *names: str) -> Tensor:
    """(N,) bool: the label is one of the named classes."""
    return torch.isin(label, torch.tensor([INDEX[n] for n in names]))


def mix(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """a where weight is 0, b where it is 1; colours (N, 3) or (3,), weight (N,)."""
    w = weight.clamp(0, 1)[:, None]
    return a * (1 - w) + b * w


def colour(*rgb: float) -> Tensor:
    """A linear colour (3,)."""
    return torch.tensor(rgb)


def cavity(surface: Surface, height: Tensor, radius: float) -> Tensor:
    """(N,) how far the relief lies above (+) or below (-) its surroundings within `radius` (share of the
    width).
    """
    h = surface.picture(height)
    label = surface.picture(surface.label, -1)
    out = np.zeros_like(h)
    sigma = radius * surface.size
    for value in np.unique(label[label >= 0]):
        inside = (label == value).astype(np.float32)
        weight = np.maximum(cv2.GaussianBlur(inside, (0, 0), sigma), 1e-3)
        blurred = cv2.GaussianBlur(h * inside, (0, 0), sigma) / weight
        out += (h - blurred) * inside
    return surface.gather(out.astype(np.float32))


def backdrop_noise(
    size: int, frequency: float, seed: int, octaves: int = 4, stretch: float = 1.0
) -> np.ndarray:
    """(size, size) cloud noise, about -1..1; `frequency` in features per picture, the same at every size."""
    s = (torch.arange(size) + 0.5) / size * frequency
    y, x = torch.meshgrid(s, s * stretch, indexing="ij")
    total = torch.zeros(size * size)
    for octave in range(octaves):
        k = 2.0**octave
        points = torch.stack([x.flatten() * k, y.flatten() * k, torch.full((size * size,), 0.5 + octave)])
        total += gradient_noise(points, seed + octave) / k
    return total.reshape(size, size).numpy()


def draw_hairs(
    picture: np.ndarray,
    label: np.ndarray | None,
    class_index: int,
    lines: list[np.ndarray],
    colours: np.ndarray,
    widths: np.ndarray,
    opacity: float = 0.9,
) -> None:
    """Draw polylines [(K, 2) pixels] over picture (H, W, 3) 0..1 and, where they cover it, over
    label (H, W).
    """
    shift = 4
    for line, tone, width in zip(lines, colours, widths):
        x0, y0 = np.floor(line.min(0)).astype(int) - 3
        x1, y1 = np.ceil(line.max(0)).astype(int) + 4
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, picture.shape[1]), min(y1, picture.shape[0])
        if x1 <= x0 or y1 <= y0:
            continue
        cover = np.zeros((y1 - y0, x1 - x0), np.uint8)
        local = np.round((line - (x0, y0)) * (1 << shift)).astype(np.int32)
        for i in range(len(local) - 1):  # the tip is thinner than the root
            strength = int(255 * (1 - 0.6 * i / len(local)))
            cv2.line(
                cover,
                tuple(map(int, local[i])),
                tuple(map(int, local[i + 1])),
                strength,
                max(1, int(round(width * (1 - 0.4 * i / len(local))))),
                cv2.LINE_AA,
                shift,
            )
        a = cover[..., None].astype(np.float32) / 255 * opacity
        picture[y0:y1, x0:x1] = picture[y0:y1, x0:x1] * (1 - a) + tone * a
        if label is not None:
            label[y0:y1, x0:x1][cover > 110] = class_index


def hair_line(camera: Camera, size: int, points: list[np.ndarray]) -> np.ndarray:
    """World points (K, 3) smoothed into a pixel polyline (M, 2)."""
    p = np.asarray(points, np.float64)
    for _ in range(3):  # Chaikin's corner cutting
        q = np.empty((2 * len(p) - 2, 3))
        q[0::2], q[1::2] = 0.75 * p[:-1] + 0.25 * p[1:], 0.25 * p[:-1] + 0.75 * p[1:]
        p = np.concatenate([p[:1], q, p[-1:]])
    return camera.project(p, size)


def majority(label: np.ndarray, factor: int) -> np.ndarray:
    """(H, W) labels, the most frequent of each factor x factor block; a tie goes to the block's
    first sample.
    """
    h, w = label.shape[0] // factor, label.shape[1] // factor
    blocks = label.reshape(h, factor, w, factor).transpose(0, 2, 1, 3).reshape(h, w, factor * factor)
    votes = (blocks[..., :, None] == blocks[..., None, :]).sum(-1)
    return np.take_along_axis(blocks, votes.argmax(-1)[..., None], -1)[..., 0].astype(np.uint8)


def finished(picture: np.ndarray, label: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Display values 0..1 (H, W, 3) and labels at the sampling size -> uint8 RGB and uint8 labels at the
    final size.
    """
    h, w = picture.shape[0] // factor, picture.shape[1] // factor
    small = cv2.resize(picture.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
    return np.round(np.clip(small, 0, 1) * 255).astype(np.uint8), majority(label, factor)
