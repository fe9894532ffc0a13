"""Timing by turns, with medians and quartiles and a record of the machine."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("bitfold", "torch", "numpy", "numba", "nncodec", "opencv-python-headless")


@dataclass(frozen=True)
class Spread:
    """A median and its quartiles, in seconds or as a ratio.

    Args:
        median: the middle of the samples.
        low: lower quartile.
        high: upper quartile.
        num_samples: how many there were.
    """

    median: float
    low: float
    high: float
    num_samples: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """Return the median and quartiles of at least one sample."""
        if len(samples) == 1:
            return cls(samples[0], samples[0], samples[0], 1)
        low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(middle, low, high, len(samples))

    def record(self) -> dict[str, float]:
        """Return the spread as JSON values, to four significant digits."""
        numbers = {"median": self.median, "low_quartile": self.low, "high_quartile": self.high}
        rounded = {name: float(f"{value:.4g}") for name, value in numbers.items()}
        return {**rounded, "num_samples": self.num_samples}

    def text(self, scale: float = 1.0, unit: str = "") -> str:
        """Return median and quartiles as text."""
        median, low, high = (value * scale for value in (self.median, self.low, self.high))
        return f"{median:.3g}{unit} ({low:.3g} to {high:.3g})"


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(
    first: Callable[[], Sequence[float]], second: Callable[[], Sequence[float]], rounds: int
) -> tuple[list[list[float]], list[list[float]]]:
    """Call two measurements in turn, A B A B ..., and B A in every other round.

    A change of the machine's speed while it runs, or a warm cache left by the other, then affects
    both equally.

    Returns:
        For each of them, the samples of each round.
    """
    of_first: list[list[float]] = []
    of_second: list[list[float]] = []
    for index in range(rounds):
        order = ((first, of_first), (second, of_second))
        for measure, samples in order if index % 2 == 0 else reversed(order):
            samples.append(list(measure()))
    return of_first, of_second


def ratios(slow: list[list[float]], fast: list[list[float]]) -> Spread:
    """Return the second one's speed-up: the spread of the rounds' ratios of medians."""
    pairs = zip(slow, fast, strict=True)
    return Spread.of([statistics.median(a) / statistics.median(b) for a, b in pairs])


def flattened(rounds: list[list[float]]) -> Spread:
    """Return the spread of the samples of all rounds together."""
    return Spread.of([sample for one in rounds for sample in one])


def environment() -> dict[str, Any]:
    """Return versions, machine and date, which results quoted in the docs must have."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "torch_default_threads": torch.get_num_threads(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": {name: _version(name) for name in PACKAGES},
    }


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="few repetitions, for a first look")
    parser.add_argument("--output", type=Path, help="write the results to this JSON file")
    return parser


def write_results(path: Path | None, results: Mapping[str, Any]) -> None:
    """Write results as JSON, with this environment unless they have one; no path writes nothing."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_as_text({"environment": environment(), **results}), encoding="utf-8")
    print(f"Wrote {path}.")


def _as_text(results: Mapping[str, Any]) -> str:
    """Return indented JSON in which a list of plain values takes one line."""
    text = json.dumps(results, indent=2)
    short = re.sub(
        r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s*\n\s*", " ", found[0]).replace("[ ", "["), text
    )
    return short.replace(" ]", "]") + "\n"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
