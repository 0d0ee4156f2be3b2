"""`oil`: an old-master portrait. A sitter modelled and lit from one window, then painted stroke by stroke."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from segmentation.classes import INDEX

from . import brush, figure
from .anatomy import HUMAN_EAR, Form, Parts, blended, brow_weight, head, lid_gap, mirrored, to_head
from .figure import Look, colour, is_class, mix
from .noise import band, fbm, gradient_noise, ridged, stretched
from .solids import carve, ellipsoid, segment, taper, union
from .tracer import Camera, Light, Surface, bumped, developed, see, shade

FORM = Form(
    yaw=-0.16,
    pitch=0.03,
    roll=0.03,
    ear=HUMAN_EAR,
    smile=0.028,
    mouth_half=0.225,
    opening=(0.150, 0.058, 0.048, 0.04),
    cheek_hollow=((0.60, -0.52, 0.42), (0.12, 0.18, 0.16)),
    neck=((0, -0.55, -0.12), (0, -1.75, -0.24), 0.42, 0.50),
    shoulders=((0, -2.02, -0.25), (1.45, 0.70, 0.56)),
)
CAMERA = Camera(centre_y=-0.26, half=1.64)
LIGHTS = [
    Light((-0.80, 0.72, 0.62), (2.7, 2.15, 1.42), True, (0.14, 0.05, 0.02)),
    Light((0.9, -0.1, 0.5), (0.16, 0.11, 0.075), False, (0.3, 0.25, 0.2)),
    Light((0.85, 0.5, -0.7), (0.75, 0.55, 0.32)),
]
BROW = dict(inner=(0.095, 0.165), peak=(0.29, 0.215), outer=(0.46, 0.150), half=0.040)


def strand_place(p: Tensor) -> Tensor:
    """(N,) coordinate across the strands of the combed-back hair: constant along a strand. p: head frame."""
    run = 0.6 * (1 - p[2]) + 0.5 * p[1]  # roughly the length along a strand
    wave = 0.07 * torch.sin(run * 9) + 0.10 * gradient_noise(p * 1.7, 400) + 0.03 * gradient_noise(p * 5, 401)
    angle = torch.atan2(p[0] + 0.10, p[1] - 0.05 + 0.25 * (1 - p[2]))
    fall = p[0].abs() * 0.9 - 0.4 * p[2] + 0.06 * torch.sin(p[1] * 11)
    low = band(p[1], 0.10, -0.20)
    return (angle + wave) * (1 - low) + (fall * 1.6 + wave) * low


def combed_hair(p: Tensor) -> Tensor:
    """Distance to the hair: swept back from the brow, long behind the ears. p: head frame."""
    m = mirrored(p)
    centre, radii = FORM.cranium
    shell = ellipsoid(
        p, (centre[0], centre[1] + 0.03, centre[2]), (radii[0] + 0.10, radii[1] + 0.10, radii[2] + 0.06)
    )
    line = -(0.58 * p[1] - 0.70 * p[2] + 0.185 + 0.06 * p[0] ** 2 + 0.03 * gradient_noise(p * 6, 402))
    line = torch.maximum(line, -ellipsoid(m, (0.74, -0.14, 0.10), (0.26, 0.30, 0.30)))
    d = -union(-shell, -line, 0.10)
    long = ellipsoid(m, (0.56, -0.42, -0.34), (0.30, 0.62, 0.26))
    d = union(d, long, 0.12)
    near = (d < 0.15).nonzero()[:, 0]
    if near.numel():
        q = p[:, near]
        u = strand_place(q)
        locks = torch.sin(u * 17 + 2 * gradient_noise(q * 3, 403)) * 0.6 + 0.4 * torch.sin(u * 41)
        d[near] -= 0.028 * locks * band(line[near], 0.03, -0.12)  # flat at the hairline, where it thins out
    return d + 0.02


def parts_of(world: Tensor) -> Parts:
    """Distances of the sitter's parts."""
    parts = head(world, FORM)
    p = to_head(world, FORM)
    soft = gradient_noise(p * 4, 410)
    m = mirrored(p)
    parts["skin"] = (
        parts["skin"]
        + 0.006 * soft
        + 0.005
        * (0.5 + 0.5 * torch.cos((m[1] + 0.04 * soft) * 42)) ** 3
        * band(m[1], 0.30, 0.38)
        * band(m[1], 0.62, 0.52)
    )
    parts["hair"] = combed_hair(p)
    x, y, z = world
    sag = gradient_noise(stretched(world, (1.5, 1.0, 1.5)), 411)
    fold = torch.sin((x * 1.0 + 0.55 * y * x.sign() + 0.22 * sag) * 8.5)
    coat = parts["cloth"] - 0.035 * fold - 0.05 * sag
    opening = taper(world, (0.0, -1.0, 0.2), (0.0, -1.95, 0.60), 0.50, 0.05) + 0.02 * sag
    opening = torch.minimum(opening, segment(world, (0, -0.9, -0.1), (0, -1.45, -0.1))[0] - 0.58)
    coat = carve(coat, opening, 0.03)
    lapel = (
        torch.sqrt((opening - 0.13) ** 2 * 0.30 + coat**2 + 1e-9)
        - 0.085
        - 0.02 * gradient_noise(world * 7, 412)
    )
    shirt = ellipsoid(world, (0, -2.02, -0.22), (1.36, 0.64, 0.52)) - 0.01 * torch.sin((x + 0.05 * sag) * 55)
    shirt = torch.maximum(shirt, opening - 0.05)  # linen shows only where the coat is open
    tube = segment(world, (0, -1.05, -0.12), (0, -1.45, -0.14))[0] - 0.56 - 0.22 * (y + 1.5)
    collar = torch.maximum(tube.abs() - 0.03, (y + 1.36 + 0.30 * z - 0.16 * x.abs()) * 0.8) - 0.012
    shirt = carve(
        union(shirt, collar, 0.04), taper(world, (0.02, -1.10, 0.62), (0.02, -1.72, 0.62), 0.26, 0.03), 0.03
    )
    parts["shirt"] = shirt
    parts["cloth"] = torch.minimum(torch.minimum(union(coat, lapel, 0.04), lapel), shirt)
    return parts


