"""What the folder of a run holds: its configuration, its metrics, its network at an epoch."""

from __future__ import annotations

import math
import os
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from bitfold.errors import RunError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.networks import PolytopeNet
from bitfold.runtime.display.html_tables import html_facts
from bitfold.targets import Split, Target
from bitfold.training.config.configuration import Config
from bitfold.training.run.stored_kolmogorov import restored_kolmogorov
from bitfold.training.step.construction import build_network, network_shapes
from bitfold.training.store.changes import NO_CHANGES, Changes, read_changes
from bitfold.training.store.checkpoints import (
    Checkpoint,
    checkpoint_epoch,
    checkpoint_path,
    checkpoint_paths,
    read_kept_checkpoint,
)
from bitfold.training.store.folder import RunFolder
from bitfold.training.store.metric_columns import MetricColumns
from bitfold.training.store.metrics_log import read_metrics
from bitfold.training.store.run_places import PLACES, checked_place
from bitfold.training.store.stored_weights import check_weights, trained_weights
from bitfold.training.store.trajectory import TrajectoryReader

# Random states and histories of the observers have less.
_CHECKPOINT_BYTES = 2**26


@dataclass(frozen=True)
class RunRecord:
    """The folder of a run, as of its end or of an epoch; `bitfold.Run` adds what runs can do.

    Args:
        path: the folder.
        config: the configuration.
        changes: the changes that led to it.
        named: the settings of `PLACES` whose folders, which may lie outside ``path``, the caller
            has named himself.
    """

    path: Path
    config: Config
    changes: Changes = NO_CHANGES
    named: frozenset[str] = field(default=frozenset(), compare=False)

    def at(self, epoch: int) -> RunRecord:
        """Return the record with the configuration, target and points of an epoch."""
        return self.after(len(self.changes.until(epoch).items))

    def after(self, num_changes: int) -> RunRecord:
        """Return the record with the configuration, target and points after some changes."""
        changes = Changes(self.changes.items[:num_changes])
        config = changes.apply(self.changes.undo(self.config))
        return RunRecord(self.path, config, changes, self.named)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        checkpoint_dir: str | None = None,
        snapshot_dir: str | None = None,
    ) -> Self:
        """Open the folder of a run; `bitfold.load_run` does it for a `bitfold.Run`.

        Args:
            path: the folder.
            checkpoint_dir: the setting of this name, for a run that keeps its checkpoints outside
                its folder: what ``config.toml`` says is not followed there, as it may be a
                stranger's.
            snapshot_dir: the same for the frames.

        Raises:
            RunError: the folder holds no run, or its changes are damaged.
        """
        folder = RunFolder(Path(path))
        places = {"checkpoint_dir": checkpoint_dir, "snapshot_dir": snapshot_dir}
        named = {name: place for name, place in places.items() if place is not None}
        config, changes = folder.read_config().replace(**named), read_changes(folder.changes)
        # A kill may come between a change and the configuration that it leads to.
        config = changes.apply(changes.undo(config))
        return cls(folder.path, config, changes, frozenset(named))

    @property
    def places(self) -> dict[str, str]:
        """The settings in ``named`` with their values, as `open` takes them."""
        return {name: getattr(self.config, name) for name in self.named}

    @property
    def folder(self) -> RunFolder:
        """The paths of its files."""
        return RunFolder(self.path)

    @property
    def metrics(self) -> MetricColumns:
        """The metrics as columns, name to one value per epoch; each access reads the file."""
        return MetricColumns(read_metrics(self.folder.metrics))

    @property
    def last_epoch(self) -> int:
        """The last epoch with a line of metrics; 0 before the first."""
        return int((self.metrics["epoch"] or [0])[-1] or 0)

    def _repr_html_(self) -> str:
        metrics = self.metrics
        last, config = metrics.last, self.config
        facts = {
            "folder": self.path,
            "target": config.target,
            "network": f"{config.shape}, {config.activation}",
            "lambda": config.kolmogorov.weight if config.has_kolmogorov else None,
            "epochs": f"{metrics.num_epochs:,} of {config.epochs:,}",
            "status": self.status.get("status"),
            "task loss": last.get("task_loss"),
            "PSNR at validation points, dB": last.get("psnr_db"),
            "accuracy at validation points": last.get("accuracy"),
            "K, nats per weight": last.get("kolmogorov_loss"),
            "description, bits": last.get("description_bits"),
        }
        shown = {
            name: f"{value:,.5g}" if isinstance(value, float) else value
            for name, value in facts.items()
        }
        return html_facts("Run", shown)

    @property
    def status(self) -> dict[str, Any]:
        """Its status: ``status``, ``message``, ``exit_code``, versions."""
        return self.folder.read_status()

    @cached_property
    def target(self) -> Target:
        """The picture or clip that it learns."""
        return self.folder.read_target(self.changes.target_number())

    @cached_property
    def split(self) -> Split:
        """Its training and validation points."""
        split = self.folder.read_split(self.changes.split_number())
        for name, points in (("training", split.training), ("validation", split.validation)):
            is_usable = len(points) > 0 and self.target.are_usable(points)
            if not is_usable:
                got = f"{len(points)} of which some lie elsewhere" if len(points) else "none"
                raise RunError(
                    f"Cannot read split {self.folder.split}: expected {name} points of the "
                    f"picture, got {got}. Restore it from a copy of the run."
                )
        return split

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints; a RunError if it lies outside and is not ``named``."""
        return self._place("checkpoint_dir")

    @property
    def snapshots(self) -> Path:
        """The folder of its frames; a RunError if it lies outside and is not ``named``."""
        return self._place("snapshot_dir")

    def check_places(self) -> None:
        """Refuse a run that keeps files outside its folder, if the caller has not named where.

        Raises:
            RunError: the message names the setting.
        """
        for setting in PLACES:
            self._place(setting)

    def _place(self, setting: str) -> Path:
        name, is_users = getattr(self.config, setting), setting in self.named
        return checked_place(self.path, setting, name, is_users=is_users)

    @property
    def max_checkpoint_bytes(self) -> int:
        """More than any checkpoint of this run can have."""
        num_parameters = sum(map(math.prod, self.shapes.values()))
        return _CHECKPOINT_BYTES + 128 * num_parameters + 16 * self.target.grid.num_pixels

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the network's tensors, in order; no network is built for them."""
        return network_shapes(self.config, self.target)

    def open_trajectory(self) -> TrajectoryReader:
        """Open the trajectory, which must hold this network's weights.

        Raises:
            TrajectoryError: it is missing or damaged, or holds another network's weights.
        """
        return TrajectoryReader(self.folder.trajectory, self.shapes)

    def frame_epochs(self) -> list[int]:
        """Return the epochs of the trajectory, ascending."""
        if not os.path.lexists(self.folder.trajectory):
            return []
        with closing(self.open_trajectory()) as reader:
            return reader.epochs()

    def epochs(self) -> list[int]:
        """Return the epochs whose network can be loaded, ascending."""
        saved = {checkpoint_epoch(path) for path in checkpoint_paths(self.checkpoints)}
        return sorted(saved.union(self.frame_epochs()))

    def new_network(self) -> PolytopeNet:
        """Return a new network of this run's architecture, with random weights."""
        return build_network(self.config, self.target)

    def network(self, epoch: int | None = None) -> PolytopeNet:
        """Return the network at the end of an epoch.

        Args:
            epoch: one of `epochs`; by default the last.

        Raises:
            RunError: the run has not kept its weights at that epoch.
            CheckpointError, TrajectoryError: the file is damaged, or holds another network's
                weights.
        """
        wanted = self._chosen(epoch, self.epochs(), "the network")
        return self._filled(self._weights(wanted))

    def kolmogorov(self, epoch: int | None = None) -> KolmogorovLoss:
        """Return K as the run had learned it at the end of an epoch, with its network.

        ``kolmogorov.table.module`` is the network; `bitfold.write_model` takes both.

        Args:
            epoch: epoch of a checkpoint, as frames hold no predictor; by default the last.

        Returns:
            The loss of a new network, in evaluation mode, on the CPU, with the trained predictor,
            ranges and steps.

        Raises:
            RunError: the run was trained without K, or has no checkpoint of that epoch.
            CheckpointError: the checkpoint is damaged, or holds another network's weights.
        """
        saved = [checkpoint_epoch(path) for path in checkpoint_paths(self.checkpoints)]
        wanted = self._chosen(epoch, saved, "K")
        checkpoint = self._checkpoint(wanted)
        network = self._filled(checkpoint.within("network"))
        found = restored_kolmogorov(checkpoint, network, self.path)
        if found is None:
            raise RunError(
                f"Cannot load K of {self.path} at epoch {wanted}: expected a run that was trained "
                "with `kolmogorov_weight`, got one without. Make a bitfold.KolmogorovLoss of its "
                "network instead."
            )
        return found

    def _chosen(self, epoch: int | None, kept: list[int], what: str) -> int:
        wanted = epoch if epoch is not None else (kept[-1] if kept else 0)
        if wanted not in kept:
            near = min(kept, key=lambda one: abs(one - wanted), default=None)
            hint = f" The nearest kept epoch is {near}." if near is not None else ""
            raise RunError(f"Cannot load {what} of {self.path} at epoch {wanted}: not kept.{hint}")
        return wanted

    def _filled(self, weights: dict[str, Tensor]) -> PolytopeNet:
        check_weights(self.shapes, weights, self.path)  # before a network is built
        network = self.new_network()
        network.load_state_dict(weights)
        return network.eval()

    def _weights(self, epoch: int) -> dict[str, Tensor]:
        if checkpoint_path(self.checkpoints, epoch).exists():
            return trained_weights(self._checkpoint(epoch))
        with closing(self.open_trajectory()) as reader:
            return next(dict(m.weights) for m in reader.moments() if m.epoch == epoch)

    def _checkpoint(self, epoch: int) -> Checkpoint:
        path = checkpoint_path(self.checkpoints, epoch)
        return read_kept_checkpoint(path, self.max_checkpoint_bytes)
