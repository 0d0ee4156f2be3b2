"""`goblin`: an old cave dweller. Leathery wrinkled skin, warts and veins, big wet eyes, pointed
ears, rags.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from segmentation.classes import INDEX

from . import figure
from .anatomy import Form, Parts, blended, brow_weight, head, mirrored, to_head
from .figure import Look, colour, is_class, mix
from .noise import band, cells, fbm, gradient_noise, ridged, stretched
from .solids import carve, furrow, leaf, segment, taper
from .tracer import Camera, Light, Surface, bumped, developed, in_chunks, see, shade

FORM = Form(
    yaw=0.16,
    pitch=0.04,
    roll=-0.05,
    cranium=((0, 0.27, -0.14), (0.73, 0.73, 0.86)),
    mask=((0, -0.20, 0.16), (0.55, 0.74, 0.62)),
    jaw=((0, -0.60, 0.22), (0.37, 0.30, 0.44)),
    chin=((0, -0.88, 0.56), (0.13, 0.12, 0.14)),
    cheekbone=((0.42, -0.20, 0.48), (0.19, 0.11, 0.18)),
    cheek=((0.30, -0.42, 0.46), (0.17, 0.16, 0.18)),
    cheek_hollow=((0.58, -0.50, 0.44), (0.14, 0.20, 0.18)),
    brow_ridge=((0.10, 0.22, 0.70), (0.52, 0.24, 0.48), 0.10),
    socket=((0.285, 0.0, 0.86), (0.21, 0.15, 0.20)),
    muzzle=((0, -0.62, 0.47), (0.45, 0.22, 0.34)),
    eye=((0.290, 0.01, 0.545), 0.195),
    lid=0.026,
    opening=(0.180, 0.098, 0.085, 0.10),
    bridge=((0, 0.10, 0.735), (0, -0.24, 0.92), 0.06, 0.09),
    tip=((0, -0.32, 0.965), (0.125, 0.10, 0.11)),
    wing=((0.145, -0.355, 0.84), (0.095, 0.085, 0.12)),
    nostril=((0.085, -0.425, 0.915), (0.055, 0.046, 0.075)),
    mouth_y=-0.635,
    mouth_z=0.825,
    mouth_half=0.34,
    lip_up=0.036,
    lip_low=0.046,
    smile=-0.045,
    nasolabial=(0.050, 0.045),
    neck=((0, -0.55, -0.14), (0, -1.75, -0.24), 0.31, 0.38),
    tendon=0.085,
    shoulders=((0, -2.00, -0.25), (1.40, 0.66, 0.50)),
    ear=dict(
        base=(0.56, -0.16, 0.04),
        tip=(1.46, 0.50, -0.34),
        facing=(0.10, 0.05, 1.0),
        width=0.25,
        thick=0.022,
        rim=0.030,
        cup=0.40,
        round_=0.0,
    ),
)
CAMERA = Camera(centre_y=-0.27, half=1.62)
LIGHTS = [
    Light((-0.80, 0.72, 0.55), (2.6, 2.3, 1.75), True, (0.20, 0.08, 0.04)),
    Light((0.95, 0.15, 0.30), (0.22, 0.38, 0.44), False, (0.1, 0.1, 0.1)),
    Light((0.75, 0.45, -0.85), (1.5, 1.35, 0.9), True),
    Light((-0.9, 0.2, -0.6), (0.35, 0.6, 0.65)),
]
BROW = dict(inner=(0.10, 0.215), peak=(0.30, 0.285), outer=(0.54, 0.20), half=0.050)


def creases(x: Tensor, sharp: float = 5.0) -> Tensor:
    """0 on rounded folds, 1 in the narrow furrows between them, one furrow per unit of x."""
    return (0.5 + 0.5 * torch.cos(2 * torch.pi * x)).clamp(min=1e-6) ** sharp


def old_age(p: Tensor, warp: Tensor) -> Tensor:
    """Depth (length) of the big wrinkles. p: head frame; warp: (N,) noise that keeps the lines from being
    ruled.
    """
    m = mirrored(p)
    x, y, z = m
    front = band(z, 0.1, 0.5)
    brow_rise = y - 0.10 * torch.cos(x * 5.0) + 0.035 * warp
    forehead = creases(brow_rise * 10.5, 3.5) * band(y, 0.26, 0.36) * band(y, 0.92, 0.62) * front * 0.020
    between = band(x, 0.13, 0.09) * band(y, 0.06, 0.14) * band(y, 0.38, 0.26)
    frown = creases((x + 0.02 * warp) * 11 - 0.5, 4) * between * 0.022
    ex, ey = x - 0.29, (y - 0.0) * 1.25
    r = torch.sqrt(ex * ex + ey * ey + 1e-6)
    bags = (
        creases(r * 17 + 0.25 * warp, 3)
        * band(r, 0.20, 0.23)
        * band(r, 0.42, 0.30)
        * band(ey, 0.02, -0.08)
        * 0.013
    )
    angle = torch.atan2(y - 0.02 + 0.02 * warp, x - 0.30)
    beside = band(r, 0.20, 0.25) * band(r, 0.50, 0.32) * band(x, 0.40, 0.48)
    feet = creases(angle * 4.2 + 0.3 * warp, 3) * beside * 0.014
    hang = x + 0.22 * (y + 0.45) ** 2 + 0.10 * y + 0.035 * warp
    jowl = (
        creases(hang * 10.5, 4) * band(y, -0.22, -0.34) * band(y, -0.92, -0.72) * band(x, 0.26, 0.36) * 0.016
    )
    above_lip = torch.exp(-(((y + 0.545) / 0.035) ** 2)) * band(x, 0.34, 0.24)
    whistle = creases((x + 0.012 * warp) * 15 * (1 + 0.5 * y), 3) * above_lip * 0.008
    under = (
        creases((x + 0.02 * warp) * 11, 3)
        * torch.exp(-(((y + 0.76) / 0.05) ** 2))
        * band(x, 0.32, 0.22)
        * 0.010
    )
    bridge = band(x, 0.17, 0.08) * band(y, -0.26, -0.16) * band(y, 0.14, 0.04)
    snarl = creases((y + 0.5 * x + 0.02 * warp) * 15, 3) * bridge * 0.010
    fold = 0.020 * furrow(m, [(0.10, 0.02, 0.80), (0.24, -0.22, 0.72), (0.42, -0.30, 0.62)], 0.035)
    return forehead + frown + (bags + feet + jowl + whistle + under + snarl) * front + fold


def parts_of(world: Tensor) -> Parts:
    """Distances of the goblin's parts."""
    parts = head(world, FORM)
    p = to_head(world, FORM)
    warp = gradient_noise(p * 4.0, 3) + 0.5 * gradient_noise(p * 9.0, 4)
    bumps = 0.010 * gradient_noise(p * 7.0, 5)
    depth = old_age(p, warp) + bumps
    parts["skin"] = parts["skin"] + depth
    parts["nose"] = parts["nose"] + depth * 0.7
    rings = creases((world[1] + 0.10 * world[0].abs() + 0.03 * warp) * 6, 3) * 0.010
    parts["neck"] = parts["neck"] + rings * band(world[1], -0.8, -1.0) + bumps
    sag = 0.05 * gradient_noise(stretched(world, (2.2, 1.2, 2.0)), 11) + 0.02 * warp
    folds = 0.05 * creases(world[0] * 2.3 + 0.8 * world[1] * world[0].sign() + 0.25 * warp, 2)
    rags = parts["cloth"] + sag + folds
    opening = taper(world, (0.05, -1.1, 0.35), (0.05, -1.85, 0.55), 0.42, 0.12) + 0.06 * warp
    opening = torch.minimum(opening, segment(world, (0, -1.0, -0.1), (0, -1.5, -0.1))[0] - 0.52 + 0.05 * warp)
    parts["cloth"] = carve(rags, opening, 0.03)
    return parts