def face_colour(p: Tensor, label: Tensor) -> Tensor:
    """Albedo (N, 3) by the painters' zones: golden forehead, red middle, grey-green jaw."""
    x, y, z = mirrored(p)
    soft = fbm(p * 3.5, 3, 420)
    fine = fbm(p * 13, 3, 421)
    albedo = mix(colour(0.43, 0.245, 0.138), colour(0.43, 0.28, 0.148), band(y, 0.14, 0.34))
    albedo = mix(albedo, colour(0.37, 0.285, 0.19), band(y, -0.48, -0.78) * 0.9)
    blush = torch.exp(-(((x - 0.36) / 0.19) ** 2) - ((y + 0.27) / 0.17) ** 2)
    albedo = mix(albedo, colour(0.60, 0.165, 0.105), blush * 0.60)
    nose, ear = is_class(label, "nose").float(), is_class(label, "l_ear", "r_ear").float()
    albedo = mix(albedo, colour(0.58, 0.215, 0.14), nose * band(y, -0.02, -0.30) * 0.85)
    albedo = mix(albedo, colour(0.60, 0.19, 0.115), ear * 0.8)
    eye_r = torch.sqrt((x - 0.265) ** 2 + (y * 1.25) ** 2)
    albedo = mix(albedo, colour(0.30, 0.175, 0.15), band(eye_r, 0.26, 0.15) * 0.75)
    albedo = mix(
        albedo, colour(0.50, 0.33, 0.26), torch.exp(-(((y + 0.54) / 0.05) ** 2) - (x / 0.22) ** 2) * 0.6
    )
    albedo = mix(albedo, colour(0.33, 0.32, 0.22), band(soft, 0.05, 0.5) * 0.35)
    albedo = mix(albedo, colour(0.66, 0.40, 0.27), band(fine, 0.15, 0.5) * 0.30)
    upper, lower = is_class(label, "u_lip"), is_class(label, "l_lip")
    albedo[upper], albedo[lower] = colour(0.25, 0.066, 0.052), colour(0.38, 0.115, 0.088)
    albedo = mix(albedo, colour(0.25, 0.145, 0.085), is_class(label, "neck").float() * 0.75)
    lash = (
        torch.exp(-((lid_gap(mirrored(p) - torch.tensor(FORM.eye[0])[:, None], FORM) / 0.014) ** 2))
        * (y > 0).float()
    )
    albedo = mix(albedo, colour(0.05, 0.03, 0.02), lash * band(eye_r, 0.20, 0.15) * band(z, 0.3, 0.5) * 0.9)
    brow = brow_weight(p, **BROW) + 0.4 * gradient_noise(stretched(p, (30, 12, 10)), 425)
    hairs = 0.5 + 0.5 * torch.cos((x * 0.8 - y * 1.0) * 110)
    bristle = mix(colour(0.035, 0.018, 0.009), colour(0.10, 0.050, 0.022), hairs)
    return mix(albedo, bristle, band(brow, 0.0, 0.30) * 0.96)


