"""Write docs/settings.md, the table of all settings: ``python -m tools.settings_page``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bitfold.training import Config, Setting, flag, settings_of

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
_HEAD = """# Settings

Each setting is a field of `bitfold.Config`, a key of a run's `config.toml`, and an option of
`bitfold train`: `batch_size` is `--batch-size`. The [guide](guide.md) explains what belongs
together. `python -m tools.settings_page` writes this page.
"""


def settings_page() -> str:
    """Return the page in Markdown: one table for each group of settings."""
    groups: dict[str, list[str]] = {}
    for name, default, setting in settings_of(Config):
        groups.setdefault(setting.group, []).append(_row(name, default, setting))
    tables = [
        f"\n## {group.capitalize() if group != 'kolmogorov' else 'K'}\n\n"
        "| option | meaning | values | unit | default |\n| --- | --- | --- | --- | --- |\n"
        + "\n".join(rows)
        + "\n"
        for group, rows in groups.items()
    ]
    return _HEAD + "".join(tables)


def _row(name: str, default: Any, setting: Setting) -> str:
    shown = str(default).lower() if setting.kind == "bool" else str(default)
    shown = "" if default in (None, ()) else f"`{shown}`"
    cells = (f"`{flag(name)}`", setting.help, _values(setting), setting.unit, shown)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _values(setting: Setting) -> str:
    words = [f"`{word}`" for word in setting.choices]
    if setting.counted:
        words.append(f"`{setting.counted}:N`")
    kinds = {"int": "whole number", "float": "number", "bool": "switch"}
    if setting.kind in kinds:
        words.insert(0, kinds[setting.kind])
    return ", ".join(words) or "text"


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
