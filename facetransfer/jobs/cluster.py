"""Batches and films on the machines of a Ray cluster.

Ray does the scheduling. Each pair is a task for one GPU, or for two CPU cores where there is no GPU. The
processes that run the tasks keep their networks and pictures from one task to the next. When a machine is
lost, Ray gives its pairs to another one; pairs that it had already finished are recognised by their results,
as in a batch on a single machine. All machines must see the same files.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from facetransfer.base.errors import DiskFullError, InputError, shortened
from facetransfer.jobs.batch import FAILED, PASSED_OVER, THERE, Outcome, PairMaker, RunLog, asked
from facetransfer.jobs.film_run import FilmProgress, FilmRun, Scene
from facetransfer.jobs.pairs import Pair

CORES = 2  # CPU cores for a task without a GPU: a single picture gains little from more
TRIES = 5  # how often a pair is tried again after its process was lost
SECONDS_TO_REACH = 10  # seconds to wait for the head of the cluster to answer
AHEAD = 2  # tasks submitted for each that can run at once, so that no machine is ever idle


@lru_cache(maxsize=1)
def _maker(options: tuple[tuple[str, Any], ...], cores: int) -> PairMaker:
    """The maker of pairs that all tasks of this process share."""
    import torch

    torch.set_num_threads(cores)
    return PairMaker(**dict(options))


def _make(pair: Pair, options: tuple[tuple[str, Any], ...], cores: int) -> Outcome | str:
    """The outcome of a pair, or the reason why no more files can be written."""
    try:
        return _maker(options, cores).make(pair)
    except DiskFullError as error:
        return str(error)


def connect(address: str) -> Any:
    """Ray, joined to the cluster at `address`. With "auto" that is the cluster that this machine belongs to,
    or a new one of this machine alone. Raises InputError where there is no such cluster or Ray is not
    installed.
    """
    try:
        import ray
    except ImportError:
        raise InputError(
            "Ray is not installed: pip install 'facetransfer[cluster]', or leave --ray out"
        ) from None
    if ray.is_initialized():
        return ray
    if address not in ("auto", "local"):
        _check_reachable(address)
    quiet: dict[str, Any] = dict(log_to_driver=False, logging_level="ERROR")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray must not report usage over the network.
    try:
        ray.init(address=address, **quiet)
    except ConnectionError:
        if address != "auto":
            raise InputError(f"there is no Ray cluster at {address}: give HOST:PORT of its head") from None
        ray.init(address="local", include_dashboard=False, **quiet)
    return ray


def film_on_ray(film: FilmRun, address: str = "auto") -> Iterator[FilmProgress]:
    """Makes each scene of a film as one task, and yields the progress as scenes are finished."""
    ray = connect(address)
    scenes = film.scenes()
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores = max(1, min(CORES, int(max(node.get("CPU", 0) for node in nodes))))
    needs = {"num_cpus": cores} if film.maker.device == "cpu" else {"num_cpus": 1, "num_gpus": 1}
    task = ray.remote(max_retries=TRIES, **needs)(_make_scene)
    shared = ray.put(film)
    running = [task.remote(shared, scene, cores) for scene in scenes]
    total, done, without_face = sum(scene.count for scene in scenes), 0, 0
    try:
        while running:
            (ready,), running = ray.wait(running)
            made, faceless = ray.get(ready)
            done, without_face = done + made, without_face + faceless
            yield FilmProgress(done, total, without_face, None)
    finally:
        for task_left in running:
            ray.cancel(task_left, force=True)


def _make_scene(film: FilmRun, scene: Scene, cores: int) -> tuple[int, int]:
    """Makes a scene. Returns how many frames it has, and in how many of them no face was found."""
    import torch

    torch.set_num_threads(cores)
    progress = None
    for progress in film.frames_of(scene):
        pass
    return scene.count, progress.without_face if progress else 0


def _check_reachable(address: str) -> None:
    """Raises InputError where nothing listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_REACH).close()
    except (OSError, ValueError, OverflowError):
        raise InputError(
            f"there is no Ray cluster at {shortened(address)}: give HOST:PORT of its head, or auto"
        ) from None


def _room(ray: Any, device: str) -> tuple[int, int, dict[str, int]]:
    """How many CPU cores a task of the cluster uses, how many tasks run at once, and what Ray has to reserve
    for each of them.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores = max(1, min(CORES, int(max(node.get("CPU", 0) for node in nodes))))
    gpus = sum(int(node.get("GPU", 0)) for node in nodes) if device != "cpu" else 0
    if gpus:
        return cores, gpus, {"num_cpus": 1, "num_gpus": 1}
    return cores, sum(int(node.get("CPU", 0)) // cores for node in nodes), {"num_cpus": cores}


def run_on_ray(
    pairs: Sequence[Pair],
    options: dict[str, Any],
    log: RunLog,
    address: str = "auto",
    retry_failed: bool = False,
) -> Iterator[Outcome]:
    """Yields the outcome of each pair when it is known, in any order, and writes it to the log; see
    `run_batch`.

    options: the arguments of the `PairMaker` in each process. Raises DiskFullError.
    """
    ray = connect(address)
    failures = {} if retry_failed else log.failures()
    to_do = []
    for pair in pairs:
        if (error := failures.get(asked(pair))) is not None:
            yield Outcome(pair, PASSED_OVER, error=error)
        else:
            to_do.append(pair)
    cores, places, needs = _room(ray, options["device"])
    task = ray.remote(max_retries=TRIES, **needs)(_make)
    running: dict[Any, Pair] = {}
    try:
        while to_do or running:
            while to_do and len(running) < AHEAD * places:
                pair = to_do.pop(0)
                running[task.remote(pair, tuple(sorted(options.items())), cores)] = pair
            (done,), _ = ray.wait(list(running))
            pair = running.pop(done)
            try:
                outcome = ray.get(done)
            except ray.exceptions.RayError as error:
                words = f"its process was lost {TRIES + 1} times ({type(error).__name__})"
                outcome = Outcome(pair, FAILED, error=words)
            if isinstance(outcome, str):
                raise DiskFullError(outcome)
            if outcome.state != THERE:
                log.add(outcome)
            yield outcome
    finally:
        for task_left in running:
            ray.cancel(task_left, force=True)
