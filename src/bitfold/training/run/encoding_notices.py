"""What a person should know of an encoding before training: octaves and cells that are too many."""

from __future__ import annotations

from bitfold.networks import PolytopeNet, most_visible_octaves
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
    if not encoding.num_octaves:
        return []
    lines = []
    longest = max(grid.width, grid.height, grid.num_frames)
    most = most_visible_octaves(longest)
    if encoding.num_octaves > most:
        lines.append(
            f"The encoding {encoding} has more octaves than {longest} pixels can show, which is "
            f"{most}: finer waves differ from pixel to pixel like noise. `encoding` sets another."
        )
    limit = polytope_limit(network, is_default=config.measure_folds is None)
    if config.measure_folds != 0 and encoding.num_cells > limit:
        lines.append(
            f"Folds are not measured: the encoding {encoding} alone cuts a picture into "
            f"{encoding.num_cells:,} cells, and networks of at most {limit:,} polytopes are "
            "measured."
        )
    return lines
