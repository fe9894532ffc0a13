"""The shell completion of commands, options and option values."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bitfold.cli.commands.setup.completion import SHELLS
from bitfold.cli.main import main
from bitfold.training import Config, flag, settings_of
from tests.cli.test_help import COMMANDS


def script_of(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the script for a shell."""
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_knows_every_command_and_every_setting(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each shell's script lists every command and setting, without a list made by hand."""
    script = script_of(shell, capsys)
    words = [*COMMANDS, *(flag(name)[2:] for name, _, _ in settings_of(Config) if name != "target")]
    assert [word for word in words if word not in script] == []
    assert "sgd_momentum" in script


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("tr", "train"),
        ("train --kolmogorov-q", "--kolmogorov-quantise"),
        ("train --optimizer mu", "muon"),
        ("info net.bit", "net.bitfold"),
    ],
)
def test_bash_completes(
    line: str, wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bash completes a command, an option, an option's value and a file."""
    (tmp_path / "net.bitfold").touch()
    words = ["bitfold", *line.split()]
    code = (
        f"{script_of('bash', capsys)}\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}"
        '\n_shtab_bitfold; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == [wanted]
