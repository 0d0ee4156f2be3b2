"""Memory: work that does not fit is tried again in less, or says so in words; what a run frees it gets again
without asking the system.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch

from facetransfer.base.allocator import freed_memory_kept
from facetransfer.base.errors import InputError

T = TypeVar("T")
MIN_CHUNK_MEGABYTES = 8  # A search that does not fit into this is not tried again.

log = logging.getLogger(__name__)


def out_of_memory(error: BaseException) -> bool:
    """Whether torch, or Python, raised this because memory was full: of a GPU, of Apple's, of the machine."""
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or isinstance(error, RuntimeError)
        and any(
            words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory")
        )
    )


def free_megabytes(device: torch.device) -> int | None:
    """What is free on a CUDA device, or here where Linux tells; None where it is not known."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] >> 20
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) >> 10 for line in lines if line.startswith("MemAvailable:")), None)


def in_less_memory(work: Callable[[int], T], megabytes: int, device: torch.device = torch.device("cpu")) -> T:
    """What `work` gives with that many megabytes, or a quarter of what is free if that is less; half as many
    after each time that memory was full. The last error is raised.
    """
    free = free_megabytes(device)
    megabytes = megabytes if free is None else min(megabytes, max(MIN_CHUNK_MEGABYTES, free // 4))
    while True:
        try:
            return work(megabytes)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or megabytes <= MIN_CHUNK_MEGABYTES:
                raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        megabytes = max(MIN_CHUNK_MEGABYTES, megabytes // 2)
        log.warning("memory is full: the search goes on with %d MB at once", megabytes)


def with_memory(steps: Callable[..., Iterator[T]]) -> Callable[..., Iterator[T]]:
    """Over a function that yields: where memory is full, an InputError that says what helps. What it frees is
    kept until it ends.
    """

    @functools.wraps(steps)
    def wrapped(*args: Any, **kwargs: Any) -> Iterator[T]:
        try:
            with freed_memory_kept:
                yield from steps(*args, **kwargs)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise InputError(
                "there is not enough memory for pictures of this size here: choose a smaller size, no "
                "extra patches, "
                "or the feature network compact"
            ) from None

    return wrapped
