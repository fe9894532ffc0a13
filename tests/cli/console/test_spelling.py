"""Messages name options on the command line, and Python's arguments in Python."""

from __future__ import annotations

import pytest

from bitfold.cli.console.spelling import spell_options
from bitfold.cli.main import main
from bitfold.errors import ConfigError
from bitfold.training import Config


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("`epochs`", "--epochs"),
        ("`kolmogorov_weight='mdl'`", "--kolmogorov-weight mdl"),
        ("`slice_times='-0.4,0'`", "--slice-times=-0.4,0"),
        ("`audit=False`", "--no-audit"),
        ("`overwrite=True`", "--overwrite"),
        ("`bitfold resume x`, `nothing`, `x=1`", "`bitfold resume x`, `nothing`, `x=1`"),
        ("[bold] a ` b", "[bold] a ` b"),
    ],
)
def test_settings_become_options(message: str, wanted: str) -> None:
    """Settings in backticks are spelled as options, with their values; other text stays."""
    assert spell_options(message) == wanted


def test_one_error_names_the_argument_in_python_and_the_option_in_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same mistake names the argument in Python and the option on the command line."""
    with pytest.raises(ConfigError, match="Cannot use `kolmogorov_weight`: ") as caught:
        Config(kolmogorov_weight=-1)
    assert main(["train", "ring", "--kolmogorov-weight", "-1"]) == 2
    line = capsys.readouterr().err
    assert "Cannot use --kolmogorov-weight: " in line
    assert "`" not in line
    assert line.replace("--kolmogorov-weight", "`kolmogorov_weight`").endswith(
        f"{str(caught.value).replace('-1', '-1.0')}\n"
    )
