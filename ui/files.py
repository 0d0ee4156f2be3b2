"""Files that the page gives out: all in gradio's cache folder, each run's in a folder of its own, gone after a while."""
from __future__ import annotations

import json
import shutil
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from PIL import Image

from facetransfer.images import save_picture
from facetransfer.job import Job
from segmentation.semantic_map import SemanticMap

KEPT = 3600  # seconds that uploads and results are kept
RESULT_PREFIX = "face-transfer-"


def result_folder() -> Path:
    """A new folder of ours in gradio's cache. Ours that are past their time are removed on the way."""
    cache = Path(get_upload_folder())
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob(f"{RESULT_PREFIX}*"):
        if time.time() - old.stat().st_mtime > KEPT:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=cache, prefix=RESULT_PREFIX))


def add_map(archive: zipfile.ZipFile, folder: Path, name: str, semantic: SemanticMap) -> None:
    """Two maps of the same name: the second gets a folder of its own."""
    path = folder / Path(name).name
    semantic.save(path)
    archive.write(path, name if name not in archive.namelist() else f"style/{name}")
    path.unlink()


def pack(folder: Path, picture: Image.Image, job: Job, maps: list[SemanticMap], report: dict[str, Any], film: Path | None) -> str:
    """The result, its recipe, its numbers, the maps and the animation in one zip; the path of the zip."""
    result = folder / "face-transfer.png"
    save_picture(picture, result, pnginfo=job.recipe.in_png())
    with zipfile.ZipFile(folder / "face-transfer.zip", "w") as archive:
        archive.write(result, result.name)
        archive.writestr("recipe.json", job.recipe.to_json())
        archive.writestr("command.txt", job.recipe.command("content.png", "style.png", "face-transfer.png") + "\n")
        archive.writestr("report.json", json.dumps(report, indent=1))
        for name, semantic in zip(("content_sem.png", "style_sem.png"), maps):
            add_map(archive, folder, name, semantic)
        if film:
            archive.write(film, "run.webp")
    return str(folder / "face-transfer.zip")
