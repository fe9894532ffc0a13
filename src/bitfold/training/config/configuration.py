"""The configuration of a run: one row a setting, with its default, help, bounds and rules."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from bitfold.kolmogorov.options.names import PREDICTOR_OPTIONS, TARGET_OPTIONS
from bitfold.networks.encoding import Encoding
from bitfold.networks.shape import parse_shape
from bitfold.training.config.drawing_settings import DRAWING_NAMES, DrawingSettings
from bitfold.training.config.kolmogorov_settings import (
    DEFAULT_LAMBDA,
    KOLMOGOROV_NAMES,
    PREFIX,
    USUAL,
    KolmogorovSettings,
)
from bitfold.training.config.setting_group import SettingGroup, settings_of

# Hard targets have no gradient to train with.
_TRAINABLE_TARGETS = tuple(
    name
    for name, targets in TARGET_OPTIONS.items()
    if targets.attributes.get("is_differentiable", True)
)
# Names from packages that need PyTorch. They are repeated here so that a help text loads without
# it; a test compares them with the originals.
_KINDS = ("cross_entropy", "mse", "gaussian_nll", "laplacian_nll")
_ACTIVATIONS = ("leaky_relu", "relu", "abs", "tanh", "gelu", "sine")
_FINAL_ACTIVATIONS = ("none", "relu", "leaky_relu", "sigmoid")
_MANY, _ANY = 2**40, (-1e30, 1e30)
#: Epochs of a run with ``minutes`` until its speed is measured: the most that there can be.
UNPLANNED_EPOCHS: Final = 10**9

# A continued run may change no setting of a group that is fixed, and those of the predictor only
# if it had none.
_TARGET = SettingGroup("target", resume="never")
_POINTS = SettingGroup("target")
_NETWORK = SettingGroup("network", resume="never")
_TRAINING = SettingGroup("training")
_FIXED_TRAINING = SettingGroup("training", resume="never")
_AUDIT = SettingGroup("audit")
_OPTIMISER = SettingGroup("optimiser")
_K = SettingGroup("kolmogorov")
_PREDICTOR = SettingGroup("kolmogorov", resume="without_predictor")
_FOLDS = SettingGroup("folds")
_FOLDER = SettingGroup("folder")
_FIXED_FOLDER = SettingGroup("folder", resume="never")
_FRAMES = SettingGroup("frames")
_FIXED_FRAMES = SettingGroup("frames", resume="never")


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a run; the command line, ``config.toml`` and Python share them.

    The rows are flat: one field a setting, by the name that options, files and Python use. The
    code of the package reads the groups `kolmogorov` and `drawing`, which nest them.

    Args:
        target: name of a built-in picture, or path of a picture or clip. Each other field is
            described by its ``help``; ``bitfold train --help`` prints all of them.

    Raises:
        ConfigError: a value has the wrong type, is out of bounds, or contradicts another value.

    >>> config = Config(target="ring", epochs=10, kolmogorov_weight=0.01)
    >>> config.batch_size, config.kolmogorov_weight, config.kolmogorov.weight
    (1024, 0.01, 0.01)
    """

    target: str = _TARGET.word("ring", "name of a built-in picture, or path of a picture or clip")
    size: int = _TARGET.whole(1024, "side of a built-in picture", (8, 8192), unit="pixels")
    task: str = _TARGET.word(
        "auto",
        "regression learns the pixels' values, classification their colours as classes; auto "
        "chooses by the picture",
        choices=("auto", "regression", "classification"),
    )
    points: int | Literal["all"] | None = _POINTS.whole(
        None,
        "training points, or all; by default 5000, or fewer if the picture has fewer",
        (1, _MANY),
        ("all",),
        unit="points",
    )
    validation_points: int | None = _POINTS.whole(
        None, "validation points; by default one batch", (1, _MANY), unit="points"
    )

    shape: str = _NETWORK.word("[10]*8", "widths of the hidden layers, such as [64,32]*2+[16]")
    activation: str = _NETWORK.word(
        "leaky_relu", "activation of the hidden layers", choices=_ACTIVATIONS
    )
    final_activation: str = _NETWORK.word(
        "none", "activation of the output", choices=_FINAL_ACTIVATIONS
    )
    encoding: str = _NETWORK.word(
        "none",
        "none; triangle:OCTAVES, which gives the network triangle waves of the coordinates too; or "
        "grid:LEVELSxFEATURES, learned features on triangulated grids: details are learned, and "
        "polytopes stay exact",
    )

    epochs: int = _TRAINING.whole(
        1000, "passes over the training points", (1, UNPLANNED_EPOCHS), unit="epochs"
    )
    minutes: float | None = _TRAINING.real(
        None,
        "train for this long instead: epochs are set while the machine's speed is measured; by "
        "default epochs decide",
        (0, 1e6),
        positive=True,
        unit="minutes",
    )
    batch_size: int = _FIXED_TRAINING.whole(1024, "points in a step", (1, _MANY), unit="points")
    seed: int = _FIXED_TRAINING.whole(
        0, "seed of the initial weights, the choice of points and their order", (0, 2**63 - 1)
    )
    optimizer: str = _TRAINING.word(
        "adam",
        "optimiser of the network",
        choices=("adam", "adamw", "muon", "sgd", "sgd_momentum", "rmsprop"),
    )
    learning_rate: float = _TRAINING.real(
        1e-3, "learning rate of the network", (0, 1e6), positive=True
    )
    lr_schedule: str | None = _TRAINING.word(
        None,
        "schedule of both learning rates; cosine falls to a hundredth; by default constant, with "
        "learned steps cosine",
        choices=("constant", "cosine"),
    )
    grad_clip_norm: float | None = _TRAINING.real(
        None, "clip the norm of the network's gradient to this value", positive=True
    )
    device: str = _TRAINING.word("cpu", "device that computes: cpu, cuda, cuda:1, mps")
    threads: int = _TRAINING.whole(0, "threads; 0 chooses them by the network's size", (0, 1024))
    epoch_loop: str | None = _FIXED_TRAINING.word(
        None,
        "compiled trains each epoch in one compiled call; stepwise leaves every step to PyTorch; "
        "by default compiled where bitfold has a loop for the settings",
        choices=("compiled", "stepwise"),
    )
    use_compile: bool = _TRAINING.switch(False, "compile the network with torch.compile")
    no_watchdog: tuple[str, ...] = _TRAINING.words(
        (), "switch this watchdog off (repeatable)", choices=("finite", "loop", "stagnation")
    )

    audit: bool = _AUDIT.switch(
        True, "check at the first step that every loss term reaches network and predictor"
    )

    momentum: float = _OPTIMISER.real(0.9, "momentum of sgd_momentum and rmsprop", (0, 1))
    weight_decay: float = _OPTIMISER.real(0.0, "weight decay of the network's optimiser")
    adam_beta1: float = _OPTIMISER.real(0.9, "beta1 of adam and adamw", (0, 0.9999999))
    adam_beta2: float = _OPTIMISER.real(0.999, "beta2 of adam and adamw", (0, 0.9999999))
    adam_eps: float = _OPTIMISER.real(1e-8, "epsilon of adam, adamw and rmsprop", positive=True)
    amsgrad: bool = _OPTIMISER.switch(False, "use AMSGrad in adam and adamw")
    rmsprop_alpha: float = _OPTIMISER.real(0.99, "smoothing constant of rmsprop", (0, 1))
    muon_momentum: float = _OPTIMISER.real(0.95, "momentum of muon", (0, 1))
    muon_eps: float = _OPTIMISER.real(1e-7, "epsilon of muon", positive=True)
    muon_ns_steps: int = _OPTIMISER.whole(5, "Newton-Schulz steps of muon", (1, 99))
    muon_nesterov: bool = _OPTIMISER.switch(True, "use Nesterov momentum in muon")
    muon_adjust_lr_fn: str = _OPTIMISER.word(
        "original",
        "how muon scales its rate with a matrix's shape",
        choices=("original", "match_rms_adamw"),
    )

    kolmogorov_weight: float | str | None = _K.real(
        None,
        "lambda in task + lambda * K: a number, 0 for no K; mdl, for the shortest description of "
        "data and network; bits:N, for a description of N bits; by default 0, or "
        f"{DEFAULT_LAMBDA} if a kind of K is chosen",
        choices=("mdl",),
        counted="bits",
    )
    kolmogorov_warmup: int = _K.whole(
        0, "epochs in which lambda rises from 0", (0, 10**9), unit="epochs"
    )
    kolmogorov_noise_std: float | None = _K.real(
        None,
        "standard deviation of the values' noise, for mdl; by default learned",
        (0, 1e6),
        positive=True,
        unit="values of the picture",
    )
    kolmogorov_quantise: str = _PREDICTOR.word(
        "none",
        "learned: the task computes with the decoded weights, whose quantisation steps are "
        "learned; for the smallest networks",
        choices=tuple(USUAL),
    )
    kolmogorov_predictor: str | None = _PREDICTOR.word(
        None,
        "weight predictor: a network of the weights' positions, scales of rows and columns, "
        "scales of tensors, or all weights before it; by default row_column in `bitfold train` and "
        "with learned steps, else coordinate",
        choices=tuple(PREDICTOR_OPTIONS),
    )
    kolmogorov_shape: str = _PREDICTOR.word(
        "[5,5]", "hidden layers of the coordinate predictor; none: no K at all"
    )
    kolmogorov_loss_type: str = _PREDICTOR.word(
        "cross_entropy", "distribution that the coordinate predictor predicts", choices=_KINDS
    )
    kolmogorov_bins: int = _PREDICTOR.whole(256, "values that a weight can take", (2, 65536))
    kolmogorov_range: str | None = _PREDICTOR.word(
        None,
        "range of the bins; auto: each tensor learns its own; by default fixed, with learned "
        "steps auto",
        choices=("fixed", "auto"),
    )
    kolmogorov_weight_min: float = _PREDICTOR.real(-3.0, "centre of the first bin", _ANY)
    kolmogorov_weight_max: float = _PREDICTOR.real(3.0, "centre of the last bin", _ANY)
    kolmogorov_targets: str | None = _K.word(
        None,
        "how a weight is distributed over the bins; by default soft, with learned steps rounded; "
        "cut plants a bug for the audit and the trade monitor to find: K without gradient to the "
        "network",
        choices=_TRAINABLE_TARGETS,
    )
    kolmogorov_temperature: float = _K.real(0.1, "temperature of the soft targets", positive=True)
    kolmogorov_lr: float | None = _K.real(
        None,
        "learning rate of the weight predictor and of learned steps, by Adam; by default 0.001, "
        "with learned steps 0.01",
        positive=True,
    )
    kolmogorov_predictor_bits: int = _PREDICTOR.whole(
        8, "bits of each predictor parameter in the description", (2, 32), unit="bits"
    )
    kolmogorov_every: int = _K.whole(
        1, "compute K in every k-th step only, with k times its weight", (1, 10**9), unit="steps"
    )

    measure_folds: int | None = _FOLDS.whole(
        None,
        "epochs between measurements of the folds, 0 for none; by default at the frames",
        (0, 10**9),
        unit="epochs",
    )

    output_dir: str | None = _FIXED_FOLDER.word(
        None, "folder of the run; by default a new dated one under runs/"
    )
    checkpoint_dir: str = _FIXED_FOLDER.word(
        "checkpoints", "folder of the checkpoints, within the run's"
    )
    checkpoint_interval: int = _FOLDER.whole(
        100, "epochs between two checkpoints", (1, _MANY), unit="epochs"
    )
    checkpoint_budget: int = _FOLDER.whole(
        0,
        "disk for older checkpoints, some seconds of training apart, so that a branch begins soon",
        (0, 10**6),
        unit="MB",
    )
    tensorboard: bool = _FOLDER.switch(False, "write the metrics for TensorBoard too")
    log_file: str | None = _FOLDER.word(None, "write the log to this file too")

    save_interval: str = _FRAMES.word(
        "geometric:60",
        "epochs between two frames, or geometric:N for N frames per factor of ten",
        unit="epochs",
    )
    snapshot_dir: str = _FIXED_FRAMES.word("snapshots", "folder of the frames, within the run's")
    snapshot_format: str = _FRAMES.word(
        "png", "format of the frames besides the video", choices=("png", "jpg", "none")
    )
    png_compression: int = _FRAMES.whole(2, "compression of PNG frames", (0, 9))
    jpeg_quality: int = _FRAMES.whole(90, "quality of JPEG frames", (1, 100))
    frame_size: int | None = _FRAMES.whole(
        None, "longer side of a panel; by default the picture's", (64, 4096), unit="pixels"
    )
    layout: str = _FRAMES.word(
        "full",
        "panels of a frame: all, the folds alone, or one for each layer",
        choices=("full", "folds", "layers"),
    )
    faces: str = _FRAMES.word(
        "value",
        "values that fill the panel with folds",
        choices=("value", "area", "slope", "identity"),
    )
    fold_colour: str = _FRAMES.word(
        "plain",
        "colour of the folds: one for all, by layer or by neuron",
        choices=("plain", "layer", "neuron"),
    )
    encoding_folds: str = _FRAMES.word(
        "faint",
        "folds of the encoding's own waves or grids, in exact frames only: drawn as all others, "
        "faintly, or left out",
        choices=("plain", "faint", "none"),
    )
    polytope_engine: str = _FRAMES.word(
        "auto",
        "auto: exact polytopes where the network allows it; sampled: at the pixels",
        choices=("auto", "sampled"),
    )
    clip_slices: int = _FRAMES.whole(3, "slices of a clip in a frame", (1, 16))
    slice_times: str | None = _FRAMES.word(
        None,
        "times of a clip's slices, such as -0.4,0,0.4; by default evenly spread",
        unit="lengths of the clip",
    )
    smoothing_sigma: float = _FRAMES.real(
        3.0, "width of the smoothing shown beside the target; 0: none", (0, 1000), unit="pixels"
    )
    video_fps: int = _FRAMES.whole(25, "speed of the video", (1, 120), unit="frames per second")

    def __post_init__(self) -> None:
        for name, _, setting in settings_of(type(self)):
            object.__setattr__(self, name, setting.check(name, getattr(self, name)))
        parse_shape(self.shape)
        object.__setattr__(self, "encoding", str(Encoding.parse(self.encoding)))
        self.kolmogorov.check()
        self.drawing.check()

    @cached_property
    def kolmogorov(self) -> KolmogorovSettings:
        """The settings of K as training uses them: open ones have their usual value."""
        given = {name: getattr(self, PREFIX + name) for name in KOLMOGOROV_NAMES}
        return KolmogorovSettings.of(given)

    @cached_property
    def drawing(self) -> DrawingSettings:
        """The settings of frames and video."""
        return DrawingSettings(**{name: getattr(self, name) for name in DRAWING_NAMES})

    @property
    def has_kolmogorov(self) -> bool:
        """Whether K is part of the loss: a predictor is configured and lambda is not always 0."""
        return self.kolmogorov.is_active

    @property
    def used_lr_schedule(self) -> str:
        """The schedule of both learning rates: cosine by default if a hard finish follows."""
        usual = "cosine" if self.kolmogorov.is_quantised else "constant"
        return self.lr_schedule or usual

    def settled(self) -> Config:
        """Return a copy with no open setting of K, so that later defaults cannot change the run.

        Without K the copy is equal to the original.
        """
        if not self.has_kolmogorov:
            return self
        used = {
            PREFIX + name: getattr(self.kolmogorov, name) for name in ("weight", *USUAL["none"])
        }
        return self.replace(lr_schedule=self.used_lr_schedule, **used)

    def replace(self, **changes: Any) -> Config:
        """Return a checked copy with some settings changed.

        Raises:
            ConfigError: as the constructor.
        """
        return dataclasses.replace(self, **changes)
