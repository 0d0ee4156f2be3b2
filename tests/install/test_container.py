"""The image and the services, as far as a machine without Docker can try them: the files that the Dockerfile
copies are put together in a folder, and its command and its health check run there with its environment.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from benchmarks.running import free_port, started
from facetransfer.ui.middleware import MAX_BODY, MAX_UPLOAD
from tests.support.running import App

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {"torchvision", "facexlib"}  # of the published networks
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the image's commands are a Unix shell's")

Instruction = tuple[str, str]


def instructions(text: str) -> list[Instruction]:
    """Name and words of each instruction of a Dockerfile, lines that go on put together."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
    return [
        (name.upper(), words.strip()) for name, _, words in (line.partition(" ") for line in whole if line)
    ]


DOCKERFILE = instructions((ROOT / "Dockerfile").read_text("utf-8"))
LAST_STAGE = DOCKERFILE[max(i for i, (name, _) in enumerate(DOCKERFILE) if name == "FROM") :]
PACKAGES = DOCKERFILE[: -len(LAST_STAGE)]
NGINX = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))


def all_of(stage: list[Instruction], name: str) -> list[str]:
    return [words for found, words in stage if found == name]


def environment(stage: list[Instruction]) -> dict[str, str]:
    pairs = (word.partition("=") for words in all_of(stage, "ENV") for word in shlex.split(words))
    return {name: value for name, _, value in pairs}


ENVIRONMENT = environment(LAST_STAGE)
HEALTH_CHECK = all_of(LAST_STAGE, "HEALTHCHECK")[-1].partition("CMD ")[2]


def copied(stage: list[Instruction]) -> Iterator[tuple[str, str]]:
    """What is copied from this folder, and where to."""
    for words in all_of(stage, "COPY"):
        *sources, target = [word for word in shlex.split(words) if not word.startswith("--")]
        if "--from=" not in words:
            yield from ((source, target) for source in sources)


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file out: the last line that names it or a folder of it decides."""
    parts = path.split("/")
    steps = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    ignored = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.strip().lstrip("!")
        if not pattern or pattern.startswith("#"):
            continue
        # A star is a part of a name: fnmatch's goes over slashes, so the number of parts has to agree.
        if pattern.startswith("**/"):
            found = any(fnmatch(part, pattern[3:]) for part in parts)
        else:
            found = any(fnmatch(step, pattern) and step.count("/") == pattern.count("/") for step in steps)
        if found:
            ignored = not line.strip().startswith("!")
    return ignored


def tracked() -> list[str]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in names.stdout.split("\0") if name and (ROOT / name).exists()]


def test_the_copied_files_exist_and_the_others_stay_out() -> None:
    sent = [name for name in tracked() if not is_ignored(name)]
    for source, _ in [*copied(PACKAGES), *copied(LAST_STAGE)]:
        assert (ROOT / source).exists(), f"COPY {source}: there is no such file"
        assert any(name == source or name.startswith(f"{source}/") for name in sent), f"{source} is ignored"
    tops = {source.split("/")[0] for source, _ in [*copied(PACKAGES), *copied(LAST_STAGE)]}
    assert {name.split("/")[0] for name in sent} == tops
    assert is_ignored("facetransfer/core/__pycache__/engine.cpython-312.pyc") and is_ignored(".git/config")


def test_its_python_is_one_that_the_package_allows() -> None:
    allowed = re.search(r'^requires-python = "([^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    for image in all_of(DOCKERFILE, "FROM"):
        version = re.match(r"python:([\d.]+)-slim", image)
        assert allowed and version and SpecifierSet(allowed[1]).contains(version[1]), image


def test_its_packages_are_the_requirements_without_the_published_networks(tmp_path: Path) -> None:
    """The commands that choose packages run; pip does not."""
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    torch, rest = all_of(PACKAGES, "RUN")[1:]
    (chosen,) = re.findall(r'"\$\((grep [^)]+)\)"', torch)
    asked = subprocess.run(
        ["sh", "-c", chosen], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert Requirement(asked.strip()).name == "torch" and "download.pytorch.org/whl/cpu " in torch
    subprocess.run(["sh", "-c", rest.partition("&&")[0]], cwd=tmp_path, check=True)
    assert "--requirement image.txt" in rest
    given = [Requirement(line) for line in (tmp_path / "image.txt").read_text().split("\n") if line]
    wanted = [Requirement(line) for line in (ROOT / "requirements.txt").read_text().split("\n") if line]
    names = {one.name: one.specifier for one in given}
    assert names == {
        one.name.replace("opencv-python", "opencv-python-headless"): one.specifier
        for one in wanted
        if one.name not in LEFT_OUT
    }
    assert not needed_by(set(names) - {"opencv-python-headless"}) & {*LEFT_OUT, "opencv-python"}


def needed_by(names: set[str]) -> set[str]:
    """What the packages need, and what that needs, as the packages that are installed here say."""
    found, new = set(), {canonicalize_name(name) for name in names}
    while new:
        found |= new
        new = {one for name in new for one in direct(name)} - found
    return found


def direct(name: str) -> set[str]:
    try:
        wanted = [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:
        return set()
    return {
        canonicalize_name(one.name) for one in wanted if not one.marker or one.marker.evaluate({"extra": ""})
    }


def test_it_does_not_run_as_root_and_owns_its_one_folder_alone() -> None:
    (user,) = all_of(LAST_STAGE, "USER")
    (made,) = [words for words in all_of(LAST_STAGE, "RUN") if "useradd" in words]
    number = re.search(r"useradd .*--uid (\d+)", made)
    assert number and int(user) == int(number[1]) >= 1000
    folder = ENVIRONMENT["NUMBA_CACHE_DIR"]
    assert f"--owner=app --group=app {folder}" in made and all_of(LAST_STAGE, "VOLUME") == [folder]
    names = [name for name, _ in LAST_STAGE]
    assert names.index("USER") < names.index("CMD") and "ADD" not in names
    copies = [i for i, name in enumerate(names) if name == "COPY"]
    assert max(copies) < names.index("USER")  # what is copied stays root's


HIDE = "import sys\nfor name in {names}:\n    sys.modules[name] = None\n"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the last stage copies, of the files that are not ignored, where it copies it."""
    folder = tmp_path_factory.mktemp("image")
    (place,) = all_of(LAST_STAGE, "WORKDIR")
    names = [name for name in tracked() if not is_ignored(name)]
    for source, target in copied(LAST_STAGE):
        for name in names:
            if name == source or name.startswith(f"{source}/"):
                # A folder's files, or one file that may go into a folder, as COPY has it.
                rest = name[len(source) :].lstrip("/") or (source if target.endswith("/") else "")
                whole = folder / place.strip("/") / target / rest
                whole.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, whole)
    return folder


