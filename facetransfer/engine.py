"""The transfer itself: phases from small to large, in each a search for patches and steps towards them, in turn."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer import matching
from facetransfer.errors import InputError
from facetransfer.features import VGGLayout, load_network
from facetransfer.guides import Guide
from facetransfer.images import MIN_SIDE
from facetransfer.losses import GramLoss, StyleLoss, gram, smoothness_loss
from facetransfer.matching import Matches
from facetransfer.phases import COLOUR_LAYER, CONTENT_LAYER, STYLE_LAYERS, Phase, StyleLayer, as_cells, phases_that_fit, prepare_phase
from facetransfer.settings import TransferSettings

CONTENT_SCALE, STYLE_SCALE, COLOUR_SCALE, SMOOTHNESS_SCALE = 0.05, 0.1, 1.0, 1.0  # what a weight of 1 means, the losses being free of scale
NOISE_RANGE = (16 / 255, 240 / 255)
MEMORY = 8  # steps that L-BFGS remembers


@dataclass(frozen=True)
class Step:
    """Where the work stands after one evaluation.

    phase, iteration: counted from 1, of `phases` and `iterations`. picture: (1,3,H,W) in [0,1], H and W those of the
    phase. losses: weighted, by name. leak: share of windows whose source is of another class, None without a guide.
    """

    phase: int
    phases: int
    iteration: int
    iterations: int
    picture: Tensor
    losses: dict[str, float]
    leak: float | None

    @property
    def done(self) -> float:
        """Share of the work behind us, 0 to 1, a phase counting four times the one before."""
        cost = [4.0 ** i for i in range(self.phases)]
        return (sum(cost[:self.phase - 1]) + cost[self.phase - 1] * self.iteration / self.iterations) / sum(cost)


def transfer_steps(content: Tensor, style: Tensor, guides: tuple[Guide, Guide] | None = None,
                   settings: TransferSettings = TransferSettings(), *, start: Tensor | None = None,
                   device: str = "cpu") -> Iterator[Step]:
    """Transfers the style's skin onto the content, a step at a time.

    Args:
        content, style: (1,3,H,W) in [0,1], of any two sizes. The result has the content's.
        guides: of content and style, with the same class channels, for the method semantic; without them it is the method mrf.
        start: (1,3,H,W) in [0,1], for the setting start="image".
    Yields a Step after each evaluation; stopping the generator stops the work. Same arguments, same bytes on a CPU.
    Raises InputError when a picture has a side under 32 pixels, or the start is missing.
    """
    for name, picture in (("content", content), ("style", style)):
        if min(picture.shape[-2:]) < MIN_SIDE:
            raise InputError(f"the {name} picture is {picture.shape[-1]}x{picture.shape[-2]} pixels: each side needs at least {MIN_SIDE}")
    if (settings.start == "image") != (start is not None):
        raise InputError("the start is an image when, and only when, a start image is given: give one or choose another start")
    content, style = content.to(device), style.to(device)
    guides = (guides[0].to(device), guides[1].to(device)) if guides and settings.method == "semantic" else None
    network = load_network(settings.network, device)
    generator = torch.Generator().manual_seed(settings.seed)
    picture = content if start is None else start.to(device)
    phases = phases_that_fit(settings.phases, content.shape[-2:], style.shape[-2:])
    matches: dict[str, Matches] = {}
    for i in range(phases):
        phase = prepare_phase(network, content, style, guides, 2.0 ** (i + 1 - phases))
        if i == 0 and settings.start == "noise":
            low, high = NOISE_RANGE
            picture = (torch.rand(phase.content.shape, generator=generator) * (high - low) + low).to(device)
        picture = F.interpolate(picture, size=phase.size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
        for step in _phase_steps(network, phase, picture, settings, generator, matches, (i + 1, phases)):
            picture = step.picture
            yield step


def transfer(content: Tensor, style: Tensor, guides: tuple[Guide, Guide] | None = None,
             settings: TransferSettings = TransferSettings(), *, start: Tensor | None = None, device: str = "cpu") -> Tensor:
    """The last picture of `transfer_steps`, (1,3,H,W) in [0,1]."""
    for step in transfer_steps(content, style, guides, settings, start=start, device=device):
        pass
    return step.picture


def _phase_steps(network: VGGLayout, phase: Phase, picture: Tensor, settings: TransferSettings, generator: torch.Generator,
                 matches: dict[str, Matches], place: tuple[int, int]) -> Iterator[Step]:
    """The steps of one phase. `matches`, by layer, carries what the phase before found to this one."""
    pixels = picture.clone(memory_format=torch.channels_last).requires_grad_()
    losses: dict[str, StyleLoss | GramLoss] = {}
    colour: StyleLoss | None = None
    values: dict[str, float] = {}
    leak: float | None = None
    optimiser = torch.optim.LBFGS([pixels], lr=1.0, max_iter=1, history_size=MEMORY, tolerance_grad=0, tolerance_change=0)

    def evaluate() -> Tensor:
        found = network(pixels, (*STYLE_LAYERS, CONTENT_LAYER))
        none = pixels.new_zeros(())
        parts = {
            "content": settings.content_weight * CONTENT_SCALE * phase.content_loss(found[CONTENT_LAYER][0]),
            "style": settings.style_weight * STYLE_SCALE * sum((loss(found[n][0]) for n, loss in losses.items()), none) / max(1, len(losses)),
            "colour": settings.colour_weight * COLOUR_SCALE * (colour(as_cells(pixels)) if colour else none),
            "smoothness": settings.smoothness * SMOOTHNESS_SCALE * smoothness_loss(pixels),
        }
        total = sum(parts.values())
        (gradient,) = torch.autograd.grad(total, pixels)
        pixels.grad = gradient
        values.update({name: part.item() for name, part in parts.items()})
        return total

    patches = settings.method != "gatys" and (settings.style_weight or settings.colour_weight)
    if settings.method == "gatys":
        losses = {n: GramLoss(gram(layer.features)) for n, layer in phase.style_layers.items()}
    for iteration in range(settings.iterations):
        if patches and iteration % settings.match_every == 0:
            _match_all(network, phase, pixels.detach(), settings, generator, matches)
            losses = {n: StyleLoss(matching.votes(matches[n], layer.features)[0], layer.scale) for n, layer in phase.style_layers.items()}
            colour = StyleLoss(matching.votes(matches[COLOUR_LAYER], phase.style_cells)[0], phase.style_cells.square().mean())
            leak = _leak(phase, matches)
        optimiser.step(evaluate)
        with torch.no_grad():
            pixels.clamp_(0, 1)
        yield Step(*place, iteration + 1, settings.iterations, pixels.detach().clone(), dict(values), leak)


@torch.no_grad()
def _match_all(network: VGGLayout, phase: Phase, picture: Tensor, settings: TransferSettings, generator: torch.Generator,
               matches: dict[str, Matches]) -> None:
    """Finds each layer's matches for the picture as it is, coarse to fine, and keeps them in `matches`."""
    found, parent = network(picture, STYLE_LAYERS), None
    for name in STYLE_LAYERS:
        layer, features = phase.style_layers[name], found[name][0]
        weights = settings.semantic_weight, settings.position_weight
        result = matching.score_cells(features, layer.result_guide, *weights, style=False)
        style = matching.score_cells(layer.features, layer.style_guide, *weights, style=True)
        if matching.pairs(result, style) <= matching.EXACT_PAIRS:
            matches[name] = matching.exact_matches(result, style)
        else:
            grids = result.shape[1:], style.shape[1:]
            seeds = [matching.enlarged_matches(matches[n], *grids) for n in (parent, name) if n in matches]
            matches[name] = matching.improve_matches(result, style, seeds or [matching.first_guess(result, style)], generator)
        parent = name


def _leak(phase: Phase, matches: dict[str, Matches]) -> float | None:
    """The mean leak over the style layers, or None where nothing guides."""
    guided: list[tuple[Matches, StyleLayer]] = [(matches[n], layer) for n, layer in phase.style_layers.items() if layer.result_guide]
    return sum(matching.leak(m, layer.result_guide, layer.style_guide) for m, layer in guided) / len(guided) if guided else None
