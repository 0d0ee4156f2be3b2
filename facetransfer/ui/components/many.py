"""Several contents in several styles, and a film: what is more than one picture."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from facetransfer.base.errors import InputError
from facetransfer.base.images import fitted_size, open_picture
from facetransfer.base.settings import GUIDED
from facetransfer.jobs.batch import LOG, MADE, Outcome, PairMaker, RunLog, run_batch
from facetransfer.jobs.class_weights import checked_strengths
from facetransfer.jobs.contact_sheet import write_contact_sheet
from facetransfer.jobs.film import FilmMaker, Keyframe
from facetransfer.jobs.film_files import CODECS, Clip, open_clip, probe_clip
from facetransfer.jobs.film_run import FilmRun
from facetransfer.jobs.job import Face
from facetransfer.jobs.pairs import Pair, product, with_outputs, zipped
from facetransfer.jobs.time_estimate import in_words as time_in_words
from facetransfer.ui import gpu
from facetransfer.ui.components.map_editor import corrected
from facetransfer.ui.components.result import left_words
from facetransfer.ui.files import result_folder
from facetransfer.ui.form import Asked
from facetransfer.ui.inputs import known_of, picture_at, settings_of, worded
from facetransfer.ui.theme import said, status
from facetransfer.ui.time_left import at_work
from segmentation.parsers import load_parser

MOST_PAIRS = 100  # of one call
PAIRINGS = {
    "product": product,
    "zip": zipped,
}  # every content with every style; the first with the first, ...
MOST_FILM_SECONDS = 20.0  # of a clip, unless FACE_TRANSFER_MAX_FILM_SECONDS says otherwise
FILM_SIZE = 512  # pixels on the longest side of a film's frames, at most
PICTURE_FILES = ["image"]


def check_time(seconds: float) -> None:
    """InputError where the work would take longer here than the owner allows."""
    most = gpu.most_seconds()
    if most and seconds > most:
        raise InputError(
            f"this would take {time_in_words(seconds)}, and jobs here may take {time_in_words(most)}: give "
            "fewer pictures, a shorter clip, or a quicker preset"
        )


def files_of(paths: Sequence[str] | None, role: str) -> list[Path]:
    """The files that were uploaded, each looked at. InputError where there is none, or one is no picture."""
    for path in paths or ():
        picture_at(path, role)
    if not paths:
        raise InputError(f"There is no {role} picture yet: upload one or several.")
    return list(dict.fromkeys(map(Path, paths)))


@dataclass(frozen=True)
class Batched:
    """How far a batch has come: what became of its pairs, how many they are, the zip of what was made, the
    seconds left, infinite while they are not known, and whether all has ended.
    """

    outcomes: list[Outcome]
    total: int
    archive: Path
    seconds: float
    ended: bool = False


def batch_of(
    contents: Sequence[str] | None, styles: Sequence[str] | None, like: Pair, pairing: str = "product"
) -> tuple[list[Pair], float]:
    """The pairs of uploaded pictures, paired as PAIRINGS says, and about how many seconds they will take.
    like: a pair with the settings of all. InputError where a picture is missing, they are too many, or take
    too long.
    """
    files = files_of(contents, "content"), files_of(styles, "style")
    pairs = PAIRINGS[pairing](*files, like)
    if len(pairs) > MOST_PAIRS:
        raise InputError(
            f"{len(files[0])} contents with {len(files[1])} styles are {len(pairs)} results: at most "
            f"{MOST_PAIRS} are made at once"
        )
    sizes = {path: fitted_size(open_picture(path).size, like.settings.size) for path in files[0]}
    seconds = sum(gpu.expected(like.settings, sizes[pair.content]) for pair in pairs)
    check_time(seconds)
    return pairs, seconds


def batched(pairs: Sequence[Pair]) -> Iterator[Batched]:
    """Makes the pairs one after another, each into the zip as soon as it is there; at the end comes a sheet
    of all.

    What was made until the caller leaves stays in the zip.
    """
    folder = result_folder()
    pairs, log = with_outputs(pairs, str(folder)), RunLog(folder / LOG)
    archive = folder / "face-transfers.zip"
    done: list[Outcome] = []
    with at_work() as left:

        def tell(share: float) -> None:
            left.at((len(done) + share) / len(pairs))

        for outcome in run_batch(pairs, PairMaker(device=gpu.parser_device(), tell=tell), log):
            done.append(outcome)
            if outcome.state == MADE:
                with zipfile.ZipFile(archive, "a") as file:
                    file.write(outcome.pair.output, outcome.pair.output.name)
            yield Batched([*done], len(pairs), archive, left.at(len(done) / len(pairs)))
        sheet = folder / "contact-sheet.html"
        write_contact_sheet(sheet, pairs, log)
        with zipfile.ZipFile(archive, "a") as file:
            file.write(sheet, sheet.name)
    yield Batched([*done], len(pairs), archive, 0.0, ended=True)


@worded
def make_all(asked: Asked, contents: list[str] | None, styles: list[str] | None) -> Iterator[dict[str, Any]]:
    """The gallery of results as it grows, the line of words, and the zip of what there is."""
    settings, strengths = settings_of(asked.settings), checked_strengths(asked.strengths)
    like = Pair(Path(), Path(), settings=settings, strengths=strengths)
    pairs, seconds = batch_of(contents, styles, like)
    yield {
        "matrix": [],
        "all_status": said(f"{len(pairs)} results, {time_in_words(seconds)} ...", 0.0),
        "zip": gr.update(interactive=False),
    }
    for batch in batched(pairs):
        made = [o.pair for o in batch.outcomes if o.state == MADE]
        words = said(
            f"{len(batch.outcomes)} of {batch.total} · {left_words(batch.seconds)}",
            len(batch.outcomes) / batch.total,
        )
        yield {
            "matrix": [(str(pair.output), f"{pair.content.stem} / {pair.style.stem}") for pair in made],
            "all_status": said(_told(batch.outcomes)) if batch.ended else words,
            "zip": _download(batch.archive),
        }


def _download(path: Path) -> Any:
    return gr.update(value=str(path), visible=True, interactive=True) if path.exists() else gr.skip()


def _told(done: list[Outcome]) -> str:
    """How it went, with each failure in its words."""
    import html

    failed = [outcome for outcome in done if outcome.error]
    words = f"Done: {len(done) - len(failed)} of {len(done)} results."
    lines = "".join(f"<br>{html.escape(f'{o.pair.name}: {o.error}')}" for o in failed)
    return words + lines


def most_film_seconds() -> float:
    """Seconds that a clip may last: FACE_TRANSFER_MAX_FILM_SECONDS."""
    given = os.environ.get("FACE_TRANSFER_MAX_FILM_SECONDS", str(MOST_FILM_SECONDS))
    try:
        return max(0.0, float(given))
    except ValueError:
        raise SystemExit(
            f"error: FACE_TRANSFER_MAX_FILM_SECONDS is {given}: give a number of seconds"
        ) from None


def checked_clip(path: str | None) -> Clip:
    """The clip that was uploaded. InputError where there is none, or it is too long."""
    if not path:
        raise InputError("There is no film yet: upload a short clip.")
    if not Path(path).exists():
        raise InputError(
            "The film is not on the server any more, which keeps files for an hour: upload it again."
        )
    probe_clip(Path(path))
    clip, most = open_clip(Path(path)), most_film_seconds()
    if clip.seconds > most:
        raise InputError(
            f"the film lasts {clip.seconds:.0f} s, and here it may last {most:g} s: cut it, or make it on "
            "the command line (facetransfer film)"
        )
    return clip


@worded
def make_film(asked: Asked, clip_path: str | None) -> Iterator[dict[str, Any]]:
    """The newest frame, the line of words, and at the end the film, in the page's style."""
    clip, settings = checked_clip(clip_path), settings_of(asked.settings)
    if settings.method != GUIDED:
        raise InputError(f"a film is made by the method {GUIDED}: choose it in the settings")
    settings = replace(settings, size=min(settings.size or FILM_SIZE, FILM_SIZE))
    style = picture_at(asked.pictures[1], "style")
    count = max(1, clip.count)
    check_time(count * gpu.expected(settings, fitted_size(clip.size, settings.size)))
    yield {"film_status": said("Looking through the film ...", 0.0), "film": None}
    known = asked.known[1] or known_of(style)
    maker = FilmMaker(
        [Keyframe(0, Face.of(style, corrected(known.semantic, asked.drawn[1]), known))],
        settings,
        load_parser("compact", gpu.parser_device()),
        checked_strengths(asked.strengths),
        device=gpu.parser_device(),
    )
    folder = result_folder()
    most = round(most_film_seconds() * max(1.0, count / max(clip.seconds, 0.04))) + 1
    film, began, progress = FilmRun(clip, maker, folder / "face-transfer.mp4", most), time.monotonic(), None
    with at_work() as left:
        for progress in film.run():
            share = progress.done / progress.total
            words = f"Frame {progress.done} of {progress.total} · {left_words(left.at(share))}"
            yield {"frame": progress.picture, "film_status": said(words, share)}
        yield {"film_status": said("Writing the film ...")}
        film.finish()
    lines = [f"Done in {time.monotonic() - began:.0f} s."]
    if progress and progress.without_face:
        lines.append(f"{progress.without_face} of {progress.total} frames show no face.")
    if film.broken:
        lines.append("The clip breaks off: what came before is here.")
    yield {"film_status": said(" ".join(lines)), "film": str(film.output)}


