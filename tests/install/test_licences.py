"""docs/licences.md: nothing that the program depends on is missing, and the script reads licences rightly."""

from __future__ import annotations

import importlib.util
import re
import sys
from email.message import Message
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from facetransfer.base.weights import certificate

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "licences.md").read_text("utf-8")
ROWS = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ")]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    found = importlib.util.spec_from_file_location("make_licences", ROOT / "docs" / "make_licences.py")
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # where its dataclass looks itself up
    found.loader.exec_module(module)
    return module


def required() -> set[str]:
    """The dependencies of pyproject.toml and its extras, by another way than the script's."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    lists = re.findall(r"^(?:dependencies|app|published|film|cluster) = \[\n(.*?)^\]", text, re.M | re.S)
    assert len(lists) == 5
    lines = re.findall(r'"([^"]+)",', "\n".join(lists))
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_the_table_names_every_dependency_with_a_licence() -> None:
    named = {row[0].split()[0]: row for row in ROWS if len(row) == 4}
    del named["package"]
    assert set(named) == required()
    for name, (_, reason, licence, _) in named.items():
        assert reason.strip() and licence.strip() not in ("", "not stated"), name


def test_both_networks_stand_with_the_words_of_their_certificates() -> None:
    for name in ("parser", "texture"):
        said = certificate(name)
        (row,) = [row for row in ROWS if f"weights/{name}.md" in row[0]]
        assert [cell.strip() for cell in row[1:]] == [said["licence"], said["data"]]


def test_the_script_finds_what_pyproject_declares_and_what_that_needs(script: ModuleType) -> None:
    found = script.declared((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(found) == required() and all(found.values())
    assert {"uvicorn", "llvmlite", "scipy"} <= script.needed(set(found))
    now = script.page()
    assert script.networks() in now and all(f"\n| {name} " in now for name in required())


def test_a_licence_is_read_from_the_best_field(script: ModuleType) -> None:
    metadata = Message()
    assert script.licence_of(metadata) == "not stated"
    metadata["Classifier"] = "License :: OSI Approved :: BSD License"
    metadata["License"] = "Copyright of many\nlines"
    assert script.licence_of(metadata) == "BSD License"
    del metadata["License"]
    metadata["License"] = "MIT"
    assert script.licence_of(metadata) == "MIT"
    metadata["License-Expression"] = "Apache-2.0"
    assert script.licence_of(metadata) == "Apache-2.0"


@pytest.mark.parametrize(
    "text, names",
    [
        ("Name: x265\nLicense: GPLv2", ["GPL-2.0"]),
        ("GNU LESSER GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007", ["LGPL-3.0"]),
        ("GNU LESSER GENERAL PUBLIC LICENSE\n Version 2.1, February 1999", ["LGPL-2.1"]),
        ('software that is licensed under the\nGPLv2 ("Combined Software")', []),
        (
            "- The GNU General Public License version 2, found in\n   `docs/GPLv2.TXT`",
            [],
        ),
        ("Redistribution and use in source and binary forms", []),
    ],
)
def test_copyleft_in_licence_files_is_named(
    script: ModuleType, tmp_path: Path, text: str, names: list[str]
) -> None:
    from importlib.metadata import PathDistribution

    folder = tmp_path / "one-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: one\nVersion: 1\n")
    (folder / "LICENSE.txt").write_text(text)
    (folder / "RECORD").write_text("one-1.dist-info/LICENSE.txt,,\n")
    assert list(script.inside(PathDistribution(folder))) == names
