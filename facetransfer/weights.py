"""Weights with a birth certificate: read only when the file is the one that its certificate describes."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from facetransfer.errors import InputError

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "weights"


def certificate(name: str) -> dict[str, Any]:
    """The certificate of the weights called `name`: sha256, bytes, command, data, licence, date, measured."""
    path = FOLDER / f"{name}.json"
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the certificate {path} of the weights {name!r} cannot be read ({error}): install the program again") from None


def load_weights(name: str) -> dict[str, Any]:
    """The tensors of `assets/weights/<name>.safetensors`, float32. Raises InputError when missing or not as certified."""
    from safetensors.torch import load

    path, expected = FOLDER / f"{name}.safetensors", certificate(name)["sha256"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"the weights {path} cannot be read ({error.strerror}): install the program again") from None
    if hashlib.sha256(data).hexdigest() != expected:
        raise InputError(f"the weights {path} are damaged (their sha256 is not {expected[:12]}...): install the program again")
    return {key: value.float() for key, value in load(data).items()}
