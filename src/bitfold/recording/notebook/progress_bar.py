"""A training's progress in a notebook: a bar of tqdm's, as a widget where widgets are installed."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from bitfold.runtime.display.decibels import psnr_text
from bitfold.training import Changed, EpochEnded, Event, Metrics, Noticed, RunEnded, RunStarted


class NotebookBar:
    """A listener that shows a bar: epochs, time left, PSNR or accuracy, task loss and K.

    In a notebook with ipywidgets it is a widget; without them, and outside notebooks, it is a line
    of text on standard error.

    >>> from bitfold import Config
    >>> bar = NotebookBar()
    """

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, event: Event) -> None:
        """Listen to training."""
        if isinstance(event, RunStarted):
            total = event.run.config.epochs
            self._bar = _bar_class()(
                total=total, initial=event.epoch, unit="epoch", desc="training"
            )
        elif self._bar is None:
            return
        elif isinstance(event, EpochEnded):
            self._bar.set_postfix_str(_numbers(event.metrics), refresh=False)
            self._bar.update(event.epoch - self._bar.n)
        elif isinstance(event, Changed):
            self._bar.total = event.run.config.epochs
        elif isinstance(event, Noticed):
            self._bar.write(event.message)
        elif isinstance(event, RunEnded):
            self._bar.close()
            if event.reason != "completed":
                self._bar.write(event.message)
            self._bar = None


def _bar_class() -> Any:
    """The widget where it can be shown; ``tqdm.auto`` would warn that ipywidgets are missing."""
    if is_in_notebook() and importlib.util.find_spec("ipywidgets") is not None:
        from tqdm.notebook import tqdm as widget  # noqa: PLC0415 - needs ipywidgets

        return widget
    from tqdm import tqdm  # noqa: PLC0415 - only those who watch need it

    return tqdm


def is_in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config


def _numbers(metrics: Metrics) -> str:
    quality, share = metrics.get("psnr_db"), metrics.get("accuracy")
    loss, nats = metrics["task_loss"], metrics["kolmogorov_loss"]
    words = [
        None if quality is None else f"validation {psnr_text(quality)}",
        None if share is None else f"validation accuracy {share:.2%}",
        "not finite" if loss is None else f"task {loss:.5f}",
        None if nats is None else f"K {nats:.4f}",
    ]
    return ", ".join(word for word in words if word)
