"""Work that does not fit into memory: tried again in less where that is possible, said in words where it is not."""
from __future__ import annotations

import functools
import logging
from typing import Any, Callable, Iterator, TypeVar

import torch

from facetransfer.errors import InputError

T = TypeVar("T")
LEAST = 8  # megabytes below which the search is not tried again: as of the setting `memory`

log = logging.getLogger(__name__)


def out_of_memory(error: BaseException) -> bool:
    """Whether torch, or Python, raised this because memory was full: of a GPU, of Apple's, of the machine."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("can't allocate memory", "not enough memory", "out of memory"))


def in_less_memory(work: Callable[[int], T], megabytes: int) -> T:
    """What `work` gives with as many megabytes as there are: half as many after each time that memory was full. The last error is raised."""
    while True:
        try:
            return work(megabytes)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or megabytes <= LEAST:
                raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        megabytes = max(LEAST, megabytes // 2)
        log.warning("memory is full: the search goes on with %d MB at once", megabytes)


def worded_when_full(steps: Callable[..., Iterator[T]]) -> Callable[..., Iterator[T]]:
    """Over a function that yields: where memory is full, an InputError that says what helps."""
    @functools.wraps(steps)
    def wrapped(*args: Any, **kwargs: Any) -> Iterator[T]:
        try:
            yield from steps(*args, **kwargs)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise InputError("there is not enough memory for pictures of this size here: choose a smaller size, no extra patches, "
                             "or the feature network compact") from None
    return wrapped
