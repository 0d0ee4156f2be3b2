"""Imports go one way: base, core, segmentation, jobs, then the command line and the page. Heavy packages only
where they are asked for.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Each layer may import from itself and from those before it. A file directly in `facetransfer/` belongs to no
# layer: it only
# looks names up on first use, or starts the command line.
LAYERS = (
    "facetransfer/base",
    "facetransfer/core",
    "segmentation",
    "facetransfer/jobs",
    ("facetransfer/cli", "facetransfer/ui"),
)
RANKS = {
    folder: rank
    for rank, layer in enumerate(LAYERS)
    for folder in ([layer] if isinstance(layer, str) else layer)
}


def layer_of(path: str) -> str | None:
    """The layer that a file or a module's path lies in."""
    return next((folder for folder in RANKS if path == folder or path.startswith(f"{folder}/")), None)


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@functools.cache
def imported_modules(path: Path) -> set[str]:
    """The full names of all modules that a file imports, also inside functions, with "/" in place of dots."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively: name the whole module"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return {name.replace(".", "/") for name in found}


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    """The first names of all modules that a file imports."""
    tree = tree_of(path)
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def files(folder: str) -> list[str]:
    return [str(p.relative_to(ROOT)) for p in sorted((ROOT / folder).rglob("*.py"))]


LAYERED = [path for path in files("facetransfer") + files("segmentation") if layer_of(path)]


def test_every_file_has_a_layer() -> None:
    without = set(files("facetransfer") + files("segmentation")) - set(LAYERED)
    assert without == {"facetransfer/__init__.py", "facetransfer/__main__.py"}


@pytest.mark.parametrize("path", LAYERED)
def test_a_layer_imports_only_from_those_below_it(path: str) -> None:
    own = layer_of(path)
    for module in imported_modules(ROOT / path):
        other = layer_of(module)
        assert other is None or other == own or RANKS[other] < RANKS[own], f"{path} imports {module}"


@pytest.mark.parametrize("path", LAYERED)
def test_only_the_page_knows_gradio_and_only_command_lines_know_argparse(path: str) -> None:
    found = imported(ROOT / path)
    assert "gradio" not in found or layer_of(path) == "facetransfer/ui"
    assert (
        "argparse" not in found or layer_of(path) == "facetransfer/cli" or path == "segmentation/__main__.py"
    )
    assert not found & {"training", "benchmarks", "tests"}


@pytest.mark.parametrize("path", files("facetransfer") + files("segmentation") + ["app.py"])
def test_heavy_packages_wait_until_they_are_asked_for(path: str) -> None:
    assert not imported(ROOT / path, top_level_only=True) & {"torchvision", "facexlib", "skimage", "tqdm"}


def test_the_drawing_of_the_architecture_is_true() -> None:
    """Each arrow of docs/ARCHITECTURE.md is an import that some file of the layer has, and no such import
    lacks its arrow.
    """
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", (ROOT / "docs" / "ARCHITECTURE.md").read_text(), re.M))
    found = set()
    for path in LAYERED:
        own = layer_of(path)
        for module in imported_modules(ROOT / path):
            other = layer_of(module)
            if other and other != own:
                found.add((Path(own).name, Path(other).name))
    assert drawn == found


def test_the_exported_names_exist() -> None:
    import facetransfer

    assert all(getattr(facetransfer, name) is not None for name in facetransfer.__all__)


def test_a_transfer_opens_no_connection() -> None:
    """The main job in a process where a connection is an error."""
    code = """
import socket, sys
def denied(*a, **k): raise AssertionError("a connection was opened")
socket.socket.connect = socket.getaddrinfo = denied
import torch
from facetransfer import TransferSettings, transfer
from segmentation.parsers import load_parser
from PIL import Image
load_parser("compact")(Image.new("RGB", (64, 64)))
transfer(torch.rand(1, 3, 48, 48), torch.rand(1, 3, 48, 48), None, TransferSettings(iterations=1, phases=1))
sys.exit(any(m in sys.modules for m in ("torchvision", "facexlib", "gradio")))
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_space_card_is_valid_and_agrees_with_the_requirements() -> None:
    """The README's front matter as huggingface_hub reads it; its Gradio is one that
    requirements.txt allows.
    """
    from importlib.metadata import version

    from huggingface_hub import SpaceCard
    from packaging.requirements import Requirement

    card = SpaceCard.load(ROOT / "README.md").data
    assert card.sdk == "gradio" and (ROOT / card.app_file).exists() and len(card.short_description) <= 60
    tested = re.search(r"^gradio==([\d.]+)\.\*$", (ROOT / "requirements.txt").read_text(), re.M)
    assert tested and card.sdk_version.startswith(f"{tested[1]}.")
    assert version("gradio").startswith(f"{tested[1]}.")
    assert card["python_version"] in ("3.10", "3.12")  # what ZeroGPU has
    torch = next(
        r for r in map(Requirement, (ROOT / "requirements.txt").read_text().split()) if r.name == "torch"
    )
    assert all(
        torch.specifier.contains(v) for v in ("2.8.0", "2.9.1", "2.10.0", "2.11.0", "2.12.1", "2.13.0")
    )  # all that ZeroGPU has
    assert set((ROOT / "packages.txt").read_text().split()) == {"libgl1", "libglib2.0-0"}
