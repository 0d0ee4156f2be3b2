"""How good the pictures are: pairs of pictures by every method and with every part of the guidance switched
off or on.

    python -m benchmarks.quality --json FILE --sheet FILE [--photos DIR] [--paintings DIR] [--reference DIR]
    [--size 256]

Without folders the pairs are scikit-image's astronaut with the characters that ship, and these among each
other. Numbers are those of `facetransfer.jobs.metrics`; noise is the result's finest detail against the
style's, as far as it is above 1.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from benchmarks.machine import conditions, write
from facetransfer.base.images import open_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.core.engine import transfer_steps
from facetransfer.jobs.job import Face, prepare, result_picture
from segmentation.map_files import map_path, read_map, read_map_pair
from segmentation.parsers import load_parser

PUBLISHED = dict(
    method="semantic",
    tones=0.0,
    position_weight=0.0,
    colour_weight=0.0,
    align="off",
    variety=0.0,
    match_every=1,
    style_layers="3_1,4_1",
    content_layers="4_2",
)
SEMANTIC_VARIANTS: dict[str, dict] = {
    "semantic": {},
    "semantic, no tones": dict(tones=0.0),
    "semantic, no position": dict(position_weight=0.0),
    "semantic, no alignment": dict(align="off"),
    "semantic, no coherence": dict(coherence=0.0),
    "semantic, no colour term": dict(colour_weight=0.0),
    "semantic, content from 4_2": dict(content_layers="4_2"),
    "semantic, turned": dict(turns="turned"),
    "semantic, no variety": dict(variety=0.0),
}
VARIANTS: dict[str, dict] = {
    "ours": {},
    "published semantic": PUBLISHED,
    "published mrf": dict(PUBLISHED, method="mrf"),
    "gatys": dict(method="gatys", content_layers="4_2"),
    **{name: dict(changed, method="semantic") for name, changed in SEMANTIC_VARIANTS.items()},
}
EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"
SHOWN = 160  # pixels of a picture in the contact sheet


def face_at(path: Path) -> Face:
    """A picture with the map beside it, or the parser's."""
    picture = open_picture(path)
    semantic = read_map(map_path(path)) if map_path(path).exists() else None
    return Face.of(picture, semantic, load_parser())


def pairs(
    photos: Path | None, paintings: Path | None, reference: Path | None
) -> dict[str, tuple[Face, Face]]:
    """Named pairs of content and style."""
    from skimage.data import astronaut

    someone = Face.of(Image.fromarray(astronaut()[0:320, 70:390]), None, load_parser())
    characters = {p.stem: face_at(p) for p in sorted(EXAMPLES.glob("*.png")) if not p.stem.endswith("_sem")}
    found = {f"astronaut x {name}": (someone, face) for name, face in characters.items()}
    found["goblin x bust"] = characters["goblin"], characters["bust"]
    if photos:
        files = sorted(photos.glob("*.*g"))
        people = [face_at(files[i]) for i in np.linspace(0, len(files) - 1, 6).astype(int)]
        for i, style in enumerate(characters.values()):
            found[f"portrait {i + 1} x character {i + 1}"] = people[i], style
        found["portrait 4 x portrait 5"] = people[3], people[4]
        if paintings:
            works = {p.stem: face_at(p) for p in sorted(paintings.glob("*.jpg"))}
            for i, (name, style) in enumerate(
                (n, f) for n, f in works.items() if f.frame and f.frame.size > 0.1 * max(f.picture.size)
            ):
                found[f"portrait {i % 6 + 1} x {name}"] = people[i % 6], style
    if reference:
        *maps, _ = read_map_pair(reference / "Freddie_sem.png", reference / "Mia_sem.png")
        pictures = [open_picture(reference / f"{n}.jpg") for n in ("Freddie", "Mia")]
        found["Freddie x Mia, maps by hand"] = tuple(
            Face.of(p, m, load_parser()) for p, m in zip(pictures, maps)
        )
        found["Freddie x Mia, automatic maps"] = tuple(Face.of(p, None, load_parser()) for p in pictures)
    return found


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--json", type=Path, required=True)
    options.add_argument("--sheet", type=Path, required=True, help="contact sheet, a .jpg or .png file")
    for name in ("photos", "paintings", "reference"):
        options.add_argument(f"--{name}", type=Path)
    options.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--iterations", type=int, default=TransferSettings().iterations)
    options.add_argument("--pairs", nargs="*", help="only the pairs of these names")
    options.add_argument("--threads", type=int, default=2)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    settings = replace(TransferSettings(), size=args.size, iterations=args.iterations)
    rows, sheet = {}, []
    for _ in transfer_steps(*torch.rand(2, 1, 3, 64, 64), None, TransferSettings(iterations=4)):
        pass  # the loops are compiled
    for name, (content, style) in pairs(args.photos, args.paintings, args.reference).items():
        if args.pairs and name not in args.pairs:
            continue
        rows[name], shown = {}, [content.picture, style.picture]
        for variant in args.variants:
            job = prepare(content, style, replace(settings, **VARIANTS[variant]))
            began, step = time.perf_counter(), None
            for step in job.steps():
                pass
            seconds = time.perf_counter() - began
            picture = result_picture(step, job.size)
            # All are measured against the same thing: the style aligned, and the plain guides of our own
            # method.
            report = prepare(content, style, settings).report(picture, step, load_parser())
            rows[name][variant] = {
                k: report[k] for k in ("leak", "layout_iou", "style_distance", "sharpness")
            } | {"noise": max(0.0, report["sharpness"] - 1), "seconds": seconds}
            shown.append(picture)
        sheet.append(shown)
        print(
            name,
            "  ".join(
                f"{v} {r['style_distance']:.2f}/{r['layout_iou'] or 0:.2f}" for v, r in rows[name].items()
            ),
            flush=True,
        )
    keys = ("leak", "layout_iou", "style_distance", "sharpness", "noise", "seconds")
    means = {
        v: {
            key: float(np.mean([r[v][key] for r in rows.values() if r[v][key] is not None] or [np.nan]))
            for key in keys
        }
        for v in args.variants
    }
    write(
        args.json,
        {**conditions(args.threads), "size": args.size, "pairs": len(rows), "means": means, "rows": rows},
    )
    save_sheet(args.sheet, sheet, ["content", "style", *args.variants])
    for variant, mean in means.items():
        print(f"{variant:20s}", "  ".join(f"{k} {x:.3f}" for k, x in mean.items()))


def save_sheet(path: Path, rows: list[list[Image.Image]], titles: list[str]) -> None:
    """All pictures in a table, a row for each pair."""
    whole = Image.new("RGB", (SHOWN * len(titles), 20 + SHOWN * len(rows)), "white")
    draw = ImageDraw.Draw(whole)
    for i, title in enumerate(titles):
        draw.text((SHOWN * i + 4, 4), title, fill="black")
    for j, row in enumerate(rows):
        for i, picture in enumerate(row):
            small = picture.copy()
            small.thumbnail((SHOWN - 2, SHOWN - 2))
            whole.paste(small, (SHOWN * i, 20 + SHOWN * j))
    whole.save(path)


if __name__ == "__main__":
    main()
