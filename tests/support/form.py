"""The page's form, filled in for handlers that are called without a page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from facetransfer.base.settings import TransferSettings
from facetransfer.ui.components.settings import PLACE_LABELS
from facetransfer.ui.form import Asked
from facetransfer.ui.inputs import shown
from segmentation.classes import NAMES


def filled_in(
    content: str | None = None,
    style: str | None = None,
    known: tuple[Any, Any] = (None, None),
    drawn: tuple[Any, Any] = (None, None),
    animate: bool = False,
    **changed: Any,
) -> Asked:
    """As a visitor leaves it who changes the settings `changed` and nothing else."""
    return Asked(
        (content, style),
        known,
        drawn,
        next(iter(PLACE_LABELS)),
        animate,
        dict.fromkeys(NAMES, 1.0),
        shown(replace(TransferSettings(), **changed)),
    )
