"""Weights with a birth certificate: read only when the file is the one that its certificate describes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from facetransfer.base.assets import ASSETS
from facetransfer.base.errors import InputError, shortened
from facetransfer.base.images import write_text

FOLDER = ASSETS / "weights"


def certificate(name: str) -> dict[str, Any]:
    """The certificate of the weights called `name`: sha256, bytes, command, data, licence, date, measured."""
    path = FOLDER / f"{name}.json"
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict) or not isinstance(found.get("sha256"), str):
            raise ValueError("it names no sha256")
        return found
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"the certificate {path} of the weights {name!r} cannot be read ({error}): install the program "
            f"again"
        ) from None


def load_weights(name: str) -> dict[str, Any]:
    """The tensors of `assets/weights/<name>.safetensors`, float32. Raises InputError when missing or not as
    certified.
    """
    from safetensors.torch import load

    path, expected = FOLDER / f"{name}.safetensors", certificate(name)["sha256"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the weights {path} cannot be read ({error.strerror}): install the program again"
        ) from None
    if hashlib.sha256(data).hexdigest() != expected:
        raise InputError(
            f"the weights {path} are damaged (their sha256 is not {expected[:12]}...): install the program "
            f"again"
        )
    return {key: value.float() for key, value in load(data).items()}


def published_weights(path: Path) -> dict[str, Any]:
    """The tensors of a published .pth file, by name. Nothing in the file is executed. Raises InputError where
    it is no such file.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch says of a spoilt file is written nowhere
        raise InputError(
            f"{path} cannot be read as weights ({shortened(str(error), 80)}): remove it and download it again"
        ) from None
    if not isinstance(state, dict) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items()
    ):
        raise InputError(
            f"{path} cannot be read as weights (it holds other things than named tensors): remove it and "
            f"download it again"
        )
    return state


def check_sha256(path: Path, beginning: str) -> None:
    """InputError where the file's sha256 does not begin so."""
    with open(path, "rb") as file:
        found = (
            hashlib.file_digest(file, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else hashlib.sha256(file.read()).hexdigest()
        )
    if not found.startswith(beginning):
        raise InputError(
            f"the weights {path} are damaged (their sha256 is not {beginning[:12]}...): remove the file, "
            f"and it is downloaded again"
        )


def remember_sha256(path: Path) -> None:
    """Writes the sha256 of a file just downloaded beside it, where no hash is published: a later change is
    seen.
    """
    write_text(_beside(path), hashlib.sha256(path.read_bytes()).hexdigest() + "\n")


def check_remembered(path: Path) -> None:
    """InputError where a file is not as `remember_sha256` saw it; nothing where it was put there by hand."""
    if _beside(path).exists():
        check_sha256(path, _beside(path).read_text("utf-8").strip())


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
