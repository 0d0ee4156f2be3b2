"""Makes the pictures of docs/method.md, and the one at the top of the README, from the drawn heads.

    python -m docs.make_method_figures [--only NAME]

Every picture shows what the program computes on its way from two pictures to the result, by the functions
that compute it. It takes about three minutes on two cores, most of them for the three older methods.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw

from assets.make_examples import character
from docs.panels import GAP, image_of, row, write_chosen
from facetransfer.base.images import to_tensor
from facetransfer.base.settings import GUIDED, TransferSettings
from facetransfer.core.appearance import LUMA, appearance_guides
from facetransfer.core.colour_transfer import toned
from facetransfer.core.guided import guided_rounds
from facetransfer.core.guides import Guide
from facetransfer.core.patch_kernels import PATCH, mean_of_windows
from facetransfer.core.patch_search import GuidedPicture
from facetransfer.core.patch_synthesis import AGREEMENT, SynthesisRound, class_costs, guess_by_position
from facetransfer.jobs.job import Face, Job, prepare, result_picture
from segmentation.correspondence import correspondence
from segmentation.landmarks import Landmarks, landmarks
from segmentation.semantic_map import FaceFrame

CONTENT, STYLE = "goblin", "oil"
FACE = 0.62  # face sizes: half the side of what is shown where the face alone is
SIDE = 316  # pixels of a panel, four of which fill a page
MIDDLE = PATCH // 2
METHOD_CAPTIONS = {
    "gatys": "gatys (2015)",
    "mrf": "mrf (2016)",
    "semantic": "semantic (2016)",
    GUIDED: "guided, the default",
}
LIGHT, DOT = (255, 255, 255, 120), (255, 214, 64, 255)
PLACES = {  # Names of landmarks whose windows are followed back into the style, and their colours.
    "left eye middle": (255, 214, 64),
    "right eye middle": (90, 200, 250),
    "nose base": (255, 120, 120),
    "mouth left": (255, 150, 240),
    "mouth right": (120, 240, 160),
    "chin": (255, 175, 90),
    "left brow right end": (190, 160, 255),
    "face left at mouth": (200, 235, 90),
}


@dataclass(frozen=True)
class Pair:
    """A content and a style, and what the default method computes of them."""

    job: Job

    @cached_property
    def guides(self) -> tuple[Guide, Guide]:
        assert self.job.guides
        return self.job.guides

    @cached_property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Content and aligned style, (1,3,H,W) in [0,1]."""
        return to_tensor(self.content.picture), to_tensor(self.job.style.picture)

    @property
    def content(self) -> Face:
        assert self.job.content
        return self.job.content

    @cached_property
    def frames(self) -> tuple[FaceFrame, FaceFrame]:
        assert self.content.frame and self.job.style.frame
        return self.content.frame, self.job.style.frame

    @cached_property
    def landmarks(self) -> tuple[Landmarks, Landmarks]:
        """Of content and aligned style."""
        first, second = self.content.semantic, self.job.style.semantic
        assert first and second
        return landmarks(first, self.frames[0]), landmarks(second, self.frames[1])

    @cached_property
    def appearance(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The toned content (H,W,3), and both appearance guides."""
        (content, style), guides = self.tensors, self.guides
        labels = [guide.labels.numpy() for guide in guides]
        costs = class_costs(guides[0].vectors.numpy(), *labels)
        pixels = pixels_of(toned(content, style, guides, 1.0))
        found = appearance_guides(pixels_of(content), pixels, pixels_of(style), *labels, 0.5, costs)
        return pixels, *found

    def rounds(
        self, guides: tuple[Guide, Guide] | None = None, likeness: float = 0.5
    ) -> list[SynthesisRound]:
        """All rounds of the default method, or with other guides."""
        (content, style), size = self.tensors, self.content.picture.size[::-1]
        return list(guided_rounds(content, style, guides or self.guides, size, likeness=likeness, tones=1.0))

    @cached_property
    def result(self) -> list[SynthesisRound]:
        return self.rounds()

    @property
    def picture(self) -> np.ndarray:
        return self.result[-1].picture.numpy()


def pair(content: str = CONTENT, style: str = STYLE) -> Pair:
    return Pair(prepare(character(content), character(style), TransferSettings()))


def pixels_of(picture: torch.Tensor) -> np.ndarray:
    """(1,3,H,W) as (H,W,3)."""
    return picture[0].permute(1, 2, 0).contiguous().numpy()


def around(picture: Image.Image | np.ndarray, frame: FaceFrame, half: float = FACE) -> Image.Image:
    """The square around the face."""
    reach = half * frame.size
    box = frame.x - reach, frame.y - reach, frame.x + reach, frame.y + reach
    image = image_of(picture)
    return image.resize((round(2 * reach),) * 2, Image.Resampling.LANCZOS, box)


def made(method: str) -> Image.Image:
    """The pair by a method with its own settings."""
    job = prepare(character(CONTENT), character(STYLE), TransferSettings(method=method))
    for step in job.steps():
        pass
    return result_picture(step, job.size)


def methods(two: Pair) -> Image.Image:
    """The picture that says it all: content, style, and the four methods."""
    panels = [
        (caption, character(name).picture) for caption, name in (("content", CONTENT), ("style", STYLE))
    ]
    for method, caption in METHOD_CAPTIONS.items():
        panels.append((caption, two.picture if method == GUIDED else made(method)))
    return row(panels, 330, 17, 3)


def maps(two: Pair) -> Image.Image:
    """Both pictures and their maps."""
    panels = []
    for name, face in (("content", two.content), ("style", two.job.style)):
        assert face.semantic
        panels.append((name, face.picture))
        panels.append(
            (f"its map, {len(np.unique(face.semantic.labels))} classes", image_of(face.semantic.rgb() / 255))
        )
    return row(panels, SIDE)


def to_pixels(places: np.ndarray, frame: FaceFrame) -> np.ndarray:
    """Face coordinates (...,2) as pixels (x, y)."""
    c, s = np.cos(frame.tilt), np.sin(frame.tilt)
    u, v = places[..., 0], places[..., 1]
    return np.stack((frame.x + frame.size * (u * c - v * s), frame.y + frame.size * (u * s + v * c)), -1)


def warp(two: Pair) -> Image.Image:
    """Landmarks and a grid on the content, where they lie in the style, and the guess that follows."""
    moves = correspondence(*two.landmarks)
    side, shown = 3 * SIDE // 2, []
    for i, (face, frame, marks) in enumerate(
        zip((two.content, two.job.style), two.frames, two.landmarks, strict=True)
    ):
        picture = around(face.picture, frame).resize((side, side), Image.Resampling.LANCZOS).convert("RGBA")
        picture = Image.blend(picture, Image.new("RGBA", picture.size, (14, 12, 24, 255)), 0.25)
        local = FaceFrame(side / 2, side / 2, side / (2 * FACE), frame.tilt)
        lines = Image.new("RGBA", picture.size)
        draw = ImageDraw.Draw(lines)
        for fixed in np.arange(-0.6, 0.61, 0.1):
            for axis in (0, 1):
                places = np.empty((121, 2))
                places[:, axis], places[:, 1 - axis] = fixed, np.linspace(-0.6, 0.6, 121)
                if i:
                    places = places + moves.displacement(places)
                draw.line([tuple(p) for p in to_pixels(places, local)], LIGHT, 2)
        both = [name for name in two.landmarks[0] if name in two.landmarks[1]]
        for x, y in to_pixels(np.array([marks[name] for name in both]), local):
            draw.ellipse((x - 5, y - 5, x + 5, y + 5), DOT, (14, 12, 24, 255), 2)
        shown.append(Image.alpha_composite(picture, lines))
    guess = guess_by_position(*guided_pictures(two), np.random.default_rng(0))
    pixels = pixels_of(two.tensors[1])[guess[0] + MIDDLE, guess[1] + MIDDLE]
    first = replace(two.frames[0], x=two.frames[0].x - MIDDLE, y=two.frames[0].y - MIDDLE)
    captions = "content, an even grid", "where it lies in the style", "the first guess"
    return row(list(zip(captions, (*shown, around(pixels, first)), strict=True)), 420, 17)


def guided_pictures(two: Pair) -> tuple[GuidedPicture, GuidedPicture]:
    """Both pictures with the guides that the first guess asks for."""
    found = []
    for pixels, guide in zip(two.tensors, two.guides, strict=True):
        assert guide.position is not None
        position = guide.position.permute(1, 2, 0).contiguous().numpy()
        plain = np.zeros((*position.shape[:2], 4), np.float32)
        found.append(GuidedPicture(pixels_of(pixels), guide.labels.numpy(), position, plain))
    return found[0], found[1]


def appearance(two: Pair) -> Image.Image:
    """How the content's light becomes a guide in the style's tones."""
    pixels, here, there = two.appearance
    first, second = two.frames
    panels = [
        ("the content's light", around(pixels_of(two.tensors[0]) @ LUMA, first)),
        ("the style's", around(there[..., 0], second)),
        ("the guide: its tones", around(here[..., 0], first)),
        ("the guide: its colours", around(pixels, first)),
    ]
    return row(panels, SIDE)


def guides(two: Pair) -> Image.Image:
    """The same search with one guide more each time."""
    first, second = two.guides
    plain = [replace(Guide.of_one_class(guide.labels.shape), allowed=guide.allowed) for guide in two.guides]
    classes = replace(first, position=None), replace(second, position=None)
    panels = [
        ("pixels alone", two.rounds((plain[0], plain[1]), 0.0)),
        ("+ class", two.rounds(classes, 0.0)),
        ("+ place", two.rounds(None, 0.0)),
        ("+ appearance", two.result),
    ]
    return row([(c, around(r[-1].picture.numpy(), two.frames[0])) for c, r in panels], SIDE)


def rounds(two: Pair) -> Image.Image:
    """The first round of each level, and the last of all."""
    chosen = [r for r in two.result if r.round == 1 or r is two.result[-1]]
    levels = chosen[0].levels
    panels = []
    for r in chosen[:levels] + chosen[-1:]:
        height, width = r.picture.shape[:2]
        frame = two.frames[0].scaled(width / two.content.picture.width)
        which = "the result" if r is chosen[-1] else f"{width}x{height}, round 1 of {r.rounds}"
        reach = FACE * frame.size
        box = [round(n) for n in (frame.x - reach, frame.y - reach, frame.x + reach, frame.y + reach)]
        kind = Image.Resampling.NEAREST if width < 200 else Image.Resampling.LANCZOS
        panels.append((which, image_of(r.picture.numpy()).crop(tuple(box)).resize((420, 420), kind)))
    return row(panels, 420, 17, 3)


def colours_of_places(places: np.ndarray) -> np.ndarray:
    """A colour for each place (...,2), x and y in [0,1]: neighbours have like ones."""
    x, y = places[..., 0], places[..., 1]
    hue = (np.arctan2(y - 0.45, x - 0.5) / (2 * np.pi)) % 1
    distance = np.hypot(y - 0.45, x - 0.5)
    saturation = np.clip(distance / 0.3, 0, 1)
    hsv = np.stack((hue * 360, saturation, np.ones_like(hue)), -1).astype(np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def matches(two: Pair) -> Image.Image:
    """Where the windows of the result come from: as colours, and eight of them by lines."""
    last = two.result[-1]
    rows, columns = last.field.numpy()
    style = pixels_of(two.tensors[1])
    height, width = style.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    wheel = colours_of_places(np.stack((x / width, y / height), -1))
    taken = colours_of_places(np.stack(((columns + MIDDLE) / width, (rows + MIDDLE) / height), -1))
    inner = last.picture.numpy()[MIDDLE:-MIDDLE, MIDDLE:-MIDDLE]

    def tinted(picture: np.ndarray, colours: np.ndarray) -> np.ndarray:
        light = picture @ LUMA
        return colours * (0.25 + 0.9 * light[..., None] ** 0.7)

    first = replace(two.frames[0], x=two.frames[0].x - MIDDLE, y=two.frames[0].y - MIDDLE)
    panels = [
        ("the style, each place a colour", around(tinted(style, wheel), two.frames[1])),
        ("the result, each window in its source's", around(tinted(inner, taken), first)),
    ]
    return stack(row(panels, 470, 16), followed(two, last))


def followed(two: Pair, last: SynthesisRound) -> Image.Image:
    """Result and style side by side; lines lead from windows of the result to those they take."""
    side = 470
    pictures = [
        around(image, frame).resize((side, side), Image.Resampling.LANCZOS)
        for image, frame in zip((last.picture.numpy(), two.job.style.picture), two.frames, strict=True)
    ]
    whole = row(
        list(zip(("the result", "the style: where they were copied from"), pictures, strict=True)), side, 16
    )
    lines = Image.new("RGBA", whole.size)
    draw = ImageDraw.Draw(lines)
    for name, colour in PLACES.items():
        if name not in two.landmarks[0]:
            continue
        x, y = to_pixels(two.landmarks[0][name], two.frames[0]).round().astype(int)
        row_, column = (int(n) for n in last.field[:, y - MIDDLE, x - MIDDLE])
        ends = []
        for i, (place, frame) in enumerate(
            zip(((x, y), (column + MIDDLE, row_ + MIDDLE)), two.frames, strict=True)
        ):
            scale = side / (2 * FACE * frame.size)
            middle = [
                (n + 0.5 - c) * scale + side / 2 for n, c in zip(place, (frame.x, frame.y), strict=True)
            ]
            middle[0] += i * (whole.width - side)
            half = PATCH / 2 * scale
            draw.rectangle(
                (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half), None, colour, 3
            )
            ends.append(np.array(middle))
        bow = np.array((0, -40.0))
        t = np.linspace(0, 1, 60)[:, None]
        curve = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * (sum(ends) / 2 + bow) + t**2 * ends[1]
        draw.line([tuple(p) for p in curve], (*colour, 210), 2)
    return Image.alpha_composite(whole, lines)


def stack(above: Image.Image, below: Image.Image) -> Image.Image:
    """One picture above the other."""
    whole = Image.new("RGBA", (max(above.width, below.width), above.height + GAP + below.height))
    whole.paste(above, (0, 0))
    whole.paste(below, (0, above.height + GAP))
    return whole


def vote(two: Pair) -> Image.Image:
    """One eye: as the windows' plain mean, and as the mean in which those that agree count more."""
    last, style = two.result[-1], pixels_of(two.tensors[1])
    rows, columns = (np.ascontiguousarray(axis.numpy()) for axis in last.field)
    weights = (1 / (last.cost + (0.05 + last.cost.median()))).numpy()
    panels = []
    eye = to_pixels(two.landmarks[0]["right eye middle"], two.frames[0])
    for name, agreement in (("their mean", 0), ("those that agree count more", AGREEMENT)):
        picture = np.empty_like(last.picture.numpy())
        mean_of_windows(style, rows, columns, weights, agreement, picture, 0, len(picture))
        panels.append((name, picture))
    y, x = (int(eye[1]), int(eye[0]))
    source = last.field[:, y - MIDDLE, x - MIDDLE].numpy() + MIDDLE
    crops = [("the content's eye", pixels_of(two.tensors[0]), (x, y)), ("the style's", style, source[::-1])]
    crops += [(name, picture, (x, y)) for name, picture in panels]
    half = 30
    return row(
        [(n, p[cy - half : cy + half, cx - half : cx + half]) for n, p, (cx, cy) in crops], SIDE, sharp=True
    )


FIGURES = {f.__name__: f for f in (methods, maps, warp, appearance, guides, rounds, matches, vote)}


def main() -> None:
    two = pair()
    write_chosen({name: partial(make, two) for name, make in FIGURES.items()}, __doc__)


if __name__ == "__main__":
    main()
