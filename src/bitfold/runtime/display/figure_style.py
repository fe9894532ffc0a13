"""The style of bitfold's own figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def own_style(settings: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Draw with matplotlib's own settings within the block, whatever the user's are.

    Those of a user may want LaTeX, which need not be installed and stops at the underscore of a
    run's name, dark panels, or other margins. Figures of the caller keep the caller's settings.

    Args:
        settings: names and values of matplotlib's settings that differ from its own.

    >>> import matplotlib
    >>> with matplotlib.rc_context({"text.usetex": True}), own_style({"lines.linewidth": 7}):
    ...     matplotlib.rcParams["text.usetex"], matplotlib.rcParams["lines.linewidth"]
    (False, 7.0)
    """
    # matplotlib takes a third of a second to import, so it is imported only when needed.
    from matplotlib import style  # noqa: PLC0415

    with style.context(["default", dict(settings or {})]):
        yield
