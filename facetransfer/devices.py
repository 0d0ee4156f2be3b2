"""Names of devices, as people write them, and the ones this machine has."""
from __future__ import annotations

from facetransfer.errors import InputError


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
    """The torch device called auto, cpu, mps, gpu0 (or gpu, cuda, cuda:0). Raises InputError where it is not there."""
    found = available_devices()
    if name == "auto":
        return found[0]
    wanted = name.lower().replace("gpu", "cuda:").replace("cuda::", "cuda:")
    if wanted in ("cuda", "cuda:"):
        wanted = "cuda:0"
    if wanted.startswith("cuda") and wanted[4:].isdigit():
        wanted = f"cuda:{wanted[4:]}"
    if wanted not in found:
        raise InputError(f"there is no device {name!r} here: choose from auto, {', '.join(map(shown, found))}")
    return wanted
