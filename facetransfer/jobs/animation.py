"""An animation of a run, from its first picture to the result."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.images import check_writable, to_image, written_whole
from facetransfer.core.engine import Step

SUFFIXES = (".webp", ".gif", ".mp4")
FRAMES = 60  # about how many are kept of a run
SECOND = 12  # frames of it
LAST = 1500  # milliseconds that the last one stays


def check_animation(path: Path) -> None:
    """Raises InputError where no animation can be written to that path."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path.name} has no ending of an animation: end it with one of {' '.join(SUFFIXES)}"
        )
    check_writable(path, SUFFIXES)


class Animation:
    """Keeps some of the pictures of a run at (width, height), spread evenly over its work."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self.path, self.size, self.kept = path, size, 0.0
        self.frames: list[Image.Image] = []

    def add(self, step: Step) -> None:
        """Keeps the picture of this step if enough of the run has passed since the last one that was kept."""
        # Half by work done and half by steps: the small phases are over in no time, but much happens in them.
        done = (step.done + (step.phase - 1 + step.iteration / step.iterations) / step.phases) / 2
        if not self.frames or done >= self.kept + 1 / FRAMES or done >= 1:
            self.kept = done
            self.frames.append(to_image(step.picture).resize(self.size, Image.Resampling.BICUBIC))

    def save(self) -> None:
        """Writes the animation; the file is complete or not there at all."""
        with written_whole(self.path) as temporary:
            if self.path.suffix.lower() == ".mp4":
                self._save_mp4(temporary)
            else:
                times = [1000 // SECOND] * (len(self.frames) - 1) + [LAST]
                kind = self.path.suffix[1:].upper()
                self.frames[0].save(
                    temporary,
                    format=kind,
                    save_all=True,
                    append_images=self.frames[1:],
                    duration=times,
                    loop=0,
                )

    def _save_mp4(self, path: str) -> None:
        width, height = (n - n % 2 for n in self.size)  # what the format takes
        video = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), SECOND, (width, height))
        if not video.isOpened():
            raise InputError("this OpenCV cannot write .mp4 files: end the animation with .webp")
        for frame in [*self.frames, *[self.frames[-1]] * (LAST * SECOND // 1000)]:
            video.write(np.ascontiguousarray(np.asarray(frame)[:height, :width, ::-1]))
        video.release()
