"""What SECURITY.md and PRIVACY.md promise names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def functions(path: Path) -> set[str]:
    return {
        node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("name", ["SECURITY.md", "PRIVACY.md"])
def test_the_tests_that_a_promise_names_are_there(name: str) -> None:
    named = TEST.findall((ROOT / name).read_text("utf-8"))
    assert len(named) >= 10
    missing = [f"{file}::{test}" for file, test in named if test not in functions(ROOT / file)]
    assert not missing, missing


def test_every_promise_names_a_test() -> None:
    rows = [row for row in (ROOT / "SECURITY.md").read_text("utf-8").splitlines() if row.startswith("| ")]
    promises = (ROOT / "PRIVACY.md").read_text("utf-8").split("\n- ")[1:]
    assert len(rows) > 15 and len(promises) >= 7
    for promise in [*rows[1:], *promises]:
        assert TEST.search(promise), promise
