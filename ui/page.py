"""The page: three steps, each a room of its own (`ui.rooms`); here they are put together and their events wired."""
from __future__ import annotations

from typing import Any

import gradio as gr

from ui import api
from ui.files import KEPT
from ui.inputs import preset
from ui.looks import CONSENT, step, title
from ui.rooms import maps, pictures, result, settings

WORK = dict(concurrency_id="work", concurrency_limit=1)  # one heavy job at a time; the others wait in line
LOOK = dict(concurrency_id="look", concurrency_limit=1)  # the parser does not wait for them: maps are there while others run
HIDDEN = dict(api_visibility="private")
QUICK = dict(queue=False, show_progress="hidden", **HIDDEN)

# A download button downloads what it held when it was pressed: the zip made just now is fetched by a press of a hidden one.
CLICK_ZIP = "() => setTimeout(() => document.querySelector('#maps-zip').click(), 300)"


class Page:
    """The rooms, and what the page remembers: what the parser said of each picture, the last run, this visit's results."""

    def __init__(self) -> None:
        gr.HTML(title(), apply_default_css=False)
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                gr.HTML(step(1, "Pictures", "upload two faces, or click a finished example"), apply_default_css=False)
                self.pictures = pictures.PicturesRoom()
                self.cards = pictures.example_cards()
                gr.HTML(step(2, "Maps", "each colour takes from the same colour; paint over what is wrong, or leave it"), apply_default_css=False)
                self.maps = maps.MapsRoom()
            with gr.Column(scale=2, min_width=320, elem_id="step-result"):
                gr.HTML(step(3, "Result", "press Run"), apply_default_css=False)
                self.result = result.ResultRoom()
        self.settings = settings.SettingsRoom()
        self.result.more()
        gr.Markdown(CONSENT, elem_id="consent")
        api.add_endpoints(LOOK, WORK)  # before the page's own events: the first of a name has it to itself
        self.known, self.last, self.visit = [gr.State(None), gr.State(None)], gr.State(None), gr.State([])
        self.paths = [self.pictures.content, self.pictures.style]
        self.advised = dict(fn=maps.show_advice, inputs=[*self.known, *self.settings.values], outputs=self.maps.advice, **QUICK)
        self.timed = dict(fn=settings.time_text, inputs=[self.known[0], *self.settings.values], outputs=self.result.expected, **QUICK)

    def wire_maps(self) -> None:
        views, files = self.maps.views, [self.maps.load_content, self.maps.load_style]
        for role, picture, view, known, file in zip(("content", "style"), self.paths, views, self.known, files):
            picture.change(_parse_as(role), [picture, view], [view, known], show_progress_on=view, **HIDDEN, **LOOK).then(**self.advised).then(**self.timed)
            picture.change(lambda: None, None, self.last, **QUICK)
            picture.select(pictures.choose_face, [picture, known, view, self.maps.parser], [view, known], show_progress_on=view, **HIDDEN, **LOOK).then(**self.advised)
            view.fill(maps.fill, [picture, known, view], view, concurrency_limit=4, show_progress="hidden", **HIDDEN)
            file.upload(maps.load_map, [file, picture, known], view, show_progress="hidden", **HIDDEN)
        self.maps.again.click(pictures.parse_both, [*self.paths, *views, self.maps.parser], [views[0], self.known[0], views[1], self.known[1]],
                              show_progress_on=views, **HIDDEN, **LOOK).then(**self.advised)
        self.maps.save.click(maps.save_maps, [*self.paths, *self.known, *views], self.maps.zipped, show_progress="hidden", **HIDDEN).success(None, None, None, js=CLICK_ZIP, **HIDDEN)

    def wire_settings(self) -> None:
        room = self.settings
        self.result.preset.change(preset, self.result.preset, room.values, queue=False, **HIDDEN).then(**self.timed)
        room.region.input(settings.region, room.region, room.strengths, **QUICK)
        room.roll.click(settings.dice, None, room.seed, **QUICK)
        room.restore.upload(settings.restore, room.restore, [self.result.place, *room.strengths, *room.values], **HIDDEN).then(**self.timed)

    def wire_result(self) -> None:
        room, nothing = self.result, gr.State(None)
        everything = [*self.paths, *self.known, *self.maps.views, room.place, *self.settings.strengths, *self.settings.values]
        outputs = [room.result, room.status, room.download, room.slider, room.words, self.last, self.visit, room.gallery]
        work = dict(outputs=outputs, show_progress_on=room.status, **HIDDEN, **WORK)
        buttons = [room.run, room.stop, room.refine]
        events = []
        for button, inputs in ((room.run, [self.visit, nothing, nothing]), (room.refine, [self.visit, self.last, room.result])):
            button.click(lambda: _buttons(running=True), None, buttons, **QUICK)
            events.append(button.click(result.run, [*inputs, room.film, *everything], **work))
            events[-1].success(lambda: _buttons(running=False), None, buttons, **QUICK)
            events[-1].failure(lambda: _buttons(running=False, result=False), None, buttons, **QUICK)
        room.result.select(result.where_from, [self.last, room.result], room.source, **QUICK)
        events.append(room.compare.click(result.compare, everything, [room.compared, room.compare_status], show_progress_on=room.compare_status, **HIDDEN, **WORK))
        room.stop.click(result.stopped, room.result, [room.status, room.refine], cancels=events, queue=False, **HIDDEN).then(lambda: _buttons(running=False, result=None), None, buttons, **QUICK)
        self.cards.choose(pictures.choose_example, None, [*self.paths, room.result, room.status], queue=False, **HIDDEN)


def build_page() -> gr.Blocks:
    """The page with its events wired."""
    with gr.Blocks(title="Face transfer", delete_cache=(KEPT, KEPT), analytics_enabled=False) as blocks:
        page = Page()
        page.wire_maps()
        page.wire_settings()
        page.wire_result()
        blocks.load(**page.timed)
    return blocks


def _buttons(running: bool, result: bool | None = True) -> list[Any]:
    """Run, Stop and Refine while work runs and after it; `result`: whether there is one to refine, None where that is said elsewhere."""
    refine = gr.update(interactive=False) if running else gr.skip() if result is None else gr.update(value="Refine", interactive=result)
    return [gr.update(interactive=not running), gr.update(interactive=running), refine]


def _parse_as(role: str) -> Any:
    def parse(path: str | None, drawn: object) -> Any:
        yield from pictures.parse(path, role, drawn)
    return parse
