"""A head and shoulders as signed distances, part by part. x: picture right, y: up, z: to the viewer; chin
about -1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .solids import Vec, carve, ellipsoid, furrow, leaf, length, taper, turned, union

Parts = dict[str, Tensor]  # part name -> (N,) distance


@dataclass(frozen=True)
class Form:
    """The measures of a head. Lengths in half heads, angles in radians, paired parts given for the
    +x side.
    """

    yaw: float = 0.2
    pitch: float = 0.0
    roll: float = 0.0
    cranium: tuple[Vec, Vec] = ((0, 0.24, -0.14), (0.69, 0.77, 0.88))
    mask: tuple[Vec, Vec] = ((0, -0.22, 0.16), (0.57, 0.76, 0.63))
    jaw: tuple[Vec, Vec] = ((0, -0.60, 0.20), (0.44, 0.33, 0.46))
    chin: tuple[Vec, Vec] = ((0, -0.86, 0.58), (0.18, 0.13, 0.16))
    cheekbone: tuple[Vec, Vec] = ((0.38, -0.19, 0.50), (0.20, 0.12, 0.20))
    cheek: tuple[Vec, Vec] = ((0.30, -0.44, 0.46), (0.20, 0.20, 0.20))
    cheek_hollow: tuple[Vec, Vec] = ((0.56, -0.50, 0.42), (0.12, 0.18, 0.16))
    temple_hollow: tuple[Vec, Vec] = ((0.74, 0.22, 0.42), (0.14, 0.22, 0.24))
    brow_ridge: tuple[Vec, Vec, float] = ((0.10, 0.15, 0.72), (0.46, 0.17, 0.54), 0.075)
    socket: tuple[Vec, Vec] = ((0.255, 0.01, 0.83), (0.17, 0.10, 0.17))
    muzzle: tuple[Vec, Vec] = ((0, -0.60, 0.52), (0.35, 0.22, 0.30))
    eye: tuple[Vec, float] = ((0.265, 0.0, 0.560), 0.155)
    lid: float = 0.020  # thickness
    opening: tuple[float, float, float, float] = (0.150, 0.072, 0.050, 0.05)  # half width, up, down, tilt
    bridge: tuple[Vec, Vec, float, float] = ((0, 0.10, 0.735), (0, -0.28, 0.935), 0.050, 0.075)
    tip: tuple[Vec, Vec] = ((0, -0.325, 0.950), (0.092, 0.085, 0.095))
    wing: tuple[Vec, Vec] = ((0.100, -0.365, 0.830), (0.068, 0.064, 0.095))
    nostril: tuple[Vec, Vec] = ((0.056, -0.425, 0.895), (0.036, 0.032, 0.055))
    mouth_y: float = -0.605
    mouth_z: float = 0.812
    mouth_half: float = 0.240
    lip_up: float = 0.037  # radius of the upper lip
    lip_low: float = 0.046
    smile: float = 0.016  # how much higher the corners are than the middle
    ear: dict | None = None  # arguments of solids.leaf
    nasolabial: tuple[float, float] = (0.018, 0.045)  # depth, width
    neck: tuple[Vec, Vec, float, float] = ((0, -0.55, -0.12), (0, -1.75, -0.24), 0.40, 0.46)
    tendon: float = 0.085
    shoulders: tuple[Vec, Vec] = ((0, -2.00, -0.22), (1.50, 0.64, 0.54))


HUMAN_EAR = dict(
    base=(0.575, -0.37, 0.02),
    tip=(0.73, 0.16, -0.14),
    facing=(0.70, 0.05, 0.72),
    width=0.165,
    thick=0.024,
    rim=0.034,
    cup=0.42,
    round_=1.0,
)
PIVOT = (0.0, -0.6, -0.15)


def mirrored(p: Tensor) -> Tensor:
    """Points folded onto the +x half."""
    return torch.stack([p[0].abs(), p[1], p[2]])


def to_head(p: Tensor, form: Form) -> Tensor:
    """World points in the head's own frame."""
    return turned(p, form.yaw, form.pitch, form.roll, PIVOT)


