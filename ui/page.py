"""The page: pictures, maps, result. Sliders are derived from the settings."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from facetransfer.settings import PRESETS, Setting, all_settings
from ui import handlers
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
#status {min-height: 1.6rem; font-variant-numeric: tabular-nums}
"""


def setting_input(setting: Setting) -> gr.components.Component:
    """The slider or choice of one setting."""
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
                result = gr.Image(label="Result", format="png", interactive=False, height=360, elem_id="result",
                                  buttons=["download", "fullscreen"])
                status = gr.Markdown("", elem_id="status")
                with gr.Row():
                    run = gr.Button("Run", variant="primary", elem_id="run")
                    stop = gr.Button("Stop", variant="stop", elem_id="stop")
                download = gr.DownloadButton("Download the picture", interactive=False, elem_id="download")
                preset = gr.Radio(list(PRESETS), value="Balanced", label="Preset", elem_id="preset")
        with gr.Row():
            painted = gr.Dropdown(CLASS_LABELS, value="Skin", label="Brush paints", min_width=180, scale=0, elem_id="brush-class",
                                  info="Erasing brings the automatic map back.")
            key = gr.HTML("", elem_id="legend")
            with gr.Column(min_width=140, scale=0):
                again = gr.Button("Make maps", size="sm", elem_id="make-maps")
                save = gr.Button("Download maps", size="sm", elem_id="save-maps")
                zipped = gr.DownloadButton(visible="hidden", elem_id="maps-zip")
        values = settings_inputs()
        with gr.Accordion("Compare the three methods", open=False, elem_id="compare-room"):
            gr.Markdown("The same two pictures by all three, with the settings above: why the maps matter. Takes three times as long.")
            compare = gr.Button("Compare", elem_id="compare")
            compared = gr.Gallery(columns=3, height=360, format="png", show_label=False, elem_id="compared")
            compare_status = gr.Markdown("", elem_id="compare-status")
        gr.Examples(example_pairs(Path(get_upload_folder()) / "examples"), [content, style], cache_examples=False,
                    label="Examples: click a row", elem_id="examples")
        gr.Markdown(CONSENT)

        content_map, style_map = gr.State(None), gr.State(None)
        for picture, view, semantic, role in ((content, content_view, content_map, "content"), (style, style_view, style_map, "style")):
            picture.change(lambda: (None, None), None, [view, semantic], queue=False, api_visibility="private").then(
                _parse_as(role), picture, [view, semantic], api_visibility="private", show_progress_on=view, **WORK).then(
                handlers.show_legend, [content_map, style_map], key, queue=False, show_progress="hidden", api_visibility="private")
        again.click(handlers.parse_both, [content, style], [content_view, content_map, style_view, style_map, key],
                    api_visibility="private", show_progress_on=[content_view, style_view], **WORK)
        save.click(handlers.save_maps, [content, style, content_map, style_map, content_view, style_view], zipped, api_visibility="private",
                   show_progress="hidden").success(None, None, None, js=CLICK_ZIP, api_visibility="private")
        painted.change(handlers.choose_class, painted, [content_view, style_view], queue=False, show_progress="hidden", api_visibility="private")
        preset.change(handlers.preset, preset, values, queue=False, api_visibility="private")
        everything = [content, style, content_map, style_map, content_view, style_view, *values]
        running = run.click(handlers.run, everything, [result, status, download], api_visibility="private", show_progress_on=status,
                            scroll_to_output=True, **WORK)
        comparing = compare.click(handlers.compare, everything, [compared, compare_status], api_visibility="private",
                                  show_progress_on=compare_status, **WORK)
        stop.click(lambda: "Stopped. The picture so far is kept.", None, status, cancels=[running, comparing], queue=False, api_visibility="private")
    return page


def _parse_as(role: str) -> Any:
    def parse(path: str | None) -> Any:
        yield from handlers.parse(path, role)
    return parse
