"""Many trainings by name, on all cores; each result is kept."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.folders import CACHE

Settings = Mapping[str, Any]
Result = dict[str, Any]


def run_jobs(
    work: Callable[[Settings], Result],
    jobs: Sequence[Settings],
    cache_name: str,
    processes: int,
) -> list[Result]:
    """Run a function once for each settings; results of an earlier call are reused.

    Args:
        work: a function of a module, called in a process of its own with one thread.
        jobs: its settings, all different; simple values only.
        cache_name: of the file of results below ``build/benchmarks``; delete it to begin afresh.
        processes: how many at a time.

    Returns:
        For each job its settings and results together, in the order of ``jobs``.
    """
    path = CACHE / f"{cache_name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    done = dict(_read(path))
    missing = [job for job in jobs if _name(job) not in done]
    if missing:
        print(f"{len(missing)} of {len(jobs)} runs to do; results go to {path}", flush=True)
    start = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _use_one_thread) as pool, path.open("a") as file:
        futures = {pool.submit(work, dict(job)): job for job in missing}
        for number, future in enumerate(as_completed(futures), 1):
            job = futures[future]
            done[_name(job)] = {**job, **future.result()}
            file.write(json.dumps({"name": _name(job), "result": done[_name(job)]}) + "\n")
            file.flush()
            left = (time.perf_counter() - start) / number * (len(missing) - number)
            print(f"{number}/{len(missing)} {_name(job)} ({left / 60:.0f} min left)", flush=True)
    return [done[_name(job)] for job in jobs]


def default_processes() -> int:
    """Return the number of cores, for one process on each."""
    return os.cpu_count() or 1


def _use_one_thread() -> None:
    torch.set_num_threads(1)


def _name(job: Settings) -> str:
    return " ".join(f"{key}={value}" for key, value in job.items())


def _read(path: Path) -> list[tuple[str, Result]]:
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(line["name"], line["result"]) for line in lines]
