from bitfold.render.encode import encode_jpeg, encode_png
from bitfold.render.frame import FramePainter
from bitfold.render.loss_plot import plot_losses
from bitfold.render.scene import Scene, Slice
from bitfold.render.video import VideoWriter

__all__ = [
    "FramePainter",
    "Scene",
    "Slice",
    "VideoWriter",
    "encode_jpeg",
    "encode_png",
    "plot_losses",
]
