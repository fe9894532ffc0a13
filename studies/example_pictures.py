"""What does each example print? Draws it for the gallery of the documentation.

``python -m studies.example_pictures`` runs every example on data that code draws and writes
``docs/figures/examples/NAME.svg``; example 6 draws its own picture.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from benchmarks.harness.folders import DOCS, ROOT

EXAMPLES = ROOT / "examples"
WIDTH_CHARACTERS = 88
DRAWS_ITSELF = "06_cut_through_digits"


def printed(example: Path) -> str:
    """Return the output of an example, without paths of this machine.

    Raises:
        subprocess.CalledProcessError: the example fails.
    """
    done = subprocess.run(
        [sys.executable, example], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return done.stdout.replace(f"{ROOT}/", "").strip()


def draw_output(name: str, output: str, path: Path) -> None:
    """Write a terminal with a command and its output as SVG.

    Args:
        name: of the example.
        output: what it printed.
        path: of the picture.
    """
    console = Console(record=True, width=WIDTH_CHARACTERS, file=io.StringIO(), color_system=None)
    console.print(Text(f"$ python examples/{name}.py", style="bold"))
    console.print(Text(output))
    picture = console.export_svg(title=name, unique_id=f"example-{name}")
    # The reader's own fonts are used, so that no font is fetched.
    without_fonts = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(without_fonts.replace("Fira Code, monospace", "monospace"), encoding="utf-8")


def main() -> int:
    """Run and draw every example."""
    for example in sorted(EXAMPLES.glob("0*.py")):
        if example.stem != DRAWS_ITSELF:
            path = DOCS / "figures" / "examples" / f"{example.stem}.svg"
            draw_output(example.stem, printed(example), path)
            print(f"Wrote {path.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
