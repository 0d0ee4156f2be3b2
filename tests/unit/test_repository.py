"""Files that other programs read: how to cite, and the forms for reports. Their schemas are known by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from facetransfer import __version__
from facetransfer.base.settings import METHODS

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
# What each kind of element of a form must say, by GitHub's syntax for issue forms.
WANTED = {
    "markdown": {"value"},
    "textarea": {"label"},
    "input": {"label"},
    "dropdown": {"label", "options"},
    "checkboxes": {"label", "options"},
}


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text("utf-8"))


def test_the_citation_is_of_this_version_and_names_every_method() -> None:
    said = read(ROOT / "CITATION.cff")
    assert said["cff-version"] == "1.2.0" and said["message"] and said["title"]
    assert all("name" in one or "family-names" in one for one in said["authors"])
    assert str(said["version"]) == __version__
    licence = re.search(r'^license = "([^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert licence and said["license"] == licence[1]
    cited = " ".join(one["notes"] for one in said["references"])
    assert all(method in cited for method in METHODS)
    assert all(one["title"] and one["authors"] and one["year"] for one in said["references"])


@pytest.mark.parametrize(
    "path", [one for one in FORMS if one.name != "config.yml"], ids=lambda path: path.stem
)
def test_a_form_is_one_that_can_be_shown(path: Path) -> None:
    form = read(path)
    assert form["name"] and form["description"]
    for part in form["body"]:
        assert WANTED[part["type"]] <= set(part["attributes"]), part
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    names = [part["id"] for part in asked]
    labels = [part["attributes"]["label"] for part in asked]
    assert len(set(names)) == len(names) and len(set(labels)) == len(labels)
    assert any(part.get("validations", {}).get("required") for part in asked)


def test_there_is_a_form_for_each_kind_and_a_template_for_changes() -> None:
    assert {one.stem for one in FORMS} == {"bug", "idea", "config"}
    template = (ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md").read_text("utf-8")
    named = re.findall(r"`(?:python )?([\w./]+\.(?:py|md|toml))`", template)
    assert named and all((ROOT / name).exists() for name in named)
    commands = re.findall(r"`make (\w+)`", template)
    assert all(f"\n{name}:" in (ROOT / "Makefile").read_text("utf-8") for name in commands)
