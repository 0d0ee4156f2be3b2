"""The recipe in a result's PNG file: the settings, versions and fingerprints of the inputs. It is read as
data, never executed, and contains no paths.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from facetransfer import __version__
from facetransfer.base.errors import InputError, shortened
from facetransfer.base.images import FORMATS, open_picture
from facetransfer.base.settings import PLACES, TransferSettings, all_settings
from facetransfer.jobs.class_weights import strengths_as_text

KEY = "facetransfer"  # keyword of the text chunk in the PNG file
LARGEST = 20_000  # characters that a recipe can have at most
RETIRED: dict[str, Any] = {"edges": "hard", "completeness": 0.0, "kinship": 1.0, "memory": 96}
"""Settings of earlier versions, and the values with which they changed nothing."""
STATEMENT = "made by Face transfer: a picture made by a program"


def fingerprint(pixels: np.ndarray) -> str:
    """sha256 of an array's shape and bytes, as hex."""
    return hashlib.sha256(
        repr((pixels.shape, str(pixels.dtype))).encode() + np.ascontiguousarray(pixels).tobytes()
    ).hexdigest()


@dataclass(frozen=True)
class Recipe:
    """What a result was made from.

    inputs: fingerprints of the pictures and maps by role. options: other choices that the result depends on,
    by name. retired: settings of an earlier version that changed the result and that this version no longer
    has.
    """

    settings: TransferSettings
    inputs: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    retired: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(
            {
                "settings": asdict(self.settings),
                "inputs": self.inputs,
                "options": self.options,
                "versions": self.versions,
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Reads the text in a PNG file. Raises InputError where it is not a recipe, or where a setting is
        unknown or out of its range.
        """
        if len(text) > LARGEST:
            raise InputError(
                f"the recipe has {len(text)} characters, more than the {LARGEST} that one can have: give a "
                f"picture that this program made"
            )
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        known = {s.name: s for s in all_settings()}
        if not isinstance(data, dict) or not all(
            isinstance(data.get(k, {}), dict) for k in ("settings", "inputs", "options", "versions")
        ):
            raise InputError("the picture's recipe cannot be read: give a picture that this program made")
        given = dict(data.get("settings", {}))
        retired = sorted(name for name in RETIRED if given.pop(name, RETIRED[name]) != RETIRED[name])
        if given.get("turns") == "turned and scaled":
            given["turns"] = "turned"
            retired.append("turns")
        if unknown := set(given) - set(known):
            raise InputError(
                f"the recipe has a setting {shortened(repr(sorted(unknown)[0]), 40)} that this version "
                f"does not know: it was made by another one"
            )
        texts = {
            k: {n: v for n, v in data.get(k, {}).items() if isinstance(v, str)}
            for k in ("inputs", "versions")
        }
        options = {
            n: v for n, v in data.get("options", {}).items() if isinstance(v, (str, int, float, bool, list))
        }
        return cls(TransferSettings(**given), texts["inputs"], options, texts["versions"], tuple(retired))

    def in_png(self) -> PngInfo:
        """The recipe as text chunks for a PNG file."""
        info = PngInfo()
        info.add_text(KEY, self.to_json())
        info.add_text("Software", f"Face transfer {__version__}")
        info.add_text("Comment", STATEMENT)
        return info

    def command(self, files: dict[str, str] | None = None) -> str:
        """The command line that makes the same result. files: file names by flag; without them, placeholders
        for content, style and output.
        """
        files = files or {"content": "content.png", "style": "style.png", "output": "result.png"}
        given = {
            name: f"{value:.10g}" if isinstance(value, float) else str(value)
            for s in all_settings()
            if (value := getattr(self.settings, name := s.name)) != s.default
            and not (name == "start" and value == "image")
        }
        given |= {
            name: str(value)
            for name, value in self.options.items()
            if value not in (None, "") and (name, value) != ("into", PLACES[0])
        }
        words = [
            word
            for name, value in {**files, **given}.items()
            for word in (f"--{name.replace('_', '-')}", value)
        ]
        return shlex.join(["python", "-m", "facetransfer", *words])


def versions() -> dict[str, str]:
    """The versions and the kind of processor that the exact bytes of a result may depend on."""
    import torch

    return {
        "facetransfer": __version__,
        "torch": torch.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }


def options_of(
    place: str,
    strengths: dict[str, float],
    parser: str,
    face: int,
    output_size: tuple[int, int] | None = None,
) -> dict[str, str]:
    """What a result depends on beside its settings, named like the flags of the command line. Default values
    are left out.
    """
    options = {
        "into": "" if place == PLACES[0] else place,
        "strength": strengths_as_text(strengths),
        "parser": parser,
        "face": "" if face == 1 else str(face),
        "output_size": f"{output_size[0]}x{output_size[1]}" if output_size else "",
    }
    return {name: value for name, value in options.items() if value}


def carried_recipe(path: str | os.PathLike[str]) -> Recipe | None:
    """The recipe in a file, read without decoding its pixels; None where there is none. Raises InputError
    where the recipe is damaged.
    """
    try:
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as picture:
            text = getattr(picture, "text", {}).get(KEY)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # The file is not a picture.
        return None
    return Recipe.from_json(text) if isinstance(text, str) else None


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """The recipe in a PNG file. Raises InputError where there is none, or where it is damaged."""
    open_picture(
        path
    )  # raises InputError for a missing file, one that is not a picture, and one that is too large
    recipe = carried_recipe(path)
    if recipe is None:
        raise InputError(f"{Path(path).name} carries no recipe: give a PNG that this program made")
    return recipe
