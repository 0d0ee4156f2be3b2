"""A film: its times and its sound stay, its strokes are steady, and it goes on after it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facetransfer.base.errors import InputError
from facetransfer.base.settings import TransferSettings
from facetransfer.cli.main import main
from facetransfer.core.optical_flow import flow_to, moved
from facetransfer.jobs.film import COHERENCE, FilmMaker, Keyframe
from facetransfer.jobs.film_files import open_clip
from facetransfer.jobs.film_run import FilmRun
from facetransfer.jobs.job import Face
from segmentation.parsers import load_parser
from tests.support.drawn_face import draw_face

av = pytest.importorskip("av")
ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ["--output", "out.mp4"]
GIVEN = ["--style", "style.png", *OUTPUT]
SMALL = ["--size", "128", "--device", "cpu"]
TIMES = (0, 1, 2, 5, 6, 7, 9, 10)  # of the frames, in units of 1/25 s: the rate varies


def drawn_frames(count: int, seed: int = 0, step: float = 2.0) -> list[Image.Image]:
    """A face that moves by `step` pixels from frame to frame."""
    wide = draw_face((160, 128), seed)[0]
    return [
        wide.transform((128, 128), Image.Transform.AFFINE, (1, 0, 16 - count + step * i, 0, 1, 0))
        for i in range(count)
    ]


def write_clip(
    path: Path,
    frames: list[Image.Image],
    times: tuple[int, ...] = TIMES,
    sound: bool = True,
    pix_fmt: str = "yuv444p",
) -> Path:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", options={"crf": "4"})
        video.width, video.height = frames[0].size
        video.pix_fmt = pix_fmt
        video.codec_context.time_base = Fraction(1, 25)
        audio = container.add_stream("aac", rate=44100, layout="mono") if sound else None
        for picture, moment in zip(frames, times):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = moment, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio:
            wave = np.sin(np.arange(20 * 1024) / 9).astype(np.float32)
            for i in range(0, len(wave), 1024):
                block = av.AudioFrame.from_ndarray(wave[None, i : i + 1024], format="fltp", layout="mono")
                block.sample_rate, block.pts = 44100, i
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    return path


@pytest.fixture
def clip(tmp_path: Path, green_face, monkeypatch: pytest.MonkeyPatch) -> Path:
    green_face[0].save(tmp_path / "style.png")
    green_face[1].save(tmp_path / "style_sem.png")
    monkeypatch.chdir(tmp_path)
    return write_clip(tmp_path / "clip.mp4", drawn_frames(8))


def call(*extra: str, clip: str = "clip.mp4", output: str = "out.mp4") -> int:
    return main(["film", clip, "--style", "style.png", "--output", output, *SMALL, *extra])


def pictures(path: str) -> list[tuple[Fraction, Image.Image]]:
    with av.open(path) as container:
        return [(frame.pts * frame.time_base, frame.to_image()) for frame in container.decode(video=0)]


def sound(path: str) -> list[bytes]:
    with av.open(path) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_a_clip_keeps_its_times_and_its_sound_bit_by_bit(clip: Path) -> None:
    assert call() == 0
    made = pictures("out.mp4")
    assert [moment for moment, _ in made] == [Fraction(time, 25) for time in TIMES]
    assert {picture.size for _, picture in made} == {(128, 128)}
    assert sound("out.mp4") == sound("clip.mp4") and sound("out.mp4")
    assert not Path("out.mp4.frames").exists()
    # The style's green skin is where the face is.
    red, green, blue = np.asarray(made[-1][1]).astype(int)[54:74, 54:74].mean((0, 1))
    assert green > red and green > blue


def test_the_frames_of_a_folder_become_a_folder_of_frames(clip: Path) -> None:
    Path("frames").mkdir()
    for i, frame in enumerate(drawn_frames(3)):
        frame.save(f"frames/{i}.png")
    assert call(clip="frames", output="made") == 0
    assert sorted(p.name for p in Path("made").iterdir()) == [
        "000000.png",
        "000001.png",
        "000002.png",
        "film.json",
    ]


def test_flow_finds_a_known_motion() -> None:
    before, now = (np.asarray(frame) for frame in drawn_frames(2, step=3.0))
    flow, certainty = flow_to(before, now)
    inner = np.s_[24:-24, 24:-24]
    assert np.median(flow[inner][..., 0]) == pytest.approx(3, abs=0.3)
    assert np.median(flow[inner][..., 1]) == pytest.approx(0, abs=0.3)
    assert certainty[inner].mean() > 0.8
    again = moved(before.astype(np.float32), flow)[inner]
    assert np.abs(again - now[inner]).mean() < 0.4 * np.abs(before[inner].astype(int) - now[inner]).mean()
    other = np.asarray(draw_face((128, 128), 9)[0].rotate(90))
    assert flow_to(before, other)[1].mean() < 0.35


def test_strokes_stick_to_what_moves(clip: Path, green_face) -> None:
    """Where everything is known to move by three pixels, frames differ by far less than those made singly."""
    frames = drawn_frames(5, step=3.0)
    style = Face.of(*green_face)
    errors = {}
    for coherence in (0.0, COHERENCE):
        maker = FilmMaker(
            [Keyframe(0, style)], TransferSettings(size=128), load_parser(), coherence=coherence
        )
        state, results = None, []
        for number, frame in enumerate(frames):
            made = maker.frame(frame, number, state)
            state = made.state if coherence else None
            results.append(np.asarray(made.picture).astype(float))
        inner = np.s_[20:-20, 20:-24]
        shifted = [np.roll(picture, -3, axis=1) for picture in results]
        errors[coherence] = np.mean(
            [np.square(b[inner] - a[inner]).mean() for a, b in zip(shifted, results[1:])]
        )
    assert errors[COHERENCE] < 0.4 * errors[0.0]


def test_a_cut_begins_a_scene_that_knows_nothing_of_the_one_before(clip: Path) -> None:
    """The second scene is the film that it would be alone."""
    first, second = (
        drawn_frames(4),
        [f.transpose(Image.Transpose.ROTATE_180) for f in drawn_frames(4, seed=8)],
    )
    write_clip(clip, first + second)
    run = FilmRun(open_clip(clip), _maker(), Path("both"))
    assert [(scene.first, scene.count) for scene in run.scenes()] == [(0, 4), (4, 4)]
    list(run.run())
    made = [np.asarray(Image.open(run.frame_file(i))) for i in range(4, 8)]
    write_clip(Path("second.mp4"), second)
    alone = FilmRun(open_clip(Path("second.mp4")), _maker(), Path("alone"))
    list(alone.run())
    for picture, number in zip(made, range(4)):
        other = np.asarray(Image.open(alone.frame_file(number))).astype(int)
        assert np.abs(picture - other).mean() < 12  # Both were decoded from other bytes.


def _maker() -> FilmMaker:
    style = Face.of(Image.open("style.png").convert("RGB"), None, load_parser())
    return FilmMaker([Keyframe(0, style)], TransferSettings(size=128), load_parser())


def test_a_film_that_is_killed_goes_on_and_has_the_same_bytes(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(output="alone.mp4") == 0
    words = ["film", "clip.mp4", "--style", "style.png", "--output", "out.mp4", *SMALL]
    command = [sys.executable, "-m", "facetransfer", *words]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        ends = time.monotonic() + 60
        while not list(Path(".").glob("out.mp4.frames/000002.png")) and time.monotonic() < ends:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert list(Path("out.mp4.frames").glob("0*.png")) and not Path("out.mp4").exists()
    assert call() == 0
    assert Path("out.mp4").read_bytes() == Path("alone.mp4").read_bytes()


def test_a_state_that_was_saved_goes_on_as_if_it_had_stayed(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facetransfer.jobs import film_run

    whole = FilmRun(open_clip(clip), _maker(), Path("whole"))
    list(whole.run())
    monkeypatch.setattr(film_run, "SAVE_EVERY", 3)
    stopped = FilmRun(open_clip(clip), _maker(), Path("stopped"))
    for progress in stopped.run():
        if progress.done == 5:
            break
    again = FilmRun(open_clip(clip), _maker(), Path("stopped"))
    first = next(again.run())
    assert first.done == 3 and first.picture is None
    list(again.run())
    for number in range(8):
        assert whole.frame_file(number).read_bytes() == again.frame_file(number).read_bytes()


def test_other_settings_begin_anew(clip: Path) -> None:
    assert call("--frames", "2", output="made") == 0
    before = Path("made/000001.png").read_bytes()
    Path("made/mine.png").write_bytes(b"not the film's")
    assert call("--frames", "2", "--likeness", "0.9", output="made") == 0
    assert Path("made/000001.png").read_bytes() != before
    assert Path("made/mine.png").read_bytes() == b"not the film's"


def test_frames_without_a_face_are_counted_and_passed(clip: Path, capsys: pytest.CaptureFixture) -> None:
    """A person leaves and comes back."""
    empty = [Image.new("RGB", (128, 128), (90, 120, 150))] * 3
    write_clip(clip, drawn_frames(2) + empty + drawn_frames(2))
    assert call() == 0
    assert "3 of 7 frames show no face" in capsys.readouterr().err and len(pictures("out.mp4")) == 7


def test_a_keyframe_gives_its_strokes_to_the_frames_around_it(clip: Path) -> None:
    """Frames near a frame that was painted violet all over become violet."""
    frames = drawn_frames(8)
    violet = np.asarray(frames[6]).astype(float) * (0.5, 0.1, 0.1) + (60, 0, 120)
    Image.fromarray(violet.clip(0, 255).astype(np.uint8)).save("painted.png")
    assert call("--keyframe", "6=painted.png") == 0
    means = [
        np.asarray(picture).astype(float)[40:90, 40:90].mean((0, 1)) for _, picture in pictures("out.mp4")
    ]
    assert means[0][1] > means[0][2] and means[7][2] > means[7][1] + 30


@pytest.mark.parametrize(
    "pix_fmt, size", [("yuv420p10le", (128, 128)), ("yuv444p", (131, 97)), ("yuv420p", (96, 160))]
)
def test_ten_bits_odd_sizes_and_no_sound(clip: Path, pix_fmt: str, size: tuple[int, int]) -> None:
    frames = [frame.resize(size) for frame in drawn_frames(2)]
    write_clip(clip, frames, sound=False, pix_fmt=pix_fmt)
    assert call() == 0
    made = pictures("out.mp4")
    assert len(made) == 2 and made[0][1].width % 2 == made[0][1].height % 2 == 0
    assert abs(made[0][1].width / made[0][1].height - size[0] / size[1]) < 0.03


def test_a_clip_that_breaks_off_gives_what_came_before(clip: Path, capsys: pytest.CaptureFixture) -> None:
    write_clip(Path("whole.mkv"), [draw_face(seed=i)[0] for i in range(8)], sound=False)
    spoilt = bytearray(Path("whole.mkv").read_bytes())
    Path("clip.mkv").write_bytes(bytes(spoilt[: len(spoilt) * 4 // 5]))
    status = call(clip="clip.mkv")
    assert status in (0, 1) and 1 <= len(pictures("out.mp4")) < 8
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, said",
    [
        (["clip.mp4", *OUTPUT], "there is no style"),
        (["clip.mp4", "--style", "style.png", "--output", "out.avi"], "ends with none of .mp4"),
        (["style.png", *GIVEN], "no frame|one frame|no film"),
        (["none.mp4", *GIVEN], "does not exist"),
        (["text.mp4", *GIVEN], "is no film"),
        (["clip.mp4", "--style", "style.png", "--output", "clip.mp4"], "would be replaced"),
        (["clip.mp4", *GIVEN, "--method", "gatys"], "method guided"),
        (
            ["clip.mp4", *GIVEN, "--coherence-in-time", "2"],
            "from 0 to 1",
        ),
        (
            ["clip.mp4", *GIVEN, "--keyframe", "99=style.png"],
            "no frame 99",
        ),
        (
            ["clip.mp4", *GIVEN, "--keyframe", "1=wide.png"],
            "another shape",
        ),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(
    clip: Path, capsys: pytest.CaptureFixture, words: list[str], said: str
) -> None:
    import re

    Path("text.mp4").write_text("no film")
    draw_face((300, 100))[0].save("wide.png")
    before = {p: p.read_bytes() for p in clip.parent.rglob("*") if p.is_file()}
    if words[0] == "style.png":  # A picture is a film of one frame to FFmpeg.
        assert main(["film", *words, *SMALL]) in (0, 2)
        return
    assert main(["film", *words, *SMALL]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1 and re.search(said, errors[0])
    assert {p: p.read_bytes() for p in clip.parent.rglob("*") if p.is_file()} == before


def test_a_film_names_no_other_file_or_address(clip: Path) -> None:
    """A list of segments, which FFmpeg would follow to wherever it points, is refused."""
    Path("list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{clip}\n#EXT-X-ENDLIST\n")
    os.rename("list.m3u8", "list.mp4")
    with pytest.raises(InputError):
        open_clip(Path("list.mp4"))
    Path("list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError):
        open_clip(Path("list.mp4"))


def test_a_film_whose_frames_grow_breaks_off(clip: Path) -> None:
    """A stream goes over from 128 pixels to 2048: nothing of the larger frames is decoded."""
    streams = []
    for side, count in ((128, 24), (2048, 2)):
        file = clip.with_name(f"{side}.ts")
        frames = [frame.resize((side, side)) for frame in drawn_frames(count)]
        write_clip(file, frames, tuple(range(count)), sound=False)
        streams.append(file.read_bytes())
    grown = clip.with_name("grown.ts")
    grown.write_bytes(b"".join(streams))
    seen = []
    with pytest.raises(InputError, match="breaks off"):
        for _, picture in open_clip(grown).frames():
            seen.append(picture.size)
    assert seen and set(seen) == {(128, 128)}
