"""The observers of a training, and their histories in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from bitfold.audit import TradeMonitor
from bitfold.training.config.configuration import Config
from bitfold.training.step.epoch_result import EpochResult
from bitfold.training.watch.fold_monitor import FoldMonitor
from bitfold.training.watch.watchdogs import Watchdog, make_watchdogs


@dataclass(frozen=True)
class Oversight:
    """The observers: watchdogs may end a run, the trade monitor warns, the fold monitor measures.

    Args:
        watchdogs: the watchdogs that are switched on.
        monitor: the trade monitor; None without K.
        folds: the fold monitor; None if folds are not measured.
    """

    watchdogs: list[Watchdog]
    monitor: TradeMonitor | None = None
    folds: FoldMonitor | None = None

    def trade(self, result: EpochResult) -> str | None:
        """Return the trade monitor's warning about an epoch's steps, or None."""
        if self.monitor is None:
            return None
        weight = result.kolmogorov_weight
        trades = [self.monitor.update(task, nats, weight) for task, nats in result.step_losses]
        return next((str(trade) for trade in trades if trade is not None), None)

    def history(self) -> dict[str, Tensor]:
        """Return the histories of all observers as tensors, by name."""
        kept = {f"watchdog.{w.name}": w.history() for w in self.watchdogs}
        if self.monitor is not None:
            kept["trade.monitor"] = torch.tensor(
                self.monitor.history(), dtype=torch.float64, device="cpu"
            )
        if self.folds is not None:
            kept |= self.folds.history()
        return kept

    def restore(self, kept: Mapping[str, Tensor], *, is_same: bool = True) -> None:
        """Load the histories from `history`; an observer without one starts anew.

        Args:
            kept: tensors by name.
            is_same: whether training goes on with the same settings; if not, only the fold
                monitor's history is loaded, which describes the network.
        """
        if self.folds is not None:
            self.folds.restore(kept)
        if not is_same:
            return
        for watchdog in self.watchdogs:
            if f"watchdog.{watchdog.name}" in kept:
                watchdog.restore(kept[f"watchdog.{watchdog.name}"])
        if self.monitor is not None and "trade.monitor" in kept:
            self.monitor.restore(kept["trade.monitor"].tolist())


def oversight_of(config: Config, folds: FoldMonitor | None = None) -> Oversight:
    """Return new observers as a configuration asks for them."""
    monitor = TradeMonitor(unit="step") if config.has_kolmogorov else None
    return Oversight(make_watchdogs(config.no_watchdog), monitor, folds)
