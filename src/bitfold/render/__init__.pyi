from bitfold.render.encode import encode_jpeg, encode_png
from bitfold.render.frame.frame import FramePainter
from bitfold.render.frame.line_compositing import LineOverlay
from bitfold.render.frame.panels import Mark, View
from bitfold.render.frame.scene import Scene, Slice
from bitfold.render.partitions.partition_figure import FigureStyle, draw_partition
from bitfold.render.partitions.partition_surface import surface_of
from bitfold.render.partitions.surface import Surface, write_surface
from bitfold.render.plots.frontier_plot import QualityAxis, SizePoint, plot_frontier
from bitfold.render.plots.loss_plot import draw_losses, plot_losses
from bitfold.render.video.video import VideoWriter

__all__ = [
    "FigureStyle",
    "FramePainter",
    "LineOverlay",
    "Mark",
    "QualityAxis",
    "Scene",
    "SizePoint",
    "Slice",
    "Surface",
    "VideoWriter",
    "View",
    "draw_losses",
    "draw_partition",
    "encode_jpeg",
    "encode_png",
    "plot_frontier",
    "plot_losses",
    "surface_of",
    "write_surface",
]