def lid_gap(q: Tensor, form: Form) -> Tensor:
    """Signed distance (in the front plane) to the almond between the lids; q: points relative to the eye, +x
    side.
    """
    half, up, down, tilt = form.opening
    x, y = q[0], q[1] - tilt * q[0]
    s = x / half
    upper = up * (1 - s * s) * (1 - 0.25 * s)
    lower = -down * (1 - s * s) * (1 + 0.25 * s)
    return torch.maximum(y - upper, lower - y)


def skull_and_flesh(p: Tensor, form: Form) -> Tensor:
    """Skin without nose, lids, lips and ears. p: head frame, folded."""
    d = union(ellipsoid(p, *form.cranium), ellipsoid(p, *form.mask), 0.25)
    d = union(d, ellipsoid(p, *form.jaw), 0.20)
    d = carve(d, ellipsoid(p, *form.temple_hollow), 0.25)
    d = carve(d, ellipsoid(p, *form.cheek_hollow), 0.25)
    d = union(d, ellipsoid(p, *form.muzzle), 0.14)
    d = union(d, ellipsoid(p, *form.chin), 0.16)
    a, b, radius = form.brow_ridge
    d = union(d, taper(p, a, b, radius, radius * 0.8), 0.14)
    d = carve(d, ellipsoid(p, *form.socket), 0.14)
    d = union(d, ellipsoid(p, *form.cheekbone), 0.16)
    return union(d, ellipsoid(p, *form.cheek), 0.18)


