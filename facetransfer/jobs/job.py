"""A job: two pictures with their maps, made ready; the work; and what is done with the result. Both doors go
through here.

Like the doors, this file knows the core and the maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.images import MIN_SIDE, check_workable, fit, to_image, to_tensor, with_alpha_of
from facetransfer.base.settings import GUIDED, LARGEST_SIZE, PLACES, SEMANTIC, TransferSettings
from facetransfer.core.engine import Step, transfer_steps
from facetransfer.core.guides import Guide
from facetransfer.core.phases import phases_that_fit
from facetransfer.jobs import metrics as quality
from facetransfer.jobs.class_weights import checked_strengths
from facetransfer.jobs.compositing import back_into, into_picture
from facetransfer.jobs.recipe import Recipe, fingerprint, versions
from segmentation.alignment import Alignment, align, similarity
from segmentation.classes import CLASSES, FACE_CLASSES, GUIDE_OF, GUIDES, INDEX, guide_words
from segmentation.guidance import guides_of, parts_to_keep, substitutes
from segmentation.parsers import Parse, Parser
from segmentation.semantic_map import FaceFrame, SemanticMap

AROUND = {
    "content": 3.0,
    "style": 2.0,
    # side of what is worked on, in face sizes, when only the face goes somewhere: with hair and shoulders, or
    # without
}
# Guide classes that are missed where they are not seen again in a result.
SEEN_PARTS = ("skin", "brow", "eye", "eye_glasses", "nose", "u_lip", "l_lip", "mouth", "hair", "hat", "cloth")
LEAST = 160  # pixels of the longest side that a face is worked at, however small it is where it goes


@dataclass(frozen=True)
class Face:
    """A picture and what is known of it: its map (of any size), where the face is (in the picture's
    pixels).
    """

    picture: Image.Image
    semantic: SemanticMap | None = None
    frame: FaceFrame | None = None

    @classmethod
    def of(
        cls,
        picture: Image.Image,
        semantic: SemanticMap | None = None,
        parse: Parser | Parse | None = None,
        face: int = 1,
    ) -> Face:
        """With the map given, or the parser's. A map in colours of its own does not say where the face is:
        the parser does.

        `parse` may be what the parser said already; `face` counts the faces that a parser finds. Raises
        InputError when the map has another shape than the picture.
        """
        found = None
        if parse is not None and (semantic is None or not semantic.is_face or isinstance(parse, Parse)):
            found = parse if isinstance(parse, Parse) else parse(picture, face)
        if semantic is None:
            semantic = found and found.semantic
        if semantic is None:
            return cls(picture)
        check_shape(semantic, picture)
        box = found.box if found else None  # in the picture's pixels
        if semantic.is_face:
            scale = semantic.size[0] / picture.width
            frame = semantic.frame(box and tuple(n * scale for n in box))
            frame = frame and frame.scaled(1 / scale)
        else:
            frame = found and found.frame
        return cls(picture, semantic, frame)

    def cut(self, box: tuple[int, int, int, int]) -> Face:
        """The part (left, top, right, bottom) of the picture. The map must have the picture's size."""
        left, top, right, bottom = box
        labels = np.ascontiguousarray(self.semantic.labels[top:bottom, left:right])
        frame = self.frame and replace(self.frame, x=self.frame.x - left, y=self.frame.y - top)
        return Face(self.picture.crop(box), SemanticMap(labels, self.semantic.colours), frame)

    def fitted(self, longest: int) -> Face:
        """With the picture's and the map's longest side at `longest` pixels."""
        picture = fit(self.picture, longest)
        return Face(
            picture,
            self.semantic and self.semantic.resized(picture.size),
            self.frame and self.frame.scaled(picture.width / self.picture.width),
        )


def check_shape(semantic: SemanticMap, picture: Image.Image, name: str = "a picture") -> None:
    """InputError where the map has not the picture's shape; another size is fine."""
    if (
        abs(semantic.size[0] / semantic.size[1] - picture.width / picture.height)
        > 0.02 * picture.width / picture.height + 1 / picture.height
    ):
        raise InputError(
            f"the map of {name} is {semantic.size[0]}x{semantic.size[1]}, which is another shape than the "
            f"picture's "
            f"{picture.width}x{picture.height}: give a map of the same shape"
        )