@pytest.fixture(scope="module")
def container(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app of the image with the environment of the image and of compose.yaml. Its folders lie in one of
    the test's, there is no home, and the packages that the image lacks cannot be imported.
    """
    folder = tmp_path_factory.mktemp("container")
    (folder / "hidden").mkdir()
    (folder / "hidden" / "sitecustomize.py").write_text(HIDE.format(names=sorted(LEFT_OUT)))
    given = {**ENVIRONMENT, **COMPOSE["services"]["app"]["environment"]}
    places = {name: folder / given[name].strip("/") for name in ("GRADIO_TEMP_DIR", "NUMBA_CACHE_DIR")}
    places["NUMBA_CACHE_DIR"].mkdir(parents=True)
    given |= {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "nowhere" / "home"),
        "PYTHONPATH": str(folder / "hidden"),
        **{name: str(place) for name, place in places.items()},
    }
    del given["GRADIO_SERVER_PORT"]  # a free one here
    assert json.loads(all_of(LAST_STAGE, "CMD")[0]) == ["python", "app.py"]  # what `started` runs
    with started(folder, image / "app", **given) as (address, process):
        yield App(address, folder, process)


def health(port: str) -> subprocess.CompletedProcess:
    """The health check, run by a shell as Docker runs it, beside a proxy that it must not ask."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {"PATH": path, "GRADIO_SERVER_PORT": port, "http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(["sh", "-c", HEALTH_CHECK], env=given, capture_output=True, text=True, timeout=60)


def test_the_health_check_tells_a_server_from_none(container: App) -> None:
    up, down = health(container.address.rsplit(":", 1)[1]), health(str(free_port()))
    assert up.returncode == 0, up.stderr
    assert down.returncode == 1 and "Connection refused" in down.stderr


def test_the_app_works_from_the_copied_files_and_writes_into_its_two_folders_alone(
    container: App, image: Path, face: Any, green_face: Any, tmp_path: Path
) -> None:
    """Also the examples, and a choice of what the image does not have, which is refused in words."""
    from gradio_client import Client, handle_file

    before = sorted(image.rglob("*"))
    for name, (picture, _) in (("a", face), ("b", green_face)):
        picture.save(tmp_path / f"{name}.png")
    pair = handle_file(str(tmp_path / "a.png")), handle_file(str(tmp_path / "b.png"))
    visitor = {"X-Forwarded-Host": container.address.removeprefix("http://")}
    client = Client(container.address, verbose=False, headers=visitor, download_files=str(tmp_path / "got"))
    picture, _ = client.predict(*pair, phases=1, iterations=2, size=64, api_name="/transfer")
    assert Path(picture).stat().st_size > 1000
    with pytest.raises(Exception, match="needs the package facexlib.*choose the parser compact"):
        client.predict(pair[0], parser="bisenet", api_name="/parse")
    written = {p for p in sorted(image.rglob("*")) if "__pycache__" not in p.parts}
    assert written == set(before) and not (container.folder / "nowhere").exists()
    assert any((container.folder / ENVIRONMENT["NUMBA_CACHE_DIR"].strip("/")).rglob("*.nbi"))
    outside = {p.relative_to(container.folder).parts[0] for p in container.folder.iterdir()}
    assert outside == {"hidden", "home", "log.txt", "tmp", "var"}


def test_the_services_have_their_limits_and_only_the_proxy_has_a_door() -> None:
    app, proxy = COMPOSE["services"]["app"], COMPOSE["services"]["proxy"]
    assert app["build"] == "." and "ports" not in app and proxy["ports"] == ["127.0.0.1:8080:8080"]
    (alone,) = app["networks"]
    assert COMPOSE["networks"][alone]["internal"] and alone in proxy["networks"]
    for service in (app, proxy):
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert service["mem_limit"] == service["memswap_limit"] and service["cpus"] > 0
        (memory,) = service["tmpfs"]
        assert memory.startswith("/tmp:size=")
    assert ENVIRONMENT["GRADIO_TEMP_DIR"].startswith("/tmp/")
    (volume,) = app["volumes"]
    name, _, place = volume.partition(":")
    assert place == ENVIRONMENT["NUMBA_CACHE_DIR"] and name in COMPOSE["volumes"]
    assert app["environment"]["OMP_NUM_THREADS"] == str(app["cpus"])
    assert proxy["depends_on"]["app"]["condition"] == "service_healthy"
    (configuration,) = proxy["volumes"]
    assert configuration == "./deploy/nginx.conf:/etc/nginx/nginx.conf:ro"


def directive(name: str) -> str:
    (found,) = re.findall(rf"^\s*{name}\s+([^;]+);", NGINX, re.M)
    return found


def test_the_proxy_agrees_with_the_app() -> None:
    """Path, port, size of a request, and time for the longest job."""
    given = COMPOSE["services"]["app"]["environment"]
    assert f"location {given['GRADIO_ROOT_PATH']}/ {{" in NGINX
    (port,) = all_of(LAST_STAGE, "EXPOSE")
    assert directive("proxy_pass") == f"http://app:{port}/" and port == ENVIRONMENT["GRADIO_SERVER_PORT"]
    assert directive("client_max_body_size") == f"{MAX_BODY >> 20}m" and MAX_UPLOAD < MAX_BODY
    assert int(directive("proxy_read_timeout").rstrip("s")) > int(given["FACE_TRANSFER_MAX_SECONDS"])
    assert f"listen {COMPOSE['services']['proxy']['ports'][0].rsplit(':', 1)[1]};" in NGINX
    assert directive("proxy_set_header X-Forwarded-For") == "$remote_addr"  # not added to what a visitor says


def test_the_page_knows_the_address_that_visitors_use(container: App) -> None:
    """Asked as the proxy asks: every address that the page names begins with the visitor's."""
    headers = {"Host": "faces.example", "X-Forwarded-Host": "faces.example", "X-Forwarded-Proto": "https"}
    status, _, page = container.send("GET", "/", headers=headers)
    root = "https://faces.example" + COMPOSE["services"]["app"]["environment"]["GRADIO_ROOT_PATH"]
    assert status == 200 and f'"root":"{root}"'.encode() in page.replace(b" ", b"")
    assert f'property="og:image" content="{root}/title.webp"'.encode() in page


@pytest.fixture
def proxy(container: App, tmp_path: Path) -> Iterator[str]:
    """nginx with the configuration of deploy/, on a free port before the container's app; yields the address
    of the page.
    """
    port, folder = free_port(), tmp_path / "proxy"
    folder.mkdir()
    folder.chmod(0o777)  # a worker is another user where nginx is started by root
    text = NGINX.replace("http://app:7860/", f"{container.address}/").replace("listen 8080", f"listen {port}")
    text = text.replace(" /tmp/", f" {folder}/").replace("/dev/stderr", str(folder / "error.log"))
    (tmp_path / "nginx.conf").write_text(f"daemon off;\n{text}")
    command = [shutil.which("nginx") or "nginx", "-p", folder, "-c", tmp_path / "nginx.conf"]
    process = subprocess.Popen([*command, "-e", folder / "error.log"])
    address = f"http://127.0.0.1:{port}{COMPOSE['services']['app']['environment']['GRADIO_ROOT_PATH']}"
    try:
        until = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"{address}/", timeout=20).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < until, "nginx does not answer"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_programs_and_pages_work_through_the_proxy(
    proxy: str, container: App, face: Any, tmp_path: Path
) -> None:
    from gradio_client import Client, handle_file

    face[0].save(tmp_path / "a.png")
    client = Client(f"{proxy}/", verbose=False, download_files=str(tmp_path / "got"))
    shown, shares = client.predict(handle_file(str(tmp_path / "a.png")), api_name="/parse")[:2]
    assert Path(shown).stat().st_size > 100 and shares
    with urllib.request.urlopen(proxy, timeout=20) as answer:
        assert answer.url == f"{proxy}/" and f"{proxy}/title.webp".encode() in answer.read()
    host, _, path = proxy.rpartition("/")
    visitor = replace(container, address=host)
    assert visitor.send("GET", "/")[0] == 404
    assert visitor.send("GET", f"/{path}/gradio_api/file=/etc/passwd")[0] == 403
    large = {"Content-Length": str(MAX_BODY + 1), "Content-Type": "multipart/form-data; boundary=x"}
    assert visitor.send("POST", f"/{path}/gradio_api/upload", None, large)[0] == 413
