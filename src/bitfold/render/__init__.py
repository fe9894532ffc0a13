from bitfold.render.encode import encode_jpeg, encode_png
from bitfold.render.frame import FramePainter
from bitfold.render.ink import Ink
from bitfold.render.loss_plot import plot_losses
from bitfold.render.panels import Mark, View
from bitfold.render.scene import Scene, Slice
from bitfold.render.video import VideoWriter

__all__ = [
    "FramePainter",
    "Ink",
    "Mark",
    "Scene",
    "Slice",
    "VideoWriter",
    "View",
    "encode_jpeg",
    "encode_png",
    "plot_losses",
]
