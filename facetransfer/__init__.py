"""Semantic face transfer: one picture's shapes in another picture's skin, patch by patch, each from its own
part of the face.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

# Set before torch is loaded, which reads it then: threads that wait for each other go to sleep after some
# microseconds. By default they spin on, which makes a run many times slower as soon as anything else works on
# the same cores; if they slept at once, a run that has the machine for itself would be slower by a third.
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000"}

__version__ = "0.2.0"

_EXPORTS = {
    "TransferSettings": "base.settings",
    "PRESETS": "base.settings",
    "InputError": "base.errors",
    "Guide": "core.guides",
    "Step": "core.engine",
    "transfer": "core.engine",
    "transfer_steps": "core.engine",
    "open_picture": "base.images",
    "save_picture": "base.images",
    "fit": "base.images",
    "to_tensor": "base.images",
    "to_image": "base.images",
}
__all__ = list(_EXPORTS)


def __getattr__(name: str) -> Any:
    """Names are looked up on first use, so that `--help` and the settings do not wait for torch."""
    if name in _EXPORTS:
        return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
