"""What SECURITY.md and PRIVACY.md promise names tests that are there, and what docs/reliability.md tells was
measured.
"""

from __future__ import annotations

import ast
import json
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


def results(name: str) -> dict:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())


def test_reliability_tells_the_figures_that_were_measured() -> None:
    """Each row of its tables of cases against benchmarks/results/reliability.json."""
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    measured = {name: figure["number"] for name, figure in results("reliability")["figures"].items()}
    told = {name: int(number) for name, number in re.findall(r"^\| ([^|]+) \| (\d+) \|$", text, re.MULTILINE)}
    assert told == {name: number for name, number in measured.items() if name in told} and len(told) > 20
    assert set(told) == set(measured), set(told) ^ set(measured)


def test_reliability_tells_what_the_attacks_measured() -> None:
    """Each row of its table of attacks against benchmarks/results/attack.json."""
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    for name, attack in results("attack")["attacks"].items():
        longest = attack["seconds_until_maps"]["longest"]
        row = [
            name.replace("_", " "),
            str(attack["peak_mb"]),
            "none" if longest is None else f"{longest:.1f}",
            str(attack["visitors_without_maps"]),
            str(attack["log_lines"]),
            "held" if attack["holds"] else "open",
        ]
        assert f"| {' | '.join(row)} |" in text, row
