"""A film, frame by frame: each frame is a transfer whose result has to match that of the previous frame.

Three things keep a film from flickering: maps are smoothed along the optical flow; the style is aligned once
for a scene, not for each frame; and the search starts from the windows of the previous frame and is held to
its pixels (`core.patch_synthesis.PreviousFrame`). Where the flow is uncertain, in areas that come into view
and after a cut, a frame is made like a single picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from facetransfer.base.errors import InputError
from facetransfer.base.images import fitted_size, to_tensor
from facetransfer.base.settings import GUIDED, TransferSettings
from facetransfer.core.guided import guided_rounds
from facetransfer.core.optical_flow import flow_to, moved_result
from facetransfer.core.patch_synthesis import PreviousFrame
from facetransfer.jobs.face import Face
from facetransfer.jobs.job import strength_of
from segmentation.alignment import Alignment, align
from segmentation.classes import CLASSES
from segmentation.guidance import guides_of, parts_to_keep
from segmentation.parsers import Parse, Parser
from segmentation.semantic_map import SemanticMap

COHERENCE = 0.9  # share of a pixel that comes from the previous frame where the flow is certain
PIXEL_COHERENCE = 3.0  # weight of the previous frame's pixels in the search; those of the frame have 1
NEW_MAP = 0.3  # weight of the newest frame in a map; the earlier maps have the rest
FACE_GROWN = 1.3  # the style is aligned again when the face has grown or shrunk by this factor


@dataclass(frozen=True)
class Keyframe:
    """A style for the frames that are nearer to frame `number`, counted from 0, than to any other keyframe.

    face: the style picture with its map. own: whether the picture is that frame itself, painted over by the
    user; it then lies exactly over the film's frame and needs no alignment.
    """

    number: int
    face: Face
    own: bool = False


@dataclass
class FilmState:
    """What one frame passes on to the next; all arrays have the size that is worked on.

    frame: (H,W,3) uint8, the frame itself. picture: (H,W,3) float32, its result. votes: (K,H,W) float32, how
    strongly the maps so far support each class at each pixel. box: of the face that is followed, in pixels,
    or None. keyframe: index of the style. alignment: of the style, None where it is not aligned. face_size:
    size of the face to which the style was aligned.
    """

    frame: np.ndarray
    picture: np.ndarray
    field: np.ndarray | None
    votes: np.ndarray
    box: tuple[float, float, float, float] | None
    keyframe: int
    alignment: Alignment | None
    face_size: float


@dataclass(frozen=True)
class MadeFrame:
    """The result of a frame, whether a face was found in it, and what it passes on to the next frame."""

    picture: Image.Image
    face: bool
    state: FilmState


class FilmMaker:
    """Makes the frames of a film one after another.

    keyframes: one or more styles. coherence: how much of each pixel comes from the previous frame, from 0,
    where all frames are independent, to 1. Raises InputError for a coherence outside this range, and for any
    method other than guided, since only that one can continue from a previous frame.
    """

    def __init__(
        self,
        keyframes: Sequence[Keyframe],
        settings: TransferSettings,
        parse: Parser,
        strengths: dict[str, float] | None = None,
        coherence: float = COHERENCE,
        device: str = "cpu",
    ) -> None:
        if settings.method != GUIDED:
            raise InputError(f"a film is made by the method {GUIDED}, not by {settings.method}: leave it out")
        if not 0 <= coherence <= 1:
            raise InputError(f"the coherence in time is {coherence:g}: give a number from 0 to 1")
        self.keyframes = sorted(keyframes, key=lambda key: key.number)
        self.settings, self.parse, self.device = settings, parse, device
        self.strengths, self.coherence = strengths or {}, coherence
        self._last_style: Any = None

    def size_of(self, frame: Image.Image) -> tuple[int, int]:
        """(width, height) of the results, both even, as video codecs require."""
        width, height = fitted_size(frame.size, self.settings.size or max(frame.size))
        return width - width % 2, height - height % 2

    def frame(self, frame: Image.Image, number: int, before: FilmState | None) -> MadeFrame:
        """Makes one frame. before: what the previous frame passed on; None at the beginning of a scene."""
        picture = frame.resize(self.size_of(frame), Image.Resampling.LANCZOS)
        pixels = np.asarray(picture)
        known = self._parsed(picture, before.box if before else None)
        votes, flow = _votes(known.semantic.labels), None
        if before is not None:
            flow = flow_to(before.frame, pixels)
            votes = _smoothed(votes, before.votes, *flow)
        semantic = SemanticMap(votes.argmax(0).astype(np.uint8))
        content = Face(picture, semantic, semantic.frame(known.box) if known.box else None)
        keyframe, alignment, size = self._alignment(number, content, before)
        style, allowed = self._style(keyframe, alignment, max(picture.size))
        previous = None
        # The strokes of another keyframe are not held to: they would stay for many frames.
        if before is not None and flow is not None and self.coherence and before.keyframe == keyframe:
            same = before.alignment is alignment
            previous = moved_result(before.picture, before.field if same else None, *flow)
        result, windows = self._made(content, style, allowed, previous)
        state = FilmState(pixels, result, windows, votes, known.box, keyframe, alignment, size)
        shown = Image.fromarray((result * 255).round().astype(np.uint8))
        return MadeFrame(shown, content.frame is not None, state)

    def _parsed(self, picture: Image.Image, box: tuple[float, float, float, float] | None) -> Parse:
        """The parse of a frame. Where there are several faces, it is that of the face followed so far."""
        known = self.parse(picture)
        if box is None or len(known.faces) < 2:
            return known
        middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
        away = [np.hypot(*(np.array([face.x, face.y]) - middle)) for face in known.faces]
        nearest = int(np.argmin(away)) + 1
        return known if nearest == known.chosen else self.parse(picture, nearest)

    def _alignment(
        self, number: int, content: Face, before: FilmState | None
    ) -> tuple[int, Alignment | None, float]:
        """The index of the keyframe that is the style of this frame, the alignment of that style, and the
        size of the face that it was aligned to. Keyframe and alignment stay the same while the face keeps its
        size; otherwise the style's strokes would swim over the face.
        """
        away = [abs(key.number - number) for key in self.keyframes]
        index, frame = int(np.argmin(away)), content.frame
        if before is not None and before.keyframe == index:
            size = before.face_size
            if frame is None or (size and max(frame.size / size, size / frame.size) < FACE_GROWN):
                return index, before.alignment, size
        key, own = self.keyframes[index], self.keyframes[index].face.frame
        if frame is None or own is None or key.own or self.settings.align != "on":
            return index, None, frame.size if frame else 0.0
        alignment = align(frame, own, content.picture.size, key.face.picture.size)
        return index, alignment, frame.size

    def _style(self, index: int, alignment: Alignment | None, side: int) -> tuple[Face, np.ndarray | None]:
        """The aligned style of a keyframe, and where its windows may be taken from. side: the longest side of
        the result, in pixels. The last style is kept for the next frame.
        """
        last = self._last_style
        if last is None or last[0] != (index, side) or last[1] is not alignment:
            whole = self.keyframes[index].face
            source = whole.located
            if alignment is None or source is None:
                made: tuple[Face, np.ndarray | None] = whole.fitted(side), None
            else:
                made = source.aligned(alignment), alignment.inside(whole.picture.size)
            self._last_style = (index, side), alignment, made
        return self._last_style[2]

    def _made(
        self, content: Face, style: Face, allowed: np.ndarray | None, previous: PreviousFrame | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The result, (H,W,3) float32, and the windows that it was made from."""
        assert content.semantic is not None and style.semantic is not None
        kept = parts_to_keep(content.semantic, content.frame, style.semantic, style.frame)
        guides = guides_of(content.semantic, style.semantic, (content.frame, style.frame), kept)
        if allowed is not None:
            guides = guides[0], replace(guides[1], allowed=torch.from_numpy(allowed))
        last = None
        for last in guided_rounds(
            to_tensor(content.picture).to(self.device),
            to_tensor(style.picture).to(self.device),
            (guides[0].to(self.device), guides[1].to(self.device)),
            (content.picture.height, content.picture.width),
            likeness=self.settings.likeness,
            tones=self.settings.tones,
            keep_colours=self.settings.colours == "content",
            seed=self.settings.seed,
            previous=previous,
            coherence=PIXEL_COHERENCE,
        ):
            pass
        assert last is not None
        result, windows = last.picture.cpu().numpy(), last.field.cpu().numpy()
        if previous is not None:
            share = previous.certainty[..., None] * self.coherence
            result = result + share * (previous.picture - result)
        if self.strengths:
            strength = strength_of(content, self.strengths, None).clamp(max=1).numpy()[..., None]
            own = np.asarray(content.picture).astype(np.float32) / 255
            result = own + strength * (result - own)
        return np.ascontiguousarray(result.clip(0, 1), np.float32), windows


def _votes(labels: np.ndarray) -> np.ndarray:
    """A map as votes, (K,H,W) float32: 1 for the class of each pixel, 0 for the others."""
    votes = np.zeros((len(CLASSES), *labels.shape), np.float32)
    np.put_along_axis(votes, labels[None].astype(np.int64), 1.0, 0)
    return votes


def _smoothed(votes: np.ndarray, before: np.ndarray, flow: np.ndarray, certainty: np.ndarray) -> np.ndarray:
    """The votes of this frame averaged with the earlier ones, which are moved along the flow, as far as the
    flow is certain.
    """
    height, width = certainty.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    grid = np.dstack(((x + flow[..., 0]) * 2 / (width - 1) - 1, (y + flow[..., 1]) * 2 / (height - 1) - 1))
    there = F.grid_sample(
        torch.from_numpy(before)[None],
        torch.from_numpy(grid)[None].float(),
        padding_mode="border",
        align_corners=True,
    )
    share = (1 - NEW_MAP) * certainty
    return votes + share * (there[0].numpy() - votes)
