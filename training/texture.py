"""Trains the compact texture network: VGG-19's layout at a quarter of its width.

    python -m training.texture --photos DIR --more DIR [DIR ...] --minutes 60 --out runs/texture

Two tasks at once, so that the features keep what a picture looks like and learn what it shows: small decoders
repaint the clean picture from conv2_1, conv3_1 and conv4_1 of a spoilt one (denoising autoencoder, Vincent et
al. 2008; L1 on colours and on edges), and the photo's category is read from conv4_2 (its folder's name).
Afterwards each layer is scaled to a mean activation of 1 over pictures and places, which changes no function
but makes one set of weights fit all layers (by filter, as Gatys et al. 2015 do, was tried: quiet filters then
shout noise). The same command goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from facetransfer.core.features.compact import MEAN, STD, WIDTHS
from facetransfer.core.features.layers import LAYERS, VGGLayout
from training.face_pictures import read_rgb
from training.timed import TimedTraining, add_options, set_up

DECODED = ("2_1", "3_1", "4_1")
SIDE = 96  # of a training crop


class Decoder(nn.Module):
    """Features (B,C,h,w) back to pixels (B,3,h*2^n,w*2^n)."""

    def __init__(self, channels: int, doublings: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for _ in range(doublings):
            width = max(24, channels // 2)
            blocks += [
                nn.Conv2d(channels, width * 4, 3, padding=1, padding_mode="replicate"),
                nn.PixelShuffle(2),
                nn.ReLU(),
            ]
            channels = width
        self.blocks = nn.Sequential(*blocks, nn.Conv2d(channels, 3, 3, padding=1, padding_mode="replicate"))

    def forward(self, features: Tensor) -> Tensor:
        return self.blocks(features)


class TextureLearner(nn.Module):
    def __init__(self, categories: int) -> None:
        super().__init__()
        self.network = VGGLayout(WIDTHS, MEAN, STD)
        for conv in self.network.convs.values():
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)
        self.decoders = nn.ModuleDict(
            {name: Decoder(WIDTHS[int(name[0]) - 1], int(name[0]) - 1) for name in DECODED}
        )
        self.classify = nn.Sequential(
            nn.Linear(2 * WIDTHS[3], 192), nn.ReLU(), nn.Dropout(0.2), nn.Linear(192, categories)
        )

    def forward(self, spoilt: Tensor) -> tuple[list[Tensor], Tensor]:
        found = self.network(spoilt, (*DECODED, "4_2"))
        last = found["4_2"]
        summary = torch.cat((last.mean((2, 3)), last.amax((2, 3))), 1)
        return [self.decoders[name](found[name]) for name in DECODED], self.classify(summary)


def edges(x: Tensor) -> Tensor:
    """Differences to the right and below, (B,6,H-1,W-1)."""
    return torch.cat((x[..., :-1, 1:] - x[..., :-1, :-1], x[..., 1:, :-1] - x[..., :-1, :-1]), 1)


def crop(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random part of random size, mirrored half the time: (SIDE,SIDE,3) uint8."""
    shortest = min(picture.shape[:2])
    side = int(shortest * rng.uniform(0.35, 1) ** 1.0)
    y, x = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
    part = cv2.resize(picture[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return part[:, ::-1] if rng.random() < 0.5 else part


def spoil(clean: Tensor, rng: np.random.Generator) -> Tensor:
    """Noise of varying strength on pictures (B,3,H,W), and holes of gray in half of them."""
    batch = len(clean)
    strength = torch.tensor(rng.choice((0.0, 0.05, 0.15, 0.3), size=batch), dtype=torch.float32).view(
        -1, 1, 1, 1
    )
    spoilt = clean + strength * torch.randn_like(clean)
    holes = torch.rand(batch, 1, SIDE // 8, SIDE // 8) < 0.25
    holes &= torch.rand(batch, 1, 1, 1) < 0.5
    return torch.where(F.interpolate(holes.float(), scale_factor=8) > 0, torch.tensor(0.5), spoilt)


@torch.no_grad()
def scale_to_unit_mean(network: VGGLayout, pictures: Tensor) -> None:
    """Divides each layer's weights so that its activations average 1, and multiplies the next layer's to
    match.
    """
    previous = 1.0
    for name in LAYERS:
        conv = network.convs[name]
        conv.weight.mul_(previous)
        previous = network(pictures, [name])[name].mean()
        conv.weight.div_(previous)
        conv.bias.div_(previous)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--photos", type=Path, required=True, help="folder of category folders")
    options.add_argument(
        "--more", type=Path, nargs="*", default=[], help="folders of pictures without category"
    )
    add_options(options, minutes=60, batch=24, out="runs/texture")
    options.add_argument(
        "--start",
        type=Path,
        help="weights of the network to start from, a .safetensors; the decoders begin anew",
    )
    args = options.parse_args()
    set_up(args)

    categories = sorted(p.name for p in args.photos.iterdir() if p.is_dir())
    pictures = [
        (read_rgb(path), i)
        for i, name in enumerate(categories)
        for path in sorted((args.photos / name).glob("*.jpg"))
    ]
    order = np.random.default_rng(0).permutation(len(pictures))
    held_out = [pictures[i] for i in order[:200]]
    pictures = [pictures[i] for i in order[200:]]
    extra = [(read_rgb(path), -1) for folder in args.more for path in sorted(folder.rglob("*.*g"))]
    rng = np.random.default_rng(time.time_ns())

    learner = TextureLearner(len(categories)).to(memory_format=torch.channels_last)
    if args.start:
        learner.network.load_state_dict(load_file(args.start))
    training = TimedTraining(learner, args, weight_decay=0.01, clip=1.0)

    def batch_of(source: list, random: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        chosen = [source[i] for i in random.integers(len(source), size=size)]
        if extra and source is pictures:  # one in six is a portrait or a painting
            for k in range(size // 6):
                chosen[k] = extra[random.integers(len(extra))]
        x = torch.from_numpy(np.stack([crop(p, random) for p, _ in chosen])).permute(0, 3, 1, 2).float() / 255
        return x.contiguous(memory_format=torch.channels_last), torch.tensor([c for _, c in chosen])

    fixed, fixed_category = batch_of(held_out, np.random.default_rng(1), 200)
    for arithmetic in training.steps():
        clean, category = batch_of(pictures, rng, args.batch)
        with arithmetic:
            repainted, guess = learner(spoil(clean, rng))
        pixels = sum(
            F.l1_loss(r, clean) + 2 * F.l1_loss(edges(r), edges(clean))
            for r in (r.float() for r in repainted)
        )
        training.learn(
            pixels + 0.05 * F.cross_entropy(guess.float(), category, ignore_index=-1, label_smoothing=0.1)
        )
        if training.saved():
            with torch.inference_mode():
                repainted, guess = training.average(fixed)
                errors = [F.l1_loss(r, fixed).item() for r in repainted]
            print(
                f"{training}  held out: "
                + " ".join(f"L1 from {n} {e:.4f}" for n, e in zip(DECODED, errors))
                + f"  category {(guess.argmax(1) == fixed_category).float().mean():.2f}",
                flush=True,
            )
    scale_to_unit_mean(training.average.network, fixed)
    torch.save(training.average.network.state_dict(), args.out / "network.pt")


if __name__ == "__main__":
    main()
