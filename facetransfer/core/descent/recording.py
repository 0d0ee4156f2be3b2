"""Work recorded once and then started as a whole (CUDA graphs): two hundred pieces take a GPU less time than starting them takes the program."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from facetransfer.base.memory import out_of_memory

WARM_UP = 2  # times that new work is done piece by piece: what is set up when first used must not be recorded
WORTH = 8  # times that recorded work must be asked for, or recording takes longer than it saves

log = logging.getLogger(__name__)


class Recording:
    """Calls do `work`, which must read and write the same memory each time and ask the device for nothing."""

    def __init__(self, work: Callable[[], None], device: torch.device) -> None:
        self.work, self._recorder = work, RECORDERS.get(device.type)
        self._replay: Callable[[], None] | None = None
        self._coming = self._done = 0

    def renew(self, coming: int) -> None:
        """The work is another from now on, and will be asked for `coming` times."""
        self._replay, self._coming, self._done = None, coming, 0

    def __call__(self) -> None:
        if self._recorder and self._done == WARM_UP and self._coming - self._done >= WORTH:
            try:
                self._replay = self._recorder(self.work)
            except RuntimeError as error:
                if out_of_memory(error):
                    raise
                log.warning("the device does not record work, which is slower: %s", error)
                self._recorder = None
        (self._replay or self.work)()
        self._done += 1


def _recorded_by_cuda(work: Callable[[], None]) -> Callable[[], None]:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(
        graph, capture_error_mode="thread_local"
    ):  # does nothing yet but remember; others may use the card meanwhile
        work()
    return graph.replay


RECORDERS: dict[str, Callable[[Callable[[], None]], Callable[[], None]]] = {"cuda": _recorded_by_cuda}
"""By kind of device: gives a function that does the work again."""