def skin_look(p: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Albedo (N, 3), relief (N,) and shine (N,) of skin and nose at points of the head frame."""
    x, y, z = mirrored(p)
    nose = is_class(label, "nose").float()
    forehead = band(y, 0.16, 0.34) * (1 - nose)
    chin = band(y, -0.66, -0.80)
    eye_r = torch.sqrt((x - 0.29) ** 2 + (y * 1.2) ** 2 + 1e-6)
    lid_zone = band(eye_r, 0.34, 0.24)
    soft = fbm(p * 3.0, 3, 21)
    warp = torch.stack([soft, fbm(p * 3.0 + 5, 2, 22), soft]) * 0.05
    # leather: cells flattened along the lines of tension, so that every region has its own grain
    f1, f2, own = cells(stretched(p + warp, (36, 50, 36)), 31)
    leather = band(f2 - f1, 0.0, 0.32)
    g1, g2, _ = cells(stretched(p + warp, (20, 62, 24)), 32)  # forehead: low and wide
    brow_skin = band(g2 - g1, 0.0, 0.30)
    k1, k2, _ = cells(stretched(p, (58, 58, 58)), 33)  # nose and lids: fine pebbles
    pebble = band(k2 - k1, 0.0, 0.4)
    relief = 0.0042 * (leather * (1 - forehead) + brow_skin * forehead) * (1 - nose) * (1 - 0.7 * lid_zone)
    relief = relief + 0.0035 * pebble * (nose + chin + 0.6 * lid_zone).clamp(max=1)
    c1, _, _ = cells(stretched(p, 44), 34)
    pores = band(c1, 0.30, 0.12) * (0.5 + nose) * (1 - forehead)
    relief = relief - 0.0035 * pores
    fine_lines = ridged(stretched(p + warp, (9, 34, 9)), 2, 35)
    relief = relief - 0.006 * band(fine_lines, 0.72, 0.95) * (forehead + lid_zone)
    w1, _, wid = cells(p * 7.5 + 0.4, 36)
    wart_size = 0.10 + 0.20 * (wid > 0.2).float() * (wid - 0.1)
    wart = band(w1, wart_size * 1.6, wart_size * 0.5) * (wid > -0.15).float()
    relief = relief + wart * (0.018 + 0.008 * leather)
    relief = relief + 0.006 * fbm(p * 16, 3, 37)
    half = p[0].sign()
    skew = torch.stack([p[0] + 0.6 * p[1] * half, p[1] - 0.6 * p[0] * half, z]) + warp
    skew = stretched(skew, (26, 7, 12))
    hatch = (
        ridged(skew, 3, 43, 0.6) * (1 - forehead) * (1 - nose)
    )  # thin slack skin that hangs from the cheekbones
    relief = relief - 0.010 * band(hatch, 0.55, 0.95)
    thin = (band(x, 0.28, 0.5) + forehead * 0.7).clamp(max=1)  # where the skin is thin: temples and forehead
    veins = band(ridged(p * 2.6 + warp * 6, 2, 38, 0.35), 0.80, 0.97) * thin
    relief = relief + 0.006 * veins
    albedo = mix(colour(0.185, 0.215, 0.110), colour(0.265, 0.25, 0.14), forehead)
    albedo = mix(albedo, colour(0.31, 0.135, 0.085), nose * 0.85)
    albedo = mix(albedo, colour(0.16, 0.115, 0.115), lid_zone * 0.75)
    albedo = mix(albedo, colour(0.25, 0.22, 0.19), chin * 0.6)
    cheekbone = torch.exp(-(((x - 0.42) / 0.16) ** 2) - ((y + 0.28) / 0.13) ** 2)
    albedo = mix(albedo, colour(0.27, 0.16, 0.11), cheekbone * 0.55)
    albedo = mix(albedo, colour(0.13, 0.17, 0.085), band(soft, 0.0, 0.5) * 0.65)
    albedo = mix(albedo, colour(0.33, 0.30, 0.20), band(fbm(p * 11, 3, 41), 0.12, 0.5) * 0.5)
    spots, _, spot_id = cells(p * 11, 42)
    albedo = mix(albedo, colour(0.085, 0.065, 0.035), band(spots, 0.34, 0.18) * (spot_id > 0.2).float() * 0.7)
    albedo = mix(albedo, colour(0.15, 0.16, 0.20), veins * 0.6)
    albedo = mix(albedo, colour(0.27, 0.15, 0.10), wart * 0.6)
    albedo = albedo * (1 - 0.45 * band(hatch, 0.6, 0.95))[:, None]
    albedo = albedo * (0.72 + 0.38 * (leather * (1 - forehead) + brow_skin * forehead))[:, None]
    shine = 0.34 + 0.40 * nose + 0.20 * forehead - 0.2 * pores - 0.15 * lid_zone
    return albedo, relief, shine


def lip_look(p: Tensor, upper: bool) -> tuple[Tensor, Tensor]:
    """Cracked lips: vertical grooves, flakes."""
    x, y, z = p
    bend = 0.03 * gradient_noise(p * 7, 50)
    groove = band(ridged(stretched(p + bend, (17, 4, 8)), 2, 51, 0.6), 0.62, 0.95)
    f1, f2, _ = cells(stretched(p, (34, 70, 34)), 52)
    flakes = band(f2 - f1, 0.0, 0.2)
    relief = 0.007 * (1 - groove) + 0.003 * flakes + 0.003 * fbm(p * 30, 2, 53)
    base = colour(0.095, 0.045, 0.048) if upper else colour(0.165, 0.070, 0.062)
    albedo = mix(base * 0.55, base * 1.25, (1 - groove) * (0.4 + 0.6 * flakes))
    return mix(albedo, colour(0.30, 0.22, 0.16), band(fbm(p * 14, 2, 54), 0.2, 0.6) * 0.5), relief


def ear_look(p: Tensor) -> tuple[Tensor, Tensor]:
    """Thin ears: pink where light comes through, branching veins, wrinkles along the blade."""
    m = mirrored(p)
    _, t, s = leaf(m, **FORM.ear)
    inner = band(s.abs(), 0.85, 0.55)
    ribs = creases(s * 1.6 + 1.0 * gradient_noise(p * 4, 60) + 0.35 * gradient_noise(p * 11, 65), 2)
    veins = band(ridged(p * 6.0, 3, 61, 0.5), 0.74, 0.94)
    f1, f2, _ = cells(p * 34, 62)
    relief = (
        0.012 * (1 - ribs) * inner
        + 0.006 * veins
        + 0.005 * band(f2 - f1, 0, 0.35)
        + 0.006 * fbm(p * 18, 3, 63)
    )
    albedo = mix(colour(0.215, 0.215, 0.115), colour(0.40, 0.165, 0.115), inner * (0.85 - 0.3 * t))
    albedo = mix(albedo, colour(0.17, 0.06, 0.075), veins * 0.75)
    albedo = mix(albedo, colour(0.12, 0.11, 0.06), ribs * inner * 0.5)
    albedo = mix(albedo, colour(0.075, 0.03, 0.026), inner * band(t, 0.42, 0.05) * 0.85)  # the conch
    return mix(albedo, colour(0.10, 0.11, 0.055), band(fbm(p * 8, 3, 64), 0.1, 0.5) * 0.6), relief


def neck_look(p: Tensor) -> tuple[Tensor, Tensor]:
    """Slack neck: vertical cords over long lozenges."""
    soft = fbm(p * 4, 3, 70)
    cords = creases(p[0] * 7 + 0.5 * soft, 1.5)
    scale = 1 - band(ridged(stretched(p, (20, 8, 12)) + 0.5 * soft, 3, 71, 0.6), 0.5, 0.95)
    rings = band(ridged(stretched(p, (3, 17, 5)) + 0.4 * soft, 2, 74), 0.70, 0.97)
    f1, f2, _ = cells(stretched(p + 0.03 * soft, (50, 34, 40)), 75)
    lozenge = band(f2 - f1, 0, 0.35)
    relief = (
        0.010 * (1 - cords) + 0.012 * scale - 0.012 * rings + 0.005 * lozenge + 0.006 * fbm(p * 15, 3, 72)
    )
    albedo = mix(colour(0.095, 0.105, 0.058), colour(0.185, 0.14, 0.078), band(soft, -0.3, 0.5))
    albedo = albedo * (0.35 + 0.5 * scale - 0.2 * cords - 0.2 * rings + 0.25 * lozenge)[:, None]
    return mix(albedo, colour(0.06, 0.045, 0.03), band(fbm(p * 9, 3, 73), 0.25, 0.55) * 0.6), relief


def rag_look(p: Tensor) -> tuple[Tensor, Tensor]:
    """Coarse sackcloth: over-and-under weave, slubs, stains and stitched patches."""
    soft = fbm(p * 2.5, 3, 80)
    u = p[0] * 46 + 1.6 * soft
    v = (p[1] + 0.25 * p[0].abs()) * 46 + 1.6 * fbm(p * 3 + 3, 2, 81)
    over = torch.sin(u * torch.pi) * torch.sin(v * torch.pi)
    warp_thread, weft_thread = torch.cos(u * torch.pi).abs(), torch.cos(v * torch.pi).abs()
    weave = torch.where(over > 0, warp_thread, weft_thread) ** 0.7
    slub = fbm(stretched(p, (60, 6, 20)), 2, 82)
    relief = 0.012 * weave + 0.010 * slub + 0.012 * fbm(p * 6, 3, 83)
    albedo = mix(colour(0.095, 0.062, 0.036), colour(0.20, 0.145, 0.085), band(soft, -0.3, 0.5))
    albedo = mix(albedo, colour(0.045, 0.055, 0.045), band(fbm(p * 1.7 + 9, 3, 84), 0.05, 0.35) * 0.75)
    albedo = albedo * (0.35 + 0.75 * weave + 0.25 * slub)[:, None]
    return mix(albedo, colour(0.03, 0.022, 0.015), band(fbm(p * 7, 3, 85), 0.3, 0.5) * 0.7), relief


def eye_look(p: Tensor) -> tuple[Tensor, Tensor]:
    """Pale amber-green iris with streaks, slit-free pupil, yellowed white with blood vessels. p:
    head frame.
    """
    m = mirrored(p)
    d = m - torch.tensor(FORM.eye[0])[:, None]
    d = d / d.norm(dim=0)
    gaze_x = torch.where(
        p[0] > 0, -0.10, 0.04
    )  # in the folded frame: both look a little to the picture's left
    gx, gy = d[0] - gaze_x, d[1] - 0.02
    r, angle = torch.sqrt(gx * gx + gy * gy), torch.atan2(gy, gx)
    streak = fbm(torch.stack([torch.cos(angle) * 9, torch.sin(angle) * 9, r * 5 + p[0].sign() * 3]), 3, 90)
    iris = mix(colour(0.62, 0.42, 0.08), colour(0.16, 0.30, 0.13), band(r, 0.22, 0.46))
    iris = iris * (0.75 + 0.75 * streak).clamp(0.25, 1.6)[:, None]
    iris = mix(iris, colour(0.015, 0.02, 0.012), band(r, 0.44, 0.54))
    iris = mix(iris, colour(0.003, 0.003, 0.003), band(r, 0.235, 0.205))
    vessels = band(ridged(p * 9, 3, 91, 0.5), 0.70, 0.92) * band(r, 0.55, 0.85)
    white = mix(colour(0.55, 0.50, 0.34), colour(0.42, 0.09, 0.05), vessels * 0.8)
    white = mix(white, colour(0.40, 0.20, 0.13), band(r, 0.75, 1.0) * 0.6)
    return mix(iris, white, band(r, 0.52, 0.56)), torch.zeros_like(r)


def look_of(surface: Surface) -> Look:
    """The goblin's material at every hit."""
    p, label = to_head(surface.p, FORM), surface.label
    look = Look.plain(p.shape[1])
    where = is_class(label, "skin", "nose", "l_brow", "r_brow")
    chunks = [skin_look(q, lab) for q, lab in zip(p[:, where].split(1 << 15, 1), label[where].split(1 << 15))]
    albedo, relief, shine = (torch.cat(c) for c in zip(*chunks))
    look.put(where, albedo, relief, 22.0, shine)
    for names, material, gloss, shine in (
        (("u_lip",), lambda q: lip_look(q, True), 45.0, 0.55),
        (("l_lip",), lambda q: lip_look(q, False), 45.0, 0.6),
        (("l_ear", "r_ear"), ear_look, 22.0, 0.22),
        (("neck",), neck_look, 20.0, 0.18),
        (("cloth",), rag_look, 8.0, 0.03),
        (("l_eye", "r_eye"), eye_look, 420.0, 1.3),
    ):
        where = is_class(label, *names)
        if not where.any():
            continue
        chunks = [material(q) for q in p[:, where].split(1 << 15, 1)]
        albedo, relief = (torch.cat(c) for c in zip(*chunks))
        look.put(where, albedo, relief, gloss, shine)
    return look


def with_brows(label: Tensor, world: Tensor) -> Tensor:
    """Skin inside the brow's outline becomes brow."""
    p = to_head(world, FORM)
    ragged = brow_weight(p, **BROW) + 0.5 * gradient_noise(stretched(p, (30, 14, 10)), 95)
    return figure.browed(label, p, ragged > 0)


def backdrop(size: int) -> np.ndarray:
    """(size, size, 3) linear: a cave wall with a faint glow behind the shoulder."""
    y, x = np.mgrid[0:size, 0:size] / size
    glow = np.exp(-(((x - 0.72) / 0.38) ** 2 + ((y - 0.40) / 0.42) ** 2))
    rock = figure.backdrop_noise(size, 5, 100, 4)
    base = 0.010 + 0.075 * glow * (1 + 0.55 * rock) + 0.010 * rock
    return np.clip(base[..., None] * np.array([0.55, 0.85, 0.78]), 0.002, 1).astype(np.float32)


def brow_hairs(surface: Surface, picture: np.ndarray, rng: np.random.Generator) -> None:
    """Sparse stiff hairs that grow up and outwards inside the brows."""
    size = surface.size
    label = surface.picture(surface.label, 0)
    for name, sign in (("l_brow", 1), ("r_brow", -1)):
        ys, xs = np.nonzero(label == INDEX[name])
        if not len(xs):
            continue
        pick = rng.choice(len(xs), 150)
        angle = np.deg2rad(rng.normal(38, 16, 150))
        reach = size * rng.uniform(0.014, 0.034, 150)
        t = np.linspace(0, 1, 6)[None, :]
        x = xs[pick][:, None] + sign * np.cos(angle)[:, None] * reach[:, None] * t
        y = ys[pick][:, None] - np.sin(angle)[:, None] * reach[:, None] * (t - 0.45 * t * t)
        tone = rng.uniform(0.03, 0.20, (150, 1)) * np.array([1.0, 0.86, 0.66])
        figure.draw_hairs(picture, None, 0, list(np.stack([x, y], -1)), tone, np.full(150, size / 520), 0.85)


def scalp_hairs(
    surface: Surface, camera: Camera, picture: np.ndarray, label: np.ndarray, rng: np.random.Generator
) -> None:
    """Greasy tufts over the temples that fall behind the ears, and a few strands combed over the bald top."""
    lines, tones, widths = [], [], []
    for i in range(560):
        stray = i % 20 == 0
        a = rng.choice([-1, 1]) * (rng.uniform(0.05, 0.7) if stray else abs(rng.normal(1.10, 0.11)))
        outward = np.array([np.sin(a), np.cos(a), 0])
        skull = np.array((0.735, 0.725, 0)) * outward + (0.05, 0.27, -0.3)
        fall = rng.uniform(0.12, 0.40) if stray else rng.uniform(0.35, 1.25)
        wave, phase = rng.uniform(0.01, 0.04), 2.0 * np.sign(a) + rng.normal(0, 0.5)
        spread, lift = np.sign(a) * (0.10 + 0.14 * rng.random()), rng.uniform(0.0, 0.14)
        points = [
            skull
            + np.array(
                [
                    spread * np.sqrt(t) + wave * np.sin(7 * t + phase) * t,
                    lift * t * (1 - t) * 2 - fall * t**1.7,
                    0,
                ]
            )
            for t in np.linspace(0, 1, 9)
        ]
        tone, width = rng.choice([0.06, 0.12, 0.22, 0.36], p=[0.3, 0.35, 0.25, 0.1]), rng.uniform(0.5, 1.0)
        if outward @ camera.axes().numpy()[:, 2] < -0.25:  # behind the head
            continue
        lines.append(figure.hair_line(camera, surface.size, points))
        tones.append(tone * np.array([1.0, 0.90, 0.74]))
        widths.append(surface.size / 512 * width)
    in_front = np.isin(label, [INDEX[n] for n in ("l_ear", "r_ear", "nose", "cloth", "l_eye", "r_eye")])
    shown, classes = picture.copy(), label.copy()
    figure.draw_hairs(shown, classes, INDEX["hair"], lines, np.array(tones), np.array(widths), 0.75)
    picture[~in_front], label[~in_front] = shown[~in_front], classes[~in_front]


def render(size: int, factor: int = 2, camera: Camera = CAMERA) -> tuple[np.ndarray, np.ndarray]:
    """uint8 RGB (size, size, 3) and uint8 labels (size, size)."""
    rng = np.random.default_rng(7)
    surface = see(
        lambda q: blended(parts_of(q)),
        lambda q: with_brows(figure.class_of(q, parts_of(q), FORM), q),
        camera,
        LIGHTS,
        size * factor,
    )
    look = look_of(surface)
    hollow = figure.cavity(surface, look.height, 0.008)
    look.albedo *= (1 + 70 * hollow).clamp(0.35, 1.5)[:, None]
    depth = in_chunks(lambda q: old_age(to_head(q, FORM), gradient_noise(to_head(q, FORM) * 4, 3)), surface.p)
    skin = is_class(surface.label, "skin", "nose", "l_brow", "r_brow")
    look.albedo[skin] *= (1 - 26 * depth[skin]).clamp(0.45, 1)[:, None]
    light = shade(
        surface,
        LIGHTS,
        bumped(surface, look.height),
        look.albedo,
        look.gloss,
        look.shine,
        (colour(0.17, 0.22, 0.235), colour(0.075, 0.06, 0.04)),
        surface.open_,
    )
    seen = surface.picture(torch.ones(light.shape[0]))[..., None] > 0
    picture = developed(np.where(seen, surface.picture(light), backdrop(size * factor)), 1.05)
    label = surface.picture(surface.label.to(torch.uint8), INDEX["background"])
    brow_hairs(surface, picture, rng)
    scalp_hairs(surface, camera, picture, label, rng)
    return figure.finished(picture, label, factor)
