"""A batch as one HTML page: each result beside the pictures that it was made from, in a table that can be
sorted by its measurements.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from facetransfer.base.errors import InputError
from facetransfer.base.images import as_json, fit, open_picture, write_text
from facetransfer.jobs.batch import FAILED, RunLog, asked
from facetransfer.jobs.pairs import Pair

SIDE = 192  # pixels on the longest side of a small picture
NUMBERS = ("leak", "layout_iou", "style_distance", "sharpness")  # of a report, in the table
PAGE = Template((Path(__file__).parent / "contact_sheet.html").read_text("utf-8"))


def batch_report(pairs: Sequence[Pair], log: RunLog) -> dict[str, Any]:
    """What became of each pair according to its last line in the log, as values for JSON."""
    lines = {str(line.get("output")): line for line in log.lines()}
    told = []
    for pair in pairs:
        line = lines.get(str(pair.output), {})
        if line.get("asked") != asked(pair) and not pair.output.exists():
            line = {}
        names = {"content": str(pair.content), "style": str(pair.style), "output": str(pair.output)}
        told.append({"state": "not made yet", **line, **names})
    counts = {state: sum(line["state"] == state for line in told) for state in {t["state"] for t in told}}
    return {"counts": counts, "pairs": told}


def write_contact_sheet(path: Path, pairs: Sequence[Pair], log: RunLog) -> None:
    """Writes the page as a single HTML file that loads no other files."""
    numbers_of: dict[
        str, int
    ] = {}  # The page holds each picture only once, under its name without the folder.
    small: list[str] = []
    rows = []
    for line in batch_report(pairs, log)["pairs"]:
        pictures = [line["content"], line["style"], line["output"]]
        for name in pictures:
            if name not in numbers_of:
                numbers_of[name] = len(small)
                small.append(_small_picture(Path(name)))
        numbers = line.get("report") or {}
        rows.append(
            {
                "pictures": [numbers_of[name] for name in pictures],
                "names": [Path(name).name for name in pictures],
                "numbers": [numbers.get(name) for name in NUMBERS],
                "seconds": line.get("seconds"),
                "words": line.get("error") if line["state"] == FAILED else line["state"],
            }
        )
    data = as_json({"rows": rows, "small": small, "numbers": list(NUMBERS)}, indent=None)
    settings = sorted({f"{pair.preset or 'own settings'}, {pair.settings.size} px" for pair in pairs})
    # "</" would end the script in which the data stand.
    write_text(path, PAGE.substitute(data=data.replace("</", "<\\/"), settings=_escaped("; ".join(settings))))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _small_picture(path: Path) -> str:
    """A thumbnail of a picture as a data URL; empty where the picture cannot be read."""
    try:
        picture = open_picture(path)
    except InputError:
        return ""
    file = io.BytesIO()
    fit(picture, min(SIDE, max(picture.size))).save(file, "WEBP", quality=80)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
