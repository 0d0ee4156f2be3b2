"""How the picture goes downhill: `plain` decides each step in Python, `waitless` where the numbers are; both remember the same."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from facetransfer.core.descent.plain import Descent
from facetransfer.core.descent.recording import Recording
from facetransfer.core.descent.waitless import WaitlessDescent

__all__ = ["Descent", "Recording", "WaitlessDescent", "descent_from"]

WAITED_FOR = (
    "cpu",
    "mps",
)  # devices on which the plain one is quicker, or the other one is not sure to find all that it needs


def descent_from(
    picture: Tensor, evaluate: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> Descent | WaitlessDescent:
    """The one for the picture's device, see `Descent`."""
    return (Descent if picture.device.type in WAITED_FOR else WaitlessDescent)(picture, evaluate)
