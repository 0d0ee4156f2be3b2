"""The wheel, installed into an environment of its own and used from another folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from pathlib import Path

import pytest

from facetransfer import __version__, open_picture
from tests.support.drawn_face import draw_face

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*build, "--wheel-dir", folder, ROOT], check=True, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment with the wheel, whose dependencies are those of this
    environment.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    here = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", vars=here))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "bin" / "python",
        "install",
        "--no-deps",
        "--quiet",
    ]
    subprocess.run([*install, wheel], check=True)
    return folder / "bin"


def test_it_brings_two_import_names_with_both_networks_and_the_examples(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "facetransfer",
        "segmentation",
    }
    for file in (
        "weights/texture.safetensors",
        "weights/parser.safetensors",
        "examples/goblin.png",
        "title.webp",
    ):
        assert f"facetransfer/assets/{file}" in names
    assert {"editor.js", "page.css"} <= {Path(name).name for name in names}


@pytest.mark.skipif(os.name != "posix", reason="the folder of commands has another name there")
def test_its_commands_work_from_another_folder(commands: Path, tmp_path: Path) -> None:
    for name, seed in (("content", 0), ("style", 1)):
        draw_face((160, 160), seed, (-110 * seed, 20 * seed, -60 * seed))[0].save(tmp_path / f"{name}.png")

    def run(*words: str) -> str:
        done = subprocess.run([commands / words[0], *words[1:]], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("facetransfer", *"--content content.png --style style.png --output result.png --size 96".split())
    assert open_picture(tmp_path / "result.png").size == (96, 96)
    run("facetransfer-maps", "content.png")
    assert open_picture(tmp_path / "content_sem.png").size == (160, 160)
    began = time.monotonic()
    assert run("facetransfer", "--version").strip() == __version__
    assert time.monotonic() - began < 2


def test_requirements_are_those_of_the_package() -> None:
    """requirements.txt, for a clone and for a Space, has what the package and its extras ask for, but not
    what only a cluster needs.
    """
    text = re.sub(r"^cluster = \[\n.*?^\]", "", (ROOT / "pyproject.toml").read_text(), flags=re.M | re.S)
    declared = re.findall(r'^    "([^"]+)",', text, re.M)
    wanted = {line for line in (ROOT / "requirements.txt").read_text().split("\n") if line}
    assert wanted == {one for one in declared if re.match(r"[a-z-]+[=<>]", one)}
