"""A device that every machine has, to try what is otherwise tried on graphics cards alone: its tensors cannot
meet those of the CPU.

The CPU computes the numbers all the same, so that they can be compared. What a graphics card refuses is
refused (operands on two devices), and what makes a program wait for one is counted: numbers that Python asks
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.utils.backend_registration as backends
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

NAME = "elsewhere"
DEVICE = f"{NAME}:0"
COPIES = "aten::_to_copy", "aten::copy_"  # between devices
FROM_ANYWHERE = *COPIES, "aten::index", "aten::index_put_"  # take tensors of the CPU too, as indices
ASKING = (
    "aten::_local_scalar_dense",
    "aten::is_nonzero",
    "aten::equal",
    "aten::nonzero",
)  # answers that Python has to wait for


_watches: list[Watch] = []


class Elsewhere(Tensor):
    """Holds a tensor of the CPU and says that it lies on DEVICE."""

    @staticmethod
    def __new__(cls, held: Tensor) -> Elsewhere:
        return Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(DEVICE),
        )

    def __init__(self, held: Tensor) -> None:
        self.held = held

    def tolist(self) -> list:
        return self.cpu().tolist()  # torch's own knows no tensors like these

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise RuntimeError(f"{function} while the device is not there: see `device_elsewhere`")


class _MadeThere(TorchFunctionMode):
    """Where torch makes tensors of Python's numbers it does so below all that could know the device: they are
    made on the CPU.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.tensor and torch.device(kwargs.get("device") or "cpu").type == NAME:
            return function(*args, **{**kwargs, "device": "cpu"}).to(kwargs["device"])
        if function is Tensor.__getitem__ and isinstance(args[1], list):
            return args[0][torch.tensor(args[1])]
        return function(*args, **kwargs)


class Watch(TorchDispatchMode):
    """Sees all that is computed. `waits`: how often the program has waited for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), function._schema.name
        wanted = kwargs.get("device")
        if wanted is not None:
            wanted, kwargs["device"] = torch.device(wanted).type, torch.device("cpu")
        leaves, shape = tree_flatten((args, kwargs))
        there = [x for x in leaves if isinstance(x, Elsewhere)]
        strangers = [
            tuple(x.shape)
            for x in leaves
            if isinstance(x, Tensor) and not isinstance(x, Elsewhere) and x.dim()
        ]
        if there and strangers and name not in FROM_ANYWHERE:
            raise RuntimeError(f"{name} of tensors on {DEVICE} and tensors of the CPU, {strangers}")
        home = (
            wanted == "cpu"
            or wanted is None
            and (not there or name == "aten::copy_" and not isinstance(args[0], Elsewhere))
        )
        self.waits += bool(there) and (name in ASKING or name in COPIES and home)
        args, kwargs = tree_unflatten([x.held if isinstance(x, Elsewhere) else x for x in leaves], shape)
        found = function(*args, **kwargs)
        if home:
            return found
        if any(isinstance(x, Tensor) and x.dtype == torch.float64 for x in tree_flatten(found)[0]):
            raise TypeError(f"{name}: this device has no float64, as Apple's has none")
        changed = {id(x.held): x for x in there}  # what is changed in place stays the tensor that it was
        return tree_map(
            lambda x: (changed[id(x)] if id(x) in changed else Elsewhere(x)) if isinstance(x, Tensor) else x,
            found,
        )


@contextmanager
def device_elsewhere() -> Iterator[Watch]:
    """Within it, torch has the device DEVICE. Once in the process, and before its first gradient,
    `make_known`.
    """
    with _MadeThere(), Watch() as watch:
        _watches.append(watch)
        try:
            yield watch
        finally:
            _watches.pop()


def watched() -> Watch:
    """The device that is there."""
    return _watches[-1]


def make_known() -> None:
    """Tells torch of the device. Gradients on it are for processes that have not computed any before: torch
    counts devices once.
    """
    if not hasattr(torch, NAME):
        backends._setup_privateuseone_for_python_backend(NAME, _Module())


class _Module(backends._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]