def hair_colour(p: Tensor) -> tuple[Tensor, Tensor]:
    """Albedo and relief of chestnut hair. p: head frame."""
    u = strand_place(p)
    strands = torch.sin(u * 120 + 3 * gradient_noise(p * 4, 430)) * 0.5 + torch.sin(u * 61 + 2.0) * 0.5
    locks = torch.sin(u * 17 + 2 * gradient_noise(p * 3, 403))
    albedo = mix(
        colour(0.075, 0.030, 0.012), colour(0.30, 0.135, 0.05), band(strands + 0.8 * locks, -1.2, 1.4)
    )
    albedo = mix(albedo, colour(0.46, 0.27, 0.11), band(torch.sin(u * 37 + 1) * locks, 0.45, 0.95) * 0.7)
    return albedo, 0.008 * strands + 0.006 * locks


def cloth_colour(world: Tensor) -> tuple[Tensor, Tensor]:
    """Albedo and relief of coat, fur lapel and linen. Points in the world frame."""
    parts = parts_of(world)
    shirt = (parts["shirt"] - parts["cloth"]) < 1e-4
    opening = taper(world, (0.0, -1.0, 0.2), (0.0, -1.95, 0.60), 0.50, 0.05)
    fur = band(opening, 0.36, 0.28)
    soft = fbm(world * 2.5, 3, 440)
    tufts = ridged(stretched(world, (9, 5, 7)) + soft * 0.6, 3, 441)
    pattern = torch.sin(world[0] * 13 + 2 * soft) * torch.sin((world[1] + 0.3 * world[0].abs()) * 13)
    coat = mix(colour(0.060, 0.016, 0.020), colour(0.21, 0.030, 0.030), band(soft, -0.4, 0.5))
    coat = mix(coat, colour(0.36, 0.20, 0.045), band(pattern, 0.55, 0.8) * 0.75)  # gold brocade
    pelt = mix(colour(0.045, 0.026, 0.014), colour(0.30, 0.185, 0.095), band(tufts, 0.35, 0.85))
    albedo = mix(coat, pelt, fur)
    relief = 0.03 * tufts * fur + 0.004 * band(pattern, 0.55, 0.8) * (1 - fur)
    linen = mix(colour(0.46, 0.41, 0.33), colour(0.27, 0.255, 0.225), band(soft, 0.0, 0.5))
    return mix(albedo, linen, shirt.float()), relief * (~shirt)