@dataclass(frozen=True)
class Job:
    """All that a run needs, read and checked. Pictures here have the working size. The content has no picture
    where a map alone steers.
    """

    content: Face | None
    style: Face
    guides: tuple[Guide, Guide] | None
    settings: TransferSettings
    recipe: Recipe
    strength: torch.Tensor | None = None
    start: torch.Tensor | None = None
    place: str = "alone"
    whole: tuple[Face | None, Face | None] = (None, None)  # content and style as they came
    box: tuple[int, int, int, int] | None = None  # of the whole content that is worked on
    alignment: Alignment | None = None
    canvas: tuple[int, int] | None = None  # (width, height) of a texture
    kept: tuple[str, ...] = ()  # guide classes that stay the photo's own, see `parts_to_keep`
    notes: list[str] = field(default_factory=list)  # what a person should know before the run
    extras: dict[str, Image.Image] = field(
        default_factory=dict
    )  # other pictures that the result depends on, as they came, by flag

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the result."""
        if self.content is None:
            return self.canvas or (self.settings.size,) * 2
        return self.content.picture.size if self.content.picture else self.content.semantic.size

    def steps(self, device: str = "cpu", **changed: Any) -> Iterator[Step]:
        """The work, see `transfer_steps`; `changed` are settings to change."""
        settings = replace(self.settings, **changed)
        content = to_tensor(self.content.picture) if self.content and self.content.picture else None
        guides = self.guides
        if self.canvas:  # One class everywhere says no more than how large the texture is.
            width, height = self.canvas
            plain = [torch.ones(1, *size) for size in ((height, width), self.style.picture.size[::-1])]
            guides = Guide(plain[0]), Guide(plain[1])
        return transfer_steps(
            content,
            to_tensor(self.style.picture),
            guides,
            settings,
            start=self.start,
            strength=self.strength,
            device=device,
        )

    def placed(self, picture: Image.Image) -> Image.Image:
        """The result where it goes, as transparent as the content's file was."""
        if self.place == "content" and self.box:
            photo = self.whole[0].picture
            return with_alpha_of(back_into(photo, picture, self.box, self._share_back()), photo)
        if self.place == "style":
            style = self.whole[1]
            matrix = similarity(
                self.content.frame, style.frame, bool(self.alignment and self.alignment.mirrored)
            )
            parts = [
                np.isin(m.labels, FACE_CLASSES)
                for m in (self.content.semantic, style.semantic.resized(style.picture.size))
            ]
            return into_picture(style.picture, picture, matrix, *parts)
        photo = self.whole[0] and self.whole[0].picture
        return with_alpha_of(picture, photo) if photo else picture

    def _share_back(self) -> np.ndarray:
        """How much of the result goes back into each pixel of the box, (H,W) float32 in [0,1]: nothing of the
        background, of the rest what the strength says.
        """
        photo, (left, top, right, bottom) = self.whole[0], self.box
        person = (
            photo.semantic.resized(photo.picture.size).labels[top:bottom, left:right] != INDEX["background"]
        )
        if self.strength is None:
            return person.astype(np.float32)
        return person * cv2.resize(
            self.strength.clamp(max=1).numpy(), person.shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT
        )

    def report(self, picture: Image.Image, step: Step | None, parse: Parser | None = None) -> dict[str, Any]:
        """The numbers that say how good the result of the last step is, see `facetransfer.jobs.metrics`;
        step is None where only the picture of a run that was stopped is known.

        What is seen again in the result needs a parser: layout_iou; lost, the guide classes that are not;
        face_found; and likeness, of the content's face, None where there is none.
        """
        maps = self.content and self.content.semantic, self.style.semantic
        classes = (
            [torch.from_numpy(m.labels.astype(np.int64)) for m in maps]
            if all(maps) and self.guides is not None
            else [None, None]
        )
        result, style = to_tensor(picture), to_tensor(self.style.picture)
        told = {
            "leak": step and step.leak,
            "layout_iou": None,
            "style_distance": quality.style_distance(result, style, *classes),
            "sharpness": quality.sharpness(result, style),
            "weave": quality.weave(result) / max(quality.weave(style), 1e-6),
            "overused": step.sources if step.sources is None else quality.overused(step.sources.cpu(), style),
            "substitutes": self.substitutes,
            "kept": list(self.kept),
        }
        if parse is not None and maps[0] is not None and maps[0].is_face:
            told |= self._seen_again(picture, maps[0], parse)
        return told

    def _seen_again(self, picture: Image.Image, wanted: SemanticMap, parse: Parser) -> dict[str, Any]:
        """What of the content a parser sees in the result, see `report`."""
        found, frame = parse(picture), self.content.frame
        labels = found.semantic.labels
        parts = {part: [i for i, g in enumerate(GUIDE_OF) if GUIDES[g] == part] for part in SEEN_PARTS}
        seen = found.frame
        near = bool(frame and seen and np.hypot(seen.x - frame.x, seen.y - frame.y) < 0.5 * frame.size)
        photo = self.content.picture
        return {
            "layout_iou": quality.layout_iou(labels, wanted.labels, len(CLASSES)),
            "lost": quality.lost_parts(labels, wanted.labels, parts),
            "face_found": near if frame else None,
            "likeness": quality.face_likeness(
                to_tensor(picture), to_tensor(photo), np.isin(wanted.labels, FACE_CLASSES), frame.size
            )
            if frame and photo
            else None,
        }

    @property
    def substitutes(self) -> dict[str, str | None]:
        """Which guide class of the style stands in for one that it lacks, by the content's guide class."""
        if not (self.guided and self.content and self.content.semantic and self.style.semantic):
            return {}
        found = substitutes(self.content.semantic, self.style.semantic)
        return {part: kin for part, kin in found.items() if part not in self.kept}

    @property
    def guided(self) -> bool:
        """Whether maps steer the search: the other methods have them for their alignment and
        numbers alone.
        """
        return self.guides is not None and self.settings.method in (GUIDED, SEMANTIC)


