from bitfold.render.encode import encode_jpeg, encode_png
from bitfold.render.frame import FramePainter
from bitfold.render.frontier_plot import QualityAxis, SizePoint, plot_frontier
from bitfold.render.ink import Ink
from bitfold.render.loss_plot import plot_losses
from bitfold.render.panels import Mark, View
from bitfold.render.partition_figure import FigureStyle, draw_partition
from bitfold.render.partition_surface import surface_of
from bitfold.render.scene import Scene, Slice
from bitfold.render.surface import Surface, write_surface
from bitfold.render.video import VideoWriter

__all__ = [
    "FigureStyle",
    "FramePainter",
    "Ink",
    "Mark",
    "QualityAxis",
    "Scene",
    "SizePoint",
    "Slice",
    "Surface",
    "VideoWriter",
    "View",
    "draw_partition",
    "encode_jpeg",
    "encode_png",
    "plot_frontier",
    "plot_losses",
    "surface_of",
    "write_surface",
]
