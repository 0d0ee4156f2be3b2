"""The transfer itself.

`transfer_steps` is the loop of every method. The method `guided` puts the result together from the style's
own pixels (`guided`, `patch_synthesis`). The others work in phases from small to large, in each of them by
turns a search for patches (`search`) and steps of an optimiser (`lbfgs`) towards the features of those
patches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.base.devices import arithmetic
from facetransfer.base.errors import InputError
from facetransfer.base.images import MIN_SIDE
from facetransfer.base.memory import with_memory
from facetransfer.base.settings import GATYS, GUIDED, LARGEST_OPTIMISED, SEMANTIC, TransferSettings
from facetransfer.core import matching
from facetransfer.core.colour_transfer import grays_of, luminance, toned, with_colours_of
from facetransfer.core.features import VGGLayout, load_network
from facetransfer.core.guided import Guides, guided_rounds
from facetransfer.core.guides import Guide
from facetransfer.core.lbfgs import LBFGS
from facetransfer.core.losses import ContentLoss, GramLoss, StyleLoss, smoothness_loss
from facetransfer.core.patch_synthesis import SynthesisRound, class_mismatch_rate, source_places
from facetransfer.core.phases import Phase, as_cells, phases_that_fit, pixels_of, prepare_phase
from facetransfer.core.search import PatchSearch, search_times
from facetransfer.core.style_augmentation import style_copies
from facetransfer.core.style_mask import StyleMask

# What a weight of 1 means, the losses being free of scale.
CONTENT_SCALE, STYLE_SCALE, COLOUR_SCALE, SMOOTHNESS_SCALE = 0.05, 0.1, 1.0, 1.0


@dataclass(frozen=True)
class Step:
    """Where the work stands after one evaluation, or one round of the method guided.

    phase, iteration: counted from 1, of `phases` and `iterations`. picture: (1,3,H,W) in [0,1], H and W those
    of the phase. losses: weighted, by name. leak: share of windows whose source is of another class, None
    without guides or patches. sources: (2,h,w), for each window (of the finest style layer, or of pixels) the
    place (x, y) that it takes after, in shares of the style picture's width and height; None for the method
    gatys.
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
        current = cost[self.phase - 1] * self.iteration / self.iterations
        return (sum(cost[: self.phase - 1]) + current) / sum(cost)


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
        content, style: (1,3,H,W) in [0,1], of any two sizes. The result has the content's. Without a content
            the guide alone says what goes where (the result has the guide's size, "doodle"), and without
            guides either the result is the style's texture, a square of the setting `size`; both then start
            from noise unless a start is given.
        guides: of content and style, with the same classes and vectors. The methods guided and semantic
            follow them; mrf only measures its leak by them.
        start: (1,3,H,W) in [0,1], for the setting start="image".
        strength: (H,W) in [0,2], of the content's size: how much of the style each place takes; 0 keeps the
            content, or the start where one is given. The method guided knows no more than 1.

    Yields a Step after each evaluation; stopping the generator stops the work. The same arguments give the
    same bytes on a CPU.

    Raises InputError when a picture has a side under 32 pixels or is too large for the method, the guides do
    not go together, the start is missing, or memory is full.
    """
    _check(content, style, guides, settings, start, strength)
    if content is None:
        settings = replace(settings, content_weight=0.0, start="noise" if start is None else "image")
    style = style.to(device)
    content, start, strength = (None if x is None else x.to(device) for x in (content, start, strength))
    pair: Guides = (guides[0].to(device), guides[1].to(device)) if guides else (None, None)
    if content is not None:
        height, width = content.shape[-2:]
    elif pair[0] is not None:
        height, width = pair[0].labels.shape
    else:
        height = width = settings.size
    if settings.method == GUIDED:
        steps = _guided_steps(content, style, pair, (height, width), settings, start)
    else:
        steps = _optimised_steps(content, style, pair, (height, width), settings, start, strength)
    kept = content if start is None else start  # The picture that stays where the strength is 0.
    for step in steps:
        if strength is not None and kept is not None:
            mask = StyleMask.of(strength, kept, step.picture.shape[-2:])
            step = replace(step, picture=mask.blended(step.picture))
        yield step


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
        picture = step.picture
    return picture


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture (1,3,H,W) in [0,1] at (height, width)."""
    return F.interpolate(picture, size=size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)


def _check(
    content: Tensor | None,
    style: Tensor,
    guides: tuple[Guide, Guide] | None,
    settings: TransferSettings,
    start: Tensor | None,
    strength: Tensor | None,
) -> None:
    """InputError where a transfer cannot begin."""
    for name, picture in (("content", content), ("style", style)):
        if picture is None:
            continue
        height, width = picture.shape[-2:]
        if min(height, width) < MIN_SIDE:
            raise InputError(
                f"the {name} picture is {width}x{height} pixels: each side needs at least {MIN_SIDE}"
            )
        if settings.method != GUIDED and height * width > LARGEST_OPTIMISED**2:
            raise InputError(
                f"the {name} picture is {width}x{height} pixels, too many for the method "
                f"{settings.method}: choose a "
                f"size of at most {LARGEST_OPTIMISED}, or the method {GUIDED}"
            )
    if guides is not None and not torch.equal(guides[0].vectors, guides[1].vectors):
        raise InputError("the two guides do not have the same classes: give both the same vectors")
    for guide in guides or ():
        if (highest := int(guide.labels.max())) >= len(guide.vectors):
            raise InputError(
                f"a guide has the label {highest}, but {len(guide.vectors)} vectors: give one for each class"
            )
    if (settings.start == "image") != (start is not None):
        raise InputError(
            "the start is an image when, and only when, a start image is given: give one or choose another "
            "start"
        )
    if content is None:
        if settings.colours == "content" or strength is not None:
            raise InputError(
                "colours or parts of the content cannot be kept where there is no content picture: give one"
            )
        if guides is None and not settings.size:
            raise InputError(
                "size is 0, as large as the content, but there is no content picture: give a size or a "
                "picture"
            )


def _guided_steps(
    content: Tensor | None,
    style: Tensor,
    guides: Guides,
    size: tuple[int, int],
    settings: TransferSettings,
    start: Tensor | None,
) -> Iterator[Step]:
    """The steps of the method guided."""
    synthesis = guided_rounds(
        content,
        style,
        guides,
        size,
        likeness=settings.likeness,
        tones=settings.tones,
        keep_colours=settings.colours == "content",
        start=None if start is None else resized(start, size),
        seed=settings.seed,
    )
    for result in synthesis:
        yield _guided_step(result, guided=guides[0] is not None)


def _guided_step(result: SynthesisRound, guided: bool) -> Step:
    return Step(
        result.level,
        result.levels,
        result.round,
        result.rounds,
        result.picture.permute(2, 0, 1)[None],
        {"patches": float(result.cost.mean())},
        class_mismatch_rate(result) if guided else None,
        source_places(result.field, result.style_size),
    )


def _optimised_steps(
    content: Tensor | None,
    style: Tensor,
    guides: Guides,
    size: tuple[int, int],
    settings: TransferSettings,
    start: Tensor | None,
    strength: Tensor | None,
) -> Iterator[Step]:
    """The steps of the methods that optimise the picture under a feature network, phase by phase."""
    wanted_colours = content if settings.colours == "content" else None
    if wanted_colours is not None and content is not None:
        content, style = grays_of(content, style)
        start = start if start is None else luminance(start).expand_as(start)
    kept = content if start is None else start
    first, second = guides
    if content is not None and first is not None and second is not None and settings.method == SEMANTIC:
        content = toned(content, style, (first, second), settings.tones)
    network = load_network(settings.network, str(style.device))
    generator = torch.Generator().manual_seed(settings.seed)
    search = PatchSearch(settings, generator)
    copies = style_copies(style, second, settings.turns)
    picture = content if start is None else start
    phases = phases_that_fit(settings.phases, size, style.shape[-2:])
    for i in range(phases):
        phase = prepare_phase(network, size, content, copies, first, settings, 2.0 ** (i + 1 - phases))
        if i == 0 and settings.start == "noise":
            low, high = settings.noise_low / 255, settings.noise_high / 255
            noise = torch.rand((1, 3, *phase.size), generator=generator) * (high - low) + low
            picture = noise.to(style.device)
        assert picture is not None
        picture = resized(picture, phase.size)
        mask = None if strength is None or kept is None else StyleMask.of(strength, kept, phase.size)
        for step in _phase_steps(network, phase, picture, settings, search, (i + 1, phases), mask):
            picture = step.picture
            if wanted_colours is not None:
                step = replace(step, picture=with_colours_of(picture, resized(wanted_colours, phase.size)))
            yield step


def _phase_steps(
    network: VGGLayout,
    phase: Phase,
    picture: Tensor,
    settings: TransferSettings,
    search: PatchSearch,
    place: tuple[int, int],
    mask: StyleMask | None,
) -> Iterator[Step]:
    """The steps of one phase. `place`: which phase it is, counted from 1, and of how many."""
    objective = Objective(network, phase, settings, mask)
    takes_patches = settings.method != GATYS and bool(settings.style_weight or settings.colour_weight)
    if place[0] == 1 and settings.start == "content" and takes_patches and settings.colour_weight:
        search.search(objective.features(picture), phase)
        picture = painted(phase, search, picture.shape[-2:])
    if mask is not None:
        picture = mask.kept_fixed(picture)
    if settings.method == GATYS:
        objective.pull_to_statistics()
    optimiser = LBFGS(picture.detach().contiguous(memory_format=torch.channels_last), objective)
    searches = search_times(settings) if takes_patches else []
    leak, sources = None, None
    for iteration in range(settings.iterations):
        if iteration in searches:
            search.search(objective.features(optimiser.newest), phase)
            objective.pull_to_patches(search)
            optimiser.objective_changed()
            leak = search.leak(phase)
            sources = matching.sources(search.matches[phase.finest_layer])
        optimiser.step()
        losses = dict(zip(Objective.TERMS, optimiser.values[1:].tolist(), strict=True))
        yield Step(*place, iteration + 1, settings.iterations, optimiser.picture, losses, leak, sources)


class Objective:
    """What a phase pulls its picture by: called with a picture, its losses and their gradient.

    Which style losses there are changes with each search, see `pull_to_patches`.
    """

    TERMS = ("content", "style", "colour", "smoothness")

    def __init__(
        self, network: VGGLayout, phase: Phase, settings: TransferSettings, mask: StyleMask | None
    ) -> None:
        self.network, self.phase, self.settings, self.mask = network, phase, settings, mask
        self.dtype = arithmetic(settings.precision, phase.style_cells.device.type)
        self.style_losses: Mapping[str, StyleLoss | GramLoss] = {}
        self.colour_loss: Callable[[Tensor], Tensor] | None = None

    def features(self, picture: Tensor) -> dict[str, Tensor]:
        """The features of a picture (1,3,H,W) that the losses compare, (1,C,h,w) by layer."""
        layers = (*self.phase.style_layers, *self.phase.content_losses)
        return self.network(picture, layers, self.dtype)

    def __call__(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Of a picture (1,3,H,W): the sum of the weighted losses and each of TERMS, (1+T,), and the gradient
        (1,3,H,W).
        """
        pixels = picture.detach().requires_grad_()
        features = self.features(pixels)
        settings = self.settings
        colour = self.colour_loss(pixels) if self.colour_loss else pixels.new_zeros(())
        terms = (
            settings.content_weight * CONTENT_SCALE * _mean_loss(self.phase.content_losses, features, pixels),
            settings.style_weight * STYLE_SCALE * _mean_loss(self.style_losses, features, pixels),
            settings.colour_weight * COLOUR_SCALE * colour,
            settings.smoothness * SMOOTHNESS_SCALE * smoothness_loss(pixels),
        )
        total = torch.stack(terms).sum()
        (gradient,) = torch.autograd.grad(total, pixels)
        if self.mask is not None:
            gradient = gradient * self.mask.free
        return torch.stack([term.detach() for term in (total, *terms)]), gradient

    @torch.no_grad()
    def pull_to_patches(self, search: PatchSearch) -> None:
        """From now on features and pixels are pulled to what the matched windows show."""
        losses = {}
        for name, layer in self.phase.style_layers.items():
            targets = matching.votes(search.matches[name], layer.features)
            mask = None if self.mask is None else self.mask.on_grid(*targets.shape[1:])
            losses[name] = StyleLoss(targets, layer.scale, mask)
        self.style_losses = losses
        finest = search.matches[self.phase.finest_layer]
        pixels = pixels_of(matching.votes(finest, self.phase.style_cells), self.phase.size)
        mask = None if self.mask is None else self.mask.map[0, 0]
        loss = StyleLoss(pixels[0], self.phase.style_cells.square().mean(), mask)
        self.colour_loss = lambda picture: loss(picture[0])

    @torch.no_grad()
    def pull_to_statistics(self) -> None:
        """From now on features and pixels are pulled to the statistics of the whole style (Gatys et al.
        2015).
        """
        self.style_losses = {
            name: GramLoss.of(layer.features) for name, layer in self.phase.style_layers.items()
        }
        statistics = GramLoss.of(self.phase.style_cells, centred=True)
        self.colour_loss = lambda picture: statistics(as_cells(picture, self.phase.stride))


def _mean_loss(
    losses: Mapping[str, ContentLoss | StyleLoss | GramLoss], features: Mapping[str, Tensor], pixels: Tensor
) -> Tensor:
    """The mean over layers, (); 0 where there are none."""
    if not losses:
        return pixels.new_zeros(())
    return torch.stack([loss(features[name][0]) for name, loss in losses.items()]).mean()


def painted(phase: Phase, search: PatchSearch, size: tuple[int, ...]) -> Tensor:
    """The picture (1,3,H,W) of the patches found: like the result at first sight, at no cost.

    size: its (height, width). Each pixel is the mean of what the patches over it show.
    """
    return pixels_of(matching.votes(search.matches[phase.finest_layer], phase.style_cells), size)
