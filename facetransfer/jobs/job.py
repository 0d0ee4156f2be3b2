"""A job: pictures with their maps, made ready for a transfer; its work; and what is done with the result.

The command line, the page, batches and the library all transfer through here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.images import MIN_SIDE, check_workable, to_image, to_tensor, with_alpha_of
from facetransfer.base.settings import GUIDED, LARGEST_SIZE, PLACES, SEMANTIC, TransferSettings
from facetransfer.core.engine import Step, transfer_steps
from facetransfer.core.guides import Guide
from facetransfer.core.phases import phases_that_fit
from facetransfer.jobs import metrics as quality
from facetransfer.jobs.class_weights import checked_strengths
from facetransfer.jobs.compositing import IntoContent, IntoStyle
from facetransfer.jobs.face import Face, LocatedFace
from facetransfer.jobs.recipe import Recipe, fingerprint, versions
from segmentation.alignment import align
from segmentation.classes import CLASSES, FACE_CLASSES, GUIDE_OF, GUIDES, HEAD_GUIDES, INDEX, guide_words
from segmentation.guidance import guides_of, parts_to_keep, substitutes
from segmentation.parsers import Parser
from segmentation.semantic_map import SemanticMap

# Guide classes that are missed where they are not seen again in a result.
SEEN_PARTS = ("skin", "brow", "eye", "eye_glasses", "nose", "u_lip", "l_lip", "mouth", "hair", "hat", "cloth")
# Side of the square around the content's face that is worked on, in face sizes, when the result is placed
# into a picture: with hair and shoulders in the content photo, without them in the style picture.
AROUND = {"content": 3.0, "style": 2.0}
MIN_LONGEST_SIDE = 160  # pixels that a face is worked on at, however small it is in the style picture


@dataclass(frozen=True)
class Job:
    """All that a run needs, read and checked.

    content: the photo; or a map alone, which says what goes where; or None for a texture of the style.
    style: the style picture. Both have the size that is worked on, and the style is aligned to the content.
    """

    content: Face | SemanticMap | None
    style: Face
    guides: tuple[Guide, Guide] | None
    settings: TransferSettings
    recipe: Recipe
    strength: torch.Tensor | None = None  # (H,W) in [0,2], see `strength_of`
    start: torch.Tensor | None = None  # (1,3,H,W), the picture to go on from
    place: str = PLACES[0]
    placement: IntoContent | IntoStyle | None = None  # how the result gets there
    box: tuple[int, int, int, int] | None = None  # the part of the content photo that is worked on
    kept: tuple[str, ...] = ()  # guide classes that stay the photo's own, see `parts_to_keep`
    canvas: tuple[int, int] | None = None  # (width, height) of a texture
    # Content and style as they were given, at their own sizes.
    whole: tuple[Face | SemanticMap | None, Face | None] = (None, None)
    notes: list[str] = field(default_factory=list)  # what a person should know before the run
    # Other pictures that the result depends on, as they were given, by flag.
    extras: dict[str, Image.Image] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the result."""
        if self.content is None:
            return self.canvas or (self.settings.size, self.settings.size)
        return self.content.size if isinstance(self.content, SemanticMap) else self.content.picture.size

    @property
    def portraits(self) -> tuple[Face, Face]:
        """Content and style as they were given, of a job whose content is a picture."""
        content, style = self.whole
        assert isinstance(content, Face) and style is not None, "the content is a picture"
        return content, style

    @property
    def maps(self) -> tuple[SemanticMap | None, SemanticMap | None]:
        """The maps of content and style at the size that is worked on."""
        return map_of(self.content), self.style.semantic

    @property
    def guided(self) -> bool:
        """Whether maps steer the search. The other methods only use them to align the faces and to measure
        the result.
        """
        return self.guides is not None and self.settings.method in (GUIDED, SEMANTIC)

    @property
    def substitutes(self) -> dict[str, str | None]:
        """For each guide class of the content that the style lacks, the class that stands in for it."""
        content, style = self.maps
        if not self.guided or content is None or style is None:
            return {}
        return {part: kin for part, kin in substitutes(content, style).items() if part not in self.kept}

    def steps(self, device: str = "cpu", **changed: Any) -> Iterator[Step]:
        """Does the work, see `transfer_steps`. `changed` replaces settings by name."""
        content = to_tensor(self.content.picture) if isinstance(self.content, Face) else None
        guides = self.guides
        if self.canvas:  # A guide of a single class tells nothing but the size of the texture.
            width, height = self.canvas
            style = self.style.picture
            guides = Guide.of_one_class((height, width)), Guide.of_one_class((style.height, style.width))
        return transfer_steps(
            content,
            to_tensor(self.style.picture),
            guides,
            replace(self.settings, **changed),
            start=self.start,
            strength=self.strength,
            device=device,
        )

    def placed(self, picture: Image.Image) -> Image.Image:
        """The result in its place; except in the style picture, as transparent as the content's file."""
        result = self.placement(picture) if self.placement else picture
        photo = self.whole[0]
        if self.place == "style" or not isinstance(photo, Face):
            return result
        return with_alpha_of(result, photo.picture)

    def report(self, picture: Image.Image, step: Step | None, parse: Parser | None = None) -> dict[str, Any]:
        """The numbers that say how good the result of the last step is, see `facetransfer.jobs.metrics`.
        step is None where only the picture of a run that was stopped is known.

        What is seen again in the result needs a parser: layout_iou; lost, the guide classes that are not;
        face_found; and likeness, of the content's face, None where there is none.
        """
        content, style = self.maps
        classes: list[torch.Tensor | None] = [None, None]
        if self.guides is not None and content is not None and style is not None:
            classes = [torch.from_numpy(m.labels.astype(np.int64)) for m in (content, style)]
        result, given = to_tensor(picture), to_tensor(self.style.picture)
        sources = step.sources if step else None
        told: dict[str, Any] = {
            "leak": step.leak if step else None,
            "layout_iou": None,
            "style_distance": quality.style_distance(result, given, *classes),
            "sharpness": quality.sharpness(result, given),
            "weave": quality.weave(result) / max(quality.weave(given), 1e-6),
            "overused": None if sources is None else quality.overused(sources.cpu(), given),
            "substitutes": self.substitutes,
            "kept": list(self.kept),
        }
        if parse is not None and content is not None and content.is_face:
            told |= self._seen_again(picture, content, parse)
        return told

    def _seen_again(self, picture: Image.Image, wanted: SemanticMap, parse: Parser) -> dict[str, Any]:
        """What of the content a parser sees in the result, see `report`."""
        found = parse(picture)
        own = self.content if isinstance(self.content, Face) else None
        frame = own.frame if own else None
        labels = found.semantic.labels
        parts = {part: [i for i, g in enumerate(GUIDE_OF) if GUIDES[g] == part] for part in SEEN_PARTS}
        seen = found.frame
        near = bool(frame and seen and np.hypot(seen.x - frame.x, seen.y - frame.y) < 0.5 * frame.size)
        return {
            "layout_iou": quality.layout_iou(labels, wanted.labels, len(CLASSES)),
            "lost": quality.lost_parts(labels, wanted.labels, parts),
            "face_found": near if frame else None,
            "likeness": quality.face_likeness(
                to_tensor(picture), to_tensor(own.picture), np.isin(wanted.labels, FACE_CLASSES), frame.size
            )
            if own and frame
            else None,
        }


