"""A visit whose page was loaded again: its pictures, maps and results, as long as the server has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from facetransfer.ui.components.pictures import both
from facetransfer.ui.components.result import HISTORY, made_in, with_history
from facetransfer.ui.files import lies_here
from facetransfer.ui.gradio_compat import event_says
from facetransfer.ui.inputs import worded
from facetransfer.ui.theme import said

BACK = "Your pictures and results are back as they were before the page was loaded again."
GONE = "The page was loaded again. What is older than an hour is not kept, and was not brought back."


@worded
def bring_back(event: gr.EventData) -> Iterator[dict[str, Any]]:
    """The pictures, maps and results that the browser's tab names, by the names of the page's outputs.

    The event says `pictures`, the files of content and style or null; `drawn`, what was painted over their
    maps; `results`, the names of the results' folders, the newest first. It can be anything: a file counts
    only where it lies in the cache.
    """
    told = {name: event_says(event, name) for name in ("pictures", "drawn", "results")}
    first, second, *_ = [*_listed(told["pictures"]), None, None]
    drawn = [*_listed(told["drawn"]), None, None]
    asked_for = [path for path in (first, second) if path]
    paths = tuple(path if lies_here(path) else None for path in (first, second))
    names = _listed(told["results"])[:HISTORY]
    found = [made for made in map(made_in, names) if made]
    if not asked_for and not names:
        yield {"status": gr.skip()}
        return
    whole = len(found) == len(names) and len(asked_for) == sum(map(bool, paths))
    results = with_history(found[0], found[1:]) if found else {}
    yield {
        **both((paths[0], paths[1]), (drawn[0], drawn[1])),
        **results,
        "status": said(BACK if whole else GONE),
    }


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
