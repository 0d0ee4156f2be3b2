"""People who never were, seen from any side: heads of chance modelled as signed distances, with exact class
maps.

Labelled portraits look at the camera; a parser that has seen nothing else does not know a profile. The
anatomy, the rays and the light are those of the characters that ship (`assets/characters`); measures, hair,
colours and lamps are drawn anew.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from assets.characters import figure
from assets.characters.anatomy import HUMAN_EAR, Form, Parts, blended, brow_weight, head, mirrored, to_head
from assets.characters.figure import Look, colour, is_class, mix
from assets.characters.noise import band, fbm, gradient_noise, ridged, stretched
from assets.characters.solids import Vec, carve, ellipsoid, taper, union
from assets.characters.tracer import Camera, Light, bumped, developed, see, shade
from segmentation.classes import INDEX

SOLIDS = (
    "cranium",
    "mask",
    "jaw",
    "chin",
    "cheekbone",
    "cheek",
    "cheek_hollow",
    "temple_hollow",
    "muzzle",
)  # of a Form: centre and radii
FAIR, DARK = (0.64, 0.42, 0.32), (0.10, 0.052, 0.034)  # skins, linear
HAIRS = (
    (0.02, 0.016, 0.014),
    (0.09, 0.045, 0.022),
    (0.30, 0.16, 0.06),
    (0.52, 0.38, 0.20),
    (0.28, 0.08, 0.03),
    (0.45, 0.45, 0.45),
)
MATERIALS = (
    "seed",
    "skin",
    "lips",
    "hairs",
    "beard",
    "cloth",
    "iris",
    "weave",
    "rough",
    "statue",
)  # of a Sitter
ODD = 0.15  # share of sitters with skin of any colour
STATUES = 0.15  # share of one material all over


@dataclass(frozen=True)
class Hair:
    """How it lies on the skull, in half heads."""

    thick: float
    line: float  # how far it comes into the forehead
    fringe: float  # height down to which it hangs over the forehead; over the top of the head: none
    length: float  # how far it falls behind the ears; 0: short
    forward: float  # and how far to the front; from about 0.1 on over the ears
    bun: float  # radius of a knot at the back; 0: none

    @classmethod
    def of_chance(cls, rng: np.random.Generator) -> Hair | None:
        """None: bald."""
        if rng.random() < 0.1:
            return None
        return cls(
            rng.uniform(0.03, 0.16),
            rng.uniform(0.05, 0.25),
            rng.uniform(0.2, 0.4) if rng.random() < 0.25 else 9.0,
            rng.uniform(0.4, 1.1) if rng.random() < 0.5 else 0.0,
            rng.uniform(-0.1, 0.3),
            rng.uniform(0.2, 0.32) if rng.random() < 0.2 else 0.0,
        )

    def distance(self, p: Tensor, form: Form) -> Tensor:
        """(N,) to the hair. p: head frame."""
        m, (centre, radii) = mirrored(p), form.cranium
        shell = ellipsoid(p, (centre[0], centre[1] + 0.03, centre[2]), tuple(r + self.thick for r in radii))
        rough = gradient_noise(p * 6, 402)
        line = -(0.58 * p[1] - 0.70 * p[2] + self.line + 0.06 * p[0] ** 2 + 0.04 * rough)
        over_ears = self.length and self.forward > 0.1
        if not over_ears:
            line = torch.maximum(line, -ellipsoid(m, (0.74, -0.14, 0.10), (0.26, 0.30, 0.30)))
        d = -union(-shell, -torch.minimum(line, self.fringe + 0.06 * rough - p[1]), 0.08)
        if self.length:
            d = union(
                d,
                ellipsoid(m, (0.56, 0.2 - self.length, -0.34 + self.forward), (0.27, self.length, 0.26)),
                0.12,
            )
        if self.bun:
            d = union(d, ellipsoid(p, (0.0, 0.25, -1.05), (self.bun,) * 3), 0.06)
        locks = gradient_noise(stretched(p, (14, 3, 9)), 403)
        return d + 0.02 - 0.02 * locks


def jittered(v: Vec, rng: np.random.Generator, by: float) -> Vec:
    """Each number times 1 +- `by`."""
    return tuple(float(x * (1 + rng.normal(0, by))) for x in v)


def form_of_chance(rng: np.random.Generator) -> Form:
    """A head whose measures differ from the mean one by some per cent each."""
    f = Form(ear=HUMAN_EAR)
    solids = {}
    for name in SOLIDS:
        centre, radii = getattr(f, name)
        solids[name] = jittered(centre, rng, 0.02), jittered(radii, rng, 0.06)
    out, wide, long = rng.normal(-0.02, 0.04), rng.normal(0.92, 0.1), rng.normal(0, 0.025)  # of the nose

    def moved(v: Vec, share: float) -> Vec:
        return v[0] * wide, v[1] + long * share, v[2] + out * share

    a, b, thin, thick = f.bridge
    eye_z = rng.normal(0, 0.012)
    return replace(
        f,
        yaw=float(rng.normal(0, 0.15)),
        pitch=float(rng.normal(0, 0.12)),
        roll=float(rng.normal(0, 0.07)),
        **solids,
        brow_ridge=(f.brow_ridge[0], f.brow_ridge[1], 0.075 * rng.normal(1, 0.15)),
        eye=((0.265 * rng.normal(1, 0.03), 0.0, 0.560 + eye_z), 0.155),
        opening=(0.150, rng.uniform(0.045, 0.08), rng.uniform(0.04, 0.055), rng.normal(0.04, 0.05)),
        bridge=(moved(a, 0.3), moved(b, 0.9), thin * wide, thick * wide),
        tip=(moved(f.tip[0], 1), jittered(f.tip[1], rng, 0.1)),
        wing=(moved(f.wing[0], 0.8), jittered(f.wing[1], rng, 0.1)),
        nostril=(moved(f.nostril[0], 0.9), f.nostril[1]),
        mouth_y=-0.605 + rng.normal(0, 0.02),
        mouth_z=0.812 + rng.normal(0, 0.015),
        mouth_half=0.240 * rng.normal(1, 0.1),
        lip_up=0.037 * rng.uniform(0.7, 1.6),
        lip_low=0.046 * rng.uniform(0.7, 1.6),
        smile=rng.normal(0.016, 0.02),
        nasolabial=(rng.uniform(0.0, 0.03), 0.045),
        neck=(f.neck[0], f.neck[1], 0.40 * rng.uniform(0.85, 1.15), 0.46 * rng.uniform(0.85, 1.2)),
        shoulders=(
            (0, rng.uniform(-2.0, -1.7), -0.22),
            (1.5 * rng.uniform(0.85, 1.05), 0.64, 0.54 * rng.uniform(0.9, 1.15)),
        ),
        ear={
            **HUMAN_EAR,
            "width": 0.165 * rng.uniform(0.8, 1.2),
            "facing": (0.70, 0.05, rng.uniform(0.4, 1.0)),
        },
    )


def ears_filled(labels: np.ndarray) -> np.ndarray:
    """The hollow of an ear is skin by distance, and ear by what people call it."""
    for name in ("l_ear", "r_ear"):
        ear = (labels == INDEX[name]).astype(np.uint8)
        whole = cv2.morphologyEx(ear, cv2.MORPH_CLOSE, np.ones((labels.shape[0] // 24,) * 2, np.uint8)) > 0
        labels = np.where(whole & (labels == INDEX["skin"]), INDEX[name], labels)
    return labels


@dataclass(frozen=True)
class Scene:
    """How a sitter is seen: by which camera, which is later turned, in which light (lamps given for a camera
    straight ahead), how much light comes from everywhere, and how long the exposure is.
    """

    camera: Camera
    lights: list[Light]
    ambient: np.ndarray
    exposure: float


class Sitter:
    """One head of chance: its form, hair, clothes and colours. The same seed gives the same person."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.seed, self.form, self.hair = seed, form_of_chance(rng), Hair.of_chance(rng)
        self.brow = dict(
            inner=(0.09, 0.165 + rng.normal(0, 0.01)),
            peak=(0.29, 0.215 + rng.normal(0, 0.015)),
            outer=(0.46, 0.15),
            half=rng.uniform(0.025, 0.05),
        )
        tone = rng.random()
        skin = np.array(FAIR) * (1 - tone) + np.array(DARK) * tone
        self.skin = rng.uniform(0.05, 0.6, 3) if rng.random() < ODD else skin * rng.normal(1, 0.06, 3)
        self.lips = self.skin * rng.uniform((0.7, 0.35, 0.4), (1.1, 0.8, 0.9))
        self.hairs = np.array(HAIRS[rng.integers(len(HAIRS))]) * rng.uniform(0.7, 1.3)
        self.beard = rng.uniform(0.3, 0.9) if rng.random() < 0.2 else 0.0
        self.cloth, self.iris = rng.uniform(0.01, 0.6, (2, 3)), rng.uniform(0.02, 0.25, 3)
        self.weave, self.collar = rng.uniform(2, 30), rng.uniform(0.35, 0.6)
        self.rough = rng.uniform(0.1, 0.5)  # how much the tones of the skin change from place to place
        self.statue = rng.random() < STATUES

    def parts(self, world: Tensor) -> Parts:
        """Distances of the parts."""
        parts, p = head(world, self.form), to_head(world, self.form)
        if self.hair:
            parts["hair"] = self.hair.distance(p, self.form)
        folds = gradient_noise(stretched(world, (3, 1.5, 3)), self.seed + 1)
        opening = taper(world, (0.0, -1.0, 0.2), (0.0, -1.95, 0.60), self.collar, 0.05)
        opening = torch.minimum(
            opening, taper(world, (0, -0.9, -0.1), (0, -1.45, -0.1), self.collar + 0.08, self.collar + 0.08)
        )
        parts["cloth"] = carve(parts["cloth"] - 0.05 * folds, opening, 0.03)
        return parts

    def label(self, world: Tensor) -> Tensor:
        """(N,) class of surface points."""
        label, p = figure.class_of(world, self.parts(world), self.form), to_head(world, self.form)
        ragged = brow_weight(p, **self.brow) + 0.4 * gradient_noise(stretched(p, (30, 12, 10)), self.seed + 2)
        return figure.browed(label, p, ragged > 0.1)

    def look(self, world: Tensor, label: Tensor) -> Look:
        """Colours and relief of surface points (3, N) of these classes."""
        p, look, s = to_head(world, self.form), Look.plain(world.shape[1]), self.seed
        skin, lips, hairs, iris = (
            torch.tensor(c, dtype=torch.float32) for c in (self.skin, self.lips, self.hairs, self.iris)
        )
        x, y, _ = mirrored(p)
        tones = (1 + self.rough * fbm(p * 4, 4, s + 3))[:, None]
        albedo = skin * tones
        flush = (
            torch.exp(-(((x - 0.36) / 0.2) ** 2) - ((y + 0.27) / 0.18) ** 2)
            + is_class(label, "nose", "l_ear", "r_ear") * 0.6
        )
        albedo = mix(albedo, albedo * colour(1.15, 0.75, 0.7), flush)
        chin = band(y, -0.35, -0.55) * band(p[2], 0.0, 0.3) * band(gradient_noise(p * 40, s + 4), -0.6, 0.2)
        albedo = mix(albedo, hairs.expand_as(albedo), chin * self.beard * is_class(label, "skin"))
        pores = 0.003 * fbm(p * 25, 3, s + 5) - 0.004 * band(ridged(p * 5, 3, s + 6), 0.75, 0.95) * self.rough
        flesh = is_class(label, "skin", "nose", "neck", "l_ear", "r_ear")
        look.put(flesh, albedo[flesh], pores[flesh], 24.0, 0.15)
        red = is_class(label, "u_lip", "l_lip")
        look.put(red, (lips * tones)[red], pores[red], 40.0, 0.4)
        strands = gradient_noise(stretched(p, (45, 7, 30)), s + 7) + 0.6 * gradient_noise(
            stretched(p, (90, 14, 60)), s + 8
        )
        shaded = hairs * (1 + 0.7 * strands).clamp(min=0.1)[:, None]
        for names in (("hair",), ("l_brow", "r_brow")):
            where = is_class(label, *names)
            look.put(where, shaded[where], 0.01 * strands[where], 20.0, 0.25)
        pattern = band(
            torch.sin(world[0] * self.weave + 2 * fbm(world * 2, 2, s + 9))
            * torch.sin(world[1] * self.weave),
            -0.2,
            0.4,
        )
        cloth, where = torch.tensor(self.cloth, dtype=torch.float32), is_class(label, "cloth")
        dyed = mix(cloth[0], cloth[1], pattern) * (1 + 0.3 * fbm(world * 5, 3, s + 10))[:, None]
        look.put(where, dyed[where], 0.01 * fbm(world * 8, 3, s + 11)[where], 12.0, 0.06)
        ahead = mirrored(p) - torch.tensor(self.form.eye[0])[:, None]
        r = torch.sqrt(ahead[0] ** 2 + (ahead[1] - 0.01) ** 2) / self.form.eye[1]
        eye = mix(
            mix(iris.expand_as(albedo), colour(0.008, 0.008, 0.008), band(r, 0.20, 0.16)),
            colour(0.55, 0.52, 0.49),
            band(r, 0.42, 0.47),
        )
        where = is_class(label, "l_eye", "r_eye")
        look.put(where, eye[where], torch.zeros(int(where.sum())), 300.0, 1.0)
        if self.statue:
            look = Look(
                skin * tones,
                look.height,
                torch.full_like(look.gloss, 40.0),
                torch.full_like(look.shine, self.rough),
            )
        return look

    def lights(self) -> list[Light]:
        """A lamp with shadows, a weaker one from elsewhere."""
        rng = self.rng
        key = tuple(rng.normal(0, 1, 3) * (0.9, 0.4, 0.4) + (0, 0.5, 0.7))
        warm = 1 + rng.normal(0, 0.12, 3)
        return [
            Light(key, tuple(warm * rng.uniform(1.2, 2.6)), bool(rng.random() < 0.7), (0.14, 0.07, 0.04)),
            Light(
                tuple(rng.normal(0, 1, 3)), tuple((2 - warm) * rng.uniform(0.1, 1.0)), False, (0.3, 0.3, 0.3)
            ),
        ]

    def seen(
        self, size: int, turn: float, behind: np.ndarray, factor: int = 2
    ) -> tuple[np.ndarray, np.ndarray]:
        """uint8 RGB (size, size, 3) and labels (size, size), the head turned by `turn` degrees to the
        picture's right, before `behind` (size, size, 3).

        Lamps, camera and exposure are drawn anew in each call.
        """
        return self.seen_in(self.scene(), size, turn, behind, factor)

    def scene(self) -> Scene:
        """A camera, lamps and an exposure of chance."""
        rng = self.rng
        camera = Camera(
            centre_y=rng.normal(-0.2, 0.08), half=rng.uniform(1.35, 1.75), centre_x=rng.normal(0, 0.08)
        )
        lights = self.lights()
        ambient = rng.uniform(0.1, 0.4) * (1 + rng.normal(0, 0.1, 3))
        return Scene(camera, lights, ambient, rng.uniform(0.6, 1.1))

    def seen_in(
        self, scene: Scene, size: int, turn: float, behind: np.ndarray, factor: int = 2
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `seen`, in this scene."""
        camera = scene.camera.seeing(self.form.yaw, turn)
        # lamps go round with the camera, so that every side is lit in every way
        lights = [
            replace(
                x, direction=tuple((camera.axes() @ torch.tensor(x.direction, dtype=torch.float32)).tolist())
            )
            for x in scene.lights
        ]
        surface = see(lambda q: blended(self.parts(q)), self.label, camera, lights, size * factor)
        look = self.look(surface.p, surface.label)
        ambient = torch.tensor(scene.ambient, dtype=torch.float32)
        light = shade(
            surface,
            lights,
            bumped(surface, look.height),
            look.albedo,
            look.gloss,
            look.shine,
            (ambient, ambient * 0.5),
            surface.open_,
        )
        inside = surface.picture(torch.ones(light.shape[0]))[..., None] > 0
        ground = behind.repeat(factor, 0).repeat(factor, 1).astype(np.float32) / 255
        picture = np.where(inside, developed(surface.picture(light), scene.exposure), ground)
        return figure.finished(
            picture, ears_filled(surface.picture(surface.label.to(torch.uint8), INDEX["background"])), factor
        )

    def in_the_skin_of(self, other: Sitter) -> Sitter:
        """This head and its hair's shape in the other's materials: skin, lips, hair, clothes, irises."""
        wearing = copy.copy(self)
        for name in MATERIALS:
            setattr(wearing, name, getattr(other, name))
        return wearing
