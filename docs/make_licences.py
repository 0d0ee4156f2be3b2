"""Writes licences.md of this folder: `python docs/make_licences.py`, in an environment with requirements.txt.

The licences of packages are what their installed metadata say, those of weights what their certificates say.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from facetransfer.base.weights import certificate  # noqa: E402

FILE = ROOT / "docs" / "licences.md"
NETWORKS = {"parser": "the face parser `compact`", "texture": "the feature network `compact`"}
LONGEST_NAME = 60  # characters of a licence's name: whatever is longer is the licence itself
NOT_STATED = "not stated"
# Licences that ask something of who passes their code on, and how their texts or names are found.
COPYLEFT = {
    "GPL-2.0": r"GPLv2\b|(?<!LESSER )GENERAL PUBLIC LICENSE\s+Version 2\b",
    "LGPL-2.1": r"LGPL-?v?2\.1|LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1",
    "LGPL-3.0": r"LGPLv3|LESSER GENERAL PUBLIC LICENSE\s+Version 3",
    "GPL-3.0 with GCC's exception": r"GCC-exception|GCC RUNTIME LIBRARY EXCEPTION",
    "MPL-2.0": r"Mozilla Public License\D{0,12}2\.0",
}
OF_A_GPU = re.compile(r"nvidia-|cuda-|triton$")  # what torch needs for NVIDIA's cards alone

# Where a licence names the GPL without binding anybody to it: an exception of LLVM's for programs under the
# GPL, and FreeType's offer of the GPL beside its own licence.
NOT_BINDING = (
    r'under the GPLv2 \("Combined|conditions of the GPLv2|'
    r"General Public License version 2, found in `docs/GPLv2\.TXT|incompatible with GPLv2"
)

TERMS = """\
# Licences

Made by `python docs/make_licences.py` from the metadata of the installed packages (MADE WITH) and the
certificates of the weights. This is a list of facts for those who have to decide, and no legal advice.

## What ships with the program

| what | licence | made from |
|---|---|---|
| the code | MIT ([LICENSE](../LICENSE)) | |
| the pictures in `assets` | MIT ([CREDITS](../assets/examples/CREDITS.md)) | they are rendered |
NETWORKS

## What is downloaded when somebody chooses it

No terms of their own are stated for these weights where they are published.

| weights | licence of the code beside them | trained on |
|---|---|---|
| VGG-19, torchvision's IMAGENET1K_V1 | BSD | ImageNet, for non-commercial research |
| BiSeNet, facexlib's | Apache 2.0 | CelebAMask-HQ, for non-commercial research |
| ParseNet, facexlib's | Apache 2.0 | not stated; its classes are those of CelebAMask-HQ |

## What follows for commercial use

- **The code** may be used, changed and sold, with its copyright notice.
- **The parser's weights** may not: they are for non-commercial research, as the faces are that they learnt
  from. The app makes every map with them. So the app as it ships is not for commercial use, and its image
  is not.
- **Without them:** give maps that were painted, or made by a parser that you may use, beside the pictures
  (`a_sem.png`), and the command line asks no parser (`--parser none` makes sure). Or train one of your own
  with `training/parser.py` on faces to which you have the rights, and certify it with
  `python -m training.certify`: then it stands where ours stood.
- **The texture network's weights** may be used as the code may. The method `guided`, which is the default,
  needs no feature network.
- **VGG-19, BiSeNet and ParseNet** learnt from pictures for research. Ask their publishers.
- **Results** are made of the style's pixels in the content's shapes: what may be done with them depends on
  the rights in both pictures, and on the person who is shown.
- **To run the program on a server** asks nothing more. **To pass its packages on,** in an image or an
  installer, brings in the licences of the libraries inside them, in the last column below:
  - `pillow-heif`'s wheels hold x265 under GPL-2.0, so what contains them goes on under the GPL. The program
    works without that package and then reads no HEIC. HEVC may need a licence of its patents too.
  - `opencv-python`'s wheels hold FFmpeg, and Qt unless they are the headless ones, under the LGPL: they stay
    files of their own, which others can replace.
  - `pillow` names the GPL for tools of xz; its wheels hold liblzma alone, which is in the public domain.
  - `certifi`, `orjson` and `tqdm` are in part under MPL-2.0: changes to those files are published.
