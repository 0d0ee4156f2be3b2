"""The content in the style's light: each class at the style's mean and contrast, colour by colour, before
patches are searched for.

Gatys et al. 2016 (arXiv 1606.05897, section 3.1) move the whole style's colours to the content's; here it is
the content that moves, class by class. A patch is then found for how bright a place is within its part of the
face, not for how bright the photo is: evenly lit skin takes evenly lit patches, and white cloth may become
black.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from facetransfer.core.guides import Guide

CONTRAST = 0.5, 1.5  # a class's contrast is brought to the style's within these times its own
KIN = 0.05  # a class that the style lacks moves to the classes that are akin by this much at least
BORDER = 0.01  # of the shorter side: how far the border between two classes is blended to each side
BORDER_CELLS = (
    2  # what is measured and blended lies on a grid that has so many cells there, where pixels are finer
)
MEAN_ROUNDS = 3
MOST_MOVED = 0.2  # by which a class's mean colour moves in one of them


@torch.no_grad()
def toned(content: Tensor, style: Tensor, guides: tuple[Guide, Guide], share: float) -> Tensor:
    """The content (1,3,H,W) in [0,1] with the tones of the style (1,3,h,w), where `share` in [0,1] is how far
    it goes.

    A class of the content's guide that the style's has no kin of keeps its tones.
    """
    if not share:
        return content
    (pixels, labels), (style_pixels, style_labels) = (
        _on_grid(picture, guide) for picture, guide in zip((content, style), guides)
    )
    own, deviation, present = _statistics(pixels, _masks(labels, len(guides[0].vectors)))
    akin_to = guides[0].vectors @ guides[1].vectors.T  # (K,K), by the content's classes
    akin_to = torch.where(torch.bincount(style_labels.flatten(), minlength=len(akin_to)) > 0, akin_to, 0.0)
    nearest = akin_to >= (akin_to.amax(1, keepdim=True) - 1e-3).clamp_min(KIN)
    wanted, style_deviation, akin = _statistics(style_pixels, nearest[:, style_labels])
    moves = (present & akin).view(-1, 1)
    contrast = torch.where(moves, (style_deviation / deviation.clamp_min(1e-3)).clamp(*CONTRAST), 1.0)
    offset = torch.where(moves, wanted - contrast * own, 0.0)
    table = torch.cat((1 + share * (contrast - 1), share * offset), 1).to(
        content.dtype
    )  # (K,6): what each class's pixels are multiplied by, and what is added
    whole = content.shape[2], content.shape[3]
    factor, added = _blended(table[labels].permute(2, 0, 1)[None], whole).split(3, 1)
    return (content * factor).add_(added).clamp_(0, 1)


@torch.no_grad()
def toned_as_skin(content: Tensor, style: Tensor, guides: tuple[Guide, Guide]) -> Tensor:
    """The content (1,3,H,W) as its kept parts look in the style: light and dark move as those of the class
    around them (skin, which steers there) do, and colours fade as much as that class's do, but stay their
    own.

    White teeth stay white in green skin, and are gray in a drawing. The content's guide says what is kept.
    """
    kept = guides[0].kept
    assert kept is not None
    if not kept.any():
        return content
    inside = kept > 0.5 * kept.max()  # Of a part of few pixels, which fades from its middle on, too.
    around = torch.bincount(guides[0].labels[inside]).argmax()
    masks = [(guides[0].labels == around) & ~inside, guides[1].labels == around]
    if not masks[0].any():
        masks[0] = inside
    if not masks[1].any():  # The colours of the photo would be foreign all the same.
        masks[1] = torch.ones_like(masks[1])
    light, colour = luminance(content), content - luminance(content)
    own, wanted = light[0, 0][masks[0]], luminance(style)[0, 0][masks[1]]
    spread, own_spread = wanted.std(correction=0), own.std(correction=0)  # of one pixel too
    contrast = (spread / own_spread.clamp_min(1e-3)).clamp(*CONTRAST)
    strength, style_strength = (
        x[0][:, mask].mean(1).norm()
        for x, mask in zip((colour, style - luminance(style)), masks, strict=True)
    )
    faded = (style_strength / strength.clamp_min(1e-3)).clamp(max=1)
    return ((light - own.mean()) * contrast + wanted.mean() + colour * faded).clamp(0, 1)


@torch.no_grad()
def with_means_of(picture: Tensor, content: Tensor, guide: Guide) -> Tensor:
    """The picture with the content's mean colour in each class of the content's guide; both (1,3,H,W) in
    [0,1].

    Contrasts stay. The border between two classes is blended, which changes the mean of thin parts again, as
    does what cannot be darker than black: so it is done MEAN_ROUNDS times.
    """
    for _ in range(MEAN_ROUNDS):
        pixels, labels = _on_grid(picture, guide)
        masks = _masks(labels, len(guide.vectors))
        own, wanted = (_statistics(p, masks)[0] for p in (pixels, _on_grid(content, guide)[0]))
        offset = (wanted - own).clamp(-MOST_MOVED, MOST_MOVED).to(picture.dtype)
        added = _blended(offset[labels].permute(2, 0, 1)[None], (picture.shape[2], picture.shape[3]))
        picture = (picture + added).clamp_(0, 1)
    return picture


def _blended(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Values (1,C,h,w) on the grid, blended at the borders, at (height, width)."""
    blended = F.avg_pool2d(
        values, 2 * BORDER_CELLS + 1, stride=1, padding=BORDER_CELLS, count_include_pad=False
    )
    return F.interpolate(blended, size=size, mode="bilinear", align_corners=False)


