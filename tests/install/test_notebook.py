"""The notebook: its cells run in order, as a kernel would run them, and show what they promise."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segmentation.classes import INDEX

FILE = Path(__file__).resolve().parents[2] / "notebooks" / "facetransfer.ipynb"
NOTEBOOK = json.loads(FILE.read_text("utf-8"))
SMALL = 96  # pixels: the cells at their own size take ten times as long


def code_cells() -> list[str]:
    return ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def run(source: str, names: dict[str, Any]) -> Any:
    """Runs a cell; the value of its last line where that is an expression, which a kernel would show."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, FILE.name, "exec"), names)
    return last and eval(compile(ast.Expression(last.value), FILE.name, "eval"), names)


def test_no_results_are_stored() -> None:
    for cell in NOTEBOOK["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    assert FILE.stat().st_size < 20_000


def test_its_cells_run_in_order_and_show_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, *others = code_cells()
    line = next(line for line in first.splitlines() if line.startswith("SIZE = "))
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [run(cell, names) for cell in (first.replace(line, f"SIZE = {SMALL}"), *others)]
    pictures = [one for one in shown if isinstance(one, Image.Image)]
    assert len(pictures) == 5 and all(picture.height == SMALL for picture in pictures)
    assert all(np.asarray(picture).std() > 20 for picture in pictures)

    results = names["results"]
    likenesses = sorted(results)
    assert len(likenesses) == 3
    content = np.asarray(names["bust"].convert("L").resize((SMALL, SMALL)), np.float32)
    alike = [
        np.corrcoef(content.ravel(), np.asarray(results[one].convert("L")).ravel())[0, 1]
        for one in likenesses
    ]
    assert alike[0] < alike[-1], "more likeness brings the result no nearer to the content"

    painted = names["labels"] != names["content"].semantic.labels
    assert (names["labels"][painted] == INDEX["hair"]).all() and 0.02 < painted.mean() < 0.4
    whole = np.asarray(pictures[-1], np.float32)
    before, after = whole[:, SMALL : 2 * SMALL], whole[:, 2 * SMALL :]
    assert np.abs(before - after).mean() > 1, "the painted map changes nothing"
    assert not list(tmp_path.iterdir())
