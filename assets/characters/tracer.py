"""Rays, sphere tracing, shadows and light. Pictures are (H, W, ...) arrays, points (3, N) tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

CHUNK = 1 << 15  # points worked on at once: the working set stays in the processor's cache
Distance = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Camera:
    """Looks along -z from (0, centre_y, distance); `half` is half the height seen at z = 0.4.

    `orbit` radians to the right around the upright axis, so that the figure is seen turned to the picture's
    left.
    """

    centre_y: float = -0.22
    half: float = 1.62
    distance: float = 9.0
    centre_x: float = 0.0
    orbit: float = 0.0

    def seeing(self, yaw: float, degrees: float) -> Camera:
        """This camera gone round until a head of that yaw (radians) is seen turned by so many degrees to the
        picture's right.
        """
        return replace(self, orbit=yaw - math.radians(degrees))

    def axes(self) -> Tensor:
        """(3, 3): the camera's right, up and backward in the world, a column each."""
        c, s = math.cos(self.orbit), math.sin(self.orbit)
        return torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])

    def rays(self, size: int) -> tuple[Tensor, Tensor]:
        """Origin (3,) and unit directions (3, size * size), row by row from the top."""
        s = (torch.arange(size) + 0.5) / size * 2 - 1
        y, x = torch.meshgrid(-s * self.half, s * self.half, indexing="ij")
        d = torch.stack([x.flatten(), y.flatten(), torch.full((size * size,), 0.4 - self.distance)])
        return self.axes() @ torch.tensor([self.centre_x, self.centre_y, self.distance]), self.axes() @ (
            d / d.norm(dim=0)
        )

    def project(self, p: np.ndarray, size: int) -> np.ndarray:
        """World points (N, 3) as pixel coordinates (N, 2), x then y."""
        p = p @ self.axes().numpy()
        k = (self.distance - 0.4) / (self.distance - p[:, 2])
        x, y = (p[:, 0] - self.centre_x) * k / self.half, (p[:, 1] - self.centre_y) * k / self.half
        return np.stack([(x + 1) * size / 2 - 0.5, (1 - y) * size / 2 - 0.5], axis=1)


def in_chunks(f: Callable[[Tensor], Tensor], p: Tensor) -> Tensor:
    """f over the columns of p, a chunk at a time."""
    return torch.cat([f(c) for c in p.split(CHUNK, dim=1)], dim=-1)


def trace(
    distance: Distance,
    origin: Tensor,
    directions: Tensor,
    near: float,
    far: float,
    steps: int = 90,
    stride: float = 0.85,
    hit: float = 8e-4,
) -> Tensor:
    """(N,) length of each ray to the surface, infinite where it misses. `stride` < 1 allows inexact
    distances.
    """
    out = torch.full((directions.shape[1],), float("inf"))
    for begin in range(0, directions.shape[1], CHUNK):
        d = directions[:, begin : begin + CHUNK]
        live = torch.arange(d.shape[1])
        t = torch.full((d.shape[1],), near)
        for _ in range(steps):
            gap = distance(origin[:, None] + d[:, live] * t[live])
            t[live] += gap * stride
            done = gap.abs() < hit
            out[begin + live[done]] = t[live[done]]
            live = live[~done & (t[live] < far)]
            if live.numel() == 0:
                break
        close = live[t[live] < far]
        if close.numel():  # grazing rays that ran out of steps: on the surface if nearly there
            gap = distance(origin[:, None] + d[:, close] * t[close])
            close = close[gap.abs() < 0.012]
            out[begin + close] = t[close]
    return out


