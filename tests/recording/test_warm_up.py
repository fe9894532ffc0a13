"""Tests that after warming up, the main jobs compile no loop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import gc, json, sys
from contextlib import closing
from bitfold.experiments import code_run
from bitfold.recording.drawing import Drawing
from bitfold.recording.files.drawing_paths import DrawingPaths
from bitfold.recording.frame_style import FrameStyle
from bitfold.entropy_coding import value_counts
from bitfold.recording.warm_up import warm_up
from bitfold.runtime.compiling import compiled
from bitfold.training import Config, train

@compiled
def probe(x):
    return x

def found():
    loops = [loop for loop in gc.get_objects() if type(loop) is type(probe)]
    names = {loop: f"{loop.py_func.__module__}.{loop.__name__}" for loop in loops}
    return {f"{names[loop]}{kinds}" for loop in loops for kinds in loop.overloads}

def main_job(**settings):
    run = train(Config(target="ring", size=64, epochs=3, save_interval="1", **settings))
    with closing(Drawing(run, FrameStyle.of(run.config), DrawingPaths.of(run))) as drawing:
        list(drawing.draw_new())
    return run

reports = []
if sys.argv[2] == "warm":
    warm_up(lambda compiled, known: reports.append((compiled, known)))
before = found()
assert sys.argv[2] == "cold" or value_counts._put.overloads and value_counts._get.overloads
main_job(output_dir=sys.argv[1] + "/plain")
code_run(main_job(output_dir=sys.argv[1] + "/k", kolmogorov_weight=0.003))
learned = {"kolmogorov_weight": 0.003, "kolmogorov_quantise": "learned"}
code_run(main_job(output_dir=sys.argv[1] + "/learned", **learned))
print(json.dumps([len(before), sorted(found() - before), reports]))
"""


def _run(folder: Path, how: str) -> tuple[int, list[str], list[list[int]]]:
    command = [sys.executable, "-c", _SCRIPT, str(folder), how]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    number, new, reports = json.loads(done.stdout.splitlines()[-1])
    return number, new, reports


@pytest.mark.slow
def test_after_warming_up_the_main_job_needs_no_further_loop(tmp_path: Path) -> None:
    """After warming up, training, measuring, drawing and coding find all their loops compiled."""
    number, new, reports = _run(tmp_path, "warm")
    assert number > 12
    assert new == []
    assert all(compiled <= known for compiled, known in reports)


@pytest.mark.slow
def test_the_main_job_does_need_loops(tmp_path: Path) -> None:
    """Without warming up, the same count finds that the main job needs loops."""
    _, new, _ = _run(tmp_path, "cold")
    assert len(new) > 8
