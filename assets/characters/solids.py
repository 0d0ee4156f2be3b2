"""Signed distances of simple solids, and how they are blended. Points are (3, N), distances (N,), unit: half
a head.
"""

from __future__ import annotations

import torch
from torch import Tensor

Vec = tuple[float, float, float]


def length(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Euclidean length from components."""
    return torch.sqrt(x * x + y * y + z * z + 1e-12)


def ellipsoid(p: Tensor, centre: Vec, radii: Vec) -> Tensor:
    """Bound of the distance to an axis-aligned ellipsoid (first-order exact near the surface)."""
    x, y, z = p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]
    a, b, c = x / radii[0], y / radii[1], z / radii[2]
    k0 = length(a, b, c)
    k1 = length(a / radii[0], b / radii[1], c / radii[2])
    return k0 * (k0 - 1) / k1


def segment(p: Tensor, a: Vec, b: Vec) -> tuple[Tensor, Tensor]:
    """Distance to a line segment, and where along it (0..1) the nearest point is."""
    dx, dy, dz = (b[i] - a[i] for i in range(3))
    x, y, z = p[0] - a[0], p[1] - a[1], p[2] - a[2]
    t = ((x * dx + y * dy + z * dz) / (dx * dx + dy * dy + dz * dz)).clamp(0, 1)
    return length(x - t * dx, y - t * dy, z - t * dz), t


def taper(p: Tensor, a: Vec, b: Vec, radius_a: float, radius_b: float) -> Tensor:
    """A capsule whose radius changes evenly from end `a` to end `b`."""
    d, t = segment(p, a, b)
    return d - radius_a - (radius_b - radius_a) * t


def furrow(p: Tensor, points: list[Vec], width: float) -> Tensor:
    """1 on a polyline, falling off as a Gaussian of the given width: the weight of a fold that follows it."""
    d = segment(p, points[0], points[1])[0]
    for a, b in zip(points[1:], points[2:]):
        d = torch.minimum(d, segment(p, a, b)[0])
    return torch.exp(-((d / width) ** 2))


def union(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Smooth union: the two surfaces melt into each other over a width of about k."""
    h = (k - (a - b).abs()).clamp(min=0) / k
    return torch.minimum(a, b) - h * h * (k / 4)


def carve(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Smooth difference: `b` taken out of `a`."""
    return -union(-a, b, k)


def leaf(
    p: Tensor,
    base: Vec,
    tip: Vec,
    facing: Vec,
    width: float,
    thick: float,
    rim: float,
    cup: float,
    round_: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """A cupped leaf from `base` to `tip` whose hollow side looks along `facing`: the form of an ear.

    Gives the distance, the place along it (0 base, 1 tip) and the place across it (-1..1). `rim` thickens the
    border (the helix), `round_` is 1 for a human ear and 0 for a pointed one.
    """
    along = torch.tensor([tip[i] - base[i] for i in range(3)])
    size = float(along.norm())
    along = along / size
    out = torch.tensor(facing)
    out = out - (out @ along) * along
    out = out / out.norm()
    across = torch.linalg.cross(along, out)
    q = p - torch.tensor(base)[:, None]
    u, v, w = along @ q, across @ q, out @ q
    t = (u / size).clamp(0, 1)
    oval = torch.sqrt((t * (1 - t) * 4).clamp(min=1e-6)) * (0.72 + 0.28 * t)
    point = torch.sqrt((t * 4).clamp(max=1)) * (1 - t) ** 0.85 * 1.15
    half = width * (round_ * oval + (1 - round_) * point) + 1e-3
    s = (v / half).clamp(-1.4, 1.4)
    edge = torch.maximum(v.abs() - half, torch.maximum(-u, u - size))
    bend = w - cup * width * (s * s - 0.5)
    border = torch.exp(-(((s.abs() - 0.86) / 0.16) ** 2)) * band01(t, 0.12)
    fold = (
        torch.exp(-(((s - 0.25) / 0.16) ** 2)) * band01(t - 0.3, 0.2) * round_
    )  # the inner ridge of a human ear
    plate = (bend.abs() - thick - rim * (border + 0.8 * fold)) * 0.7
    return -union(-plate, -edge * 0.8, 0.04), t, s


def band01(t: Tensor, edge: float) -> Tensor:
    """0 at t = 0, 1 from t = edge on."""
    x = (t / edge).clamp(0, 1)
    return x * x * (3 - 2 * x)


def turned(p: Tensor, yaw: float, pitch: float, roll: float, pivot: Vec) -> Tensor:
    """World points seen from a head turned by the given angles (radians) about `pivot`. Yaw > 0
    turns to +x.
    """
    cy, sy = torch.cos(torch.tensor(yaw)), torch.sin(torch.tensor(yaw))
    cp, sp = torch.cos(torch.tensor(pitch)), torch.sin(torch.tensor(pitch))
    cr, sr = torch.cos(torch.tensor(roll)), torch.sin(torch.tensor(roll))
    one, nil = torch.tensor(1.0), torch.tensor(0.0)
    about_y = torch.stack([cy, nil, sy, nil, one, nil, -sy, nil, cy]).view(3, 3)
    about_x = torch.stack([one, nil, nil, nil, cp, -sp, nil, sp, cp]).view(3, 3)
    about_z = torch.stack([cr, -sr, nil, sr, cr, nil, nil, nil, one]).view(3, 3)
    to_world = about_y @ about_x @ about_z
    c = torch.tensor(pivot)[:, None]
    return to_world.T @ (p - c) + c
