"""Reads and writes films: clips with PyAV, which includes FFmpeg, and folders of frames."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facetransfer.base.errors import InputError, shortened
from facetransfer.base.images import MAX_PIXELS, as_rgb, open_picture, readable_file
from facetransfer.jobs.pairs import pictures_in

CODECS = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".webm": "libvpx-vp9"}
FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
QUALITY = {"libx264": {"crf": "16", "preset": "medium"}, "libvpx-vp9": {"crf": "24", "b": "0"}}
READ = {
    "protocol_whitelist": "file",  # A film may name others, or addresses: nothing but the file is opened,
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg",  # and no list of others.
}
FRAME_RATE = 25  # of a folder of frames
# Bytes of memory that a strange clip may take to be opened, the program's own 0.4 GB included.
PROBE_BYTES = 3 << 29
PROBE_SECONDS = 20  # of processor time, and six times that by the clock
PROBE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[3]),) * 2)
from pathlib import Path
from facetransfer.base.errors import InputError
from facetransfer.jobs.film_files import open_clip
try:
    open_clip(Path(sys.argv[1]))
except InputError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True)
class Clip:
    """A film that is read: a file, or a folder of frames.

    size: (width, height) as it is displayed, after any rotation. count: the approximate number of frames, and
    seconds: the duration, each 0 where the file does not say.
    """

    path: Path
    size: tuple[int, int]
    count: int
    seconds: float
    sound: bool

    def frames(self, since: int | None = None) -> Iterator[tuple[int, Image.Image]]:
        """Yields the time of each frame, in units of `time_base`, and the frame, for all frames or those from
        a certain time on. Raises InputError where the clip is cut short; the frames before that are complete.
        """
        if self.path.is_dir():
            for number, path in enumerate(pictures_in([str(self.path)])[0]):
                if number >= (since or 0):
                    yield number, open_picture(path)
            return
        number = 0
        with _opened(self.path) as container:
            try:
                if since is not None:
                    container.seek(since, stream=container.streams.video[0])
                for number, frame in enumerate(container.decode(video=0), 1):
                    time = _time_of(frame, number)
                    if since is None or time >= since:
                        yield time, _picture(frame)
            except _av().error.FFmpegError as error:
                raise InputError(
                    f"{self.path.name} breaks off after frame {number} ({shortened(str(error))})"
                ) from None

    @property
    def time_base(self) -> Fraction:
        """How many seconds one unit of time lasts."""
        if self.path.is_dir():
            return Fraction(1, FRAME_RATE)
        with _opened(self.path) as container:
            return container.streams.video[0].time_base


def _av() -> Any:
    """The module of PyAV. Raises InputError where it is not installed."""
    try:
        import av
    except ImportError:
        raise InputError(
            "PyAV, which reads films, is not installed: pip install 'facetransfer[film]'"
        ) from None
    av.logging.set_level(av.logging.PANIC)
    return av


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    av = _av()
    readable_file(path)
    try:
        with av.open(str(path), options=dict(READ)) as container:
            if not container.streams.video:
                raise InputError(f"{path.name} has no pictures: give a film")
            codec = container.streams.video[0].codec_context
            # A stream may go over to larger frames in the middle, of which a decoder holds many.
            codec.options = {"max_pixels": str(min(MAX_PIXELS, 2 * codec.width * codec.height + 65536))}
            yield container
    except av.error.FFmpegError as error:
        raise InputError(f"{path.name} is no film that can be read ({shortened(str(error))})") from None


def open_clip(path: Path) -> Clip:
    """The clip at that path, a file or a folder of frames. Raises InputError where it is neither, or where
    its frames are too large.
    """
    if os.path.isdir(path):
        pictures = pictures_in([str(path)])[0]
        return Clip(path, open_picture(pictures[0]).size, len(pictures), len(pictures) / FRAME_RATE, False)
    with _opened(path) as container:
        stream = container.streams.video[0]
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS or not width or not height:
            raise InputError(f"the frames of {path.name} have {width}x{height} pixels, too many to work on")
        try:
            first = _picture(next(container.decode(video=0)))
        except (StopIteration, _av().error.FFmpegError):
            raise InputError(f"{path.name} has no frame that can be read: give another film") from None
        seconds = (
            float(stream.duration * stream.time_base)
            if stream.duration
            else (container.duration / 1e6 if container.duration else 0.0)
        )
        count = stream.frames or round(seconds * float(stream.average_rate or FRAME_RATE))
        return Clip(path, first.size, count, seconds, bool(container.streams.audio))


def probe_clip(path: Path) -> None:
    """Opens a clip of unknown origin in a process of its own, with a limit on memory and time. Raises
    InputError where it needs more, or where `open_clip` does.

    A file of a kilobyte can claim hundreds of millions of frames, for which FFmpeg makes a list in memory as
    soon as it is opened. Where a process cannot be limited (Windows), nothing is tried.
    """
    if sys.platform == "win32":
        return
    _av()
    here = os.fspath(Path(__file__).resolve().parents[2])
    alone = {**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, "-c", PROBE, os.fspath(path.absolute()), str(PROBE_BYTES), str(PROBE_SECONDS)]
    try:
        ended = subprocess.run(words, env=alone, capture_output=True, text=True, timeout=6 * PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        raise InputError(f"{path.name} takes too long to open: save it again, or give another film") from None
    said = ended.stderr.strip().splitlines()
    if ended.returncode == 1 and len(said) == 1:
        raise InputError(said[0])
    if ended.returncode:
        raise InputError(
            f"{path.name} takes too much memory or time to open: save it again, or give another film"
        )


def _picture(frame: Any) -> Image.Image:
    """A frame as an RGB picture with 8 bits per channel, rotated as the file demands."""
    if frame.width * frame.height > MAX_PIXELS:
        raise InputError(f"a frame of the film has {frame.width}x{frame.height} pixels, too many to work on")
    pixels = frame.to_ndarray(format="rgb24")
    turns = round((frame.rotation or 0) / 90) % 4
    return as_rgb(Image.fromarray(np.ascontiguousarray(np.rot90(pixels, turns))))


def _time_of(frame: Any, number: int) -> int:
    return number - 1 if frame.pts is None else frame.pts


class FilmWriter:
    """Writes frames with their times, and the sound of the original clip, to a file whose ending is one of
    CODECS.
    """

    def __init__(self, path: str, suffix: str, size: tuple[int, int], clip: Clip) -> None:
        self.container = _av().open(path, "w", format=FORMATS[suffix])
        self.time_base, self.last = clip.time_base, -1
        self.stream = self.container.add_stream(CODECS[suffix], options=QUALITY[CODECS[suffix]])
        self.stream.width, self.stream.height = size
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.time_base = self.time_base
        self.sound = _sound_of(clip, self.container, suffix)
        self.waiting = next(self.sound, None)

    def add(self, picture: Image.Image, time: int) -> None:
        """Writes the frame at its time, in units of the clip's time base, after the sound that
        precedes it.
        """
        self._add_sound(time * self.time_base)
        frame = _av().VideoFrame.from_image(picture)
        # Broken files have two frames at the same time, which the encoder would refuse.
        self.last = frame.pts = max(time, self.last + 1)
        frame.time_base = self.time_base
        self.container.mux(self.stream.encode(frame))

    def _add_sound(self, until: Fraction | None = None) -> None:
        while self.waiting is not None and (until is None or self.waiting[0] <= until):
            self.container.mux(self.waiting[1])
            self.waiting = next(self.sound, None)

    def close(self) -> None:
        """Writes the remaining sound and completes the file."""
        self._add_sound()
        self.container.mux(self.stream.encode(None))
        self.container.close()


def takes_sound(clip: Clip, suffix: str) -> bool:
    """Whether a file with that ending can hold the clip's sound without encoding it again."""
    with _opened(clip.path) as container:
        codec = container.streams.audio[0].codec_context.name
    return suffix != ".webm" or codec in ("opus", "vorbis", "libopus", "libvorbis")


def _sound_of(clip: Clip, container: Any, suffix: str) -> Iterator[tuple[Fraction, Any]]:
    """The packets of the clip's sound for another container, each with its time in seconds. They are not
    decoded.
    """
    if not clip.sound or not takes_sound(clip, suffix):
        return iter(())
    source = _av().open(str(clip.path), options=dict(READ))
    stream = source.streams.audio[0]
    copy = container.add_stream_from_template(stream)

    def packets() -> Iterator[tuple[Fraction, Any]]:
        with source:
            try:
                for packet in source.demux(stream):
                    if packet.dts is not None:
                        packet.stream = copy
                        yield packet.dts * packet.time_base, packet
            except _av().error.FFmpegError:  # Reading the pictures reports a clip that is cut short.
                return

    return packets()
