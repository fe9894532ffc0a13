"""Options are built from the settings, and flags win over files over defaults."""

import argparse
from pathlib import Path

import pytest

from bitfold.cli.console.options import add_settings, given_settings, make_config
from bitfold.cli.console.parser import OneLineParser
from bitfold.training import Config, flag, settings_of


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Parse a line that may hold any setting."""
    parser = OneLineParser(prog="test")
    parser.add_argument("--config")
    add_settings(parser)
    return parser.parse_args(arguments)


def test_every_setting_has_an_option() -> None:
    """Each setting can be given by its flag, and comes back with its own type and value."""
    for name, default, one in settings_of(Config):
        if one.kind == "bool":
            assert given_settings(parsed([flag(name)])) == {name: True}
            assert given_settings(parsed(["--no-" + flag(name)[2:]])) == {name: False}
        elif default is not None and one.kind != "names":
            assert given_settings(parsed([f"{flag(name)}={default}"])) == {name: default}


def test_what_is_not_given_leaves_no_trace() -> None:
    """An empty line gives no setting, so that defaults do not overwrite a file's values."""
    assert given_settings(parsed([])) == {}


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    """The order of precedence is flag, file, program, class."""
    path = tmp_path / "config.toml"
    path.write_text('epochs = 7\n"batch-size" = 9\n')
    config = make_config(parsed(["--config", str(path), "--epochs", "8"]), epochs=1, seed=5)
    assert (config.epochs, config.batch_size, config.seed, config.size) == (8, 9, 5, 1024)


def test_words_beside_numbers() -> None:
    """``--points`` takes a number or ``all``."""
    assert given_settings(parsed(["--points", "all"])) == {"points": "all"}
    assert given_settings(parsed(["-p", "12"])) == {"points": 12}


def test_lambda_is_a_number_or_a_word() -> None:
    """``--kolmogorov-weight`` takes a number, ``mdl`` or ``bits:N``."""
    for text, value in (("0.01", 0.01), ("mdl", "mdl"), ("bits:2000", "bits:2000"), ("0", 0.0)):
        given = given_settings(parsed(["--kolmogorov-weight", text]))
        assert given == {"kolmogorov_weight": value}


def test_the_audit_is_switched_off_by_its_flag() -> None:
    """``--no-audit`` is the switch that the docs name."""
    assert given_settings(parsed(["--no-audit"])) == {"audit": False}


def test_repeatable_names() -> None:
    """``--no-watchdog`` may be given several times."""
    given = given_settings(parsed(["--no-watchdog", "loop", "--no-watchdog", "finite"]))
    assert given == {"no_watchdog": ("loop", "finite")}


def test_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown option is one line and exit code 2, without the usage."""
    with pytest.raises(SystemExit) as caught:
        parsed(["--colour"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
