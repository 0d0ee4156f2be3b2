"""A batch on two machines of a Ray cluster, played by two nodes on this one, of which one is lost."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facetransfer.base.errors import InputError
from facetransfer.base.settings import TransferSettings
from facetransfer.jobs.batch import FAILED, MADE, THERE, PairMaker, RunLog, run_batch
from facetransfer.jobs.cluster import connect, film_on_ray, run_on_ray
from facetransfer.jobs.film import FilmMaker, Keyframe
from facetransfer.jobs.film_files import open_clip
from facetransfer.jobs.film_run import FilmRun
from facetransfer.jobs.job import Face
from facetransfer.jobs.pairs import Pair, product, with_outputs
from segmentation.parsers import load_parser
from tests.app.test_film import drawn_frames, write_clip
from tests.support.drawn_face import draw_face

ray = pytest.importorskip("ray")
OPTIONS: dict[str, Any] = {"device": "cpu", "report": False}


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Eight contents, one of them broken, with one style."""
    contents = [tmp_path / f"face{i}.png" for i in range(8)]
    for i, path in enumerate(contents):
        draw_face(seed=i)[0].save(path)
    contents[3].write_bytes(b"no picture")
    draw_face((144, 112), seed=9, tint=(-110, 20, -60))[0].save(tmp_path / "style.png")
    like = Pair(Path(), Path(), settings=TransferSettings(size=96))
    return product(contents, [tmp_path / "style.png"], like)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one core each; the second one is `lost`."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own about files of its processes.
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.lost = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        try:
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_machine_that_is_lost_costs_no_pair(cluster: Any, pairs: list[Pair], tmp_path: Path) -> None:
    """Every pair is told once and made, with the bytes of a batch on one machine."""
    for folder in ("far", "near"):
        (tmp_path / folder).mkdir()
    here = with_outputs(pairs, str(tmp_path / "near"))
    there = with_outputs(pairs, str(tmp_path / "far"))
    list(run_batch(here, PairMaker(**OPTIONS), RunLog(tmp_path / "near" / "run.jsonl")))
    log = RunLog(tmp_path / "far" / "run.jsonl")
    outcomes = []
    for outcome in run_on_ray(there, OPTIONS, log, cluster.address):
        outcomes.append(outcome)
        if len(outcomes) == 2:
            cluster.remove_node(cluster.lost, allow_graceful=False)
    assert sorted(str(o.pair.output) for o in outcomes) == sorted(str(p.output) for p in there)
    assert [o.state for o in outcomes].count(
        FAILED
    ) == 1  # A pair may be THERE: its machine was lost after it.
    assert {o.state for o in outcomes} <= {MADE, THERE, FAILED}
    for one, other in zip(here, there):
        assert one.output.exists() == other.output.exists()
        assert not one.output.exists() or one.output.read_bytes() == other.output.read_bytes()
    assert len(list((tmp_path / "far").glob("[!.]*.png"))) == 7
    again = list(run_on_ray(there, OPTIONS, log, cluster.address))
    assert [o.state for o in again].count(THERE) == 7


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_scenes_of_a_film_are_the_same_on_a_cluster(cluster: Any, tmp_path: Path) -> None:
    pytest.importorskip("av")
    frames = drawn_frames(3) + [frame.rotate(180) for frame in drawn_frames(3, seed=8)]
    clip = open_clip(write_clip(tmp_path / "clip.mp4", frames))
    picture, semantic = draw_face((144, 112), seed=9, tint=(-110, 20, -60))
    maker = FilmMaker([Keyframe(0, Face.of(picture, semantic))], TransferSettings(size=96), load_parser())
    runs = [FilmRun(clip, maker, tmp_path / name) for name in ("alone", "cluster")]
    assert len(runs[0].scenes()) == 2
    list(runs[0].run())
    steps = list(film_on_ray(runs[1], cluster.address))
    assert (steps[-1].done, steps[-1].total) == (6, 6)
    for number in range(6):
        assert runs[0].frame_file(number).read_bytes() == runs[1].frame_file(number).read_bytes()


def test_a_cluster_that_is_not_there_is_said() -> None:
    with pytest.raises(InputError, match="no Ray cluster at 127.0.0.1:1"):
        connect("127.0.0.1:1")
