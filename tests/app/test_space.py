"""The app as a Space: from a fresh copy of what is tracked, with the machine's port, a lent GPU, tools for
language models.
"""

from __future__ import annotations

import base64
import json
import pickle
import re
import shutil
import subprocess
import sys
import types
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.running import started
from facetransfer.base.errors import InputError
from facetransfer.base.images import open_picture
from facetransfer.base.settings import TransferSettings
from facetransfer.jobs.job import Face, Job, prepare
from facetransfer.ui import gpu, launch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def job(face, green_face) -> Job:
    return prepare(
        Face.of(*face),
        Face.of(*green_face),
        TransferSettings(size=64, phases=1, iterations=2, network="compact"),
    )


def test_a_lent_gpu_gets_the_work_in_one_piece(monkeypatch: pytest.MonkeyPatch, job: Job) -> None:
    """A `spaces` that sends everything to and fro as bytes, as the real one does: the same pictures arrive,
    with a duration asked for.
    """
    asked: list[float] = []

    def lend(duration: Callable[..., int]) -> Callable[..., Any]:
        def wrap(work: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
            def there(*args: Any, **kwargs: Any) -> Iterator[Any]:
                asked.append(duration(*args, **kwargs))
                args, kwargs = pickle.loads(pickle.dumps((args, kwargs)))
                for step in work(*args, **kwargs):
                    yield pickle.loads(pickle.dumps(step))

            return there

        return wrap

    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", types.SimpleNamespace(GPU=lend))
    there = list(gpu.on_lent_gpu(gpu._steps)(job))
    here = list(job.steps("cpu"))
    assert (
        len(there) == len(here)
        and torch.equal(there[-1].picture, here[-1].picture.cpu())
        and torch.equal(there[-1].sources, here[-1].sources.cpu())
    )
    assert asked == [gpu.SHORTEST] and gpu.parser_device() == "cpu"
    long = replace(job, settings=replace(job.settings, iterations=400))
    monkeypatch.setattr(gpu, "expected_seconds", lambda settings, size, device: float(settings.iterations))
    assert (
        gpu.duration(job) == gpu.SHORTEST
        and gpu.duration(long) == round(10 + 1.5 * 400 / gpu.FASTER) < gpu.LONGEST
    )
    assert gpu.duration(replace(job, settings=replace(job.settings, iterations=2000))) == gpu.LONGEST


def test_elsewhere_nothing_is_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.setitem(sys.modules, "spaces", None)  # an import of it would fail
    assert gpu.on_lent_gpu(gpu._steps) is gpu._steps


def test_weights_are_fetched_only_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from segmentation.parsers import published

    got: list[str] = []

    def downloaded(name: str) -> None:
        got.append(name)
        raise InputError("no connection")

    monkeypatch.setattr(published, "downloaded", downloaded)
    monkeypatch.setattr("facetransfer.core.features.load_network", lambda name, device: got.append(name))
    monkeypatch.delenv("FACE_TRANSFER_FETCH", raising=False)
    launch.fetch(launch.to_fetch())
    assert got == []
    monkeypatch.setenv("FACE_TRANSFER_FETCH", "bisenet, vgg19")
    launch.fetch(launch.to_fetch())
    assert got == ["bisenet", "vgg19"] and "no connection" in caplog.text
    monkeypatch.setenv("FACE_TRANSFER_FETCH", "vgg91")
    with pytest.raises(SystemExit, match="names vgg91, which is no published network: give some of vgg19,"):
        launch.launch()


def test_missing_tools_are_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_MCP_SERVER", "1")
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None if name == "mcp" else 1)
    with pytest.raises(SystemExit, match=r'the package mcp is missing: pip install "gradio\[mcp\]"'):
        launch.launch()
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r'needs gradio.*pip install "facetransfer\[app\]"'):
        launch.launch()