def stopped() -> str:
    """Words after Stop."""
    return said("Stopped. What was made until then is here.")


class ManyRoom:
    """Several pictures at once, and a film. Events are wired by the page."""

    def __init__(self) -> None:
        with gr.Accordion("Many pictures at once", open=False, elem_id="many-room"):
            gr.Markdown("Every content in every style, with the settings above.")
            with gr.Row():
                self.contents = gr.File(
                    label="Contents", file_count="multiple", file_types=PICTURE_FILES, height=150
                )
                self.styles = gr.File(
                    label="Styles", file_count="multiple", file_types=PICTURE_FILES, height=150
                )
            with gr.Row():
                self.run_all = gr.Button("Make all", variant="primary", elem_id="make-all")
                self.stop_all = gr.Button("Stop", variant="stop", elem_id="stop-all")
            self.all_status = status("many-status")
            self.matrix = gr.Gallery(
                columns=4,
                height="auto",
                object_fit="contain",
                show_label=False,
                elem_id="matrix",
                buttons=["download", "fullscreen"],
            )
            self.zip = gr.DownloadButton(
                "Download all results", visible=False, interactive=False, elem_id="all-zip"
            )
        with gr.Accordion("A film", open=False, elem_id="film-room"):
            gr.Markdown(
                f"A clip of up to {most_film_seconds():g} seconds in the skin of the style picture above. "
                "Strokes stick to the face."
            )
            self.clip = gr.File(label="Clip", file_types=list(CODECS), height=120, elem_id="clip")
            with gr.Row():
                self.run_film = gr.Button("Make the film", variant="primary", elem_id="make-film")
                self.stop_film = gr.Button("Stop", variant="stop", elem_id="stop-film")
            self.film_status = status("film-status")
            with gr.Row():
                self.frame = gr.Image(
                    label="The newest frame", interactive=False, height=320, elem_id="film-frame", buttons=[]
                )
                self.film = gr.Video(label="The film", interactive=False, height=320, elem_id="made-film")
