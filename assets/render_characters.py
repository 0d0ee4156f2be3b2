"""Renders the style faces that come with the app, each with its exact semantic map, from nothing but maths.

    python -m assets.render_characters [--only NAME] [--size 512] [--out DIR]

Writes NAME.png (RGB) and NAME_sem.png (palette picture, pixel value = class index) and CREDITS.md. The same
seeds give the same pictures.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from segmentation.classes import NAMES, PALETTE

CHARACTERS = ("goblin", "bust", "oil")
FOLDER = Path(__file__).resolve().parent / "examples"
CREDITS = """# Where these pictures come from

`goblin`, `bust` and `oil` (each with its map `*_sem.png`) are made by `python -m assets.render_characters`:
modelled with signed distances, textured with procedural noise, lit and painted by that script. No photograph
and no other picture went into them. They are the project's own work and under the project's licence.
"""


def smallest_png(rgb: np.ndarray) -> bytes:
    """Lossless PNG bytes of (H, W, 3) uint8: the smallest of what two encoders make of it."""
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "PNG", optimize=True)
    tries = [stream.getvalue()]
    for strategy in (cv2.IMWRITE_PNG_STRATEGY_DEFAULT, cv2.IMWRITE_PNG_STRATEGY_FILTERED):
        options = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_STRATEGY, strategy]
        ok, data = cv2.imencode(".png", rgb[..., ::-1], options)
        if ok:
            tries.append(data.tobytes())
    return min(tries, key=len)


def map_png(label: np.ndarray) -> bytes:
    """PNG bytes of a class map (H, W) uint8, mode P with the project's palette padded to 256 colours."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(PALETTE)] = PALETTE
    image = Image.fromarray(label, "L")
    image.putpalette(palette.flatten().tolist())  # turns mode L into mode P, values unchanged
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def write_whole(path: Path, data: bytes) -> None:
    """Write through a temporary file, so that nobody ever reads half a picture."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def render_one(name: str, size: int, folder: Path) -> None:
    """Render one character, write its two pictures and say what is in them."""
    begin = time.perf_counter()
    print(f"{name}: rendering at {size} px ...", flush=True)
    rgb, label = importlib.import_module(f"assets.characters.{name}").render(size)
    picture, class_map = smallest_png(rgb), map_png(label)
    write_whole(folder / f"{name}.png", picture)
    write_whole(folder / f"{name}_sem.png", class_map)
    found = ", ".join(f"{NAMES[i]} {np.mean(label == i):.2%}" for i in np.unique(label))
    seconds, kilobytes = time.perf_counter() - begin, (len(picture) / 1024, len(class_map) / 1024)
    print(f"{name}: {seconds:.0f} s, {kilobytes[0]:.0f} KB + {kilobytes[1]:.0f} KB; {found}", flush=True)


def main() -> None:
    """Read the command line and render."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=CHARACTERS, help="render this one alone")
    parser.add_argument("--size", type=int, default=512, help="width and height in pixels (default 512)")
    parser.add_argument(
        "--out", type=Path, default=FOLDER, help="folder to write to (default assets/examples)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # gentle on machines that do something else as well
    torch.set_grad_enabled(False)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in [arguments.only] if arguments.only else CHARACTERS:
        render_one(name, arguments.size, arguments.out)
    write_whole(arguments.out / "CREDITS.md", CREDITS.encode())


if __name__ == "__main__":
    main()