def test_what_a_space_installs_is_what_is_here() -> None:
    """Its install steps, imitated: each line of requirements.txt is met by what is installed; packages.txt
    holds names of packages alone.
    """
    from importlib.metadata import version

    from packaging.requirements import Requirement

    wanted = [
        Requirement(line) for line in (ROOT / "requirements.txt").read_text().split("\n") if line.strip()
    ]
    assert len(wanted) >= 8
    for one in wanted:
        assert one.specifier.contains(version(one.name)), f"{one} is not met by {version(one.name)}"
    assert all(
        re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", line) for line in (ROOT / "packages.txt").read_text().split()
    )


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The app as a Space starts it, from a copy of the tracked files; its address and the folder that
    everything is in.
    """
    folder = tmp_path_factory.mktemp("space")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).exists():
            (folder / "app" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / "app" / name)
    with started(
        folder,
        folder / "app",
        SPACE_ID="someone/face-transfer",
        GRADIO_MCP_SERVER="1",
        GRADIO_SSR_MODE="true",
    ) as (address, _):
        yield address, folder


def asked(address: str, method: str, **params: Any) -> dict[str, Any]:
    """What the MCP server answers."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(
        f"{address}/gradio_api/mcp/",
        body,
        {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
    return json.loads(next((line[5:] for line in text.splitlines() if line.startswith("data:")), text))[
        "result"
    ]


def test_a_space_serves_the_world_and_writes_into_its_cache_alone(
    space: tuple[str, Path], face, green_face, tmp_path: Path
) -> None:
    from gradio_client import Client, handle_file

    address, folder = space
    before = {str(p) for p in folder.rglob("*") if "cache" not in p.relative_to(folder).parts[:1]}
    assert "http://0.0.0.0:" in (folder / "log.txt").read_text()
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    client = Client(address, verbose=False, download_files=str(tmp_path / "got"))
    picture, report = client.predict(
        handle_file(str(tmp_path / "a.png")),
        handle_file(str(tmp_path / "b.png")),
        phases=1,
        iterations=2,
        size=64,
        api_name="/transfer",
    )
    assert open_picture(picture).size == (64, 64) and np.asarray(open_picture(picture)).std() > 5
    assert {
        str(p) for p in folder.rglob("*") if "cache" not in p.relative_to(folder).parts[:1]
    } - before == set()
    assert any((folder / "cache").rglob("*.png"))


def test_language_models_find_the_same_tools(space: tuple[str, Path], face, tmp_path: Path) -> None:
    """Listed with their parameters explained; one is called."""
    address = space[0]
    tools = {tool["name"]: tool for tool in asked(address, "tools/list")["tools"]}
    assert set(tools) == {"parse", "transfer", "compare", "batch"}
    assert tools["batch"]["inputSchema"]["properties"]["contents"]["type"] == "array"
    properties = tools["transfer"]["inputSchema"]["properties"]
    assert (
        "seed" in properties
        and "whose skin" in json.dumps(properties["style"])
        and "semantic map" in tools["parse"]["description"]
    )
    for tool in tools.values():  # what is told is what is taken
        told = json.dumps(tool)
        assert "http" not in told and "upload_file" not in told
        for name in {"picture", "content", "style"} & set(tool["inputSchema"]["properties"]):
            assert "data: URL" in tool["inputSchema"]["properties"][name]["description"]
            assert "data:image/png;base64" in tool["inputSchema"]["properties"][name]["format"]
        assert all(p.get("description") for p in tool["inputSchema"]["properties"].values()), tool
    for other in ("http://example.com/a.png", "/etc/passwd", "a.png"):
        refused = asked(
            address, "tools/call", name="parse", arguments={"picture": other, "parser": "compact"}
        )
        words = json.dumps(refused)
        assert refused["isError"] and "Pictures come as a data: URL" in words, words
    face[0].save(tmp_path / "a.png")
    data = "data:image/png;base64," + base64.b64encode((tmp_path / "a.png").read_bytes()).decode()
    answer = asked(address, "tools/call", name="parse", arguments={"picture": data, "parser": "compact"})
    text = " ".join(part["text"] for part in answer["content"] if part["type"] == "text")
    assert not answer["isError"] and "'Skin': 0." in text
    with urllib.request.urlopen(re.search(rf"{address}/gradio_api/file=[^']+", text)[0]) as picture:
        assert Image.open(picture).size == (128, 128)
