"""Responses to mistyped commands and options: the help, or the nearest name."""

from __future__ import annotations

import shlex

import pytest

from bitfold.cli.console.examples import EXAMPLES
from bitfold.cli.main import _parser, main
from bitfold.errors import ConfigError
from bitfold.training import Config
from bitfold.training.config.continuation import changed_config


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, the whole help is printed and the exit code is 2."""
    assert main([]) == 2
    printed = capsys.readouterr().out
    assert printed.startswith("usage: bitfold")
    assert "\nexamples:\n  bitfold demo\n" in printed


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("trian", "there is no command of that name. Did you mean 'train'?"),
        ("zzz", "there is no command of that name. Try"),
        ("train ring --lambda 0.1", "Did you mean --kolmogorov-weight?"),
        ("train ring --kolmogorov-wieght=0.1", "Did you mean --kolmogorov-weight?"),
        ("train ring --lr 0.1", "Did you mean --learning-rate?"),
        ("resume run --epoch 5", "Did you mean --epochs?"),
        ("render run --ouput x", "Did you mean --output?"),
        ("info a b", "Cannot use 'b': expected no further argument."),
    ],
)
def test_an_unknown_word_gets_one_line_with_the_nearest(
    line: str, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown word gets one line with the nearest command, option or value."""
    with pytest.raises(SystemExit) as caught:
        main(shlex.split(line))
    printed = capsys.readouterr().err
    assert caught.value.code == 2
    assert wanted in printed
    assert printed.count("\n") == 1


def test_a_continued_run_names_the_nearest_setting() -> None:
    """A misspelt setting gets the nearest name, not the error for settings that may not change."""
    with pytest.raises(ConfigError, match=r"no setting of that name\. Did you mean 'epochs'"):
        changed_config(Config(), {"epoch": 5})


def test_the_examples_of_every_help_are_understood() -> None:
    """Each command's help has an example, and the parser accepts all of them."""
    parser, commands = _parser()
    assert set(EXAMPLES) == {"bitfold", *commands}
    for lines in EXAMPLES.values():
        for line in lines:
            words = shlex.split(line.partition(" > ")[0])
            assert words[0] == "bitfold"
            parser.parse_args(words[1:])


def test_basic_options_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Help of `train` begins with a one-line usage and the options that a newcomer needs."""
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    printed = capsys.readouterr().out
    basic, _, rest = printed.partition("picture and points:")
    assert printed.splitlines()[:2] == ["usage: bitfold train [TARGET] [options]", ""]
    assert "--epochs" in basic
    assert "--kolmogorov-weight" in basic
    assert "--adam-beta1" in rest
    assert "in pixels; default: 1024" in basic
    assert len(basic.splitlines()) < 50
