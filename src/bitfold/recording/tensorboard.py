"""The metrics as TensorBoard events."""

from __future__ import annotations

from bitfold.errors import ConfigError
from bitfold.training import EpochEnded, Event, FoldsMeasured, RunEnded, RunStarted, own_folder


class TensorboardListener:
    """Writes the metrics of each epoch, by name, into the folder ``tensorboard`` of the run.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - optional package
        except ImportError:
            raise ConfigError(
                "Cannot use `tensorboard`: TensorBoard is not installed. Install "
                "bitfold[tensorboard]."
            ) from None
        self._make = SummaryWriter
        self._writer: SummaryWriter | None = None

    def __call__(self, event: Event) -> None:
        """Listen to training."""
        if isinstance(event, RunStarted):
            # A continued run replaces the metrics of the epochs after its checkpoint.
            folder = own_folder(event.run.path, "tensorboard")
            self._writer = self._make(folder, purge_step=event.epoch + 1)
        elif isinstance(event, EpochEnded | FoldsMeasured) and self._writer is not None:
            for name, value in event.metrics.items():
                if value is not None and name != "epoch":
                    self._writer.add_scalar(name, value, event.epoch)
        elif isinstance(event, RunEnded) and self._writer is not None:
            self._writer.close()
