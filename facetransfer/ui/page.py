"""The page: three steps, each a room of its own (`facetransfer.ui.components`); here they are put together
and their events wired.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from facetransfer.ui import api
from facetransfer.ui.components import many, pictures, result, settings, style_row, visit
from facetransfer.ui.components import map_editor as maps
from facetransfer.ui.files import KEPT
from facetransfer.ui.form import Form, by_name
from facetransfer.ui.gradio_compat import guard, preview_links
from facetransfer.ui.queue_status import left, refusal, waiting_words, words_before_run
from facetransfer.ui.theme import CONSENT, TITLE, link_preview, step, title

# one heavy job at a time; the others wait in line
WORK: dict[str, Any] = dict(concurrency_id="work", concurrency_limit=1)
# The parser does not wait for them: maps are there while others run. Of two at work one may be large.
LOOK: dict[str, Any] = dict(concurrency_id="look", concurrency_limit=2)
HIDDEN: dict[str, Any] = dict(api_visibility="private")
QUIET: dict[str, Any] = dict(show_progress="hidden", **HIDDEN)
QUICK: dict[str, Any] = dict(queue=False, **QUIET)

# Who asked for less motion is brought there at once.
GENTLY = "matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth'"
# On a phone, and where the page was scrolled on, the result and what is said of it are brought into view when
# work begins.
SHOW_RESULT = f"""() => {{ const [words, box] = ['#status', '#result'].map(
    name => document.querySelector(name).getBoundingClientRect());
  if (words.top < 0 || box.bottom > innerHeight)
    document.querySelector('#step-result').scrollIntoView({{behavior: {GENTLY}}}); }}"""
# What could not begin, a full line for one, has said nothing.
NOT_BEGUN = f"words => words === {json.dumps(result.STARTING)} ? {json.dumps(result.FAILED)} : words"
# A download button downloads what it held when it was pressed: the zip made just now is fetched by a press of
# a hidden one.
CLICK_ZIP = "() => setTimeout(() => document.querySelector('#maps-zip').click(), 300)"


class Page:
    """The rooms, and what the page remembers beside what they hold: what the parser said of each picture."""

    def __init__(self, blocks: gr.Blocks) -> None:
        self.blocks = blocks
        gr.HTML(title(), apply_default_css=False)
        with gr.Row(equal_height=False, elem_id="steps"):
            with gr.Column(scale=3, min_width=320, elem_id="step-pictures"):
                gr.HTML(
                    step(1, "Pictures", "your own face, and a style"),
                    apply_default_css=False,
                )
                self.pictures = pictures.PicturesRoom()
                self.styles = style_row.StyleRoom()
                with gr.Accordion("Examples", open=True, elem_id="examples-room"):
                    self.cards = pictures.example_cards()
                with gr.Column(elem_id="step-maps"):
                    gr.HTML(
                        step(
                            3,
                            "Correct the maps, if you like",
                            "each colour takes from the same colour; paint over what is wrong, and press Run "
                            "again",
                        ),
                        apply_default_css=False,
                    )
                    self.maps = maps.MapsRoom()
                with gr.Column(elem_id="more"):
                    self.settings = settings.SettingsRoom()
                    self.many = many.ManyRoom()
            with gr.Column(scale=2, min_width=320, elem_id="step-result"):
                gr.HTML(step(2, "Result", ""), apply_default_css=False)
                self.result = result.ResultRoom(self.settings.likeness, self.settings.preset)
        self.known = [gr.State(None, time_to_live=KEPT), gr.State(None, time_to_live=KEPT)]
        self.paths = [self.pictures.content, self.pictures.style]
        gr.Markdown(CONSENT, elem_id="consent")
        api.add_endpoints(LOOK, WORK)  # before the page's own events: the first of a name has it to itself
        self.form = Form(
            self.paths,
            self.known,
            self.maps.views,
            self.settings.place,
            self.settings.animate,
            self.settings.strengths,
            self.settings.inputs,
        )
        self.advised: dict[str, Any] = dict(
            **self.form.event(maps.show_advice, {"advice": self.maps.advice}), **QUICK
        )
        self.told: dict[str, Any] = dict(
            **self.form.event(
                settings.about,
                {
                    "expected": self.result.expected,
                    "preset": self.settings.preset,
                    "settings_room": self.settings.settings_room,
                    "parts_room": self.settings.parts_room,
                    "query": self.settings.query,
                },
            ),
            **QUICK,
        )

    @property
    def on_page(self) -> dict[str, Any]:
        """The pictures, their maps and what is known of them, by name; and what can be brought back."""
        found: dict[str, Any] = {}
        for role, picture, view, known in zip(("content", "style"), self.paths, self.maps.views, self.known):
            found |= {role: picture, f"{role}_map": view, f"{role}_known": known}
        return {**found, "undo": self.pictures.undo, "undo_button": self.pictures.undo_button}

    def wire_maps(self) -> None:
        views, files = self.maps.views, [self.maps.load_content, self.maps.load_style]
        for role, picture, view, known, file in zip(
            ("content", "style"), self.paths, views, self.known, files
        ):
            picture.change(
                _parse_as(role), [picture, view], [view, known], show_progress_on=view, **HIDDEN, **LOOK
            ).then(**self.advised).then(**self.told)
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

    def wire_pictures(self, after: dict[str, Any]) -> None:
        room = self.pictures
        room.swap.click(**self.form.event(pictures.swap, self.on_page), **QUIET, **LOOK)
        room.undo_button.click(
            by_name(pictures.bring_back, **self.on_page), room.undo, [*self.on_page.values()], **QUIET, **LOOK
        )
        self.cards.choose(
            **self.form.event(
                pictures.choose_example, {**self.on_page, **self.result.outputs}, undo=room.undo
            ),
            **QUICK,
        ).then(**after)

    def wire_settings(self) -> None:
        room, values = self.settings, self.settings.all
        room.preset.input(
            **self.form.event(settings.choose_preset, room.inputs, name=room.preset), **QUICK
        ).then(**self.told)
        gr.on(
            [one.input for one in (*room.inputs.values(), *room.strengths.values(), room.place)],
            **self.told,
            trigger_mode="always_last",
        )
        room.region.input(settings.named_strengths, room.region, [*room.strengths.values()], **QUICK).then(
            **self.told
        )
        room.roll.click(settings.dice, None, room.inputs["seed"], **QUICK).then(**self.told)
        room.reset.click(by_name(settings.reset, **values), None, [*values.values()], **QUICK).then(
            **self.told
        )
        room.restore.upload(
            by_name(settings.restore, **values), room.restore, [*values.values()], **HIDDEN
        ).then(**self.told)
        room.copy_link.click(None, room.query, None, js="query => facePage.copyLink(query)", **HIDDEN)

    def wire_result(self) -> None:
        room = self.result
        outputs = room.outputs
        after: dict[str, Any] = dict(
            fn=self.at_rest,
            inputs=room.result,
            outputs=[room.run, room.stop, room.refine, room.watch],
            **QUICK,
        )
        busy: dict[str, Any] = dict(fn=lambda: result.buttons(True), outputs=after["outputs"], **QUICK)
        runs: dict[str, Any] = dict(
            **self.form.event(result.run, outputs, visit=room.visit, shown=room.shown), **QUIET, **WORK
        )
        going_on = self.form.event(
            result.refine,
            outputs,
            visit=room.visit,
            shown=room.shown,
            begun=room.begun,
            last=room.last,
            picture=room.result,
        )
        for button in (room.run, room.refine):
            button.click(**busy, js=SHOW_RESULT)
            button.click(None, None, room.status, js=f"() => {json.dumps(result.STARTING)}", **HIDDEN)
        events = [room.run.click(**runs), room.refine.click(**going_on, **QUIET, **WORK)]
        for button, work, into in (
            (
                room.compare,
                result.compare,
                {"compared": room.compared, "compare_status": room.compare_status},
            ),
            (
                room.make_variants,
                result.variants,
                {"variants": room.variants, "seeds": room.seeds, "variants_status": room.variants_status},
            ),
        ):
            button.click(**busy)
            events.append(button.click(**self.form.event(work, into), **QUIET, **WORK))
        chosen = room.variants.select(
            result.choose_variant, room.seeds, self.settings.inputs["seed"], **QUICK
        ).success(**busy)
        events.append(chosen.success(**runs))
        events += self.wire_styles(busy, runs)
        for event in events:
            event.success(**after)
            event.failure(**after)
            event.failure(None, room.status, room.status, js=NOT_BEGUN, **HIDDEN)
        back = {**self.on_page, **room.outputs}
        room.again.back(by_name(visit.bring_back, **back), None, [*back.values()], **QUIET, **LOOK).then(
            **after
        )
        room.watch.tick(self.look_at_line, None, [room.status, room.watch], **QUICK)
        room.queue.look(self.look_before_run, None, room.queue, **QUICK)
        self.wire_stop(events, after)
        self.wire_shown(after)
        self.wire_pictures(after)

    def wire_stop(self, events: list[Any], after: dict[str, Any]) -> None:
        """Stop ends the events. The picture so far is kept with its files, unless a run goes on from it."""
        room = self.result
        room.stop.click(
            None, cancels=events, **HIDDEN
        )  # a listener of its own: within one, the page cancels only after the words are there
        kept = (
            room.stop.click(self.stopped, [room.result, room.status], [room.status, room.refine], **QUICK)
            .then(**after)
            .then(
                by_name(result.keep, **room.outputs),
                [room.begun, room.result, room.status, room.visit],
                [*room.outputs.values()],
                **QUIET,
                **LOOK,
            )
        )
        room.refine.click(None, cancels=kept, **HIDDEN)  # or it would come after the picture that goes on

    def wire_shown(self, after: dict[str, Any]) -> None:
        """What is done with the results that are there."""
        room = self.result
        room.result.select(result.where_from, room.last, room.source, **QUICK)
        room.history.select(
            by_name(result.show_again, **room.outputs),
            room.visit,
            [*room.outputs.values()],
            **QUICK,
        ).then(**after)
        gr.on(
            [self.pictures.content.change, self.pictures.style.change, room.of.change],
            None,
            [*self.paths, room.of],
            room.note,
            js=result.OTHER_PICTURES,
            **HIDDEN,
        )
        room.make_clip.click(result.make_clip, room.shown, room.clip, **HIDDEN, **LOOK)
        room.copy.click(None, None, None, js="() => facePage.share()", **HIDDEN)

    def wire_styles(self, busy: dict[str, Any], runs: dict[str, Any]) -> list[Any]:
        """A press on a style, and the sheet of all of them; the events that Stop ends."""
        room = self.styles
        undo = self.pictures.undo
        result_room = self.result
        quick = {
            **runs,
            **self.form.event(
                result.preview, result_room.outputs, visit=result_room.visit, shown=result_room.shown
            ),
        }
        pressed = room.row.choose(
            **self.form.event(style_row.choose, self.on_page, undo=undo), **QUIET, **LOOK
        )
        tried = room.sheet.select(
            **self.form.event(style_row.choose_tried, self.on_page, undo=undo), **QUIET, **LOOK
        )
        events = [
            pressed.success(**busy).success(**quick),
            tried.success(**busy).success(**runs),
        ]
        all_of_them = self.form.event(style_row.try_all, {"sheet": room.sheet, "try_status": room.status})
        room.try_all.click(**busy)
        events.append(room.try_all.click(**all_of_them, **QUIET, **WORK))
        return events

    def wire_many(self) -> None:
        """Several pictures at once, and a film: they stand in the same line as a run."""
        room = self.many
        for button, stop, status, event in (
            (
                room.run_all,
                room.stop_all,
                room.all_status,
                self.form.event(
                    many.make_all,
                    {"matrix": room.matrix, "all_status": room.all_status, "zip": room.zip},
                    contents=room.contents,
                    styles=room.styles,
                ),
            ),
            (
                room.run_film,
                room.stop_film,
                room.film_status,
                self.form.event(
                    many.make_film,
                    {"frame": room.frame, "film_status": room.film_status, "film": room.film},
                    clip_path=room.clip,
                ),
            ),
        ):
            work = button.click(**event, **QUIET, **WORK)
            stop.click(None, cancels=work, **HIDDEN)
            stop.click(many.stopped, None, status, **QUICK)

    async def read_address(self, request: gr.Request) -> dict[Any, Any]:
        """The settings that the address of the page asks for; as they are where it asks for none."""
        values = self.settings.all
        query = dict(request.query_params)
        if not query.keys() & {*values, "into", "strength"}:
            return {values["place"]: gr.skip()}
        return {values[name]: value for name, value in settings.read_link(query).items()}

    async def look_at_line(self, request: gr.Request) -> tuple[Any, Any]:
        """The status of who waits; the watch ends when the turn has come. In no thread of its own: what it
        says is sent at once, or it were no longer true.
        """
        words = waiting_words(self.blocks, WORK["concurrency_id"], request.session_hash)
        return (result.said(words), gr.skip()) if words else (gr.skip(), gr.Timer(active=False))

    async def look_before_run(self, request: gr.Request) -> str:
        """What the line decides of a run that is not asked for yet; in no thread of its own, as above."""
        address = request.client.host if request.client else None
        words = words_before_run(self.blocks, WORK["concurrency_id"], request.session_hash, address)
        return words and f"<p>{words}</p>"

    async def at_rest(self, picture: str | None, request: gr.Request) -> tuple[Any, ...]:
        """The buttons after work; as they are during work where the visit has begun more of it meanwhile."""
        gone = await left(self.blocks, WORK["concurrency_id"], request.session_hash)
        return result.buttons(not gone, picture)

    async def stopped(self, picture: str | None, words: str, request: gr.Request) -> tuple[Any, Any]:
        """What `result.stopped` says, after the last word of the run that was stopped: it would take its
        place otherwise.
        """
        await left(self.blocks, WORK["concurrency_id"], request.session_hash)
        return result.stopped(picture, words)


def build_page() -> gr.Blocks:
    """The page with its events wired."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        page = Page(blocks)
        page.wire_maps()
        page.wire_settings()
        page.wire_result()
        page.wire_many()
        blocks.load(page.read_address, None, [*page.settings.all.values()], **QUICK).then(**page.told)
    # Who posts to a function that stands in a line has to stand in it too.
    blocks.queue(max_size=None, default_concurrency_limit=1, api_open=False)
    guard(blocks, refusal)
    preview_links(link_preview)
    return blocks


def _parse_as(role: str) -> Any:
    def parse(path: str | None, drawn: object) -> Any:
        yield from pictures.parse(path, role, drawn)

    return parse