def _on_grid(picture: Tensor, guide: Guide) -> tuple[Tensor, Tensor]:
    """The picture's pixels (3,h,w) and its labels (h,w), int64, at the cells of a grid over it."""
    cell = max(1.0, min(picture.shape[2:]) * BORDER / BORDER_CELLS)
    size = [round(n / cell) for n in picture.shape[2:]]
    pixels, labels = (
        F.interpolate(x, size=size, mode="nearest-exact")[0]
        for x in (picture, guide.labels[None, None].to(picture.dtype))
    )
    return pixels, labels[0].long()


def _masks(labels: Tensor, classes: int) -> Tensor:
    """Where each class is, (K,h,w) bool, of labels (h,w)."""
    return torch.arange(classes, device=labels.device).view(-1, 1, 1) == labels


def _statistics(pixels: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and standard deviation (K,3) of the pixels (3,h,w) in each of the masks (K,h,w), and whether there
    are any, (K,).

    In float64, where the number of threads, which decides how sums are cut, changes nothing that is left in
    float32; on the CPU, since Apple's devices have no float64.
    """
    device = pixels.device
    pixels, inside = pixels.flatten(1).cpu().double(), masks.flatten(1).cpu().double()
    count = inside.sum(1, keepdim=True)
    mean, square = (inside @ x.T / count.clamp_min(1) for x in (pixels, pixels.square()))
    deviation = (square - mean.square()).clamp_min(0).sqrt()
    return mean.float().to(device), deviation.float().to(device), (count[:, 0] > 0).to(device)


# Keeping the content's colours: the work is done on light and dark alone (Gatys et al. 2016, section 3.2).

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def luminance(picture: Tensor) -> Tensor:
    """(1,3,H,W) in [0,1] to (1,1,H,W)."""
    return (picture * torch.tensor(LUMA, device=picture.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def grays_of(content: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures in gray, (1,3,H,W); the style's brightness and contrast are moved to the content's."""
    here, there = luminance(content), luminance(style)
    there = (there - there.mean()) / there.std().clamp_min(1e-4) * here.std() + here.mean()
    return here.expand_as(content).contiguous(), there.clamp(0, 1).expand_as(style).contiguous()


def with_colours_of(picture: Tensor, coloured: Tensor) -> Tensor:
    """The picture's light and dark in the other's colours; both (1,3,H,W) of one size."""
    return (coloured + luminance(picture) - luminance(coloured)).clamp(0, 1)