def normals(distance: Distance, p: Tensor, step: float = 2e-3) -> Tensor:
    """(3, N) unit normals by differences at the corners of a tetrahedron."""
    corners = torch.tensor([[1.0, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    n = torch.zeros_like(p)
    for c in corners:
        n += c[:, None] * in_chunks(lambda q, c=c: distance(q + c[:, None] * step), p)
    return n / n.norm(dim=0).clamp(min=1e-9)


def occlusion(distance: Distance, p: Tensor, n: Tensor) -> Tensor:
    """(N,) 0..1, how open the surroundings are along the normal: 1 is free."""
    total = torch.zeros(p.shape[1])
    for reach, weight in ((0.03, 1.0), (0.07, 0.7), (0.14, 0.5), (0.26, 0.35)):
        gap = in_chunks(distance, p + n * reach)
        total += weight * ((reach - gap) / reach).clamp(0, 1)
    return (1 - total / 2.0).clamp(0.0, 1)


def light_reaches(
    distance: Distance, p: Tensor, n: Tensor, to_light: Tensor, softness: float = 9.0
) -> Tensor:
    """(N,) 0..1, the penumbra of an area light in the unit direction `to_light` (3,)."""
    out = torch.ones(p.shape[1])
    facing = (n * to_light[:, None]).sum(0) > -0.15
    index = facing.nonzero()[:, 0]
    for part in index.split(CHUNK):
        q, t = p[:, part] + n[:, part] * 0.012, torch.full((part.numel(),), 0.02)
        lit = torch.ones(part.numel())
        for _ in range(22):
            gap = distance(q + to_light[:, None] * t)
            lit = torch.minimum(lit, 0.5 + 0.5 * softness * gap / t)
            t = t + gap.clamp(0.02, 0.16)
        lit = lit.clamp(0, 1)
        out[part] = lit * lit * (3 - 2 * lit)
    return out


@dataclass(frozen=True)
class Light:
    """A distant light. `wrap` lets it creep round the form as in skin or wax (one number per colour
    channel).
    """

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]
    shadow: bool = False
    wrap: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def unit(self) -> Tensor:
        """(3,) unit vector to the light."""
        d = torch.tensor(self.direction)
        return d / d.norm()


@dataclass
class Surface:
    """What the camera sees, only where it hits something. N hits out of size * size rays."""

    size: int
    seen: np.ndarray  # (size * size,) bool
    p: Tensor  # (3, N) world
    n: Tensor  # (3, N) unit normal of the form
    view: Tensor  # (3, N) unit, to the camera
    label: Tensor  # (N,) class index
    open_: Tensor  # (N,) ambient openness
    lit: list[Tensor]  # per light (N,) or 1

    def picture(self, values: Tensor, outside: float = 0.0) -> np.ndarray:
        """Values (N,) or (N, C) as a picture (size, size[, C]), `outside` where nothing was hit."""
        v = values.numpy()
        out = np.full((self.size * self.size,) + v.shape[1:], outside, v.dtype)
        out[self.seen] = v
        return out.reshape((self.size, self.size) + v.shape[1:])

    def gather(self, picture: np.ndarray) -> Tensor:
        """A picture's values at the hits."""
        return torch.from_numpy(picture.reshape((-1,) + picture.shape[2:])[self.seen])


def see(distance: Distance, label: Distance, camera: Camera, lights: list[Light], size: int) -> Surface:
    """Trace the picture's rays and measure what light needs to know."""
    origin, directions = camera.rays(size)
    reach = 1.6 + 0.6 * abs(math.sin(camera.orbit))  # a shoulder comes nearer
    t = trace(distance, origin, directions, camera.distance - reach, camera.distance + reach)
    seen = torch.isfinite(t)
    d = directions[:, seen]
    p = origin[:, None] + d * t[seen]
    n = normals(distance, p)
    lit = [light_reaches(distance, p, n, x.unit()) if x.shadow else torch.ones(p.shape[1]) for x in lights]
    return Surface(size, seen.numpy(), p, n, -d, in_chunks(label, p), occlusion(distance, p, n), lit)


def bumped(surface: Surface, height: Tensor) -> Tensor:
    """(3, N) normals bent by a relief `height` (N,) in scene units, from its slope between neighbouring
    pixels.

    Neighbours on another part or across a jump in depth give no slope.
    """
    size = surface.size
    p = surface.picture(surface.p.T.contiguous(), np.nan)
    h = surface.picture(height, np.nan)
    label = surface.picture(surface.label.float(), -1)

    def slope(axis: int) -> tuple[np.ndarray, np.ndarray]:
        ahead = np.roll(p, -1, axis) - p
        rise = np.roll(h, -1, axis) - h
        same = np.roll(label, -1, axis) == label
        bad = ~(same & (np.linalg.norm(ahead, axis=-1) < 24 / size))
        rise[bad] = 0
        ahead[bad] = 0
        return np.nan_to_num(ahead), np.nan_to_num(rise)

    (dx, hx), (dy, hy) = slope(1), slope(0)
    n = surface.picture(surface.n.T.contiguous())
    fallback = 3.0 / size  # where there is no neighbour the tangents only need to be sane
    dx[~dx.any(-1)] = (fallback, 0, 0)
    dy[~dy.any(-1)] = (0, -fallback, 0)
    r1, r2 = np.cross(dy, n), np.cross(n, dx)
    det = (dx * r1).sum(-1, keepdims=True)
    grad = np.sign(det) * (hx[..., None] * r1 + hy[..., None] * r2)
    bent = np.abs(det) * n - grad
    bent /= np.maximum(np.linalg.norm(bent, axis=-1, keepdims=True), 1e-12)
    return surface.gather(bent.astype(np.float32)).T.contiguous()


def shade(
    surface: Surface,
    lights: list[Light],
    n: Tensor,
    albedo: Tensor,
    gloss: Tensor,
    shine: Tensor,
    ambient: tuple[Tensor, Tensor],
    occluded: Tensor,
) -> Tensor:
    """(N, 3) linear light. n: (3, N) bent normals; albedo (N, 3); gloss (N,) specular exponent; shine (N,)
    strength.

    `ambient` is the colour from above and from below; `occluded` (N,) scales it.
    """
    up = (n[1] * 0.5 + 0.5)[:, None]
    sky = ambient[0] * up + ambient[1] * (1 - up)
    out = albedo * sky * occluded[:, None]
    fresnel = 0.35 + 0.65 * (1 - (n * surface.view).sum(0).clamp(0, 1)) ** 4
    for light, lit in zip(lights, surface.lit):
        to = light.unit()[:, None]
        cos = (n * to).sum(0)[:, None]
        wrap = torch.tensor(light.wrap)
        diffuse = ((cos + wrap) / (1 + wrap)).clamp(min=0) ** (1 + wrap)
        # in the penumbra red light has travelled furthest under the skin
        reach = lit[:, None] ** (1 / (1 + 1.5 * wrap))
        half = to + surface.view
        half = half / half.norm(dim=0)
        spec = (
            (n * half).sum(0).clamp(min=1e-4) ** gloss * (gloss + 6) / 40 * shine * fresnel * (cos[:, 0] > 0)
        )
        colour = torch.tensor(light.colour)
        open_ = (0.35 + 0.65 * occluded)[:, None]
        out = out + colour * (albedo * diffuse * reach * open_ + (spec * lit * occluded)[:, None])
    return out


def developed(linear: np.ndarray, exposure: float = 1.0) -> np.ndarray:
    """Linear light to display values 0..1 with a filmic shoulder."""
    x = np.maximum(linear * exposure, 0)
    filmic = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return np.clip(filmic, 0, 1) ** (1 / 2.2)
