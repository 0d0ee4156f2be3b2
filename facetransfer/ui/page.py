"""The page: three steps, each a room of its own (`facetransfer.ui.components`); here they are put together
and their events wired.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from facetransfer.ui import api
from facetransfer.ui.components import map_editor as maps
from facetransfer.ui.components import pictures, result, settings
from facetransfer.ui.files import KEPT
from facetransfer.ui.gradio_compat import guard
from facetransfer.ui.queue_status import left, refusal, waiting_words
from facetransfer.ui.theme import CONSENT, step, title

# one heavy job at a time; the others wait in line
WORK: dict[str, Any] = dict(concurrency_id="work", concurrency_limit=1)
LOOK: dict[str, Any] = dict(
    concurrency_id="look", concurrency_limit=1
)  # the parser does not wait for them: maps are there while others run
HIDDEN: dict[str, Any] = dict(api_visibility="private")
QUICK: dict[str, Any] = dict(queue=False, show_progress="hidden", **HIDDEN)

# Who asked for less motion is brought there at once.
GENTLY = "matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth'"
# On a phone, and where the page was scrolled on, the result is brought into view when work begins.
SHOW_RESULT = f"""() => {{ const box = document.querySelector('#result').getBoundingClientRect();
  if (box.top < 0 || box.bottom > innerHeight)
    document.querySelector('#step-result').scrollIntoView({{behavior: {GENTLY}}}); }}"""
SHOW_SOURCE = (
    "() => setTimeout(() => document.querySelector('#sources-room').scrollIntoView({block: 'nearest', "
    f"behavior: {GENTLY}}}), 300)"
)
# A download button downloads what it held when it was pressed: the zip made just now is fetched by a press of
# a hidden one.
CLICK_ZIP = "() => setTimeout(() => document.querySelector('#maps-zip').click(), 300)"


class Page:
    """The rooms, and what the page remembers: what the parser said of each picture, the last run, this
    visit's results.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        self.blocks = blocks
        gr.HTML(title(), apply_default_css=False)
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                gr.HTML(
                    step(1, "Pictures", "upload two faces, or click a finished example"),
                    apply_default_css=False,
                )
                self.pictures = pictures.PicturesRoom()
                self.cards = pictures.example_cards()
                gr.HTML(
                    step(
                        2,
                        "Maps",
                        "each colour takes from the same colour; paint over what is wrong, or leave it",
                    ),
                    apply_default_css=False,
                )
                self.maps = maps.MapsRoom()
            with gr.Column(scale=2, min_width=320, elem_id="step-result"):
                gr.HTML(step(3, "Result", "press Run"), apply_default_css=False)
                self.result = result.ResultRoom()
        self.settings = settings.SettingsRoom(self.result.likeness)
        self.result.more()
        gr.Markdown(CONSENT, elem_id="consent")
        api.add_endpoints(LOOK, WORK)  # before the page's own events: the first of a name has it to itself
        self.known = [gr.State(None, time_to_live=KEPT), gr.State(None, time_to_live=KEPT)]
        self.last, self.visit = gr.State(None, time_to_live=KEPT), gr.State([], time_to_live=KEPT)
        self.paths = [self.pictures.content, self.pictures.style]
        self.advised: dict[str, Any] = dict(
            fn=maps.show_advice,
            inputs=[*self.known, *self.maps.views, *self.settings.values],
            outputs=self.maps.advice,
            **QUICK,
        )
        self.timed: dict[str, Any] = dict(
            fn=settings.time_text,
            inputs=[self.known[0], *self.settings.values],
            outputs=self.result.expected,
            **QUICK,
        )

    def wire_maps(self) -> None:
        views, files = self.maps.views, [self.maps.load_content, self.maps.load_style]
        for role, picture, view, known, file in zip(
            ("content", "style"), self.paths, views, self.known, files
        ):
            picture.change(
                _parse_as(role), [picture, view], [view, known], show_progress_on=view, **HIDDEN, **LOOK
            ).then(**self.advised).then(**self.timed)
            picture.change(lambda: None, None, self.last, **QUICK)
            picture.select(
                pictures.choose_face,
                [picture, known, view, self.maps.parser],
                [view, known],
                show_progress_on=view,
                **HIDDEN,
                **LOOK,
            ).then(**self.advised)
            view.face(
                pictures.choose_framed,
                [picture, known, view, self.maps.parser],
                [view, known],
                show_progress_on=view,
                **HIDDEN,
                **LOOK,
            ).then(**self.advised)
            view.painted(**self.advised, trigger_mode="always_last")
            view.fill(
                maps.fill, [picture, known, view], view, concurrency_limit=4, show_progress="hidden", **HIDDEN
            )
            file.upload(maps.load_map, [file, picture, known], view, show_progress="hidden", **HIDDEN)
        self.maps.again.click(
            pictures.parse_both,
            [*self.paths, *views, self.maps.parser],
            [views[0], self.known[0], views[1], self.known[1]],
            show_progress_on=views,
            **HIDDEN,
            **LOOK,
        ).then(**self.advised)
        self.maps.save.click(
            maps.save_maps,
            [*self.paths, *self.known, *views],
            self.maps.zipped,
            show_progress="hidden",
            **HIDDEN,
        ).success(None, None, None, js=CLICK_ZIP, **HIDDEN)

    def wire_settings(self) -> None:
        room = self.settings
        self.result.preset.change(
            settings.choose_preset,
            [self.result.preset, room.seed, self.result.likeness],
            room.values,
            queue=False,
            **HIDDEN,
        ).then(**self.timed)
        gr.on([one.input for one in room.values], **self.timed, trigger_mode="always_last")
        room.region.input(settings.region, room.region, room.strengths, **QUICK)
        room.roll.click(settings.dice, None, room.seed, **QUICK)
        room.restore.upload(
            settings.restore, room.restore, [self.result.place, *room.strengths, *room.values], **HIDDEN
        ).then(**self.timed)

    def wire_result(self) -> None:
        room, nothing = self.result, gr.State(None)
        everything = [
            *self.paths,
            *self.known,
            *self.maps.views,
            room.place,
            *self.settings.strengths,
            *self.settings.values,
        ]
        outputs = [
            room.result,
            room.status,
            room.download,
            room.slider,
            room.words,
            self.last,
            self.visit,
            room.gallery,
        ]
        after: dict[str, Any] = dict(
            fn=lambda picture: result.buttons(False, picture),
            inputs=room.result,
            outputs=[room.run, room.stop, room.refine, room.watch],
            **QUICK,
        )
        events = []
        for button, work, inputs, shown in (
            (room.run, result.run, [self.visit, nothing, nothing, room.film, *everything], outputs),
            (room.refine, result.run, [self.visit, self.last, room.result, room.film, *everything], outputs),
            (room.compare, result.compare, everything, [room.compared, room.compare_status]),
        ):
            button.click(
                lambda: result.buttons(True),
                None,
                after["outputs"],
                js=None if button is room.compare else SHOW_RESULT,
                **QUICK,
            )
            events.append(button.click(work, inputs, shown, show_progress="hidden", **HIDDEN, **WORK))
            events[-1].success(**after)
            events[-1].failure(**after)
        room.watch.tick(self.look_at_line, None, [room.status, room.watch], **QUICK)
        room.stop.click(
            None, cancels=events, **HIDDEN
        )  # a listener of its own: within one, the page cancels only after the words are there
        room.stop.click(
            self.stopped, [room.result, room.status], [room.status, room.refine], queue=False, **HIDDEN
        ).then(**after)
        room.result.select(result.where_from, self.last, [room.source, room.source_room], **QUICK).then(
            None, None, None, js=SHOW_SOURCE, **HIDDEN
        )
        self.cards.choose(
            pictures.choose_example,
            None,
            # All that belongs to the run before goes, or it would stand beside another picture.
            [*self.paths, room.result, room.status, room.download, room.slider, room.words, self.last],
            queue=False,
            **HIDDEN,
        ).then(**after)

    async def look_at_line(self, request: gr.Request) -> tuple[Any, Any]:
        """The status of who waits; the watch ends when the turn has come. In no thread of its own: what it
        says is sent at once, or it were no longer true.
        """
        words = waiting_words(self.blocks, WORK["concurrency_id"], request.session_hash)
        return (result.said(words), gr.skip()) if words else (gr.skip(), gr.Timer(active=False))

    async def stopped(self, picture: str | None, words: str, request: gr.Request) -> tuple[Any, Any]:
        """What `result.stopped` says, after the last word of the run that was stopped: it would take its
        place otherwise.
        """
        await left(self.blocks, WORK["concurrency_id"], request.session_hash)
        return result.stopped(picture, words)


def build_page() -> gr.Blocks:
    """The page with its events wired."""
    with gr.Blocks(title="Face transfer", analytics_enabled=False) as blocks:
        page = Page(blocks)
        page.wire_maps()
        page.wire_settings()
        page.wire_result()
        blocks.load(**page.timed)
    # Who posts to a function that stands in a line has to stand in it too.
    blocks.queue(max_size=None, default_concurrency_limit=1, api_open=False)
    guard(blocks, refusal)
    return blocks


def _parse_as(role: str) -> Any:
    def parse(path: str | None, drawn: object) -> Any:
        yield from pictures.parse(path, role, drawn)

    return parse