- **NVIDIA's libraries,** which torch brings unless it is the one for the CPU, are proprietary: their own
  licence says who may pass them on. The image has none of them.

## What the program depends on

| package | for | licence | copyleft licences that its licence files name |
|---|---|---|---|
"""
BROUGHT = "| package | licence | copyleft licences that its licence files name |\n|---|---|---|\n"


@dataclass(frozen=True)
class Package:
    """An installed package: its licence, and the licences of what its files bring along."""

    name: str
    version: str
    licence: str
    inside: tuple[str, ...]

    def row(self, reason: str | None = None) -> str:
        cells = [f"{self.name} {self.version}", *([reason] if reason else []), self.licence]
        return f"| {' | '.join(cells)} | {', '.join(self.inside)} |"


def declared(text: str) -> dict[str, str]:
    """The dependencies that pyproject.toml names, with their reasons; the reason ends the line."""
    lines = re.findall(r'^    "([a-z][^"]*[=<>][^"]*)",  # (.+)$', text, re.M)
    return {canonicalize_name(Requirement(wanted).name): reason for wanted, reason in lines}


def licence_of(metadata: Message) -> str:
    """By the field for it, the older field where that is a name, or the classifiers."""
    text = (metadata.get("License") or "").strip()
    classes = [one for one in metadata.get_all("Classifier", []) if one.startswith("License ::")]
    if expression := metadata.get("License-Expression"):
        return expression
    if text and len(text) <= LONGEST_NAME and "\n" not in text:
        return text
    return ", ".join(one.rsplit(" :: ", 1)[1] for one in classes) or NOT_STATED


def inside(package: Distribution) -> tuple[str, ...]:
    """The licences of COPYLEFT whose texts or names stand in the files of the package's licences, where they
    bind somebody.
    """
    files = [file for file in package.files or () if re.search("licen[cs]e|copying", file.name, re.I)]
    text = "\n".join(
        Path(file.locate()).read_text("utf-8", "replace") for file in files if file.suffix != ".py"
    )
    text = re.sub(NOT_BINDING, "", " ".join(text.split()))
    return tuple(name for name, pattern in COPYLEFT.items() if re.search(pattern, text, re.I))


def package(name: str) -> Package:
    found = distribution(name)
    return Package(name, found.version, licence_of(found.metadata), inside(found))


def needed(names: set[str]) -> set[str]:
    """The packages, what they need, and what that needs, where it is installed."""
    found: set[str] = set()
    new = set(names)
    while new:
        found |= new
        new = {one for name in new for one in direct(name)} - found
    return found


def direct(name: str, extras: Collection[str] = ()) -> Iterator[str]:
    """What is installed of what a package needs, with these extras of it."""
    for line in distribution(name).requires or ():
        wanted = Requirement(line)
        asked = not wanted.marker or any(wanted.marker.evaluate({"extra": one}) for one in {"", *extras})
        if asked and installed(wanted.name):
            yield canonicalize_name(wanted.name)
            if wanted.extras:
                yield from direct(wanted.name, wanted.extras)


def installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def networks() -> str:
    found = {name: certificate(name) for name in NETWORKS}
    return "\n".join(
        f"| the weights of {NETWORKS[name]} ([card](../assets/weights/{name}.md)) | {said['licence']} | "
        f"{said['data']} |"
        for name, said in found.items()
    )


def page() -> str:
    """The whole of licences.md."""
    reasons = declared((ROOT / "pyproject.toml").read_text("utf-8"))
    made_with = f"{platform.system()}, Python {'.'.join(platform.python_version_tuple()[:2])}"
    rows = [package(name).row(reason) for name, reason in sorted(reasons.items())]
    others = [package(name) for name in sorted(needed(set(reasons)) - set(reasons))]
    gpu = [one for one in others if OF_A_GPU.match(one.name)]
    parts = [TERMS.replace("MADE WITH", made_with).replace("NETWORKS", networks()) + "\n".join(rows)]
    for title, packages in (
        ("What those bring along", [one for one in others if one not in gpu]),
        ("What torch brings along for NVIDIA's cards", gpu),
    ):
        if packages:
            parts.append(f"## {title}\n\n{BROUGHT}" + "\n".join(one.row() for one in packages))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    FILE.write_text(page(), "utf-8")
