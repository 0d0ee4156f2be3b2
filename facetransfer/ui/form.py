"""What the page asks for before work begins, by name: which component holds it, and what a handler gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from inspect import isgeneratorfunction, signature, unwrap
from typing import Any

import gradio as gr
from gradio.components import Component

from segmentation.parsers import Parse


@dataclass(frozen=True)
class Asked:
    """The form as it was filled in. Nothing in it has been checked: a program can send anything.

    pictures: the files of content and style, None where there is none. known: what the parser said of them.
    drawn: what was painted over their maps, as the map editor sends it. place: a label of where the result
    goes. animate: whether the download also gets an animation of the run. strengths: by class. settings: by
    name.
    """

    pictures: tuple[str | None, str | None]
    known: tuple[Parse | None, Parse | None]
    drawn: tuple[Any, Any]
    place: Any
    animate: bool
    strengths: dict[str, Any]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Form:
    """The components that hold what `Asked` describes, under the same names."""

    pictures: Sequence[Component]
    known: Sequence[Component]
    drawn: Sequence[Component]
    place: Component
    animate: Component
    strengths: Mapping[str, Component]
    settings: Mapping[str, Component]

    def components(self) -> set[Component]:
        return {
            *self.pictures,
            *self.known,
            *self.drawn,
            self.place,
            self.animate,
            *self.strengths.values(),
            *self.settings.values(),
        }

    def read(self, given: Mapping[Component, Any]) -> Asked:
        """The form, of the values that Gradio gives by component."""

        def pair(components: Sequence[Component]) -> tuple[Any, Any]:
            content, style = (given[component] for component in components)
            return content, style

        return Asked(
            pair(self.pictures),
            pair(self.known),
            pair(self.drawn),
            given[self.place],
            bool(given[self.animate]),
            {name: given[component] for name, component in self.strengths.items()},
            {name: given[component] for name, component in self.settings.items()},
        )

    def event(
        self,
        work: Callable[..., Iterator[dict[str, Any]]],
        outputs: Mapping[str, Component],
        **more: Component,
    ) -> dict[str, Any]:
        """The function, inputs and outputs of an event: `work` gets the form, and the values of `more` under
        their names; what it yields by names goes to the `outputs` of those names, and the others stay.
        """

        def answers(given: dict[Component, Any], **event: Any) -> Iterator[dict[Component, Any]]:
            others = {name: given[component] for name, component in more.items()}
            for answer in work(self.read(given), **others, **event):
                yield {outputs[name]: value for name, value in answer.items()}

        # Gradio looks at the signature for what a handler wants to know of the event, and of who asks.
        if "request" in signature(work).parameters:

            def handler(given: dict[Component, Any], request: gr.Request) -> Iterator[dict[Component, Any]]:
                yield from answers(given, request=request)
        elif "event" in signature(work).parameters:

            def handler(  # type: ignore[misc]
                given: dict[Component, Any], event: gr.EventData
            ) -> Iterator[dict[Component, Any]]:
                yield from answers(given, event=event)
        else:

            def handler(given: dict[Component, Any]) -> Iterator[dict[Component, Any]]:  # type: ignore[misc]
                yield from answers(given)

        handler.__name__ = work.__name__
        return {
            "fn": handler,
            "inputs": self.components() | set(more.values()),
            "outputs": list(outputs.values()),
        }


def by_name(work: Callable[..., Any], **outputs: Component) -> Callable[..., Any]:
    """The function with what it answers by names sent to the components of those names; the others stay."""

    def sent(answer: dict[str, Any]) -> dict[Component, Any]:
        return {outputs[name]: value for name, value in answer.items()}

    if isgeneratorfunction(unwrap(work)):

        @wraps(work)
        def handler(*args: Any, **kwargs: Any) -> Iterator[dict[Component, Any]]:
            for answer in work(*args, **kwargs):
                yield sent(answer)
    else:

        @wraps(work)
        def handler(*args: Any, **kwargs: Any) -> dict[Component, Any]:
            return sent(work(*args, **kwargs))

    return handler
