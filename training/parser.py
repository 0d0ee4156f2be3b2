"""Trains the compact face parser.

    python -m training.parser --labelled DIR --others DIR [DIR ...] --minutes 75 --out runs/parser

Cross-entropy with softened class weights plus dice (Milletari et al. 2016), see `training.timed` for the
rest: the same command goes on from its checkpoint. Pictures are drawn in a process of their own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

from segmentation.classes import CLASSES, INDEX
from segmentation.parsers.compact_network import CompactParserNetwork
from training.face_pictures import (
    WITH_FACES,
    FaceAugmenter,
    labelled_faces,
    read_labels,
    read_rgb,
    sides_mended,
)
from training.jewellery import Jeweller
from training.lending import IGNORE, Lender
from training.timed import TimedTraining, add_options, set_up
from training.wardrobe import Wardrobe

VALIDATION_SIDE = 288
SELDOMER = 0.5  # how often a face of --extra is drawn, against one whose map was painted
RARE = (
    ("hat", 3.0, 0.01),
    ("eye_glasses", 2.0, 0.002),
    ("cloth", 1.0, 0.03),
    ("necklace", 2.0, 0.0002),
    ("earring", 1.0, 0.001),
    ("mouth", 0.5, 0.002),
)  # class, extra draws, share


def class_weights(labels: list[np.ndarray]) -> Tensor:
    """(19,) weights by the fourth root of rarity, mean 1: rare parts count more, but do not flood the
    picture.
    """
    share = (
        np.bincount(np.concatenate([m[::4, ::4].ravel() for m in labels]), minlength=len(CLASSES))[
            : len(CLASSES)
        ]
        + 1.0
    )
    weights = (share / share.sum()) ** -0.25
    return torch.tensor(np.minimum(weights, 4 * np.median(weights)) / weights.mean(), dtype=torch.float32)


def grown(network: CompactParserNetwork, smaller: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a smaller network for this larger one: it answers as before, and what is new learns from
    there.

    New channels do not reach the old ones, and new residual blocks add nothing, until training says
    otherwise.
    """
    state = {}
    for name, new in network.state_dict().items():
        old = smaller.get(name)
        if old is None:
            state[name] = torch.zeros_like(new) if name.endswith("second.1.weight") else new
        elif new.dim() == 4:
            state[name] = new.clone()
            state[name][: old.shape[0], old.shape[1] :] = 0
            state[name][: old.shape[0], : old.shape[1]] = old
        else:
            state[name] = torch.cat((old, new[len(old) :])) if new.dim() else old
    return state


def rarity(labels: np.ndarray) -> float:
    """How often a face is drawn: more where classes occur that most faces lack."""
    share = np.bincount(labels[::4, ::4].ravel(), minlength=256)[: len(CLASSES)] / labels[::4, ::4].size
    return 1 + sum(more for name, more, least in RARE if share[INDEX[name]] > least)


def loss_of(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """logits (B,K,h,w), labels (B,h,w) with IGNORE."""
    entropy = F.cross_entropy(logits, labels, weights, ignore_index=IGNORE)
    known = (labels != IGNORE).unsqueeze(1)
    truth = F.one_hot(labels.clamp(max=logits.shape[1] - 1), logits.shape[1]).movedim(-1, 1) * known
    guess = logits.softmax(1) * known
    both, sums = (guess * truth).sum((0, 2, 3)), (guess + truth).sum((0, 2, 3))
    present = truth.sum((0, 2, 3)) > 0
    return entropy + 0.5 * (1 - (2 * both[present] + 1) / (sums[present] + 1)).mean()


class Batches(IterableDataset):
    """Endless training batches: pictures (B,3,S,S) uint8, labels (B,S/2,S/2) int64, S drawn anew for each
    batch.

    faces are drawn with probability `drawn`; `calm` maps a moment (time.time) to 0..1, see FaceAugmenter.
    """

    def __init__(
        self,
        faces: list[tuple[np.ndarray, np.ndarray]],
        drawn: np.ndarray,
        others: list[np.ndarray],
        sides: list[int],
        batch: int,
        calm: tuple[float, float],
    ) -> None:
        self.faces, self.drawn, self.others, self.sides, self.batch, self.calm = (
            faces,
            drawn,
            others,
            sides,
            batch,
            calm,
        )

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        cv2.setNumThreads(0)
        rng = np.random.default_rng(time.time_ns())
        augment, lend, adorn = FaceAugmenter(self.others, rng), Lender(self.faces, rng), Jeweller(rng)
        dress = Wardrobe(rng)
        while True:
            augment.calm = float(np.clip((time.time() - self.calm[0]) / (self.calm[1] - self.calm[0]), 0, 1))
            side = int(rng.choice(self.sides))
            pictures, labels = zip(
                *(
                    augment(*dress(*adorn(*lend(i))), side)
                    for i in rng.choice(len(self.faces), size=self.batch, p=self.drawn)
                )
            )
            dy, dx = rng.integers(
                0, 2, 2
            )  # a cell answers for four pixels: each in turn, so that its answer lies in their middle
            yield (
                torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2),
                torch.from_numpy(np.stack(labels)[:, dy::2, dx::2]).long(),
            )


