"""Help and version appear at once and load no heavy package."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import bitfold.cli.main as program

HEAVY = {"torch", "numpy", "numba", "scipy", "matplotlib", "av", "PIL", "jinja2", "safetensors"}
COMMANDS = (
    "demo", "train", "resume", "sweep", "compare", "frontier", "render", "plot", "polytopes",
    "audit",
    "compress", "info", "decompress", "report", "replay", "studio", "export", "warm-up",
    "completion",
)  # fmt: skip


def loaded_after(module: str, *arguments: str) -> tuple[set[str], str]:
    """Return the top packages that a program has loaded when it exits, and its output."""
    code = (
        f"import sys, json, {module} as program\n"
        "try: program.main(sys.argv[1:])\n"
        "except SystemExit as ended: assert ended.code == 0, ended\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    command = [sys.executable, "-c", code, *arguments]
    found = subprocess.run(command, capture_output=True, check=True, text=True)
    *printed, names = found.stdout.splitlines()
    return set(json.loads(names)), "\n".join(printed)


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), *((c, "--help") for c in COMMANDS)]
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Help loads no PyTorch, NumPy, compiler, drawing or video package."""
    loaded, printed = loaded_after("bitfold.cli.main", *arguments)
    assert "bitfold" in loaded
    assert loaded & HEAVY == set()
    assert printed.startswith("bitfold " if arguments == ("--version",) else "usage: bitfold")


@pytest.mark.parametrize("name", ["draw_poly_while_training", "draw_poly_classifier"])
def test_help_of_the_draw_poly_programs_loads_nothing_heavy(name: str) -> None:
    """Help of the draw-poly programs loads no heavy package either."""
    loaded, printed = loaded_after(f"bitfold.cli.programs.{name}", "--help")
    assert loaded & HEAVY == set()
    assert printed.startswith("usage: draw-poly")


def test_every_command_has_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of commands in this file is the program's own."""
    with pytest.raises(SystemExit):
        program.main(["--help"])
    words = capsys.readouterr().out.split("COMMAND")[-1].split()
    assert set(COMMANDS) <= set(words)
