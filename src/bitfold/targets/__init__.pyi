from bitfold.targets.drawn.builtin import builtin_names, draw_builtin, is_builtin
from bitfold.targets.file import read_target, write_target
from bitfold.targets.frames import Frames
from bitfold.targets.grid import Grid, Window, window_axes, window_positions
from bitfold.targets.repainting import repainted
from bitfold.targets.smoothing import kernel_baseline_error, kernel_smoothed
from bitfold.targets.split import Split, sample_split
from bitfold.targets.target import Target, Task, load_target, make_target

__all__ = [
    "Frames",
    "Grid",
    "Split",
    "Target",
    "Task",
    "Window",
    "builtin_names",
    "draw_builtin",
    "is_builtin",
    "kernel_baseline_error",
    "kernel_smoothed",
    "load_target",
    "make_target",
    "read_target",
    "repainted",
    "sample_split",
    "window_axes",
    "window_positions",
    "write_target",
]
