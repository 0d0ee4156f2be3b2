"""The method `guided`: from tensors and guides to a synthesis of patches, see `patch_synthesis`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from torch import Tensor

from facetransfer.core.appearance import appearance_guides
from facetransfer.core.colour_transfer import toned, toned_as_skin, with_means_of
from facetransfer.core.guides import Guide
from facetransfer.core.patch_search import GuidedPicture, PatchWeights
from facetransfer.core.patch_synthesis import PreviousFrame, SynthesisRound, class_costs, synthesise

Guides = tuple[Guide | None, Guide | None]


def guided_rounds(
    content: Tensor | None,
    style: Tensor,
    guides: Guides,
    size: tuple[int, int],
    *,
    likeness: float,
    tones: float,
    keep_colours: bool = False,
    start: Tensor | None = None,
    seed: int = 0,
    previous: PreviousFrame | None = None,
    coherence: float = 0.0,
) -> Iterator[SynthesisRound]:
    """The rounds of the synthesis of a picture of `size` (height, width).

    content (1,3,H,W) or None, where the guides alone say what goes where; style (1,3,h,w); start (1,3,H,W),
    what is gone on from, or None for the content. likeness and tones: as the settings. keep_colours: the
    style is first brought to the content's colours, class by class, so that the result has the lightness and
    colours of the content's parts. previous and coherence: of a film's frame, see `synthesise`.
    """
    if keep_colours and content is not None:
        style = _toned(style, content, (guides[1], guides[0]), 1.0)
    pictures, costs = _guided_pictures(content, style, guides, size, likeness, tones, start)
    weights, generator = PatchWeights.of(likeness), np.random.default_rng(seed)
    rounds = synthesise(*pictures, costs, weights, generator, style.device, previous, coherence)
    for made in rounds:
        # The style's tones fit the content's by their means over all windows, but not all are taken.
        if keep_colours and content is not None and made.picture.shape[:2] == size:
            guide = guides[0] or _one_class(content)
            kept_means = with_means_of(made.picture.permute(2, 0, 1)[None], content, guide)
            made = replace(made, picture=kept_means[0].permute(1, 2, 0).contiguous())
        yield made


def _guided_pictures(
    content: Tensor | None,
    style: Tensor,
    guides: Guides,
    size: tuple[int, int],
    likeness: float,
    tones: float,
    start: Tensor | None,
) -> tuple[tuple[GuidedPicture, GuidedPicture], np.ndarray]:
    """The result as it starts and the style, with all that guides them, and what each class costs in
    another's place. The arguments are those of `guided_rounds`.
    """
    style_size = style.shape[-2], style.shape[-1]
    labels, style_labels = _labels(guides[0], size), _labels(guides[1], style_size)
    vectors = np.ones((1, 1), np.float32) if guides[0] is None else guides[0].vectors.cpu().numpy()
    style_pixels, costs = _pixels(style), class_costs(vectors, labels, style_labels)
    if content is None:
        first = None
        appearance = np.zeros((*size, 4), np.float32), np.zeros((*style_size, 4), np.float32)
    else:
        first = _pixels(_toned(content, style, guides, tones))
        appearance = appearance_guides(
            _pixels(content), first, style_pixels, labels, style_labels, likeness, costs
        )
        appearance = _weighted(appearance[0], guides[0]), _weighted(appearance[1], guides[1])
    kept = None
    if content is not None and first is not None and guides[0] and guides[1] and guides[0].kept is not None:
        kept = guides[0].kept.cpu().numpy()
        if start is None:
            # Whole, since what is kept is blended in by its share: colours of the photo that were left in
            # the first picture would stand around it as a fringe.
            own = _pixels(toned_as_skin(content, style, (guides[0], guides[1])))
            first = np.where(kept[..., None] > 0, own, first)
    if start is not None:
        first = _pixels(start)
    allowed = None if guides[1] is None or guides[1].allowed is None else guides[1].allowed.cpu().numpy()
    result = GuidedPicture(first, labels, _position(guides[0], size), appearance[0], kept=kept)
    source = GuidedPicture(
        style_pixels, style_labels, _position(guides[1], style_size), appearance[1], allowed
    )
    return (result, source), costs


def _toned(content: Tensor, style: Tensor, guides: Guides, share: float) -> Tensor:
    """`colour_transfer.toned`, of the pictures as a whole where there are no guides."""
    first, second = guides
    if first is None or second is None:
        return toned(content, style, (_one_class(content), _one_class(style)), share)
    return toned(content, style, (first, second), share)


def _pixels(picture: Tensor) -> np.ndarray:
    """A picture (1,3,H,W) as (H,W,3) float32."""
    return picture[0].permute(1, 2, 0).float().contiguous().cpu().numpy()


def _weighted(appearance: np.ndarray, guide: Guide | None) -> np.ndarray:
    """The appearance (H,W,4), whose squared differences count as much as the guide says.

    Both pictures are weighted by their own classes: what is compared is nearly always of one class.
    """
    if guide is None or guide.appearance is None:
        return appearance
    return appearance * guide.appearance.sqrt()[..., None].cpu().numpy().astype(np.float32)


def _one_class(picture: Tensor) -> Guide:
    """A guide of a picture (1,3,H,W), all of which is of one class."""
    return Guide.of_one_class((picture.shape[2], picture.shape[3])).to(str(picture.device))


def _labels(guide: Guide | None, size: tuple[int, int]) -> np.ndarray:
    """The labels (H,W) uint8 of a guide; one class for all of the picture without one."""
    return np.zeros(size, np.uint8) if guide is None else guide.labels.cpu().numpy()


def _position(guide: Guide | None, size: tuple[int, int]) -> np.ndarray:
    """The place in the face of each pixel, (H,W,2) float32; 0 everywhere where no face is known."""
    if guide is None or guide.position is None:
        return np.zeros((*size, 2), np.float32)
    return guide.position.permute(1, 2, 0).float().contiguous().cpu().numpy()