def map_of(content: Face | SemanticMap | None) -> SemanticMap | None:
    """The map of a content, which may be a map alone."""
    return content.semantic if isinstance(content, Face) else content


def prepare(
    content: Face | SemanticMap | None,
    style: Face,
    settings: TransferSettings,
    *,
    place: str = PLACES[0],
    strengths: dict[str, float] | None = None,
    region: np.ndarray | None = None,
    start: Image.Image | None = None,
    options: dict[str, Any] | None = None,
    canvas: tuple[int, int] | None = None,
) -> Job:
    """Makes a job ready.

    Args:
        content: the photo; or a map alone, which says what goes where ("doodle"); or None, for a texture of
        the style.
        place: one of PLACES.
        strengths: by class name, 0 to 2, how much of the style a class takes; 1 where not named.
        region: (H,W) bool of the content's shape, where to work; None for everywhere. Elsewhere the picture
        to go on from stays, or the content.
        start: the picture to go on from. options: what the recipe should say beside the settings.
        canvas: (width, height) of a texture; None for a square of the setting `size`. It has no meaning with
        a content.
    Raises InputError where these do not go together.
    """
    strengths = checked_strengths(strengths or {})
    recipe = Recipe(settings, _fingerprints(content, style, start, region), options or {}, versions())
    extras = {"start_image": start} if start else {}
    if region is not None:
        extras["region"] = Image.fromarray(region.astype(np.uint8) * 255)
    if place not in PLACES:
        raise InputError(f"the place is {place!r}: choose one of {', '.join(PLACES)}")
    if isinstance(content, Face):
        job = _of_photo(content, style, settings, recipe, place, strengths, region, start)
    elif place != PLACES[0] or strengths or region is not None:
        raise InputError(
            "a place for the result, strengths of parts and a region to work on need a content photo: "
            "give one, or leave them out"
        )
    else:
        job = (
            _texture(style, settings, recipe, canvas)
            if content is None
            else _doodle(content, style, settings, recipe)
        )
        job = replace(job, start=to_tensor(start) if start else None)
    return replace(job, whole=(content, style), extras=extras)