def validate(network: CompactParserNetwork, pairs: list[tuple[Path, Path]]) -> np.ndarray:
    """IoU of each class (19,), NaN where a class never occurs, at the size of the masks, the picture seen
    once.
    """
    confusion = np.zeros((len(CLASSES),) * 2)
    network.eval()
    with torch.inference_mode():
        for image, mask in pairs:
            truth = sides_mended(read_labels(mask))
            small = cv2.resize(read_rgb(image), (VALIDATION_SIDE,) * 2, interpolation=cv2.INTER_AREA)
            x = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
            logits = F.interpolate(network(x), size=truth.shape, mode="bilinear", align_corners=False)
            confusion += np.bincount(
                truth.ravel().astype(int) * len(CLASSES) + logits.argmax(1).numpy().ravel(),
                minlength=confusion.size,
            ).reshape(confusion.shape)
    network.train()
    hit = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hit
    return np.where(union > 0, hit / np.maximum(union, 1), np.nan)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--labelled", type=Path, required=True, help="folder with images/ and masks/")
    options.add_argument(
        "--others", type=Path, nargs="+", required=True, help="folders of pictures without faces"
    )
    options.add_argument(
        "--extra",
        type=Path,
        nargs="*",
        default=[],
        help="more folders with images/ and masks/, all trained on",
    )
    add_options(options, minutes=75, batch=8, out="runs/parser")
    options.add_argument(
        "--sides",
        type=int,
        nargs="+",
        default=[192, 192, 224, 224],
        help="of a batch, drawn anew: sizes seen apart from scales",
    )
    options.add_argument(
        "--calm-from",
        type=float,
        default=0.5,
        help="share of the time after which pictures get calmer, see FaceAugmenter",
    )
    options.add_argument(
        "--start",
        type=Path,
        help=(
            "weights to start from, of this network or of a smaller one: a checkpoint or the .safetensors "
            "that ships"
        ),
    )
    args = options.parse_args()
    set_up(args)

    pairs, held_out = labelled_faces(args.labelled)
    painted = len(pairs)
    for folder in args.extra:
        pairs += [(p, folder / "masks" / f"{p.stem}.png") for p in sorted((folder / "images").iterdir())]
    faces = [(read_rgb(image), sides_mended(read_labels(mask))) for image, mask in pairs]
    drawn = np.array([rarity(labels) for _, labels in faces])
    drawn[painted:] *= SELDOMER
    drawn /= drawn.sum()
    weights = class_weights([labels for _, labels in faces])
    paths = sorted(
        p for folder in args.others for p in folder.rglob("*.jpg") if p.parent.name not in WITH_FACES
    )
    others = [read_rgb(paths[i]) for i in np.random.default_rng().permutation(len(paths))[:1500]]

    network = CompactParserNetwork().train().to(memory_format=torch.channels_last)
    if args.start:
        weights_before = (
            load_file(args.start)
            if args.start.suffix == ".safetensors"
            else torch.load(args.start, weights_only=True)["average"]
        )
        network.load_state_dict(grown(network, weights_before))
    training = TimedTraining(network, args, weight_decay=0.02, clip=5.0)
    calm = training.moment(args.calm_from), training.moment(args.calm_from + 0.3)
    batches = iter(
        DataLoader(
            Batches(faces, drawn, others, args.sides, args.batch, calm),
            batch_size=None,
            num_workers=1,
            prefetch_factor=4,
        )
    )
    for arithmetic in training.steps():
        x, y = next(batches)
        with arithmetic:
            logits = network((x.float() / 255).contiguous(memory_format=torch.channels_last))
        training.learn(loss_of(logits.float(), y, weights))
        if training.saved(class_weights=weights):
            iou = validate(training.average, held_out[::2])
            core = np.delete(iou, [15, 16])  # without earring and necklace
            print(
                f"{training}  IoU all {np.nanmean(iou):.3f}  core {np.nanmean(core):.3f}  "
                + " ".join(f"{c.name} {v:.2f}" for c, v in zip(CLASSES, iou)),
                flush=True,
            )


if __name__ == "__main__":
    main()