def lids(p: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """Distances to the lids and to the eyeball. p: head frame, folded."""
    centre, radius = form.eye
    q = p - torch.tensor(centre)[:, None]
    ball = torch.sqrt((q * q).sum(0)) - radius
    gap = lid_gap(q, form)
    shell = carve(ball - form.lid, gap, 0.014)
    roll = (
        torch.sqrt(gap * gap + (ball - form.lid * 0.7) ** 2 + 1e-9) - form.lid * 0.55
    )  # the rounded lid border
    return union(shell, roll, 0.02), ball


def nose(p: Tensor, form: Form) -> Tensor:
    """Bridge, tip, wings and nostrils. p: head frame, folded."""
    d = union(taper(p, *form.bridge), ellipsoid(p, *form.tip), 0.08)
    return union(d, ellipsoid(p, *form.wing), 0.05)


def lips(p: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """Upper and lower lip: rolls of changing thickness along the curve where they meet. p: head frame,
    folded.
    """
    up, low, half = form.lip_up, form.lip_low, form.mouth_half
    s = p[0] / half
    inside = (1 - s * s).clamp(min=0)
    meet = form.mouth_y + form.smile * (s * s).clamp(max=1.2)
    front = form.mouth_z - (form.mouth_z - mouth_corner(form)[2]) * (s * s).clamp(max=1.2)
    past = (p[0] - half).clamp(min=0)
    bow = torch.exp(-(((s - 0.20) / 0.13) ** 2)) - 0.5 * torch.exp(
        -((s / 0.10) ** 2)
    )  # two peaks and the dip between
    upper = (
        length(p[1] - meet - up * (0.66 * inside + 0.16 * bow), p[2] - front, past) - up * inside**0.6 - 0.005
    )
    lower = length(p[1] - meet + low * 0.74 * inside, p[2] - front + 0.010, past) - low * inside**0.5 - 0.004
    seam = 0.012 * torch.exp(-(((p[1] - meet) / 0.015) ** 2)) * torch.exp(-((past / 0.02) ** 2))
    return upper * 0.9 + seam, lower * 0.9 + seam


def mouth_corner(form: Form) -> Vec:
    """Where the lips meet, on the +x side."""
    return form.mouth_half, form.mouth_y + form.smile, form.mouth_z - 0.31 * form.mouth_half


def folds(p: Tensor, form: Form) -> Tensor:
    """Depth (length) of the folds every face has: from the nose wings to the mouth, under the lip, the
    philtrum.
    """
    depth, width = form.nasolabial
    wing, corner = form.wing[0], mouth_corner(form)
    line = [
        (wing[0] + 0.07, wing[1] + 0.06, wing[2] - 0.06),
        (corner[0] + 0.05, (wing[1] + corner[1]) / 2, corner[2] + 0.02),
        (corner[0] + 0.085, corner[1] - 0.10, corner[2] - 0.09),
    ]
    y, z = form.mouth_y, form.mouth_z
    chin_fold = furrow(p, [(0, y - 0.15, z - 0.03), (0.14, y - 0.14, z - 0.10)], 0.05)
    philtrum = furrow(p, [(0, wing[1] - 0.08, z + 0.03), (0, y + 0.06, z + 0.02)], 0.025)
    corner_dent = furrow(p, [corner, (corner[0] + 0.01, corner[1], corner[2])], 0.04)
    return depth * furrow(p, line, width) + 0.022 * chin_fold + 0.012 * philtrum + 0.006 * corner_dent


def head(world: Tensor, form: Form) -> Parts:
    """Every part of head and shoulders. Flesh parts share their blended surface, the label is the nearest
    part.
    """
    p = to_head(world, form)
    m = mirrored(p)
    skin = skull_and_flesh(m, form) + folds(m, form)
    nose_ = nose(m, form)
    lid, ball = lids(m, form)
    upper, lower = lips(m, form)
    ear, _, _ = leaf(m, **form.ear)
    ear = union(
        ear,
        ellipsoid(
            m,
            (form.ear["base"][0] - 0.02, form.ear["base"][1] + 0.26, form.ear["base"][2] + 0.06),
            (0.06, 0.05, 0.05),
        ),
        0.05,
    )
    nostril = ellipsoid(m, *form.nostril)
    chest = ellipsoid(world, form.shoulders[0], tuple(r - 0.06 for r in form.shoulders[1]))
    neck = union(taper(world, *form.neck), chest, 0.30)
    w = mirrored(world)
    neck = union(
        neck, taper(w, (0.50, -0.50, -0.15), (0.09, -1.62, 0.20), form.tendon * 1.2, form.tendon), 0.12
    )
    neck = union(neck, taper(w, (0.0, -1.05, 0.20), (0.0, -1.25, 0.20), 0.07, 0.06), 0.14)
    return {
        "skin": union(skin, lid, 0.03),
        "nose": carve(nose_, nostril, 0.025),
        "u_lip": upper,
        "l_lip": lower,
        "ear": ear,
        "neck": neck,
        "eye": ball,
        "cloth": ellipsoid(world, *form.shoulders),
        "nostril": nostril,
    }


BLEND = {"nose": 0.075, "u_lip": 0.022, "l_lip": 0.022, "ear": 0.05, "neck": 0.12}
BIAS = {
    "nose": 0.012,
    "u_lip": 0.004,
    "l_lip": 0.004,
    "ear": 0.010,
}  # how far a part's label reaches into the blend


def blended(parts: Parts) -> Tensor:
    """(N,) distance to the whole figure."""
    d = parts["skin"]
    for name, k in BLEND.items():
        d = union(d, parts[name], k)
    d = carve(d, parts["nostril"], 0.02)
    for name in ("eye", "cloth", "hair"):
        if name in parts:
            d = torch.minimum(d, parts[name])
    return d


def nearest_part(parts: Parts, names: list[str]) -> Tensor:
    """(N,) index into `names` of the part whose surface is nearest."""
    return torch.stack([parts[n] - BIAS.get(n, 0.0) for n in names]).argmin(0)


def side(world: Tensor, form: Form) -> Tensor:
    """(N,) True on the +x half of the head: the person's own left, so the classes `l_`."""
    return to_head(world, form)[0] > 0


def brow_weight(
    p: Tensor, inner: tuple[float, float], peak: tuple[float, float], outer: tuple[float, float], half: float
) -> Tensor:
    """(N,) 1 in the middle of the brow, 0 at its border, negative outside. Points in the head frame, (x, y)
    knots.
    """
    x, y = p[0].abs(), p[1]
    t = ((x - inner[0]) / (outer[0] - inner[0])).clamp(0, 1)
    bend = peak[1] - (inner[1] + outer[1]) / 2
    middle = inner[1] + (outer[1] - inner[1]) * t + bend * 4 * t * (1 - t)
    width = half * (1 - 0.65 * t) * torch.sqrt((t * 12).clamp(max=1))
    past = torch.maximum(inner[0] - x, x - outer[0]).clamp(min=0)
    return 1 - torch.sqrt((y - middle) ** 2 + past**2) / (width + 0.012)