def _fingerprints(
    content: Face | SemanticMap | None, style: Face, start: Image.Image | None, region: np.ndarray | None
) -> dict[str, str]:
    """The fingerprints of all pictures and maps that a result depends on, by role."""
    pictures = {"content": content.picture if isinstance(content, Face) else None, "style": style.picture}
    maps = {"content map": map_of(content), "style map": style.semantic}
    inputs = {role: np.asarray(picture) for role, picture in pictures.items() if picture}
    inputs |= {role: semantic.labels for role, semantic in maps.items() if semantic}
    if start:
        inputs["start"] = np.asarray(start)
    if region is not None:
        inputs["region"] = region
    return {role: fingerprint(pixels) for role, pixels in inputs.items()}


def _of_photo(
    content: Face,
    style: Face,
    settings: TransferSettings,
    recipe: Recipe,
    place: str,
    strengths: dict[str, float],
    region: np.ndarray | None,
    start: Image.Image | None,
) -> Job:
    """A job whose content is a photo."""
    photo, target = _faces_to_place(place, content, style, start)
    near = box = None
    if photo:
        box = photo.box_around(AROUND[place])
        near = photo.cut(box)
        near = near.fitted(_size_in_place(near, target, settings) if target else settings.size)
        start, region = _cut(start, region, photo.picture.size, box)
    small = near or content.fitted(settings.size)
    small_style, allowed, mirrored = _style_for(small, style, settings)
    guides, kept = _guides(small, small_style, allowed, settings, strengths)
    strength = strength_of(small, strengths, region) if strengths or region is not None else None
    placement: IntoContent | IntoStyle | None = None
    if near and target:
        placement = IntoStyle(near, target, mirrored)
    elif photo and box:
        placement = IntoContent(photo, box, strength)
    first = to_tensor(start) if start else None
    job = Job(small, small_style, guides, settings, recipe, strength, first, place, placement, box, kept)
    notes = ["the faces look to opposite sides: the style is mirrored"] if mirrored else []
    return replace(job, notes=notes + _notes(job))


def _faces_to_place(
    place: str, content: Face, style: Face, start: Image.Image | None
) -> tuple[LocatedFace | None, LocatedFace | None]:
    """The content's face where the result is placed into a picture, and the style's where it is placed into
    the style picture. Raises InputError where a face is not known, or its map has colours of its own.
    """
    if place == PLACES[0]:
        return None, None
    photo, target = content.located, style.located
    known = photo is not None and photo.semantic.is_face
    if place == "style":
        known = known and target is not None and target.semantic.is_face
    if not known:
        raise InputError(
            f"the result can only be placed into the {place} picture where a face is known in "
            f"{'it' if place == 'content' else 'both'}, and maps "
            "are in the colours of the classes: paint the map, or leave the place out"
        )
    if place == "style" and start is not None:
        raise InputError(
            "a result that lies in the style picture cannot be gone on from: choose the picture itself as "
            "the place, and place it afterwards"
        )
    return photo, target if place == "style" else None


def _cut(
    start: Image.Image | None,
    region: np.ndarray | None,
    size: tuple[int, int],
    box: tuple[int, int, int, int],
) -> tuple[Image.Image | None, np.ndarray | None]:
    """The part (left, top, right, bottom) of the picture to go on from and of the region to work on, brought
    to the (width, height) of the photo that the part is counted in.
    """
    left, top, right, bottom = box
    if start:
        start = start.resize(size).crop(box)
    if region is not None:
        region = resized_region(region, size)[top:bottom, left:right]
    return start, region


def _size_in_place(content: LocatedFace, style: LocatedFace, settings: TransferSettings) -> int:
    """The longest side to work at when the content's face goes into the style picture: one at which it is as
    large as the style's face, but at most the setting `size`, and at least MIN_LONGEST_SIDE.
    """
    longest = max(content.picture.size)
    wanted = round(longest * style.frame.size / content.frame.size)
    return min(settings.size or longest, max(MIN_LONGEST_SIDE, wanted))