def prepare(
    content: Face | None,
    style: Face,
    settings: TransferSettings,
    *,
    place: str = "alone",
    strengths: dict[str, float] | None = None,
    region: np.ndarray | None = None,
    start: Image.Image | None = None,
    options: dict[str, Any] | None = None,
    canvas: tuple[int, int] | None = None,
) -> Job:
    """Makes a job ready.

    Args:
        content: None with a style alone (its texture is made). A content whose picture is None has a map
        alone ("doodle"). place: one of PLACES.
        strengths: by class name, 0 to 2, how much of the style a class takes; 1 where not named.
        region: (H,W) bool of the content's shape, where to work; None for everywhere. Elsewhere the start
        stays, or the content. options: of the door, for the recipe.
        canvas: (width, height) of a texture; None for a square of the setting `size`. With a content it has
        no meaning.
    Raises InputError where these do not go together.
    """
    strengths = checked_strengths(strengths or {})
    recipe = Recipe(settings, _fingerprints(content, style, start, region), options or {}, versions())
    extras = {
        name: picture
        for name, picture in (
            ("start_image", start),
            ("region", region is not None and Image.fromarray(region.astype(np.uint8) * 255)),
        )
        if picture
    }
    whole = content, style
    _check_place(place, content, style, start, bool(strengths) or region is not None)
    if content is None or content.picture is None:
        job = (
            _doodle(content, style, settings, recipe)
            if content
            else _texture(style, settings, recipe, canvas)
        )
        return replace(job, start=start and to_tensor(start), whole=whole, extras=extras)
    box = face_box(content, AROUND[place]) if place in AROUND else None
    if box is None and place == "content":  # The result has the photo's size all the same.
        box = (0, 0, *content.picture.size)
    if box:
        size = content.picture.size
        content = replace(content, semantic=content.semantic.resized(size)).cut(box)
        if start is not None:  # a result of before, which is back in the whole photo
            start = start.resize(size).crop(box)
        if region is not None:
            region = (
                np.asarray(
                    Image.fromarray(region.astype(np.uint8)).resize(size, Image.Resampling.NEAREST).crop(box)
                )
                > 0
            )
    content = content.fitted(size_in_place(content, style, settings) if place == "style" else settings.size)
    alignment, small_style, notes = None, style.fitted(settings.size), []
    if settings.align == "on" and content.frame and style.frame:
        alignment = align(content.frame, style.frame, content.picture.size, style.picture.size)
        small_style = aligned(style, alignment)
        if alignment.mirrored:
            notes.append("the faces look to opposite sides: the style is mirrored")
    guides, kept = None, ()
    if content.semantic and small_style.semantic:
        frames = content.frame, small_style.frame
        if settings.method == GUIDED:
            found = parts_to_keep(content.semantic, frames[0], small_style.semantic, frames[1])
            wanted = {GUIDES[GUIDE_OF[INDEX[name]]] for name, value in strengths.items() if value > 1}
            kept = tuple(part for part in found if part not in wanted)
        guides = guides_of(content.semantic, small_style.semantic, frames, kept)
        if alignment is not None:
            allowed = torch.from_numpy(alignment.inside(style.picture.size))
            guides = guides[0], replace(guides[1], allowed=allowed)
    strength = strength_of(content, strengths, region) if strengths or region is not None else None
    job = Job(
        content,
        small_style,
        guides,
        settings,
        recipe,
        strength,
        start and to_tensor(start),
        place,
        whole,
        box,
        alignment,
        kept=kept,
        extras=extras,
    )
    return replace(job, notes=notes + _notes(job))


