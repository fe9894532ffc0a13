"""A line on the terminal that says what is being done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Notify = Callable[[str], None]
"""Is told what is being done."""


@contextmanager
def notifying(progress: bool | Notify) -> Iterator[Notify]:
    """Give the function that is told what is being done.

    Args:
        progress: that function; True: it shows a line on standard error; False: it does nothing.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield lambda text: None
    else:
        # rich takes 0.1 s to import: only those who look at a terminal import it.
        from rich.console import Console  # noqa: PLC0415 - see above
        from rich.progress import (  # noqa: PLC0415 - as above
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda text: bar.update(task, description=text)
