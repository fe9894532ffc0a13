"""What a person should know of an encoding before training: octaves and cells that are too many."""

from __future__ import annotations

from bitfold.networks import PolytopeNet, most_visible_octaves
from bitfold.networks.encoding import MAX_EXACT_VERTICES
from bitfold.targets import Target
from bitfold.training.config.configuration import Config
from bitfold.training.watch.fold_monitor import polytope_limit


def encoding_notices(config: Config, target: Target, network: PolytopeNet) -> list[str]:
    """Return a line for each thing that an encoding asks too much of.

    Args:
        config: of a new run.
        target: the picture or clip to learn.
        network: the network of the run.
    """
    encoding, grid = network.encoding, target.grid
    if encoding.is_none:
        return []
    lines = []
    num_weights, num_values = encoding.num_weights(target.in_features), target.grid.num_pixels
    if num_weights > num_values:
        lines.append(
            f"The encoding {encoding} has {num_weights:,} weights, more than the {num_values:,} "
            "pixels: it copies them, noise included. `encoding` sets fewer levels."
        )
    longest = max(grid.width, grid.height, grid.num_frames)
    most = most_visible_octaves(longest)
    if encoding.num_octaves > most:
        lines.append(
            f"The encoding {encoding} has more octaves than {longest} pixels can show, which is "
            f"{most}: finer waves differ from pixel to pixel like noise. `encoding` sets another."
        )
    limit = polytope_limit(network, is_default=config.measure_folds is None)
    if config.measure_folds == 0:
        return lines
    if not encoding.has_exact_folds(target.in_features):
        lines.append(
            f"Folds are not measured: the grids of {encoding} have more than "
            f"{MAX_EXACT_VERTICES:,} vertices, up to which exact polytopes are found."
        )
    elif encoding.num_cells > limit:
        lines.append(
            f"Folds are not measured: the encoding {encoding} alone cuts a picture into "
            f"{encoding.num_cells:,} cells, and networks of at most {limit:,} polytopes are "
            "measured."
        )
    return lines