def eye_colour(p: Tensor) -> Tensor:
    """Hazel iris looking at the painter. p: head frame."""
    m = mirrored(p)
    d = m - torch.tensor(FORM.eye[0])[:, None]
    d = d / d.norm(dim=0)
    gx, gy = d[0] - torch.where(p[0] > 0, 0.12, -0.12), d[1] - 0.01
    r, angle = torch.sqrt(gx * gx + gy * gy), torch.atan2(gy, gx)
    iris = mix(colour(0.20, 0.11, 0.035), colour(0.10, 0.14, 0.10), band(r, 0.25, 0.45))
    iris = iris * (1 + 0.5 * torch.sin(angle * 9))[:, None]
    iris = mix(
        mix(iris, colour(0.01, 0.01, 0.01), band(r, 0.20, 0.16)),
        colour(0.03, 0.025, 0.02),
        band(r, 0.38, 0.45),
    )
    white = mix(colour(0.56, 0.50, 0.43), colour(0.42, 0.22, 0.17), band(r, 0.7, 1.0) * 0.7)
    return mix(iris, white, band(r, 0.43, 0.49))


def look_of(surface: Surface) -> Look:
    """The sitter's colours at every hit."""
    p, label = to_head(surface.p, FORM), surface.label
    look = Look.plain(p.shape[1])
    flesh = is_class(label, "skin", "nose", "u_lip", "l_lip", "l_brow", "r_brow", "l_ear", "r_ear", "neck")
    chunks = zip(p[:, flesh].split(1 << 15, 1), label[flesh].split(1 << 15))
    albedo = torch.cat([face_colour(q, lab) for q, lab in chunks])
    lip = is_class(label[flesh], "u_lip", "l_lip").float()
    look.put(flesh, albedo, torch.zeros(int(flesh.sum())), 26.0, 0.20 + 0.25 * lip)
    hair, cloth, eye = is_class(label, "hair"), is_class(label, "cloth"), is_class(label, "l_eye", "r_eye")
    for where, material, points, gloss, shine in (
        (hair, hair_colour, p, 22.0, 0.22),
        (cloth, cloth_colour, surface.p, 14.0, 0.07),
    ):
        albedo, relief = (
            torch.cat(c) for c in zip(*[material(q) for q in points[:, where].split(1 << 15, 1)])
        )
        look.put(where, albedo, relief, gloss, shine)
    look.put(eye, eye_colour(p[:, eye]), torch.zeros(int(eye.sum())), 300.0, 1.2)
    return look


def with_brows(label: Tensor, world: Tensor) -> Tensor:
    """Skin under the brows becomes brow."""
    p = to_head(world, FORM)
    ragged = brow_weight(p, **BROW) + 0.4 * gradient_noise(stretched(p, (30, 12, 10)), 425)
    return figure.browed(label, p, ragged > 0.15)


def backdrop(size: int) -> np.ndarray:
    """(size, size, 3) linear: warm umber wall, lighter behind the shadow side of the face."""
    y, x = np.mgrid[0:size, 0:size] / size
    glow = np.exp(-(((x - 0.80) / 0.36) ** 2 + ((y - 0.42) / 0.45) ** 2))
    cloud = figure.backdrop_noise(size, 5, 450, 4)
    base = (0.018 + 0.095 * glow) * (1 + 0.5 * cloud)
    drift = figure.backdrop_noise(size, 6, 455, 3)[..., None] * np.array(
        [0.6, 0.2, -0.9]
    )  # warmer here, cooler there
    tint = np.array([1.0, 0.72, 0.40]) * (1 + 0.25 * drift)
    return np.clip(base[..., None] * tint, 0.003, 1).astype(np.float32)


