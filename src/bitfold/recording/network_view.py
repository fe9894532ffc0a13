"""A network with the meaning of its inputs and outputs: plane, colours and heights."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from bitfold.errors import ConfigError, RunError
from bitfold.networks import GridFeatures, PolytopeNet, TriangleWaves
from bitfold.polytopes import Partition, Plane
from bitfold.polytopes.drawing.palette import layer_colours
from bitfold.targets import Target
from bitfold.targets.classes import display_class_colours
from bitfold.training import load_run, read_network

Doubles = NDArray[np.float64]

# Shares of red, green and blue in brightness: ITU-R BT.601, section 2.5.1.
_LUMA: Final = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, eq=False)
class NetworkView:
    """A network and the meaning of its outputs.

    Args:
        network: the network, without its final sigmoid if ``is_squashed``.
        class_colours: (K, 3), 0 to 1, for classification; None where outputs are grey or RGB.
        is_squashed: whether a final sigmoid was left out of ``network``; it makes no folds.
        aspect: width of the picture over its height.
    """

    network: nn.Module
    class_colours: Doubles | None
    is_squashed: bool = False
    aspect: float = 1.0

    @classmethod
    def of(
        cls, path: Path, epoch: int | None = None, *, checkpoint_dir: str | None = None
    ) -> NetworkView:
        """Load the network of a run at an epoch, or of a checkpoint.

        Args:
            path: the folder of a run, or a checkpoint, which may lie anywhere.
            epoch: an epoch of the run; by default the last one whose weights were kept.
            checkpoint_dir: as for `bitfold.load_run`.

        Raises:
            RunError: the path is neither, or the run did not keep the weights of that epoch.
            CheckpointError, TrajectoryError: the file is damaged.
        """
        if not path.is_file():
            run = load_run(path, checkpoint_dir=checkpoint_dir)
            return cls.of_network(run.network(epoch), run.target)
        if epoch is not None:
            raise RunError(
                f"Cannot take epoch {epoch} of {path}: expected the folder of a run, got one "
                "checkpoint. Give the folder, or leave the epoch out."
            )
        network, config = read_network(path)
        target = None
        for folder in path.resolve().parents:
            with suppress(RunError, ConfigError):
                target = load_run(folder).target
                break
        if target is not None and target.out_features == network.out_features:
            return cls.of_network(network, target)
        is_classes = config.task == "classification" or network.out_features not in {1, 3}
        colours = layer_colours(network.out_features, "paper") if is_classes else None
        return cls.of_network(network, None, colours)

    @classmethod
    def of_network(
        cls, network: PolytopeNet, target: Target | None, colours: Doubles | None = None
    ) -> NetworkView:
        """Give a network's outputs the meaning that a target has.

        Args:
            network: in evaluation mode. The view shares its weights.
            target: the target that it learns; None if it is unknown.
            colours: of the classes (K, 3), 0 to 1, where no target has them.
        """
        if target is not None and target.class_colours is not None:
            colours = display_class_colours(target.class_colours) / 255
        piecewise, is_squashed = without_sigmoid(network)
        aspect = 1.0 if network.picture is None else network.picture.aspect
        return cls(piecewise, colours, is_squashed=is_squashed, aspect=aspect)

    @property
    def has_classes(self) -> bool:
        """Whether the network classifies."""
        return self.class_colours is not None

    @property
    def in_features(self) -> int:
        """Coordinates of a point: 2 for a picture, 3 for a clip."""
        kinds = (nn.Linear, TriangleWaves, GridFeatures)
        first = next(part for part in self.network.modules() if isinstance(part, kinds))
        assert isinstance(first, kinds)
        return first.in_features

    def plane(self, time: float | None) -> Plane | None:
        """Return the plane of x and y at a time.

        Args:
            time: -0.5 to 0.5 within a clip; None for a picture, or for the middle of a clip.

        Raises:
            RunError: a time is given for a picture, or is not finite.
        """
        if self.in_features == 2 and time is None:
            return None
        if self.in_features != 3 or not np.isfinite(time or 0.0):
            raise RunError(
                f"Cannot cut a network of {self.in_features} inputs at time {time}: expected a "
                "finite time for a network of 3 inputs, and none for a picture. Change `time`."
            )
        return slice_plane(time or 0.0)

    def colours(self, outputs: Doubles) -> Doubles:
        """Return the colours (N, 3), 0 to 1, of outputs (N, outputs)."""
        if self.class_colours is not None:
            return np.asarray(self.class_colours[outputs.argmax(1)])
        with np.errstate(over="ignore"):
            shown = 1 / (1 + np.exp(-outputs)) if self.is_squashed else outputs
        return np.clip(np.repeat(shown, 3 // shown.shape[1], 1), 0, 1)

    def heights(self, found: Partition, output: int | None) -> Doubles:
        """Return the heights of the vertices (V,); they are affine on each polytope.

        Args:
            found: the network's partition.
            output: the output to use as height; None: for two classes the second minus the first,
                for RGB the brightness, else the first output.
        """
        outputs = found.vertex_outputs
        if output is not None:
            return outputs[:, output]
        if self.has_classes:
            return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs[:, 0]
        return np.asarray(outputs @ _LUMA if outputs.shape[1] == 3 else outputs[:, 0])


def slice_plane(time: float | None) -> Plane | None:
    """Return the plane of a clip's slice in the input space x, y, t; None for a picture."""
    if time is None:
        return None
    axes = np.eye(3)
    return Plane(time * axes[2], axes[0], axes[1])


def without_sigmoid(network: PolytopeNet) -> tuple[nn.Module, bool]:
    """Remove a final sigmoid, which makes no folds; also return whether there was one."""
    is_squashed = network.final_activation == "sigmoid"
    return (network.layers[:-1].eval() if is_squashed else network), is_squashed