def _fingerprints(
    content: Face | None, style: Face, start: Image.Image | None, region: np.ndarray | None
) -> dict[str, str]:
    """Of all pictures and maps that a result depends on, by role."""
    inputs = (
        ("content", content and content.picture and np.asarray(content.picture)),
        ("style", np.asarray(style.picture)),
        ("content map", content and content.semantic and content.semantic.labels),
        ("style map", style.semantic and style.semantic.labels),
        ("start", start and np.asarray(start)),
        ("region", region),
    )
    return {role: fingerprint(pixels) for role, pixels in inputs if pixels is not None}


def _check_place(
    place: str, content: Face | None, style: Face, start: Image.Image | None, in_part: bool
) -> None:
    """InputError where the result cannot go there, or not `in_part` of the picture alone."""
    if place not in PLACES:
        raise InputError(f"the place is {place!r}: choose one of {', '.join(PLACES)}")
    if content is None or content.picture is None:
        if place != "alone" or in_part:
            raise InputError(
                "a place for the result, strengths of parts and a region to work on need a content photo: "
                "give one, or leave them out"
            )
    elif place != "alone" and not (
        content.frame
        and content.semantic.is_face
        and (place == "content" or style.frame and style.semantic.is_face)
    ):
        raise InputError(
            f"the result can only be placed into the {place} picture where a face is known in "
            f"{'it' if place == 'content' else 'both'}, and maps "
            "are in the colours of the classes: paint the map, or leave the place out"
        )
    elif place == "style" and start is not None:
        raise InputError(
            "a result that lies in the style picture cannot be gone on from: choose the picture itself as "
            "the place, and place it afterwards"
        )


def _notes(job: Job) -> list[str]:
    """What a person should know of the maps and the phases before the run."""
    notes = []
    if job.guided:
        for part in job.kept:
            notes.append(
                f"the style shows too little of this: {guide_words(part)}. The photo's own stays, in the "
                f"style's tones; a strength above 1 makes it of the style all the same"
            )
        for part, kin in job.substitutes.items():
            notes.append(
                f"the style has no {guide_words(part)}: "
                + (f"{guide_words(kin)} stands in" if kin else "whatever is nearest stands in")
            )
    fitting = phases_that_fit(job.settings.phases, job.size, job.style.picture.size)
    if fitting < job.settings.phases:
        notes.append(
            f"{job.settings.phases} phases are more than pictures of this size allow: {fitting} are used"
        )
    return notes


def _doodle(content: Face, style: Face, settings: TransferSettings, recipe: Recipe) -> Job:
    """A map without a photo: the map says what goes where."""
    if style.semantic is None:
        raise InputError(
            "a map without a content photo needs a map of the style picture too: give one, or let the "
            "parser make it"
        )
    longest = settings.size or max(content.semantic.size)
    scale = longest / max(content.semantic.size)
    semantic = content.semantic.resized(
        check_workable(tuple(max(32, round(n * scale)) for n in content.semantic.size))
    )
    small = style.fitted(settings.size)
    guides = guides_of(semantic, small.semantic, (semantic.frame(), small.frame))
    job = Job(Face(None, semantic, semantic.frame()), small, guides, settings, recipe)
    return replace(job, notes=_notes(job))


