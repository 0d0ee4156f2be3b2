"""A whole film. The work can be stopped, killed or repeated at any moment.

Finished frames are kept as pictures in a folder beside the output, together with what the next frame needs
from them. At the end the output is written from these pictures, and the folder is removed. A film is divided
into scenes, which do not depend on each other; on a cluster each scene is a task.
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

CUT = 0.35  # share of a frame that must be found in the previous one; with less, a new scene begins
CUT_SIDE = 160  # longest side, in pixels, at which cuts are detected
SAVE_EVERY = 25  # frames between two saved states; at most so many are made again after a stop
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
    """How many of `total` frames are done, in how many of them no face was found, and the newest picture,
    which is None where an earlier call made it.
    """

    done: int
    total: int
    without_face: int
    picture: Image.Image | None = None


class FilmRun:
    """One film with one set of styles and one output: a file whose ending is one of CODECS, or a folder of
    frames.

    limit: the largest number of frames to make, None for all of them. Raises InputError where the folder for
    the frames cannot be made.
    """

    def __init__(self, clip: Clip, maker: FilmMaker, output: Path, limit: int | None = None) -> None:
        self.clip, self.maker, self.output, self.limit = clip, maker, output, limit
        self.folder = output if not is_file(output) else output.with_name(f"{output.name}.frames")
        self.broken = ""  # why the clip is cut short, where it is

    def scenes(self) -> list[Scene]:
        """The scenes of the film. They are found once, and stored together with what the film is
        made from.
        """
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
        """Makes the missing frames of a scene and yields the progress, counted within that scene."""
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
        """Writes the output from the frames and removes them. A folder of frames is left as it is."""
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
        """Everything that the frames depend on, as values for JSON."""
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
        """What the last frame that is certainly finished passed on, the number of the next frame, and in how
        many frames before that one no face was found.
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
        """Removes the files that a film left in its folder, recognised by their names, and no others."""
        names = ("[0-9]" * 6 + ".png", "state-[0-9]*.npz", PLAN, ".[0-9s]*.part.*")
        for name in names:
            for path in self.folder.glob(name):
                path.unlink()


def is_file(output: Path) -> bool:
    """Whether the output is a single file; otherwise it is a folder of frames."""
    return output.suffix.lower() in CODECS


def room_for(clip: Clip, size: tuple[int, int], folder: Path) -> str:
    """A warning where the disk may be too small for the frames; empty where there is enough room."""
    needed = (
        clip.count * size[0] * size[1] * 2
    )  # in bytes: pictures of brush strokes take about 2 bytes per pixel when compressed
    free = shutil.disk_usage(folder).free
    if needed < free:
        return ""
    return f"the frames will take about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
