"""What a page may ask for in settings: nothing that leads to files outside the folder of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bitfold.errors import StudioError
from bitfold.runtime.strangers.bounded_json import shortened
from bitfold.targets.drawn.builtin import builtin_names, is_builtin
from bitfold.training import Config, hint, settings_of

#: Settings that name files or folders; only who starts the server may choose them.
FORBIDDEN: Final = frozenset({"output_dir", "checkpoint_dir", "snapshot_dir", "log_file"})
_NAMES: Final = frozenset(name for name, _, _ in settings_of(Config))


def permitted_settings(settings: Mapping[str, Any], pictures: Path) -> dict[str, Any]:
    """Return settings that a page gave, with its picture's path in the place of its name.

    Args:
        settings: name to value; their values are checked by their own rows later.
        pictures: the folder of the pictures that pages have dropped.

    Raises:
        StudioError: a setting is none, or names a file; or the target is neither built in nor
            dropped.
    """
    for name in settings:
        if name not in _NAMES:
            raise StudioError(
                f"Cannot set {shortened(name)}: there is no setting of that name."
                + hint(name, _NAMES)
            )
        if name in FORBIDDEN:
            raise StudioError(
                f"Cannot set {name} from a page: it names files. Use the command line instead."
            )
    if "target" not in settings:
        return dict(settings)
    return {**settings, "target": permitted_target(settings["target"], pictures)}


def permitted_target(name: Any, pictures: Path) -> str:
    """Return what `bitfold.Config.target` takes for the name of a target that a page gave.

    Raises:
        StudioError: the name is neither of a built-in picture nor of one that was dropped.
    """
    if isinstance(name, str) and is_builtin(name):
        return name
    dropped = {path.name: path for path in pictures.iterdir()} if pictures.is_dir() else {}
    if isinstance(name, str) and name in dropped:
        return str(dropped[name])
    raise StudioError(
        f"Cannot learn {shortened(name)}: expected one of {', '.join(builtin_names())}, or a "
        "picture that was dropped on the page."
    )