def _texture(style: Face, settings: TransferSettings, recipe: Recipe, canvas: tuple[int, int] | None) -> Job:
    """A style alone: patches of it that fit together."""
    if settings.colours == "content":
        raise InputError(
            "colours or parts of the content cannot be kept where there is no content picture: give one"
        )
    if canvas and (min(check_workable(canvas)) < MIN_SIDE or max(canvas) > LARGEST_SIZE):
        raise InputError(
            f"a texture of {canvas[0]}x{canvas[1]} pixels cannot be made: give a size with sides of "
            f"{MIN_SIDE} to {LARGEST_SIZE}"
        )
    return Job(None, style.fitted(settings.size), None, settings, recipe, canvas=canvas)


def aligned(style: Face, alignment: Alignment) -> Face:
    """The style picture, and its map aligned."""
    width = style.picture.width
    frame = style.frame
    x, y = alignment.matrix @ (frame.x, frame.y, 1.0)
    flip = -1 if alignment.mirrored else 1
    tilt = (
        flip * frame.tilt
        + float(np.arctan2(alignment.matrix[1, 0], alignment.matrix[0, 0]))
        - (np.pi if alignment.mirrored else 0.0)
    )
    tilt = float((tilt + np.pi) % (2 * np.pi) - np.pi)
    return Face(
        alignment.picture(style.picture),
        alignment.map(style.semantic, width),
        FaceFrame(float(x), float(y), frame.size * alignment.scale, tilt, flip * frame.turn),
    )


def size_in_place(content: Face, style: Face, settings: TransferSettings) -> int:
    """The longest side to work at, so that the content's face is as large as the style's, in whose place it
    goes: at most the setting, at least LEAST.
    """
    wanted = round(max(content.picture.size) * style.frame.size / content.frame.size)
    return min(settings.size or max(content.picture.size), max(LEAST, wanted))


def face_box(face: Face, around: float) -> tuple[int, int, int, int] | None:
    """The square around the face that is worked on, `around` face sizes wide, cut at the picture's rim; None
    where that is nearly the whole picture.

    Its sides lie on a coarse grid, so that a face that is found a pixel aside gives the same square.
    """
    width, height = face.picture.size
    half = around * face.frame.size / 2
    grid = 2 ** max(0, round(np.log2(half / 8)))

    def on_grid(place: float, size: int) -> int:
        return min(max(0, grid * round(place / grid)), size)

    box = (
        on_grid(face.frame.x - half, width),
        on_grid(face.frame.y - half, height),
        on_grid(face.frame.x + half, width),
        on_grid(face.frame.y + half, height),
    )
    return box if (box[2] - box[0]) * (box[3] - box[1]) < 0.8 * width * height else None


def strength_of(content: Face, strengths: dict[str, float], region: np.ndarray | None) -> torch.Tensor:
    """How much of the style each place takes, (H,W) in [0,2], of the content's size."""
    width, height = content.picture.size
    strength = torch.ones(height, width)
    if strengths:
        if not (content.semantic and content.semantic.is_face):
            raise InputError(
                "strengths by class need a map in the colours of the classes: let the parser make it, or "
                "paint it in them"
            )
        table = torch.ones(len(CLASSES))
        for name, value in strengths.items():
            table[INDEX[name]] = value
        strength = table[torch.from_numpy(content.semantic.labels.astype(np.int64))]
    if region is not None:
        where = (
            np.asarray(
                Image.fromarray(region.astype(np.uint8) * 255).resize(
                    (width, height), Image.Resampling.NEAREST
                )
            )
            > 127
        )
        if not where.any():
            raise InputError("the region to work on is empty: mark where the picture shall change")
        strength = strength * torch.from_numpy(where)
    return strength


def result_picture(step: Step, size: tuple[int, int]) -> Image.Image:
    """A step's picture at the size of the result."""
    picture = to_image(step.picture)
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)
