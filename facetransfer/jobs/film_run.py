"""A whole film, in a way that can be stopped, killed or repeated at any moment.

The frames that are done lie as pictures in a folder beside the output, with what the next frame needs of
them; the output is written from these at the end, and the folder is removed. A film falls into scenes, which
know nothing of each other: on a cluster each is a task.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from facetransfer import __version__
from facetransfer.base.errors import InputError
from facetransfer.base.images import (
    make_folder,
    open_picture,
    save_picture,
    write_json,
    written_whole,
)
from facetransfer.core.optical_flow import flow_to
from facetransfer.jobs.film import FilmMaker, FilmState
from facetransfer.jobs.film_files import CODECS, Clip, FilmWriter
from facetransfer.jobs.recipe import fingerprint
from segmentation.alignment import Alignment

CUT = 0.35  # a frame of which less is certain than this share to have been in the one before begins a scene
CUT_SIDE = 160  # pixels at which cuts are looked for
SAVE_EVERY = 25  # frames after which the state is written, so that no more than these are made again
BYTES_A_PIXEL = 2  # of a frame as a PNG
PLAN = "film.json"


@dataclass(frozen=True)
class Scene:
    """Frames that follow each other without a cut: the number of the first one, how many they are, and the
    time of the first one.
    """

    first: int
    count: int
    time: int


@dataclass(frozen=True)
class FilmProgress:
    """So many of `total` frames are done, among them so many without a face; and the newest picture, or None
    where that was made before.
    """

    done: int
    total: int
    without_face: int
    picture: Image.Image | None = None


class FilmRun:
    """One film with one set of styles, into one output: a file whose ending is one of CODECS, or a folder of
    frames.

    limit: how many frames at most, or None for all of them. Raises InputError where the folder of the frames
    cannot be made.
    """

    def __init__(self, clip: Clip, maker: FilmMaker, output: Path, limit: int | None = None) -> None:
        self.clip, self.maker, self.output, self.limit = clip, maker, output, limit
        self.folder = output if not is_file(output) else output.with_name(f"{output.name}.frames")
        self.broken = ""  # where the clip breaks off, in words

    def scenes(self) -> list[Scene]:
        """The film's scenes, found once and written down with what the film was made from."""
        make_folder(self.folder)
        wanted, plan = self._recipe(), self._plan()
        if plan.get("recipe") != wanted:
            self._remove_frames()
            starts, times = self._starts()
            ends = [*starts[1:], len(times)]
            scenes = [Scene(a, b - a, times[a]) for a, b in zip(starts, ends, strict=True)]
            plan = {
                "recipe": wanted,
                "scenes": [asdict(scene) for scene in scenes],
                "times": times,
                "broken": self.broken,
            }
            write_json(self.folder / PLAN, plan)
        self.broken, self.times = plan["broken"], plan["times"]
        return [Scene(**scene) for scene in plan["scenes"]]

    def frames_of(self, scene: Scene) -> Iterator[FilmProgress]:
        """Makes the frames of a scene that are not there yet; the counts are the scene's own."""
        state, number, without = self._state(scene)
        if number > scene.first:
            yield FilmProgress(number - scene.first, scene.count, without)
        frames = islice(self.clip.frames(scene.time), scene.count)
        for here, (_, frame) in enumerate(frames, scene.first):
            if here < number:
                continue
            made = self.maker.frame(frame, here, state)
            state, without = made.state, without + (not made.face)
            save_picture(made.picture, self.frame_file(here))
            if (here + 1 - scene.first) % SAVE_EVERY == 0 or here + 1 == scene.first + scene.count:
                self._save_state(scene, state, here + 1, without)
            yield FilmProgress(here + 1 - scene.first, scene.count, without, made.picture)

    def run(self) -> Iterator[FilmProgress]:
        """Makes all scenes, one after another."""
        scenes = self.scenes()
        total, before, without = sum(scene.count for scene in scenes), 0, 0
        for scene in scenes:
            progress = None
            for progress in self.frames_of(scene):
                yield replace(
                    progress,
                    done=before + progress.done,
                    total=total,
                    without_face=without + progress.without_face,
                )
            before += scene.count
            without += progress.without_face if progress else 0

    def finish(self) -> None:
        """Writes the output of the frames and removes them; a folder of frames stays as it is."""
        if is_file(self.output):
            first = open_picture(self.frame_file(0))
            with written_whole(self.output) as temporary:
                writer = FilmWriter(temporary, self.output.suffix.lower(), first.size, self.clip)
                for number, time in enumerate(self.times):
                    writer.add(open_picture(self.frame_file(number)), time)
                writer.close()
            self._remove_frames()
            self.folder.rmdir()
        else:
            for path in self.folder.glob("state-*.npz"):
                path.unlink()

    def frame_file(self, number: int) -> Path:
        """The file of a frame's result."""
        return self.folder / f"{number:06d}.png"

    def _recipe(self) -> dict[str, Any]:
        """What the frames depend on, as values of JSON."""
        styles = [
            [
                key.number,
                fingerprint(np.asarray(key.face.picture)),
                fingerprint(key.face.semantic.labels) if key.face.semantic else "",
            ]
            for key in self.maker.keyframes
        ]
        path = self.clip.path
        stamps = [
            [p.name, p.stat().st_size, p.stat().st_mtime_ns]
            for p in (sorted(path.iterdir()) if path.is_dir() else [path])
        ]
        return {
            "clip": stamps,
            "styles": styles,
            "settings": asdict(self.maker.settings),
            "strengths": self.maker.strengths,
            "coherence": self.maker.coherence,
            "limit": self.limit,
            "version": __version__,
        }

    def _plan(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / PLAN).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _starts(self) -> tuple[list[int], list[int]]:
        """The numbers of the frames that begin a scene, and the times of all frames."""
        starts, times, before = [0], [], None
        frames = self.clip.frames()
        try:
            for number, (time, frame) in enumerate(islice(frames, self.limit)):
                scale = CUT_SIDE / max(frame.size)
                size = [max(16, round(n * scale)) for n in frame.size]
                small = cv2.resize(np.asarray(frame), size, interpolation=cv2.INTER_AREA)
                if before is not None and flow_to(before, small)[1].mean() < CUT:
                    starts.append(number)
                before = small
                times.append(time)
        except InputError as error:
            if not times:
                raise
            self.broken = str(error)
        if not times:
            raise InputError(f"{self.clip.path.name} has no frame that can be read: give another film")
        return starts, times

    def _state_file(self, scene: Scene) -> Path:
        return self.folder / f"state-{scene.first:06d}.npz"

    def _state(self, scene: Scene) -> tuple[FilmState | None, int, int]:
        """What the last frame that is surely done left, the number of the next one, and how many of those
        before it had no face.
        """
        try:
            with np.load(self._state_file(scene), allow_pickle=False) as saved:
                values = {name: saved[name] for name in saved.files}
        except (OSError, ValueError, EOFError):
            return None, scene.first, 0
        aligned = values["matrix"].size > 0
        alignment = (
            Alignment(values["matrix"], tuple(values["size"].tolist()), bool(values["mirrored"]))
            if aligned
            else None
        )
        state = FilmState(
            values["frame"],
            values["picture"],
            values["field"],
            values["votes"],
            tuple(values["box"].tolist()) if values["box"].size else None,  # type: ignore[arg-type]
            int(values["keyframe"]),
            alignment,
            float(values["face_size"]),
        )
        return state, int(values["next"]), int(values["without_face"])

    def _save_state(self, scene: Scene, state: FilmState, following: int, without_face: int) -> None:
        alignment = state.alignment
        with written_whole(self._state_file(scene)) as temporary, open(temporary, "wb") as file:
            np.savez(
                file,
                frame=state.frame,
                picture=state.picture,
                field=state.field if state.field is not None else np.zeros((2, 0, 0), np.int32),
                votes=state.votes,
                box=np.array(state.box or ()),
                keyframe=state.keyframe,
                matrix=alignment.matrix if alignment else np.zeros(0),
                size=np.array(alignment.size if alignment else ()),
                mirrored=bool(alignment and alignment.mirrored),
                face_size=state.face_size,
                next=following,
                without_face=without_face,
            )

    def _remove_frames(self) -> None:
        """Removes what a film left in its folder, by the names that films give: nothing else."""
        names = ("[0-9]" * 6 + ".png", "state-[0-9]*.npz", PLAN, ".[0-9s]*.part.*")
        for name in names:
            for path in self.folder.glob(name):
                path.unlink()


def is_file(output: Path) -> bool:
    """Whether the output is one file; otherwise it is a folder of frames."""
    return output.suffix.lower() in CODECS


def room_for(clip: Clip, size: tuple[int, int], folder: Path) -> str:
    """What is to be said where the disk may be too small for the frames; empty where it is not."""
    needed = (
        clip.count * size[0] * size[1] * 2
    )  # Bytes: pictures of strokes are compressed to about 2 a pixel.
    free = shutil.disk_usage(folder).free
    if needed < free:
        return ""
    return f"the frames will take about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
