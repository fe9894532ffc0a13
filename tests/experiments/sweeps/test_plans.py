"""The members of a sweep: grids, listed combinations, plan files and names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bitfold import Config
from bitfold.errors import ConfigError
from bitfold.experiments import parse_variation, read_plan
from bitfold.experiments.sweeps.plans.grid import planned
from bitfold.experiments.sweeps.plans.member import member_name


def test_combinations_and_a_grid_are_multiplied() -> None:
    """Each listed combination meets every value of the grid, and shares the other settings."""
    rows: list[dict[str, Any]] = [{"shape": "[4]"}, {"learning-rate": 0.1}]
    plan = planned(Config(shape="[5]"), rows, {"seed": [3, 1]})
    assert plan.varied == ("shape", "learning_rate", "seed")
    assert [tuple(member.settings.values()) for member in plan.members] == [
        ("[4]", 0.001, 3), ("[4]", 0.001, 1), ("[5]", 0.1, 3), ("[5]", 0.1, 1),
    ]  # fmt: skip
    config = plan.members[2].config(plan.shared)
    assert (config.shape, config.learning_rate, config.seed) == ("[5]", 0.1, 3)


def test_a_member_has_one_thread_unless_it_says_otherwise() -> None:
    """A member has one thread by default, so that its result does not depend on the machine."""
    assert planned(Config(), [], {"seed": [0]}).shared.threads == 1
    assert planned(Config(threads=3), [], {"seed": [0]}).shared.threads == 3


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("seed=0:10:4", [0, 4, 8]),
        ("seed=3", [3]),
        ("shape=[64,32]*2,[4]", ["[64,32]*2", "[4]"]),
        ("kolmogorov_weight=0.1,bits:2000,mdl", [0.1, "bits:2000", "mdl"]),
        ("grad-clip-norm=none,1", [None, 1.0]),
        ("kolmogorov_shape=none", ["none"]),
        ("amsgrad=true,off", [True, False]),
        ("no_watchdog=none,loop+finite", [(), ("loop", "finite")]),
        ("seed=", []),
        ("seed=5:5", []),
    ],
)
def test_values_are_read_as_people_write_them(text: str, values: list[object]) -> None:
    """A value may have commas in brackets, be a range, none or a switch, or consist of words."""
    assert list(parse_variation(text)[1]) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sede=1", "Did you mean 'seed'"),
        ("lambda=1", "Did you mean 'kolmogorov_weight'"),
        ("seed", "with values"),
        ("seed=1,two", "'two'"),
        ("seed=0:9:0", "step other than 0"),
        ("learning_rate=1:3", "a number"),
        ("seed=" + "9" * 30 + ":1", "whole number"),
    ],
)
def test_values_that_are_none_are_refused(text: str, said: str) -> None:
    """A value that cannot be read is refused in one line that names the mistake."""
    with pytest.raises(ConfigError, match=said) as caught:
        parse_variation(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({}, "without members"),
        ([], "without members"),
        ({"seed": []}, "values for `seed`, got none"),
        ({"seed": range(10**7)}, "10,000,000 members"),
        ({"seed": iter(range(10**7))}, "20,001 members"),
        ({"seed": range(10**4), "epochs": range(1, 1001)}, "10,000,000 members"),
        ({"sede": [1]}, "Did you mean 'seed'"),
        ({"output_dir": ["a"]}, "folder of its own"),
        ({"checkpoint_dir": ["a"]}, "folder of its own"),
        ({"threads": [0, 1]}, "at least 1"),
        ({"shape": "[4]"}, "expected a list"),
        ({"seed": 3}, "expected a list"),
        ({"kolmogorov_weight_min": [1.0, 5.0]}, "member kolmogorov_weight_min-5. Cannot use"),
    ],
)
def test_grids_that_cannot_be_trained_are_refused(grid: object, said: str) -> None:
    """Grids that are empty, huge, contradictory or of unknown or sweep settings are refused."""
    with pytest.raises(ConfigError, match=said) as caught:
        planned(Config(), [], grid)  # type: ignore[arg-type] # some are no grids on purpose
    assert "\n" not in str(caught.value)


def test_a_setting_is_in_the_grid_or_listed() -> None:
    """A setting cannot be both in the grid and in a listed combination."""
    with pytest.raises(ConfigError, match=r"`seed`.*in both"):
        planned(Config(), [{"seed": 1}], {"seed": [1, 2]})


def test_names_are_readable_and_distinct() -> None:
    """Names avoid characters that trouble shells or file systems, differ, and are cut if long."""
    assert member_name({"shape": "[64,32]*2+[16]"}) == "shape-64_32_2+16"
    assert member_name({"kolmogorov_weight": "bits:2000", "amsgrad": True, "minutes": None}) == (
        "lambda-bits-2000-amsgrad-on-minutes-default"
    )
    assert len(member_name({"target": "x" * 300})) < 120
    plan = planned(Config(), [], {"target": ["a/b", "a:b", "a_b", "a/b"]})
    names = [member.name for member in plan.members]
    assert len(set(names)) == 3
    assert names[0] == "target-a_b"


def test_plans_are_read_from_files(tmp_path: Path) -> None:
    """A TOML plan has combinations and a grid; a CSV plan has a row a member and may omit cells."""
    toml = tmp_path / "plan.toml"
    toml.write_text('[vary]\nseed = "0:3"\nepochs = [5]\n[[members]]\nshape = "[4]"\n')
    plan = read_plan(toml)
    assert plan.combinations == ({"shape": "[4]"},)
    assert {name: list(some) for name, some in (plan.grid or {}).items()} == {
        "seed": [0, 1, 2], "epochs": [5],
    }  # fmt: skip
    table = tmp_path / "plan.csv"
    table.write_text('seed,shape\n1,"[4,2]"\n2,\n')
    assert read_plan(table).combinations == ({"seed": 1, "shape": "[4,2]"}, {"seed": 2})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("plan.txt", "seed\n1\n", "a .toml or .csv file"),
        ("plan.csv", "seed\n", "no rows"),
        ("plan.csv", "seed\n1,2\n", "number of columns"),
        ("plan.csv", "seed,epochs\n1\n", "number of columns"),
        ("plan.csv", "sede\n1\n", "Did you mean 'seed'"),
        ("plan.csv", "seed\n" + "1\n" * 20_001, "more than 20,000 rows"),
        ("plan.csv", "seed," * 1000 + "\n", "more columns than there are settings"),
        ("plan.toml", "seed = [1]\n", "got 'seed'"),
        ("plan.toml", "members = 3\n", "another form"),
        ("plan.toml", "[vary\n", "not TOML"),
    ],
)
def test_plan_files_of_another_form_are_refused(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    """A plan file of another form is refused in one line that names the file."""
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_plan(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_plan_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A FIFO would keep its reader waiting."""
    make = getattr(os, "mkfifo", None) or os.mkdir  # Windows has no FIFOs
    make(tmp_path / "plan.csv")
    with pytest.raises(ConfigError, match="it is no file"):
        read_plan(tmp_path / "plan.csv")


def test_a_missing_plan_is_named(tmp_path: Path) -> None:
    """The error for a missing plan gives the system's reason."""
    with pytest.raises(ConfigError, match=r"none\.csv: No such file"):
        read_plan(tmp_path / "none.csv")
