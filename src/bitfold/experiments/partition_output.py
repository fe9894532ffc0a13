"""The polytopes of a run's network as a figure, as arrays or as a surface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bitfold.errors import RenderError
from bitfold.polytopes import Partition
from bitfold.polytopes.drawing.filling import FaceColouring, check_output
from bitfold.polytopes.encoding_layers import EncodingFolds
from bitfold.recording import NetworkView
from bitfold.render import FigureStyle, draw_partition, surface_of, write_surface
from bitfold.render.partitions.partition_figure import COLUMN_MM
from bitfold.render.partitions.partition_figure import SUFFIXES as FIGURES
from bitfold.render.partitions.surface import SUFFIXES as MESHES

ENDINGS = (*FIGURES, ".npz", *MESHES)


@dataclass(frozen=True)
class PartitionLook:
    """How a partition is shown.

    Args:
        faces: how polytopes are coloured.
        output_number: the output, from 0, that value and height show; None shows all
            outputs as one picture.
        height: surfaces: heights are outputs times this.
        width_mm: figures: the width.
        has_legend: figures: whether a legend is drawn.
        encoding_folds: figures: how folds of the network's encoding are drawn.
    """

    faces: Literal["value", "area", "slope", "identity", "none"] = "value"
    output_number: int | None = None
    height: float = 1.0
    width_mm: float = COLUMN_MM
    has_legend: bool = True
    encoding_folds: EncodingFolds = "faint"


def check_ending(path: Path) -> None:
    """Refuse a file name whose ending no partition is written for.

    Raises:
        RenderError: the ending is not one of `ENDINGS`.
    """
    if path.suffix.lower() not in ENDINGS:
        raise RenderError(
            f"Cannot write polytopes into {path}: expected a name ending in "
            f"{', '.join(ENDINGS)}, got {path.suffix or 'no ending'}. Rename it."
        )


def write_partition(found: Partition, view: NetworkView, path: Path, look: PartitionLook) -> None:
    """Write a partition; the ending of the name decides the format.

    Args:
        found: the partition of the network in ``view``.
        view: the network, and what its outputs mean.
        path: ``.svg``, ``.pdf`` and ``.png`` give a figure, ``.npz`` arrays for
            `bitfold.load_partition`, ``.obj`` and ``.ply`` the function as a surface.
        look: how the partition is shown.

    Raises:
        RenderError: the ending is another one, or the file cannot be written.
        PolytopeError: the network has no such output.
    """
    check_ending(path)
    number = look.output_number
    if number is not None:
        check_output(found.vertex_outputs, number)
    is_picture = look.faces == "value" and number is None
    faces: FaceColouring = view.colours if is_picture else look.faces
    suffix = path.suffix.lower()
    if suffix == ".npz":
        found.save(path)
    elif suffix in MESHES:
        heights = look.height * view.heights(found, number)
        surface = surface_of(found, heights, faces=faces, output=number or 0, is_y_down=True)
        write_surface(path, surface)
    else:
        style = FigureStyle(
            faces=faces,
            output=number or 0,
            boundary=view.has_classes,
            has_legend=look.has_legend,
            width_mm=look.width_mm,
            is_y_down=True,
            aspect=view.aspect,
            encoding_folds=look.encoding_folds,
        )
        draw_partition(found, path, style)