def stroke_angles(surface: Surface, camera: Camera, label: np.ndarray) -> np.ndarray:
    """(H, W) direction of the brush: round the form on flesh and cloth, along the strands in hair, swirling
    behind.
    """
    size = surface.size
    n = surface.picture(surface.n.T @ camera.axes())
    flat = np.hypot(n[..., 0], n[..., 1])
    form = brush.smoothed_direction(n[..., 0], -n[..., 1], flat**1.2 + 1e-3, label, 0.012 * size)
    u = surface.picture(strand_place(to_head(surface.p, FORM)))
    gx, gy = cv2.Sobel(u, cv2.CV_32F, 1, 0), cv2.Sobel(u, cv2.CV_32F, 0, 1)
    steep = np.minimum(np.hypot(gx, gy), 0.2)
    strands = brush.smoothed_direction(gx, gy, steep, label, 0.006 * size)
    swirl = 1.0 + 2.6 * figure.backdrop_noise(size, 3, 460, 2)
    angle = np.where(label == INDEX["hair"], strands, form)
    return np.where(label == INDEX["background"], swirl, angle).astype(np.float32)


def painted(picture: np.ndarray, label: np.ndarray, angle: np.ndarray, seed: int) -> np.ndarray:
    """The painting (H, W, 3) 0..1 of a picture (H, W, 3) 0..1. Broad brushes first, small ones where it
    matters.
    """
    size = picture.shape[0]
    unit = size / 512
    ground = np.broadcast_to(np.array([0.30, 0.19, 0.11], np.float32), picture.shape)
    canvas = brush.Canvas(ground, np.random.default_rng(seed))

    def one_of(*names: str) -> np.ndarray:
        return np.isin(label, [INDEX[n] for n in names])

    hair, behind, cloth = one_of("hair"), one_of("background"), one_of("cloth")
    small = one_of("l_eye", "r_eye", "u_lip", "l_lip", "l_brow", "r_brow", "nose").astype(np.uint8)
    around = cv2.dilate(small, np.ones((int(13 * unit),) * 2, np.uint8)) > 0
    tiny = cv2.dilate(one_of("l_eye", "r_eye").astype(np.uint8), np.ones((int(9 * unit),) * 2, np.uint8)) > 0
    stretch = np.where(hair, 5.5, np.where(behind, 3.6, np.where(cloth, 3.4, 2.9))).astype(np.float32)
    jitter = np.where(behind, 0.12, np.where(hair, 0.13, np.where(cloth, 0.11, 0.085))).astype(np.float32)
    jitter = np.where(around, 0.055, jitter).astype(np.float32)
    everywhere = np.ones(label.shape, bool)
    passes = (
        (30, everywhere, -1, 0.7, False),
        (17, everywhere, 0.05, 0.8, False),
        (10, everywhere, 0.05, 1.0, True),
        (7, ~behind, 0.06, 1.0, True),
        (4.6, ~behind, 0.09, 0.9, True),
        (3.2, around | hair, 0.09, 0.8, True),
        (2.2, around, 0.08, 0.5, True),
        (1.5, tiny, 0.06, 0.3, True),
    )
    for width, where, tolerance, load, inside in passes:
        brush.layer(
            canvas, picture, angle, label, width * unit, stretch, where, tolerance, jitter, load, inside
        )
    return brush.raked(canvas, 2.6 * unit, 1.5 * unit)


def render(size: int, factor: int = 2, camera: Camera = CAMERA) -> tuple[np.ndarray, np.ndarray]:
    """uint8 RGB (size, size, 3) and uint8 labels (size, size)."""
    surface = see(
        lambda q: blended(parts_of(q)),
        lambda q: with_brows(figure.class_of(q, parts_of(q), FORM), q),
        camera,
        LIGHTS,
        size * factor,
    )
    look = look_of(surface)
    light = shade(
        surface,
        LIGHTS,
        bumped(surface, look.height),
        look.albedo,
        look.gloss,
        look.shine,
        (colour(0.115, 0.10, 0.085), colour(0.075, 0.05, 0.03)),
        surface.open_,
    )
    seen = surface.picture(torch.ones(light.shape[0]))[..., None] > 0
    picture = developed(np.where(seen, surface.picture(light), backdrop(size * factor)), 0.60).astype(
        np.float32
    )
    label = surface.picture(surface.label.to(torch.uint8), INDEX["background"])
    return figure.finished(painted(picture, label, stroke_angles(surface, camera, label), 11), label, factor)