def _style_for(
    content: Face, style: Face, settings: TransferSettings
) -> tuple[Face, torch.Tensor | None, bool]:
    """The style at the size that is worked on, aligned to the content where both faces are known; where its
    patches may be taken from, (H,W) bool, None for everywhere; and whether it was mirrored.
    """
    small = style.fitted(settings.size)
    target, source = content.located, style.located
    if settings.align != "on" or target is None or source is None:
        return small, None, False
    alignment = align(target.frame, source.frame, content.picture.size, style.picture.size)
    allowed = torch.from_numpy(alignment.inside(style.picture.size))
    return source.aligned(alignment), allowed, alignment.mirrored


def _guides(
    content: Face,
    style: Face,
    allowed: torch.Tensor | None,
    settings: TransferSettings,
    strengths: dict[str, float],
) -> tuple[tuple[Guide, Guide] | None, tuple[str, ...]]:
    """The guides of a pair, None without maps, and the guide classes that stay the photo's own. A class with
    a strength above 1 is asked of the style, so it is not kept. allowed: see `Guide`, of the style.
    """
    if content.semantic is None or style.semantic is None:
        return None, ()
    kept: tuple[str, ...] = ()
    if settings.method == GUIDED:
        wanted = {GUIDES[GUIDE_OF[INDEX[name]]] for name, value in strengths.items() if value > 1}
        found = parts_to_keep(content.semantic, content.frame, style.semantic, style.frame)
        kept = tuple(part for part in found if part not in wanted)
    first, second = guides_of(content.semantic, style.semantic, (content.frame, style.frame), kept)
    return (first, replace(second, allowed=allowed)), kept


def _notes(job: Job) -> list[str]:
    """What a person should know of the maps and the phases before the run."""
    notes = []
    if job.guided:
        for part in job.kept:
            notes.append(
                f"the style shows too little of this: {guide_words(part)}. The photo's own stays, in the "
                f"style's tones; a strength above 1 makes it of the style all the same"
            )
        missing = job.substitutes
        if job.style.frame is None and not HEAD_GUIDES.isdisjoint(missing):
            notes.append(
                "no face is known in the style: each part of the head is made of whatever is nearest to it"
            )
            missing = {part: kin for part, kin in missing.items() if part not in HEAD_GUIDES}
        for part, kin in missing.items():
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


def _doodle(content: SemanticMap, style: Face, settings: TransferSettings, recipe: Recipe) -> Job:
    """A job whose content is a map without a photo."""
    if style.semantic is None:
        raise InputError(
            "a map without a content photo needs a map of the style picture too: give one, or let the "
            "parser make it"
        )
    width, height = content.size
    scale = (settings.size or max(width, height)) / max(width, height)
    size = max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale))
    semantic, small = content.resized(check_workable(size)), style.fitted(settings.size)
    guides = guides_of(semantic, style.semantic.resized(small.picture.size), (semantic.frame(), small.frame))
    job = Job(semantic, small, guides, settings, recipe)
    return replace(job, notes=_notes(job))


def _texture(style: Face, settings: TransferSettings, recipe: Recipe, canvas: tuple[int, int] | None) -> Job:
    """A job without a content: patches of the style that fit together make a texture."""
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


def strength_of(content: Face, strengths: dict[str, float], region: np.ndarray | None) -> torch.Tensor:
    """How much of the style each pixel of the content takes, (H,W) in [0,2].

    strengths: by class name, 1 where not named. region: (H,W) bool of the content's shape, outside which the
    strength is 0; None for everywhere. Raises InputError where the content has no map of the face's classes,
    or the region is empty.
    """
    width, height = content.picture.size
    strength = torch.ones(height, width)
    if strengths:
        if content.semantic is None or not content.semantic.is_face:
            raise InputError(
                "strengths by class need a map in the colours of the classes: let the parser make it, or "
                "paint it in them"
            )
        table = torch.ones(len(CLASSES))
        for name, value in strengths.items():
            table[INDEX[name]] = value
        strength = table[torch.from_numpy(content.semantic.labels.astype(np.int64))]
    if region is not None:
        where = resized_region(region, (width, height))
        if not where.any():
            raise InputError("the region to work on is empty: mark where the picture shall change")
        strength = strength * torch.from_numpy(where)
    return strength


def resized_region(region: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A region (H,W) bool at (width, height)."""
    pixels = Image.fromarray(region.astype(np.uint8) * 255)
    return np.asarray(pixels.resize(size, Image.Resampling.NEAREST)) > 127


def result_picture(step: Step, size: tuple[int, int]) -> Image.Image:
    """A step's picture at the size of the result."""
    picture = to_image(step.picture)
    return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)
