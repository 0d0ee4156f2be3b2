"""When and how patches are searched: the policy; what is done to windows is in `matching`.

Layers are searched from coarse to fine. Few pairs of windows are all looked at; otherwise guesses are
improved: the matches of the coarser layer, those of this layer from before, and in a first search those of
smaller grids.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from facetransfer.base.memory import in_less_memory
from facetransfer.base.settings import TransferSettings
from facetransfer.core import matching
from facetransfer.core.matching import Matches
from facetransfer.core.phases import Phase

SETTLED_SHARE = (
    0.75  # A search serves for at least this share of the steps before it: as good as searching on.
)
SEARCH_MEGABYTES = 96  # that the search for every pair may hold at once


def search_times(settings: TransferSettings) -> list[int]:
    """The steps of a phase (0 the first) before which patches are searched: every `match_every`, and more
    seldom as they settle; 1 is at every step, as published.
    """
    if settings.match_every == 1:
        return list(range(settings.iterations))
    times = [0]
    while (
        later := times[-1] + max(settings.match_every, int(times[-1] * SETTLED_SHARE))
    ) < settings.iterations:
        times.append(later)
    return times


@dataclass
class PatchSearch:
    """The matches of a run, by layer, from one search and one phase to the next."""

    settings: TransferSettings
    generator: torch.Generator
    matches: dict[str, Matches] = field(default_factory=dict)

    @torch.no_grad()
    def search(self, features: dict[str, Tensor], phase: Phase) -> None:
        """Finds the matches of each style layer for the picture with these features, (1,C,h,w) by layer."""
        coarser: Matches | None = None
        for name, layer in phase.style_layers.items():
            assert layer.keys is not None and layer.result_channels is not None
            result = matching.guided_features(features[name][0], layer.result_channels)
            before = self.matches.get(name)
            bias = None
            if self.settings.variety and before and before.grid == tuple(layer.keys.shape[1:]):
                bias = matching.reuse_penalty(before, self.settings.variety)
            guesses = [guess for guess in (coarser, before) if guess]
            found = self._found(result, layer.keys, guesses, phase.copies, bias)
            if self.settings.coherence:
                found = matching.coherent(result, layer.keys, found, self.settings.coherence)
            self.matches[name] = coarser = found

    def _found(
        self, result: Tensor, style: Tensor, guesses: list[Matches], copies: int, bias: Tensor | None
    ) -> Matches:
        """Every pair looked at where that is cheap, or else guesses improved. Vectors as of
        `matching.match_vectors`.
        """
        pairs = matching.pairs(result, style)
        if pairs <= (matching.FEW_PAIRS if guesses else matching.EXACT_PAIRS):
            exact = in_less_memory(
                lambda megabytes: matching.exact_matches(result, style, megabytes << 20, bias),
                SEARCH_MEGABYTES,
                style.device,
            )
            return replace(exact, copies=copies)
        seeds = [matching.enlarged_matches(guess, result.shape[1:], style.shape[1:]) for guess in guesses]
        if not seeds:
            seeds = [matching.first_guess(result, style[:, : (style.shape[1] + 1) // copies - 1])]
        grids = tuple(style.shape[1:]), (result.shape[1] - 2, result.shape[2] - 2)
        known = any((guess.grid, tuple(guess.rows.shape)) == grids for guess in guesses)
        rounds = matching.LATER_ROUNDS if known else matching.FIRST_ROUNDS
        found = matching.improve_matches(result, style, seeds, self.generator, bias, rounds)
        return replace(found, copies=copies)

    def leak(self, phase: Phase) -> float | None:
        """The mean share of windows from another class over the style layers, or None where nothing
        guides.
        """
        leaks = [
            matching.leak(self.matches[name], layer.result_guide, layer.style_guide)
            for name, layer in phase.style_layers.items()
            if layer.result_guide is not None and layer.style_guide is not None
        ]
        return sum(leaks) / len(leaks) if leaks else None
