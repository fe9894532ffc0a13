"""Commands on the folders of sweeps, and what Python code does with one."""

from __future__ import annotations

import shutil
from pathlib import Path

from bitfold.cli.main import main
from bitfold.errors import BitfoldError
from bitfold.experiments import load_sweep, read_plan, sweep
from bitfold.experiments.sweeps.plans.grid import planned
from bitfold.training import Config

#: Commands on the folder of a sweep. *read-sweep* and *plan* stand for functions of Python.
SWEEP_COMMANDS = ("sweep", "merge", "compare", "read-sweep", "plan")
#: Those of them that train: a stranger may ask for thousands of members, which takes long.
TRAINING = ("sweep",)


def make_sweep(folder: Path, config: Config) -> None:
    """Train a sweep of which one member is left, with plan files beside it."""
    found = sweep(config, {"seed": [0, 1]}, folder, jobs=1)
    last = found.members[-1]
    ends = {name: end for name, end in found.record.ends.items() if name != last.name}
    found.record.with_ends(ends).write(folder)
    shutil.rmtree(folder / last.name)
    (folder / "plan.csv").write_text("seed,shape\n0,[4]\n1,[8]*2\n")
    (folder / "plan.toml").write_text("[vary]\nseed = [0, 1]\n")


def continue_sweep(path: str) -> int:
    """Train what is left, and fail if a member's training ended in a traceback."""
    code = main(["sweep", "-o", path, "--epochs", "4"])
    if code in (0, 1):
        table = load_sweep(path).table
        for status, reason in zip(table["status"], table["reason"], strict=True):
            assert status != "crashed", reason
    return code


def read_sweep(path: str) -> int:
    """Read and show everything in a sweep."""
    found, errors = load_sweep(path), []
    shown = (repr(found), repr(found.table), found._repr_html_(), found.table.to_csv())
    assert all(isinstance(text, str) for text in shown)
    for member in found.members[:10]:
        try:
            assert found.run(member).metrics.num_epochs >= 0
        except BitfoldError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return 0


def read_plans(path: str) -> int:
    """Read each plan file, and form its members."""
    errors = []
    for name in ("plan.csv", "plan.toml"):
        try:
            plan = read_plan(Path(path) / name)
            planned(Config(target="ring"), plan.combinations, plan.grid or {})
        except BitfoldError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return 0
