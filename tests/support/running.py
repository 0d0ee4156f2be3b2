"""The app as a process of its own for a test: its address, its folders, its log, and a small HTTP client that
can be as rude as a test needs.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.running import started

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class App:
    """A running app. Everything that it writes lies in `folder`: cache, home, tmp and log.txt."""

    address: str
    folder: Path
    process: subprocess.Popen

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text("utf-8", "replace")

    def memory(self) -> float:
        """Megabytes resident."""
        return (
            int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            * os.sysconf("SC_PAGE_SIZE")
            / 2**20
        )

    def seconds(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def outside_cache(self) -> set[str]:
        """Files and folders outside the cache."""
        return {str(p) for p in self.folder.rglob("*") if p.relative_to(self.folder).parts[0] != "cache"}

    def left_by_visitors(self) -> list[Path]:
        """Files in the cache that are not the app's own."""
        return [
            p
            for p in self.cache.rglob("*")
            if p.is_file() and p.relative_to(self.cache).parts[0] not in ("examples", "matplotlib")
        ]

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (in small letters) and body of an answer, the path sent as it is."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def upload(self, name: str, data: bytes) -> tuple[int, str]:
        """Status, and where the file lies now or the words of the refusal."""
        mark = uuid.uuid4().hex
        shown = (
            name.encode("utf-8", "surrogateescape")
            .replace(b'"', b"%22")
            .replace(b"\n", b"%0A")
            .replace(b"\r", b"%0D")
        )
        body = (
            b'--%b\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n'
            b"Content-Type: image/png\r\n\r\n%b\r\n--%b--\r\n" % (mark.encode(), shown, data, mark.encode())
        )
        status, _, answer = self.send(
            "POST", "/gradio_api/upload", body, {"Content-Type": f"multipart/form-data; boundary={mark}"}
        )
        return (
            (status, json.loads(answer)[0]) if status == 200 else (status, answer.decode("utf-8", "replace"))
        )

    def call(self, endpoint: str, data: Any) -> tuple[str, str]:
        """How a call of an endpoint ended ("complete", "error", or an HTTP status of 400 and more) and what
        was said.
        """
        status, _, answer = self.send(
            "POST",
            f"/gradio_api/call/{endpoint}",
            json.dumps({"data": data}).encode(),
            {"Content-Type": "application/json"},
        )
        if status != 200:
            return str(status), answer.decode("utf-8", "replace")
        return self.end_of(endpoint, json.loads(answer)["event_id"])

    def end_of(self, endpoint: str, event_id: str) -> tuple[str, str]:
        """How a call ended that was taken, and what was said."""
        _, _, events = self.send("GET", f"/gradio_api/call/{endpoint}/{event_id}", timeout=120)
        last = [
            part
            for part in events.decode("utf-8", "replace").split("\n\n")
            if part.startswith(("event: complete", "event: error"))
        ][-1]
        kind, _, said = last.partition("\ndata: ")
        return kind.removeprefix("event: "), said


def file_data(path: str) -> dict[str, Any]:
    """An uploaded file as an endpoint takes it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[App]:
    """The app with folders of its own, until the block ends."""
    with started(folder, **environment) as (address, process):
        yield App(address, folder, process)


# Put into a process at its start: connections and look-ups of names other than this machine's are written
# down and refused.
WATCH = """
import os, socket
HERE = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", None, "", b"localhost", b"127.0.0.1")
def deny(what, host):
    with open(os.environ["CONNECTIONS"], "a") as file:
        file.write(f"{what} {host}\\n")
    raise OSError(f"denied: {what} {host}")
def watched(name):
    whole = getattr(socket.socket, name)
    def call(self, address, *rest):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in HERE:
            deny(name, address[0])
        return whole(self, address, *rest)
    setattr(socket.socket, name, call)
for name in ("connect", "connect_ex"):
    watched(name)
look_up = socket.getaddrinfo
def getaddrinfo(host, *args, **kwargs):
    if host not in HERE:
        deny("getaddrinfo", host)
    return look_up(host, *args, **kwargs)
socket.getaddrinfo = getaddrinfo
"""


def watch(folder: Path) -> dict[str, str]:
    """Environment of a process that writes its connections down, in `folder`/connections."""
    (folder / "watch").mkdir(parents=True)
    (folder / "watch" / "sitecustomize.py").write_text(WATCH)
    (folder / "connections").write_text("")
    return {"CONNECTIONS": str(folder / "connections"), "PYTHONPATH": f"{folder / 'watch'}:{ROOT}"}
