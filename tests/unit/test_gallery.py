"""The styles of the gallery: each a small file with a map in which a face is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmentation.classes import FACE_CLASSES, INDEX

STYLES = Path(__file__).resolve().parents[2] / "assets" / "styles"
PICTURES = sorted(
    path for kind in ("png", "webp") for path in STYLES.glob(f"*.{kind}") if not path.stem.endswith("_sem")
)


def test_there_are_seven_styles_with_a_word_on_where_they_come_from() -> None:
    assert len(PICTURES) >= 7
    assert "MIT" in (STYLES / "CREDITS.md").read_text("utf-8")


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_style_is_small_and_its_map_shows_a_face(path: Path) -> None:
    assert path.stat().st_size < 200_000
    with Image.open(path) as picture, Image.open(path.with_name(f"{path.stem}_sem.png")) as drawn:
        assert picture.size == drawn.size == (512, 512)
        labels = np.asarray(drawn)
    assert np.isin(labels, FACE_CLASSES).mean() > 0.05
    for part in ("skin", "nose", "l_eye", "r_eye", "u_lip", "l_lip"):
        assert (labels == INDEX[part]).any(), part
