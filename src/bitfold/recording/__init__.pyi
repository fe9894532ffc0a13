from bitfold.recording.drawing import Drawing
from bitfold.recording.files.drawing_paths import DrawingPaths, frame_path
from bitfold.recording.frame_maker import FrameMaker
from bitfold.recording.frame_style import FrameStyle
from bitfold.recording.loss_figure import draw_loss_figure
from bitfold.recording.network_view import NetworkView, slice_plane, without_sigmoid
from bitfold.recording.notebook.progress_bar import NotebookBar, is_in_notebook
from bitfold.recording.recorder import Recorder
from bitfold.recording.tensorboard import TensorboardListener
from bitfold.recording.zoom import draw_zoom, nearest_vertex, zoom_windows

__all__ = [
    "Drawing",
    "DrawingPaths",
    "FrameMaker",
    "FrameStyle",
    "NetworkView",
    "NotebookBar",
    "Recorder",
    "TensorboardListener",
    "draw_loss_figure",
    "draw_zoom",
    "frame_path",
    "is_in_notebook",
    "nearest_vertex",
    "slice_plane",
    "without_sigmoid",
    "zoom_windows",
]
