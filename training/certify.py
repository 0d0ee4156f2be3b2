"""Turns trained weights into the files that ship: safetensors with a certificate beside them.

    python -m training.certify texture --from runs/texture/network.pt --facts facts.json

`facts.json` holds what only the person who trained knows: command, data, licence, measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from datetime import date
from pathlib import Path

import torch
from safetensors.torch import save

from facetransfer.base.weights import FOLDER


def certify(name: str, state: dict[str, torch.Tensor], facts: dict[str, object], half: bool) -> Path:
    """Writes `<name>.safetensors` (float16 if `half`) and `<name>.json` into assets/weights, each whole or
    not at all.
    """
    tensors = {
        k: (v.half() if half and v.is_floating_point() else v).contiguous()
        for k, v in state.items()
        if not k.endswith("num_batches_tracked")
    }
    data = save(tensors)
    facts = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "date": date.today().isoformat(),
        "torch": torch.__version__,
        **facts,
    }
    for path, content in (
        (FOLDER / f"{name}.safetensors", data),
        (FOLDER / f"{name}.json", (json.dumps(facts, indent=2) + "\n").encode()),
    ):
        temporary = path.with_suffix(".part")
        temporary.write_bytes(content)
        os.replace(temporary, path)
    return FOLDER / f"{name}.safetensors"


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("name", choices=("texture", "parser"))
    options.add_argument(
        "--from",
        dest="sources",
        type=Path,
        nargs="+",
        required=True,
        help=(
            "state dict, or a checkpoint with averaged weights; of several the mean (they must come from "
            "one start)"
        ),
    )
    options.add_argument(
        "--prior",
        type=float,
        default=0.0,
        help="parser: how much of the training's preference for rare classes is taken back, 0 to 1",
    )
    options.add_argument("--facts", type=Path, required=True)
    options.add_argument("--half", action="store_true", help="store float16")
    args = options.parse_args()
    saved = [torch.load(path, weights_only=True) for path in args.sources]
    states = [s.get("average", s) for s in saved]
    state = {
        k: sum(s[k] for s in states) / len(states) if v.is_floating_point() else v
        for k, v in states[0].items()
    }
    if (
        args.prior
    ):  # training multiplies a class's loss by its weight, which moves its logit by the weight's logarithm
        state["logits.bias"] = state["logits.bias"] - args.prior * saved[0]["class_weights"].log()
    path = certify(args.name, state, json.loads(args.facts.read_text("utf-8")), args.half)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
