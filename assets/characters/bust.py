"""`bust`: a chipped antique portrait. White veined marble, drilled curls, drapery of banded red stone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from segmentation.classes import INDEX

from . import figure
from .anatomy import HUMAN_EAR, Form, Parts, blended, brow_weight, head, mirrored, to_head
from .figure import Look, colour, is_class, mix
from .noise import band, cells, fbm, gradient_noise, ridged, stretched
from .solids import carve, ellipsoid, segment, taper, union
from .tracer import Camera, Light, Surface, bumped, developed, see, shade

FORM = Form(
    yaw=-0.13,
    pitch=0.02,
    roll=0.04,
    ear=HUMAN_EAR,
    cheek_hollow=((0.60, -0.52, 0.40), (0.12, 0.18, 0.16)),
    jaw=((0, -0.60, 0.20), (0.48, 0.34, 0.46)),
    lid=0.026,
    opening=(0.150, 0.076, 0.056, 0.03),
    brow_ridge=((0.10, 0.16, 0.72), (0.46, 0.15, 0.55), 0.070),
    neck=((0, -0.55, -0.12), (0, -1.75, -0.24), 0.44, 0.52),
    tendon=0.10,
    nasolabial=(0.012, 0.045),
    shoulders=((0, -2.02, -0.22), (1.45, 0.70, 0.56)),
)
CAMERA = Camera(centre_y=-0.26, half=1.66)
LIGHTS = [
    Light((0.78, 0.74, 0.55), (1.95, 1.76, 1.48), True, (0.10, 0.08, 0.06)),
    Light((-0.95, 0.05, 0.45), (0.26, 0.34, 0.46), False, (0.2, 0.2, 0.2)),
    Light((-0.75, 0.55, -0.75), (1.5, 1.7, 2.0), True),
]
BROW = dict(inner=(0.09, 0.165), peak=(0.28, 0.215), outer=(0.47, 0.145), half=0.042)
CURL = 0.105  # radius of a curl
CHIPS = [  # centre and radius
    ((0.27, 0.44, 0.66), 0.10),
    ((-0.42, -0.60, 0.45), 0.085),
    ((0.72, 0.16, -0.10), 0.075),
    ((0.03, -0.345, 1.045), 0.06),
    ((-0.22, 0.82, 0.58), 0.12),
    ((0.13, -0.95, 0.66), 0.075),
    ((-0.45, 0.14, 0.62), 0.06),
    ((0.0, 0.10, 0.80), 0.03),
]


def curl_centres() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centres (K, 3) of the curls on the skull, their normals and two tangents: a jittered
    Fibonacci lattice.
    """
    count = 250
    rng = np.random.default_rng(5)
    i = np.arange(count) + 0.5
    y, turn = 1 - 2 * i / count, i * np.pi * (3 - 5**0.5)
    r = np.sqrt(1 - y * y)
    sphere = np.stack([r * np.cos(turn), y, r * np.sin(turn)], 1) + rng.normal(0, 0.03, (count, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    centre, radii = (np.array(v) for v in FORM.cranium)
    points, normal = centre + sphere * (radii + 0.07), sphere / radii
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    first = np.cross(normal, rng.normal(0, 1, (count, 3)))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    first_turn = np.cross(normal, first) * rng.choice([-1, 1], (count, 1))  # curls wind either way
    return tuple(torch.tensor(v, dtype=torch.float32) for v in (points, normal, first, first_turn))


CURLS = curl_centres()


def curl_at(p: Tensor) -> tuple[Tensor, Tensor]:
    """Radius (N,) from the nearest curl's centre, 1 at its border, and the winding angle (N,). p:
    head frame.
    """
    points, _, first, second = CURLS
    nearest = ((points * points).sum(1)[None] - 2 * p.T @ points.T).argmin(1)
    d = p - points[nearest].T
    u, v = (d * first[nearest].T).sum(0), (d * second[nearest].T).sum(0)
    return torch.sqrt(u * u + v * v + 1e-9) / CURL, torch.atan2(v, u)


def curled_hair(p: Tensor) -> Tensor:
    """Distance to the carved hair. p: head frame."""
    centre, radii = FORM.cranium
    shell = ellipsoid(p, centre, tuple(r + 0.05 for r in radii))
    line = -(
        0.58 * p[1] - 0.70 * p[2] + 0.13 + 0.06 * p[0] ** 2
    )  # in front of and below this plane is the face
    ear_room = ellipsoid(mirrored(p), (0.74, -0.12, 0.06), (0.20, 0.30, 0.24))
    line = torch.maximum(line, -ear_room)
    rough = -union(-shell, -line, 0.05)
    near = (rough < 0.22).nonzero()[:, 0]
    if near.numel():
        q = p[:, near]
        r, angle = curl_at(q)
        dome = (1 - r * r).clamp(min=-0.6)
        spiral = torch.cos(angle + 9.5 * r) * band(r, 1.3, 0.8)
        body = shell[near] - 0.055 * dome - 0.016 * spiral
        edge = line[near] - 0.05 * dome
        out = rough.clone() + 0.06
        out[near] = -union(-body, -torch.maximum(edge, -0.52 - q[1]), 0.05)
        return out
    return rough + 0.06


def chipped(p: Tensor) -> Tensor:
    """Distance to the places where stone has broken off. p: head frame."""
    d = ellipsoid(p, CHIPS[0][0], (CHIPS[0][1],) * 3)
    for centre, radius in CHIPS[1:]:
        d = torch.minimum(d, ellipsoid(p, centre, (radius, radius * 0.75, radius * 0.75)))
    near = (d < 0.15).nonzero()[:, 0]
    if near.numel():
        q = p[:, near]
        d[near] += 0.045 * gradient_noise(q * 11, 8) + 0.02 * gradient_noise(q * 27, 9)
    return d + 0.012


def parts_of(world: Tensor) -> Parts:
    """Distances of the bust's parts."""
    parts = head(world, FORM)
    p = to_head(world, FORM)
    brow = brow_weight(p, **BROW).clamp(0, 1)
    hairs = torch.cos((p[0].abs() * 0.8 - p[1] * 1.1) * 95)
    chips = chipped(p)
    parts["skin"] = parts["skin"] - (0.016 + 0.005 * hairs) * brow.sqrt() * band(p[2], 0.2, 0.4)
    parts["hair"] = curled_hair(p)
    for name in ("skin", "nose", "hair", "ear"):
        parts[name] = carve(parts[name], chips, 0.006)
    x, y, _ = world
    sag = gradient_noise(stretched(world, (1.6, 1.6, 1.6)), 15)
    phase = 3.1 * (y - 0.42 * (x - 0.35) ** 2 + 0.55 * x) + 0.35 * sag
    ridge = 0.5 + 0.5 * torch.sin(2 * torch.pi * phase * 0.8)
    minor = 0.5 + 0.5 * torch.sin(2 * torch.pi * phase * 2.1 + 3 * sag)
    fold = ridge**1.7 + 0.22 * minor * (1 - ridge)
    cloth = parts["cloth"] - 0.12 * fold - 0.03 * sag + 0.005
    opening = taper(world, (0.02, -1.0, 0.2), (0.10, -1.75, 0.62), 0.50, 0.10) + 0.03 * sag
    opening = torch.minimum(opening, segment(world, (0, -0.9, -0.1), (0, -1.45, -0.1))[0] - 0.60)
    hem = torch.sqrt(opening**2 + cloth**2 + 1e-9) - 0.050  # a rolled border
    parts["cloth"] = union(carve(cloth, opening, 0.03), hem, 0.03)
    return parts


def veined(p: Tensor, scale: float, seed: int) -> tuple[Tensor, Tensor]:
    """Marble: weights (N,) of thin dark veins and of the soft clouds they run through."""
    warp = torch.stack([fbm(p * scale, 3, seed + i) for i in range(3)]) * 0.45
    q = p * scale + warp * 1.6
    vein = band(ridged(q * 0.9, 1, seed + 5), 0.72, 0.96)
    thin = band(ridged(q * 2.3 + 7, 2, seed + 6, 0.35), 0.62, 0.90)
    cloud = band(fbm(q * 0.8, 4, seed + 7), -0.15, 0.55)
    return (vein + 0.75 * thin * (0.3 + 0.7 * cloud)).clamp(0, 1), cloud


def grain(p: Tensor, seed: int) -> Tensor:
    """Sugary crystals, -1..1."""
    return gradient_noise(p * 75, seed) * 0.6 + gradient_noise(p * 140, seed + 1) * 0.4


def flesh_look(p: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Albedo, relief and shine of skin, nose, lips, brows and ears. p: head frame."""
    x, y, z = mirrored(p)
    nose, lip = is_class(label, "nose").float(), is_class(label, "u_lip", "l_lip").float()
    ear, brow = is_class(label, "l_ear", "r_ear").float(), is_class(label, "l_brow", "r_brow").float()
    upper = is_class(label, "u_lip").float()
    forehead = band(y, 0.18, 0.32) * (1 - ear)
    cheek = torch.exp(-(((x - 0.38) / 0.24) ** 2) - ((y + 0.32) / 0.26) ** 2) * (1 - nose) * (1 - ear)
    chin = band(y, -0.66, -0.80)
    eye_r = torch.sqrt((x - 0.265) ** 2 + (y * 1.3) ** 2)
    socket = band(eye_r, 0.25, 0.15)
    vein, cloud = veined(p, 2.6, 200)
    bold, _ = veined(stretched(p, (1.0, 1.8, 1.0)) + 3, 1.6, 220)
    albedo = mix(colour(0.54, 0.50, 0.435), colour(0.335, 0.325, 0.315), cloud * 0.8)
    albedo = mix(albedo, colour(0.115, 0.125, 0.145), vein * (0.9 - 0.35 * cheek))
    albedo = mix(albedo, colour(0.25, 0.20, 0.15), bold * forehead * 0.85)
    rain = band(fbm(stretched(p, (8, 1.1, 3)), 4, 232), 0.02, 0.40) * band(
        y, -0.15, 0.30
    )  # soot washed down by rain
    albedo = mix(albedo, colour(0.20, 0.175, 0.14), rain * 0.62 * (1 - ear))
    albedo = mix(albedo, colour(0.57, 0.46, 0.37), cheek * 0.6)
    albedo = mix(albedo, colour(0.66, 0.60, 0.50), nose * 0.7)
    albedo = mix(albedo, colour(0.34, 0.335, 0.34), socket * 0.65)
    albedo = mix(albedo, colour(0.40, 0.36, 0.29), chin * band(fbm(p * 6, 3, 231), -0.2, 0.4) * 0.7)
    albedo = mix(albedo, mix(colour(0.40, 0.27, 0.24), colour(0.29, 0.20, 0.185), upper), lip * 0.8)
    albedo = mix(albedo, colour(0.43, 0.36, 0.27), ear * 0.75)
    albedo = mix(albedo, colour(0.25, 0.215, 0.18), brow * 0.7)
    # tool marks: claw chisel on the forehead, rasp on the chin, fine rubbing on the nose
    bend = 0.03 * gradient_noise(p * 5, 240)
    claw = torch.cos((y + 0.35 * p[0] + bend) * 150) * band(fbm(p * 3.5, 2, 241), -0.1, 0.3)
    rasp = torch.cos((y * 0.7 - p[0] + bend) * 190) * band(fbm(p * 4, 2, 242), -0.3, 0.2)
    relief = 0.0016 * claw * forehead + 0.0018 * rasp * chin + 0.0010 * torch.cos((x + bend) * 210) * lip
    relief = relief + 0.0014 * torch.cos((y + 0.5 * z + bend) * 160) * ear
    relief = relief + 0.0012 * torch.cos((x - 0.4 * y + bend) * 220) * nose
    # weather: pits on the cheeks, more and coarser near the chin
    pit, _, pit_id = cells(p * 21, 250)
    pits = (
        band(pit, 0.30, 0.14)
        * (pit_id > 0.1 - 0.6 * cheek).float()
        * (0.15 + cheek + 0.6 * chin).clamp(max=1)
    )
    small, _, small_id = cells(p * 48, 251)
    dense = (0.2 + 0.8 * cheek + 0.5 * nose).clamp(max=1)
    pits = pits + 0.7 * band(small, 0.32, 0.15) * (small_id > 0.0).float() * dense
    relief = relief - 0.006 * pits * (1 - lip) + 0.0012 * grain(p, 252) + 0.004 * fbm(p * 9, 3, 253)
    albedo = albedo * (1 - 0.55 * pits * (1 - lip)).clamp(min=0.3)[:, None]
    crack = cracks(p)
    relief = relief - 0.012 * crack
    albedo = mix(albedo, colour(0.055, 0.045, 0.035), crack * 0.9)
    fresh = band(chipped(p).abs(), 0.020, 0.004)
    relief = relief + fresh * (0.010 * fbm(p * 24, 3, 254))
    albedo = mix(albedo, colour(0.70, 0.66, 0.58), fresh * 0.75)
    albedo = albedo * (1 + 0.16 * grain(p, 255))[:, None]
    return albedo, relief, (0.26 + 0.25 * lip + 0.15 * nose - 0.18 * fresh).clamp(min=0.05)


def cracks(p: Tensor) -> Tensor:
    """(N,) 1 in the few long cracks that run over head and neck."""
    warp = 0.10 * fbm(p * 5, 4, 260)
    first = (p[0] * 0.9 + 0.34 + 0.50 * (p[1] - 0.2) + warp).abs()
    second = (p[1] + 0.93 + 0.35 * p[0] + 1.3 * warp).abs()
    on_first = band(p[1], 0.15, 0.30) + band(p[1], -0.36, -0.50)
    width = 0.006 + 0.005 * gradient_noise(p * 9, 262)
    on_second = band(p[1], -0.6, -0.9)
    return (band(first, 0.012, 0.003) * on_first.clamp(max=1) + (second < width).float() * on_second).clamp(
        0, 1
    )


def hair_look(p: Tensor) -> tuple[Tensor, Tensor]:
    """Curls: strands that wind with the spiral, drill holes, old dirt in the depths."""
    r, angle = curl_at(p)
    strands = torch.cos(angle * 2 + 31 * r + 1.5 * gradient_noise(p * 9, 270))
    groove = torch.cos(angle + 9.5 * r)
    _, cloud = veined(p, 2.4, 271)
    relief = 0.006 * strands + 0.004 * groove + 0.006 * fbm(p * 14, 3, 275) + 0.0012 * grain(p, 276)
    albedo = mix(colour(0.42, 0.365, 0.285), colour(0.27, 0.245, 0.215), cloud)
    albedo = mix(albedo, colour(0.085, 0.068, 0.05), band(r, 0.80, 1.15) * 0.85)
    albedo = mix(albedo, colour(0.55, 0.50, 0.41), band(groove, 0.2, 1.0) * band(r, 1.0, 0.6) * 0.6)
    hole = band(r, 0.16, 0.07)
    return mix(albedo, colour(0.03, 0.025, 0.02), hole), relief - 0.02 * hole


def neck_look(p: Tensor) -> tuple[Tensor, Tensor]:
    """Layered marble: flowing bands, vertical point-chisel strokes."""
    warp = fbm(p * 1.8, 4, 280)
    layers = ridged(torch.stack([p[0] * 0.6, p[1] * 3.2 + 1.3 * warp + 0.8 * p[0], p[2] * 0.6]) * 1.5, 3, 281)
    strokes = gradient_noise(stretched(p + 0.02 * warp, (44, 9, 30)), 282)
    albedo = mix(colour(0.52, 0.475, 0.40), colour(0.22, 0.225, 0.235), band(layers, 0.45, 0.9))
    albedo = mix(albedo, colour(0.36, 0.27, 0.18), band(fbm(p * 3.3, 4, 283), 0.05, 0.5) * 0.6)
    crack = cracks(p)
    albedo = mix(albedo * (1 + 0.15 * grain(p, 284))[:, None], colour(0.05, 0.04, 0.03), crack * 0.9)
    return albedo, 0.005 * strokes + 0.0012 * grain(p, 285) - 0.012 * crack


def drapery_look(p: Tensor) -> tuple[Tensor, Tensor]:
    """Banded red stone: wavy bands of ochre and oxblood, pale breccia pebbles, rasp lines along the folds."""
    warp = fbm(p * 2.2, 4, 290)
    bands = torch.sin((p[1] * 4.2 + p[0] * 1.3 + 1.5 * warp) * 5.5)
    fine = torch.sin((p[1] * 4.2 + p[0] * 1.3 + 1.5 * warp) * 24 + 2 * warp)
    f1, f2, pebble = cells(p * 5.5 + warp * 0.4, 295)
    albedo = mix(
        colour(0.085, 0.022, 0.020), colour(0.21, 0.075, 0.045), band(bands + 0.35 * fine, -0.4, 0.9)
    )
    pebbles = band(f2 - f1 + 0.15 * warp, 0.10, 0.22) * (pebble > 0.55).float()
    albedo = mix(albedo, colour(0.34, 0.22, 0.16), pebbles * 0.7)
    albedo = mix(albedo, colour(0.45, 0.33, 0.25), band(ridged(p * 2.4 + warp, 3, 296), 0.80, 0.96) * 0.8)
    rasp = torch.cos((p[0] - 0.8 * p[1] + 0.04 * warp) * 130) * band(fbm(p * 3, 2, 297), -0.2, 0.3)
    relief = 0.0016 * rasp + 0.0012 * grain(p, 299) + 0.004 * fbm(p * 8, 3, 300)
    return albedo * (1 + 0.2 * grain(p, 298))[:, None], relief


def eye_look(p: Tensor) -> tuple[Tensor, Tensor]:
    """A blank eye with the incised iris and the bean-shaped pupil of Roman portraits. p: head frame."""
    m = mirrored(p)
    d = m - torch.tensor(FORM.eye[0])[:, None]
    d = d / d.norm(dim=0)
    gx = d[0] - torch.where(p[0] > 0, 0.08, -0.02)
    gy = d[1] - 0.10
    r = torch.sqrt(gx * gx + gy * gy)
    ring = torch.exp(-(((r - 0.46) / 0.035) ** 2))
    bean = band(r, 0.26, 0.20) * band(torch.sqrt(gx * gx + (gy - 0.16) ** 2), 0.10, 0.17)
    vein, cloud = veined(p, 4.0, 310)
    albedo = mix(colour(0.66, 0.63, 0.58), colour(0.47, 0.47, 0.47), cloud * 0.7)
    albedo = mix(albedo, colour(0.26, 0.27, 0.29), vein * 0.6)
    albedo = mix(albedo, colour(0.22, 0.19, 0.16), (0.75 * ring + 0.85 * bean).clamp(max=1))
    return albedo * (1 + 0.10 * grain(p, 315))[:, None], -0.006 * ring - 0.012 * bean + 0.0008 * grain(p, 316)


def look_of(surface: Surface) -> Look:
    """The bust's stone at every hit."""
    p, label = to_head(surface.p, FORM), surface.label
    look = Look.plain(p.shape[1])
    where = is_class(label, "skin", "nose", "u_lip", "l_lip", "l_brow", "r_brow", "l_ear", "r_ear")
    chunks = [
        flesh_look(q, lab) for q, lab in zip(p[:, where].split(1 << 15, 1), label[where].split(1 << 15))
    ]
    albedo, relief, shine = (torch.cat(c) for c in zip(*chunks))
    look.put(where, albedo, relief, 34.0, shine)
    for names, material, points, gloss, shine in (
        (("hair",), hair_look, p, 16.0, 0.10),
        (("neck",), neck_look, surface.p, 26.0, 0.20),
        (("cloth",), drapery_look, surface.p, 40.0, 0.20),
        (("l_eye", "r_eye"), eye_look, p, 60.0, 0.45),
    ):
        where = is_class(label, *names)
        if where.any():
            albedo, relief = (
                torch.cat(c) for c in zip(*[material(q) for q in points[:, where].split(1 << 15, 1)])
            )
            look.put(where, albedo, relief, gloss, shine)
    return look


def with_brows(label: Tensor, world: Tensor) -> Tensor:
    """Skin on the carved brows becomes brow."""
    p = to_head(world, FORM)
    return figure.browed(label, p, brow_weight(p, **BROW) > 0.12)


def backdrop(size: int) -> np.ndarray:
    """(size, size, 3) linear: a dark studio wall, a little lighter behind the shadow side."""
    y, x = np.mgrid[0:size, 0:size] / size
    glow = np.exp(-(((x - 0.22) / 0.40) ** 2 + ((y - 0.52) / 0.50) ** 2))
    wall = figure.backdrop_noise(size, 4, 320, 4)
    light = (0.010 + 0.060 * glow * (1 + 0.35 * wall))[..., None] * np.array([1.0, 0.92, 0.86])
    return light.clip(0.002, 1).astype(np.float32)


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
    hollow = figure.cavity(surface, look.height, 0.006)
    look.albedo *= (1 + 60 * hollow).clamp(0.45, 1.3)[:, None]
    dirt = (1 - surface.open_).clamp(0, 1) * 0.75  # dust and old patina stay where no hand wipes
    look.albedo = mix(look.albedo, look.albedo * colour(0.50, 0.40, 0.28), dirt)
    light = shade(
        surface,
        LIGHTS,
        bumped(surface, look.height),
        look.albedo,
        look.gloss,
        look.shine,
        (colour(0.24, 0.25, 0.28), colour(0.11, 0.095, 0.08)),
        surface.open_,
    )
    seen = surface.picture(torch.ones(light.shape[0]))[..., None] > 0
    picture = developed(np.where(seen, surface.picture(light), backdrop(size * factor)), 0.68)
    return figure.finished(
        picture, surface.picture(surface.label.to(torch.uint8), INDEX["background"]), factor
    )
