"""The transfer itself: phases from small to large, in each a search for patches and steps towards them, in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.base.devices import arithmetic
from facetransfer.base.errors import InputError
from facetransfer.base.images import MIN_SIDE
from facetransfer.base.memory import in_less_memory, with_memory
from facetransfer.base.settings import TransferSettings
from facetransfer.core import matching
from facetransfer.core.colour_transfer import toned
from facetransfer.core.colours import grays_of, luminance, with_colours_of
from facetransfer.core.descent import Recording, descent_from
from facetransfer.core.features import VGGLayout, load_network
from facetransfer.core.guides import Guide
from facetransfer.core.inner_product import mean_square
from facetransfer.core.losses import ContentLoss, GramLoss, StyleLoss, smoothness_loss
from facetransfer.core.matching import Matches
from facetransfer.core.phases import (
    Phase,
    as_cells,
    guiding_weights,
    phases_that_fit,
    pixels_of,
    prepare_phase,
    search_times,
)
from facetransfer.core.style_augmentation import style_copies
from facetransfer.core.style_mask import Strength

CONTENT_SCALE, STYLE_SCALE, COLOUR_SCALE, SMOOTHNESS_SCALE = (
    0.05,
    0.1,
    1.0,
    1.0,
)  # what a weight of 1 means, the losses being free of scale


class Losses(Mapping[str, float]):
    """Of values (5,), the sum and the weighted losses by NAMES: a device is waited for when one is first looked at."""

    NAMES = "content", "style", "colour", "smoothness"

    def __init__(self, values: Tensor) -> None:
        self._values: Tensor | dict[str, float] = values

    def _read(self) -> dict[str, float]:
        if isinstance(self._values, Tensor):
            self._values = dict(zip(self.NAMES, self._values[1:].tolist()))
        return self._values

    def __getitem__(self, name: str) -> float:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.NAMES)

    def __len__(self) -> int:
        return len(self.NAMES)

    def __repr__(self) -> str:
        return repr(self._read())


@dataclass(frozen=True)
class Step:
    """Where the work stands after one evaluation.

    phase, iteration: counted from 1, of `phases` and `iterations`. picture: (1,3,H,W) in [0,1], H and W those of the
    phase. losses: weighted, by name. leak: share of windows whose source is of another class, None without guides or patches.
    sources: (2,h,w), for each window of the finest style layer the place (x, y) that it takes after, in shares of the
    style picture's width and height; None for the method gatys.
    """

    phase: int
    phases: int
    iteration: int
    iterations: int
    picture: Tensor
    losses: Mapping[str, float]
    leak: float | None
    sources: Tensor | None = None

    @property
    def done(self) -> float:
        """Share of the work behind us, 0 to 1, a phase counting four times the one before."""
        cost = [4.0**i for i in range(self.phases)]
        return (sum(cost[: self.phase - 1]) + cost[self.phase - 1] * self.iteration / self.iterations) / sum(
            cost
        )


@with_memory
def transfer_steps(
    content: Tensor | None,
    style: Tensor,
    guides: tuple[Guide, Guide] | None = None,
    settings: TransferSettings = TransferSettings(),
    *,
    start: Tensor | None = None,
    strength: Tensor | None = None,
    device: str = "cpu",
) -> Iterator[Step]:
    """Transfers the style's skin onto the content, a step at a time.

    Args:
        content, style: (1,3,H,W) in [0,1], of any two sizes. The result has the content's. Without a content the guide alone
            says what goes where (the result has the guide's size, "doodle"), and without guides either the result is the
            style's texture, a square of the setting `size`; both then start from noise unless a start is given.
        guides: of content and style, with the same class channels: the method semantic follows them, without them it is the method
            mrf, which only measures its leak by them.
        start: (1,3,H,W) in [0,1], for the setting start="image".
        strength: (H,W) in [0,2], of the content's size: how much of the style each place takes; 0 keeps the content, or the
            start where one is given.
    Yields a Step after each evaluation; stopping the generator stops the work. Same arguments, same bytes on a CPU.
    Raises InputError when a picture has a side under 32 pixels, the start is missing, or memory is full.
    """
    for name, picture in (("content", content), ("style", style)):
        if picture is not None and min(picture.shape[-2:]) < MIN_SIDE:
            raise InputError(
                f"the {name} picture is {picture.shape[-1]}x{picture.shape[-2]} pixels: each side needs at least {MIN_SIDE}"
            )
    if (settings.start == "image") != (start is not None):
        raise InputError(
            "the start is an image when, and only when, a start image is given: give one or choose another start"
        )
    if content is None:
        if settings.colours == "content" or strength is not None:
            raise InputError(
                "colours or parts of the content cannot be kept where there is no content picture: give one"
            )
        if guides is None and not settings.size:
            raise InputError(
                "size is 0, as large as the content, but there is no content picture: give a size or a picture"
            )
        settings = replace(settings, content_weight=0.0, start="noise" if start is None else "image")
    style = style.to(device)
    content, start, strength = (None if x is None else x.to(device) for x in (content, start, strength))
    kept = content if start is None else start  # the picture that stays where the strength is 0
    wanted_colours = content if settings.colours == "content" else None
    if wanted_colours is not None:
        content, style = grays_of(content, style)
        start = start if start is None else luminance(start).expand_as(start)
    size = (
        tuple(content.shape[-2:])
        if content is not None
        else tuple(guides[0].classes.shape[-2:])
        if guides
        else (settings.size,) * 2
    )
    guides = (guides[0].to(device), guides[1].to(device)) if guides else (None, None)
    seen = content  # as the work sees it
    if content is not None and guides[0] is not None and settings.method == "semantic":
        seen = toned(content, style, guides, settings.tones)
    network = load_network(settings.network, device)
    generator = torch.Generator().manual_seed(settings.seed)
    picture = seen if start is None else start
    copies = style_copies(style, guides[1], settings.turns)
    phases = phases_that_fit(settings.phases, size, style.shape[-2:])
    matches: dict[str, Matches] = {}
    for i in range(phases):
        phase = prepare_phase(network, size, seen, copies, guides[0], settings, 2.0 ** (i + 1 - phases))
        if i == 0 and settings.start == "noise":
            low, high = settings.noise_low / 255, settings.noise_high / 255
            picture = (torch.rand((1, 3, *phase.size), generator=generator) * (high - low) + low).to(device)
        picture = resized(picture, phase.size)
        inner = outer = None  # the kept picture as the work sees it, and in its colours
        if strength is not None:
            inner, outer = (
                Strength.of(strength, k, phase.size) for k in (content if start is None else start, kept)
            )
        for step in _phase_steps(
            network, phase, picture, settings, generator, matches, (i + 1, phases), inner
        ):
            picture = shown = step.picture
            if wanted_colours is not None:
                shown = with_colours_of(shown, resized(wanted_colours, phase.size))
            yield replace(step, picture=outer.blended(shown) if outer else shown)


def transfer(
    content: Tensor | None,
    style: Tensor,
    guides: tuple[Guide, Guide] | None = None,
    settings: TransferSettings = TransferSettings(),
    *,
    start: Tensor | None = None,
    strength: Tensor | None = None,
    device: str = "cpu",
) -> Tensor:
    """The last picture of `transfer_steps`, (1,3,H,W) in [0,1]."""
    for step in transfer_steps(
        content, style, guides, settings, start=start, strength=strength, device=device
    ):
        pass
    return step.picture


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture (1,3,H,W) in [0,1] at (height, width)."""
    return F.interpolate(picture, size=size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)


def _phase_steps(
    network: VGGLayout,
    phase: Phase,
    picture: Tensor,
    settings: TransferSettings,
    generator: torch.Generator,
    matches: dict[str, Matches],
    place: tuple[int, int],
    strength: Strength | None,
) -> Iterator[Step]:
    """The steps of one phase. `matches`, by layer, carries what the phase before found to this one."""
    losses: dict[str, StyleLoss | GramLoss] = {}
    colour: Callable[[Tensor], Tensor] | None = None
    leak: float | None = None
    sources: Tensor | None = None
    looked_at: list[
        tuple[Tensor, dict[str, Tensor]]
    ] = []  # what a search saw at the point that is evaluated next
    names = list(phase.style_layers)
    kind = arithmetic(settings.precision, picture.device.type)

    def look(point: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        pixels = point.detach().requires_grad_()
        return pixels, network(pixels, (*names, *phase.content_losses), kind)

    def evaluate(point: Tensor) -> tuple[Tensor, Tensor]:
        pixels, found = looked_at.pop() if looked_at else look(point)

        def mean_of(wanted: Mapping[str, ContentLoss | StyleLoss | GramLoss], weight: float) -> Tensor:
            return sum(
                (loss(found[n].squeeze(0), weight / len(wanted)) for n, loss in wanted.items()),
                pixels.new_zeros(()),
            )

        parts = (
            mean_of(phase.content_losses, settings.content_weight * CONTENT_SCALE),
            mean_of(losses, settings.style_weight * STYLE_SCALE),
            settings.colour_weight * COLOUR_SCALE * (colour(pixels) if colour else pixels.new_zeros(())),
            settings.smoothness * SMOOTHNESS_SCALE * smoothness_loss(pixels),
        )
        total = sum(parts)
        (gradient,) = torch.autograd.grad(total, pixels)
        return torch.stack(
            [part.detach() for part in (total, *parts)]
        ), gradient * strength.free if strength else gradient

    patches = settings.method != "gatys" and (settings.style_weight or settings.colour_weight)
    if place[0] == 1 and settings.start == "content" and patches and settings.colour_weight:
        _match_all(network(picture, names, kind), phase, settings, generator, matches)
        picture = _painted(phase, matches[names[-1]], picture.shape[-2:])
    start = strength.kept_fixed(picture) if strength else picture
    descent = descent_from(start.detach(), evaluate)
    step = Recording(descent.step, picture.device)

    if settings.method == "gatys":
        losses = {n: GramLoss.of(layer.features) for n, layer in phase.style_layers.items()}
        statistics = GramLoss.of(phase.style_cells, centred=True)

        def colour(pixels: Tensor) -> Tensor:
            return statistics(as_cells(pixels, phase.stride))

    searches = search_times(settings) if patches else []
    step.renew(settings.iterations)
    for iteration in range(settings.iterations):
        if iteration in searches:
            looked_at.append(look(descent.newest))
            asked = _match_all(looked_at[0][1], phase, settings, generator, matches)
            grids = {
                n: strength.on_grid(m.rows.shape[0] + 2, m.rows.shape[1] + 2) if strength else None
                for n, m in matches.items()
                if n in names
            }
            losses = {
                n: StyleLoss(
                    matching.votes(matches[n], layer.features, asked.get(n))[0], layer.scale, grids[n]
                )
                for n, layer in phase.style_layers.items()
            }
            last = names[-1]
            colour = _colour_loss(
                matching.votes(matches[last], phase.style_cells, asked.get(last))[0], phase, grids[last]
            )
            descent.objective_changed()
            leak, sources = _leak(phase, matches), matching.sources(matches[last])
            step.renew(min((t for t in searches if t > iteration), default=settings.iterations) - iteration)
        step()
        yield Step(
            *place, iteration + 1, settings.iterations, descent.picture, Losses(descent.values), leak, sources
        )


@torch.no_grad()
def _match_all(
    found: dict[str, Tensor],
    phase: Phase,
    settings: TransferSettings,
    generator: torch.Generator,
    matches: dict[str, Matches],
) -> dict[str, tuple[Matches, Tensor]]:
    """Finds each layer's matches for the picture with the features `found` (1,C,h,w), coarse to fine, and keeps them in `matches`.

    Returns, by layer, what the style asks for (see `matching.votes`), where the setting `completeness` is above 0.
    """
    parent, asked = None, {}
    weights = guiding_weights(settings)
    for name, layer in phase.style_layers.items():
        features, copies = found[name][0], phase.copies
        result, style = matching.steered(features, layer.steering), layer.keys
        before = matches.get(name)
        bias = (
            matching.overused(before, settings.variety)
            if settings.variety and before and before.grid == tuple(style.shape[1:])
            else None
        )
        matches[name] = _search(
            result,
            style,
            [matches[n] for n in (parent, name) if n in matches],
            copies,
            generator,
            settings.memory,
            bias,
        )
        if settings.coherence:
            matches[name] = matching.coherent(result, style, matches[name], settings.coherence)
        if settings.completeness:
            back = f"{name} asked"
            plain = layer.features[
                :, : (layer.features.shape[1] + 1) // copies - 1
            ]  # the style as it is, without its turned copies
            guide, there = (
                (layer.style_guide.rows(plain.shape[1]), layer.result_guide)
                if settings.method == "semantic" and layer.style_guide
                else (None, None)
            )
            matches[back] = _search(
                matching.score_cells(plain, guide, *weights, style=False),
                matching.score_cells(features, there, *weights, style=True),
                [matches[back]] if back in matches else [],
                1,
                generator,
                settings.memory,
            )
            asked[name] = matches[back], matching.askers(matches[back], guide, there, settings.completeness)
        parent = name
    return asked


def _painted(phase: Phase, matches: Matches, size: tuple[int, int]) -> Tensor:
    """The picture (1,3,H,W) of the patches found, each pixel the mean of what they show there: like the result at first sight, at no cost."""
    return pixels_of(matching.votes(matches, phase.style_cells)[0], size)


def _colour_loss(targets: Tensor, phase: Phase, strength: Tensor | None) -> Callable[[Tensor], Tensor]:
    """Of pictures (1,3,H,W): how far their pixels are from the cells (3*s*s,h,w) voted for; strength (h,w) or None."""
    wanted = pixels_of(targets, phase.size).squeeze(0)
    if strength is not None:
        strength = F.interpolate(strength[None, None], scale_factor=phase.stride, mode="nearest")[
            0, 0, : phase.size[0], : phase.size[1]
        ]
    loss = StyleLoss(wanted, mean_square(phase.style_cells), strength)
    return lambda pixels: loss(pixels.squeeze(0))


def _search(
    result: Tensor,
    style: Tensor,
    guesses: list[Matches],
    copies: int,
    generator: torch.Generator,
    memory: int,
    bias: Tensor | None = None,
) -> Matches:
    """Every pair looked at where that is cheap, or else guesses improved. Cells as of `matching.score_cells`."""
    if matching.pairs(result, style) <= (matching.FEW_PAIRS if guesses else matching.EXACT_PAIRS):
        return replace(
            in_less_memory(
                lambda megabytes: matching.exact_matches(result, style, megabytes << 20, bias),
                memory,
                style.device,
            ),
            copies=copies,
        )
    seeds = [matching.enlarged_matches(g, result.shape[1:], style.shape[1:]) for g in guesses]
    if not seeds:
        seeds = [matching.first_guess(result, style[:, : (style.shape[1] + 1) // copies - 1])]
    known = any(
        g.grid == tuple(style.shape[1:]) and g.rows.shape == (result.shape[1] - 2, result.shape[2] - 2)
        for g in guesses
    )
    return replace(
        matching.improve_matches(
            result, style, seeds, generator, bias, matching.AGAIN if known else matching.FIRST
        ),
        copies=copies,
    )


def _leak(phase: Phase, matches: dict[str, Matches]) -> float | None:
    """The mean leak over the style layers, or None where nothing guides."""
    guided = [(matches[n], layer) for n, layer in phase.style_layers.items() if layer.result_guide]
    return (
        sum(matching.leak(m, layer.result_guide, layer.style_guide) for m, layer in guided) / len(guided)
        if guided
        else None
    )
