"""Names of devices, as people write them, and the ones this machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facetransfer.base.errors import InputError

if TYPE_CHECKING:
    import torch


def available_devices() -> list[str]:
    """torch names of the devices here, the best first: cuda:0 ..., mps, cpu."""
    import torch

    found = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def shown(device: str) -> str:
    """A torch name as people write it: cuda:1 is gpu1."""
    return device.replace("cuda:", "gpu")


def choose_device(name: str = "auto") -> str:
    """The torch device called auto, cpu, mps, gpu0 (or gpu, cuda, cuda:0). Raises InputError where it is not
    there.
    """
    found = available_devices()
    if name == "auto":
        return found[0]
    wanted = name.lower().replace("gpu", "cuda:").replace("cuda::", "cuda:")
    if wanted in ("cuda", "cuda:"):
        wanted = "cuda:0"
    if wanted.startswith("cuda") and wanted[4:].isdigit():
        wanted = f"cuda:{wanted[4:]}"
    if wanted not in found:
        raise InputError(
            f"there is no device {name!r} here: choose from auto, {', '.join(map(shown, found))}"
        )
    return wanted


def arithmetic(precision: str, device: str) -> torch.dtype:
    """The type that networks compute in on `device`: bfloat16 or float32, see the setting `precision`.

    "auto" asks what the device has, not how long something takes: the same machine always answers the same.
    """
    import torch

    if precision != "auto":
        return getattr(torch, precision)
    if device.startswith("cuda"):
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device == "cpu" and any(
            getattr(torch.cpu, name, bool)()
            for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        )
    return torch.bfloat16 if fast else torch.float32
