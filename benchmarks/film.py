"""How steady films are, how crisp, and how quickly they are made.

    python -m benchmarks.film --clips FOLDER --json benchmarks/results/film.json

Clips whose motion is known exactly: heads of chance (`training.sitters`) that turn, rendered, so that each
point of the surface is known in each frame; and a camera that moves over a picture. Each is made in each
style twice, with the frame before (`coherent`) and frame by frame (`single`).

error: the mean squared difference of each frame and the one before it moved to where things are now, over
what is seen in both (Lai et al. 2018, "Learning Blind Video Temporal Consistency"); to_single and to_source
are its ratios to that of frame by frame, and to that of the clip itself.
crisp: the gradients of the results by those of frame by frame. The folder keeps the clips for the next time.
likeness, likeness_single: the distance of two face embeddings, a frame's result against the frame, as of
`benchmarks.judges`, over every third frame of the camera's clips; only with `--judges`, which needs
requirements-bench.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from assets.characters.anatomy import blended
from assets.characters.tracer import see
from benchmarks.machine import conditions, write
from facetransfer.base.images import open_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.core.optical_flow import moved
from facetransfer.jobs.film import COHERENCE, FilmMaker, Keyframe
from facetransfer.jobs.job import Face
from segmentation.map_files import map_path, read_map
from segmentation.parsers import load_parser
from training.sitters import Sitter

SIDE = 256  # pixels
FRAMES = 16
FIRST_SEED = 900_003  # no sitter of the parser's training has such a number
SAME_POINT = 0.03  # half heads: two points of the surface so near are one
TURNS = (
    np.linspace(-12, 14, FRAMES),
    np.linspace(20, -5, FRAMES),
    10 * np.sin(np.linspace(0, 4, FRAMES)),
)  # degrees of the head in each frame of a rendered clip
STYLES = ("goblin", "oil")
EXAMPLES = Path(__file__).resolve().parents[1] / "assets" / "examples"

Clip = tuple[list[Image.Image], list[tuple[np.ndarray, np.ndarray]]]
"""The frames, and from each but the first to the one before: the flow (H,W,2) and what is seen in both."""


def grid() -> np.ndarray:
    """(SIDE,SIDE,2) float32: x and y of each pixel."""
    return np.dstack(np.meshgrid(*[np.arange(SIDE, dtype=np.float32)] * 2))


def rendered(number: int, folder: Path) -> Clip:
    """A head that turns before a wall that stays."""
    file = folder / f"turning-{number}.npz"
    if not file.exists():
        sitter, turns = Sitter(FIRST_SEED + 9 * number), TURNS[number]
        scene, rng = sitter.scene(), np.random.default_rng(number)
        corners = rng.uniform(20, 235, (6, 6, 3)).astype(np.float32)
        wall = cv2.resize(corners, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
        frames, points = [], []
        for turn in turns:
            camera = scene.camera.seeing(sitter.form.yaw, turn)
            with torch.no_grad():
                frames.append(sitter.seen_in(scene, SIDE, turn, wall, 1)[0])
                surface = see(lambda q: blended(sitter.parts(q)), sitter.label, camera, [], SIDE)
            points.append(surface.picture(surface.p.T.contiguous(), np.nan).astype(np.float32))
        flows, seen = [], []
        for now, before, turn in zip(points[1:], points, turns):
            on, was_on = np.isfinite(now[..., 0]), np.isfinite(before[..., 0])
            camera = scene.camera.seeing(sitter.form.yaw, turn)
            there = camera.project(np.nan_to_num(now).reshape(-1, 3), SIDE).reshape(SIDE, SIDE, 2)
            flow = np.where(on[..., None], there - grid(), 0).astype(np.float32)
            found = cv2.remap(np.nan_to_num(before, nan=99.0), grid() + flow, None, cv2.INTER_LINEAR)
            same = on & (np.linalg.norm(found - np.nan_to_num(now), axis=2) < SAME_POINT)
            flows.append(flow)
            seen.append(same | (~on & ~was_on))
        np.savez_compressed(file, frames=np.array(frames), flows=np.array(flows), seen=np.array(seen))
    with np.load(file) as saved:
        frames = [Image.fromarray(frame) for frame in saved["frames"]]
        return frames, list(zip(saved["flows"], saved["seen"]))


def moved_over(picture: Image.Image, zoom: float, across: float) -> Clip:
    """A camera that goes over a picture: from all of it to a part 1/zoom as large, `across` pixels aside."""
    whole = np.asarray(picture.convert("RGB").resize((2 * SIDE, 2 * SIDE), Image.Resampling.LANCZOS))
    middle, matrices, frames = SIDE - 0.5, [], []
    for share in np.linspace(0, 1, FRAMES):
        scale = 2.0 / (1 + (zoom - 1) * share)  # Pixels of the picture for one of the frame.
        low = middle + across * share - scale * (SIDE - 1) / 2, middle - scale * (SIDE - 1) / 2
        matrices.append(np.array([[scale, 0, low[0]], [0, scale, low[1]]], np.float32))
        soft = cv2.GaussianBlur(whole, (0, 0), max(0.01, 0.35 * scale))
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        frames.append(
            cv2.warpAffine(soft, matrices[-1], (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REFLECT)
        )
    flows = []
    for now, before in zip(matrices[1:], matrices):
        there = (grid() * now[0, 0] + now[:, 2] - before[:, 2]) / before[0, 0]
        inside = ((there >= 0) & (there <= SIDE - 1)).all(2)
        flows.append(((there - grid()).astype(np.float32), inside))
    return [Image.fromarray(frame) for frame in frames], flows


def error(frames: list[Image.Image], flows: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """See the top of the file."""
    pixels = [np.asarray(frame).astype(np.float32) / 255 for frame in frames]
    found = []
    for before, now, (flow, seen) in zip(pixels, pixels[1:], flows):
        inner = cv2.erode(seen.astype(np.uint8), np.ones((3, 3))) > 0
        found.append(np.square(now - moved(before, flow)).mean(2)[inner].mean())
    return float(np.mean(found))


def crispness(frames: list[Image.Image]) -> float:
    """The mean length of the gradients."""
    grays = [np.asarray(frame.convert("L")).astype(np.float32) for frame in frames]
    return float(np.mean([np.hypot(*np.gradient(gray)).mean() for gray in grays]))


def likeness(frames: list[Image.Image], results: list[Image.Image]) -> float:
    """The mean distance of the faces in every third frame and its result, see `benchmarks.judges`."""
    from benchmarks.judges import likeness_and_landmarks  # Its packages are there for `--judges` alone.

    pairs = list(zip(frames, results))[::3]
    judged = [likeness_and_landmarks(np.asarray(frame), np.asarray(result)) for frame, result in pairs]
    return float(np.mean([one["likeness"] for one in judged if one]))


def made(
    frames: list[Image.Image], style: Face, side: int, coherence: float
) -> tuple[list[Image.Image], float]:
    """The film, and the seconds of each frame."""
    maker = FilmMaker([Keyframe(0, style)], TransferSettings(size=side), load_parser(), coherence=coherence)
    results, state, began = [], None, time.perf_counter()
    for number, frame in enumerate(frames):
        done = maker.frame(frame, number, state if coherence else None)
        results.append(done.picture)
        state = done.state
    return results, (time.perf_counter() - began) / len(frames)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, required=True, help="folder for what is rendered")
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="pictures for the moving camera")
    parser.add_argument("--judges", action="store_true", help="also judge whose face it is")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--sheet", type=Path, help="every fourth frame of each film")
    args = parser.parse_args()
    torch.set_num_threads(2)
    args.clips.mkdir(parents=True, exist_ok=True)
    clips = {f"turning-{i}": rendered(i, args.clips) for i in range(len(TURNS))}
    for i, path in enumerate(args.photos):
        clips[f"camera-{i}"] = moved_over(open_picture(path), 1.5 if i % 2 else 1.0, 53 * (-1) ** i)
    rows, sheet = {}, []
    for name in STYLES:
        path = EXAMPLES / f"{name}.png"
        style = Face.of(open_picture(path), read_map(map_path(path)))
        for clip, (frames, flows) in clips.items():
            single, seconds_single = made(frames, style, SIDE, 0.0)
            coherent, seconds = made(frames, style, SIDE, COHERENCE)
            errors = [error(x, flows) for x in (frames, single, coherent)]
            rows[f"{clip} as {name}"] = {
                "error": errors[2],
                "to_single": errors[2] / errors[1],
                "to_source": errors[2] / errors[0],
                "crisp": crispness(coherent) / crispness(single),
                "seconds_a_frame": seconds,
                "seconds_a_frame_single": seconds_single,
            }
            if args.judges and clip.startswith("camera"):
                rows[f"{clip} as {name}"]["likeness"] = likeness(frames, coherent)
                rows[f"{clip} as {name}"]["likeness_single"] = likeness(frames, single)
            print(
                clip,
                name,
                {key: round(value, 5) for key, value in rows[f"{clip} as {name}"].items()},
                flush=True,
            )
            sheet += [np.hstack([np.asarray(x) for x in film[::4]]) for film in (frames, single, coherent)]
    large = [frame.resize((512, 512)) for frame in clips["turning-0"][0][:6]]
    style_file = EXAMPLES / "oil.png"
    _, seconds_512 = made(
        large, Face.of(open_picture(style_file), read_map(map_path(style_file))), 512, COHERENCE
    )
    keys = sorted({key for row in rows.values() for key in row})
    means = {key: float(np.mean([row[key] for row in rows.values() if key in row])) for key in keys}
    report = {"mean": means, "seconds_a_frame_512": seconds_512, "clips": rows}
    write(args.json, {**conditions(threads=2), "side": SIDE, "coherence": COHERENCE, **report})
    if args.sheet:
        Image.fromarray(np.vstack(sheet)).save(args.sheet)
    print(json.dumps({**means, "seconds_a_frame_512": seconds_512}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
