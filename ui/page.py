"""The page: pictures, maps, result. Sliders are derived from the settings."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from facetransfer.job import REGIONS
from facetransfer.settings import PRESETS, Setting, all_settings
from segmentation import PARSERS
from segmentation.classes import CLASSES
from ui import api, handlers
from ui.map_editor import CLASS_LABELS, map_editor
from ui.pictures import example_pairs, picture_upload

WORK = dict(concurrency_id="work", concurrency_limit=1)  # one heavy job at a time; the others wait in line
TITLE = """# Face transfer
Put one face into another face's skin. Upload two pictures, look at the maps (paint over what is wrong), press **Run**."""
CONSENT = "Use pictures of people only with their consent. Pictures stay on this server for an hour at most and go nowhere else."

# A download button downloads what it held when it was pressed: the zip made just now is fetched by a press of a hidden one.
CLICK_ZIP = "() => setTimeout(() => document.querySelector('#maps-zip').click(), 300)"

THEME = gr.themes.Soft(primary_hue="orange", secondary_hue="violet", neutral_hue="stone", radius_size="lg",
                       font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
CSS = """
.gradio-container {max-width: 1180px !important; margin: 0 auto !important}
.legend {display: flex; flex-wrap: wrap; gap: .35rem .8rem; font-size: .85rem}
.chip {display: inline-flex; align-items: center; gap: .35rem}
.chip i {width: .9rem; height: .9rem; border-radius: .25rem; border: 1px solid var(--border-color-primary)}
#examples th {white-space: normal}
#examples table {min-width: 0}
[id$="-map"] button[aria-label="Clear canvas"] {display: none}
#result img {cursor: crosshair}
.advice {margin: .2rem 0 .4rem 1.1rem; padding: 0}
.shares td, .shares th {padding: .05rem .7rem .05rem 0; text-align: left; font-variant-numeric: tabular-nums}
#status {min-height: 1.6rem; font-variant-numeric: tabular-nums}
"""


def setting_input(setting: Setting) -> gr.components.Component:
    """The slider or choice of one setting."""
    if setting.several:
        return gr.Dropdown(list(setting.choices), value=setting.default.split(","), multiselect=True, label=setting.label, info=setting.help)
    if setting.choices:
        choices = [c for c in setting.choices if c not in ("seeded", "image")]  # for tests; for the command line
        return gr.Dropdown(choices, value=setting.default, label=setting.label, info=setting.help)
    if setting.name == "seed":
        return gr.Number(value=setting.default, label=setting.label, info=setting.help, precision=0,
                         minimum=setting.minimum, maximum=setting.maximum)
    return gr.Slider(setting.minimum, setting.maximum, value=setting.default, step=setting.step, label=setting.label, info=setting.help)


def settings_inputs() -> list[gr.components.Component]:
    """An input for each setting, in their order: the plain ones open, the rest folded away."""
    inputs: dict[str, Any] = {}
    plain = [s for s in all_settings() if not s.advanced]
    folded = [s for s in all_settings() if s.advanced]
    with gr.Accordion("Settings", open=False):
        for i in range(0, len(plain), 2):
            with gr.Row():
                for s in plain[i:i + 2]:
                    inputs[s.name] = setting_input(s)
        with gr.Accordion("Advanced", open=False):
            for s in folded:
                inputs[s.name] = setting_input(s)
    return [inputs[s.name] for s in all_settings()]


def strength_inputs() -> tuple[gr.Dropdown, list[gr.Slider]]:
    """A choice of named regions, and a slider for each class."""
    with gr.Accordion("Parts: what changes and what stays", open=False, elem_id="parts"):
        named = gr.Dropdown(list(REGIONS), value="Everything", label="What changes", elem_id="region", info="0 keeps the photo, 1 is normal, 2 takes twice as much.")
        sliders = []
        for i in range(0, len(CLASSES), 4):
            with gr.Row():
                sliders += [gr.Slider(0, 2, value=1, step=0.1, label=c.label, min_width=140) for c in CLASSES[i:i + 4]]
    return named, sliders


def build_page() -> gr.Blocks:
    """The page with its events wired."""
    with gr.Blocks(title="Face transfer", delete_cache=(handlers.KEPT, handlers.KEPT), analytics_enabled=False) as page:
        gr.Markdown(TITLE)
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                content = picture_upload("Content: whose face", "content")
                content_view = map_editor("Content map", "content-map")
            with gr.Column(min_width=320):
                style = picture_upload("Style: whose skin", "style")
                style_view = map_editor("Style map", "style-map")
            with gr.Column(min_width=320):
                result = gr.Image(label="Result", format="png", type="pil", interactive=False, height=360, elem_id="result",
                                  buttons=["download", "fullscreen"])
                status = gr.Markdown("", elem_id="status")
                with gr.Row():
                    run = gr.Button("Run", variant="primary", elem_id="run")
                    stop = gr.Button("Stop", variant="stop", elem_id="stop")
                    refine = gr.Button("Refine", elem_id="refine")
                download = gr.DownloadButton("Download all: picture, recipe, maps", interactive=False, elem_id="download")
                preset = gr.Radio(list(PRESETS), value="Balanced", label="Preset", elem_id="preset")
                expected = gr.Markdown("", elem_id="expected")
                place = gr.Radio(list(handlers.PLACE_LABELS), value=next(iter(handlers.PLACE_LABELS)), label="Where it goes", elem_id="place")
                words = gr.Markdown("", elem_id="numbers")
        with gr.Row():
            painted = gr.Dropdown(CLASS_LABELS, value="Skin", label="Brush paints", min_width=180, scale=0, elem_id="brush-class",
                                  info="Erasing brings the automatic map back.")
            with gr.Column():
                key = gr.HTML("", elem_id="legend")
                told = gr.HTML("", elem_id="advice")
            with gr.Column(min_width=140, scale=0):
                parser = gr.Dropdown(list(PARSERS), value="compact", label="Parser", elem_id="parser")
                again = gr.Button("Make maps", size="sm", elem_id="make-maps")
                save = gr.Button("Download maps", size="sm", elem_id="save-maps")
                unsure = gr.Checkbox(False, label="Show where unsure", elem_id="unsure")
                zipped = gr.DownloadButton(visible="hidden", elem_id="maps-zip")
        region, strengths = strength_inputs()
        values = settings_inputs()
        with gr.Row():
            roll = gr.Button("Another seed", size="sm", elem_id="dice")
            restore = gr.UploadButton("Settings from a result", file_types=[".png"], size="sm", elem_id="restore")
            film = gr.Checkbox(False, label="Also an animation of the run", elem_id="film")
        with gr.Accordion("Before and after", open=False, elem_id="before-after"):
            slider = gr.ImageSlider(show_label=False, elem_id="slider", height=420)
        with gr.Accordion("Where did a patch come from? Click on the result", open=False, elem_id="sources-room"):
            source = gr.Image(show_label=False, interactive=False, height=360, elem_id="source", buttons=[])
        with gr.Accordion("Results of this visit", open=False, elem_id="visit"):
            gallery = gr.Gallery(columns=4, height=260, format="png", show_label=False, elem_id="gallery")
        with gr.Accordion("Compare the three methods", open=False, elem_id="compare-room"):
            gr.Markdown("The same two pictures by all three, with the settings above: why the maps matter. Takes three times as long.")
            compare = gr.Button("Compare", elem_id="compare")
            compared = gr.Gallery(columns=3, height=360, format="png", show_label=False, elem_id="compared")
            compare_status = gr.Markdown("", elem_id="compare-status")
        gr.Examples(example_pairs(Path(get_upload_folder()) / "examples"), [content, style], cache_examples=False,
                    label="Examples: click a row", elem_id="examples")
        gr.Markdown(CONSENT)

        api.add_endpoints(**WORK)  # before the page's own events: the first of a name has it to itself

        content_known, style_known, last, visit = gr.State(None), gr.State(None), gr.State(None), gr.State([])
        hidden, quick = dict(api_visibility="private"), dict(queue=False, show_progress="hidden", api_visibility="private")
        paths, known, views = [content, style], [content_known, style_known], [content_view, style_view]
        advised = dict(fn=handlers.show_advice, inputs=[*paths, *known, *values], outputs=[key, told], **quick)
        timed = dict(fn=handlers.time_text, inputs=[content_known, *values], outputs=expected, **quick)
        for picture, view, one, role in ((content, content_view, content_known, "content"), (style, style_view, style_known, "style")):
            picture.change(lambda: (None, None), None, [view, one], queue=False, **hidden).then(
                _parse_as(role), picture, [view, one], show_progress_on=view, **hidden, **WORK).then(**advised).then(**timed)
            picture.select(handlers.choose_face, [picture, one, parser], [view, one], show_progress_on=view, **hidden, **WORK).then(**advised)
            unsure.change(handlers.show_unsure, [picture, one, view, unsure], view, show_progress="hidden", **hidden)
        again.click(handlers.parse_both, [*paths, parser], [content_view, content_known, style_view, style_known], show_progress_on=views, **hidden, **WORK).then(**advised)
        save.click(handlers.save_maps, [*paths, *known, *views], zipped, show_progress="hidden", **hidden).success(None, None, None, js=CLICK_ZIP, **hidden)
        painted.change(handlers.choose_class, painted, views, **quick)
        preset.change(handlers.preset, preset, values, queue=False, **hidden).then(**timed)
        region.input(handlers.region, region, strengths, **quick)
        roll.click(handlers.dice, None, values[[s.name for s in all_settings()].index("seed")], **quick)
        restore.upload(handlers.restore, restore, [place, *strengths, *values], **hidden).then(**timed)
        everything = [*paths, *known, *views, place, *strengths, *values]
        outputs = [result, status, download, slider, words, last, visit, gallery]
        work = dict(outputs=outputs, show_progress_on=status, scroll_to_output=True, **hidden, **WORK)
        nothing = gr.State(None)
        running = run.click(handlers.run, [visit, nothing, nothing, film, *everything], **work)
        refining = refine.click(handlers.run, [visit, last, result, film, *everything], **work)
        result.select(handlers.where_from, [last, result], source, **quick)
        comparing = compare.click(handlers.compare, everything, [compared, compare_status], show_progress_on=compare_status, **hidden, **WORK)
        stop.click(lambda: "Stopped. The picture so far is kept: Refine goes on from it.", None, status, cancels=[running, refining, comparing], queue=False, **hidden)
        page.load(**timed)
    return page


def _parse_as(role: str) -> Any:
    def parse(path: str | None) -> Any:
        yield from handlers.parse(path, role)
    return parse
