"""What is compared: the methods, guided with one part left out, and results that need no search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from PIL import Image

from facetransfer import TransferSettings, to_image, to_tensor
from facetransfer.core.colour_transfer import toned
from facetransfer.core.guides import Guide
from facetransfer.jobs.job import Face, Job, prepare, result_picture
from segmentation.guidance import guides_of


def frame_alone(job: Job) -> Job:
    """The position guide without the dense correspondence: the frames of both faces lie on each other."""
    assert job.content and job.content.semantic and job.content.frame and job.guides
    position = torch.from_numpy(job.content.frame.position(*job.content.semantic.size))
    return replace(job, guides=(replace(job.guides[0], position=position), job.guides[1]))


def no_position(job: Job) -> Job:
    assert job.guides
    first, second = (replace(guide, position=None) for guide in job.guides)
    return replace(job, guides=(first, second))


def no_classes(job: Job) -> Job:
    """One class everywhere."""
    assert job.guides

    def plain(guide: Guide) -> Guide:
        return replace(guide, labels=torch.zeros_like(guide.labels), vectors=torch.ones(1, 1))

    return replace(job, guides=(plain(job.guides[0]), plain(job.guides[1])))


def nothing_kept(job: Job) -> Job:
    """Teeth and glasses that the style lacks are made of what is akin to them."""
    assert job.content and job.content.semantic and job.style.semantic and job.guides
    guides = guides_of(job.content.semantic, job.style.semantic, (job.content.frame, job.style.frame))
    return replace(job, guides=(guides[0], replace(guides[1], allowed=job.guides[1].allowed)), kept=())


def toned_content(job: Job) -> Image.Image:
    """The content in the style's tones, class by class: a filter, without any of the style's texture."""
    assert job.content and job.content.picture and job.guides
    return to_image(toned(to_tensor(job.content.picture), to_tensor(job.style.picture), job.guides, 1.0))


def warped_style(job: Job) -> Image.Image:
    """The style bent onto the content by the dense correspondence: a guided copy, without any search."""
    assert job.content and job.content.picture and job.guides and job.style.frame
    position = job.guides[0].position
    assert position is not None
    u, v = position.numpy()
    frame = job.style.frame
    c, s = np.cos(frame.tilt), np.sin(frame.tilt)
    x = frame.x + frame.size * (u * c - v * s) - 0.5
    y = frame.y + frame.size * (u * s + v * c) - 0.5
    pixels = np.asarray(job.style.picture)
    return Image.fromarray(
        cv2.remap(
            pixels, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT
        )
    )


@dataclass(frozen=True)
class Variant:
    """settings: of the run. change: what is done to the job before. picture: makes the result instead."""

    settings: TransferSettings = TransferSettings()
    change: Callable[[Job], Job] | None = None
    picture: Callable[[Job], Image.Image] | None = None

    def run(self, content: Face, style: Face, size: int) -> tuple[Job, Image.Image]:
        """The job and its result for a pair, at `size` pixels of the longest side."""
        job = prepare(content, style, replace(self.settings, size=size))
        if self.picture:
            return job, self.picture(job)
        for step in (self.change(job) if self.change else job).steps():
            pass
        return job, result_picture(step, job.size)


CHAMPANDARD = TransferSettings(
    method="semantic",
    position_weight=0.0,
    coherence=0.0,
    variety=0.0,
    colour_weight=0.0,
    tones=0.0,
    align="off",
)
VARIANTS = {
    "guided": Variant(),
    **{f"likeness {n:g}": Variant(TransferSettings(likeness=n)) for n in (0.0, 0.25, 0.75, 1.0)},
    "no dense correspondence": Variant(change=frame_alone),
    "no position": Variant(change=no_position),
    "no classes": Variant(change=no_classes),
    "nothing kept": Variant(change=nothing_kept),
    "no tones": Variant(TransferSettings(tones=0.0)),
    "no alignment": Variant(TransferSettings(align="off")),
    "semantic": Variant(TransferSettings(method="semantic")),
    "champandard": Variant(CHAMPANDARD),
    "gatys": Variant(TransferSettings(method="gatys")),
    "toned content": Variant(picture=toned_content),
    "warped style": Variant(picture=warped_style),
}
