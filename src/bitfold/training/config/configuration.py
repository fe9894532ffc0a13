"""The one frozen configuration of a run: names, defaults, help and bounds."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w

from bitfold.errors import ConfigError
from bitfold.networks.shape import parse_shape
from bitfold.training.config.frame_schedule import FrameSchedule
from bitfold.training.config.kolmogorov_settings import (
    USUAL,
    KolmogorovSettings,
    check_kolmogorov,
    kolmogorov_settings,
)
from bitfold.training.config.settings import closest, real, settings_of, switch, whole, word, words

OPTIMIZERS = ("adam", "adamw", "muon", "sgd", "sgd_momentum", "rmsprop")
WATCHDOGS = ("finite", "loop", "stagnation")
SCHEDULES = ("constant", "cosine")
TASKS = ("auto", "regression", "classification")
MUON_RATES = ("original", "match_rms_adamw")
RANGES = ("fixed", "auto")
LAYOUTS = ("full", "folds", "layers")
FACES = ("value", "area", "slope", "identity")
FOLD_COLOURS = ("plain", "layer", "neuron")
ENGINES = ("auto", "sampled")
IMAGES = ("png", "jpg", "none")

#: What a continued run cannot change without becoming another run.
FIXED = frozenset(
    {"target", "size", "task", "points", "validation_points", "shape", "activation"}
    | {"final_activation", "batch_size", "seed", "output_dir", "checkpoint_dir", "snapshot_dir"}
)
#: What a continued run can change only if it had no weight predictor.
PREDICTOR = frozenset(
    {"kolmogorov_shape", "kolmogorov_loss_type", "kolmogorov_bins", "kolmogorov_weight_min"}
    | {"kolmogorov_weight_max", "kolmogorov_temperature", "kolmogorov_predictor_bits"}
    | {"kolmogorov_predictor", "kolmogorov_targets", "kolmogorov_range", "kolmogorov_quantise"}
)

# Names from packages that need PyTorch. They are repeated here so that a help text loads without
# it; a test compares them with the originals. Hard targets have no gradient to train with.
_TARGETS = ("soft", "linear", "noise", "rounded")
_PREDICTORS = ("coordinate", "row_column", "per_tensor")
_KINDS = ("cross_entropy", "mse", "gaussian_nll", "laplacian_nll")
_ACTIVATIONS = ("leaky_relu", "relu", "abs", "tanh", "gelu", "sine")
_FINAL_ACTIVATIONS = ("none", "relu", "leaky_relu", "sigmoid")
_QUANTISE = tuple(USUAL)
_MANY, _ANY = 2**40, (-1e30, 1e30)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run; the command line, ``config.toml`` and Python share it.

    Source: none, ours.

    Args:
        target: what to learn; every other field is described by its ``help`` (``bitfold train
            --help`` prints them all).

    Raises:
        ConfigError: a value has the wrong type, is out of bounds, or contradicts another.

    >>> Config(target="ring", epochs=10).batch_size
    1024
    """

    target: str = word("ring", "target", "a built-in picture, or the path of a picture or clip")
    size: int = whole(1024, "target", "side of a built-in picture, in pixels", (8, 8192))
    task: str = word("auto", "target", "what to learn of it", choices=TASKS)
    points: int | Literal["all"] | None = whole(
        None,
        "target",
        "training points, or all; by default 5000 or what fits",
        (1, _MANY),
        ("all",),
    )
    validation_points: int | None = whole(
        None, "target", "validation points; by default as many as a batch", (1, _MANY)
    )

    shape: str = word("[10]*8", "network", "widths of hidden layers, such as [64,32]*2+[16]")
    activation: str = word("leaky_relu", "network", "of the hidden layers", choices=_ACTIVATIONS)
    final_activation: str = word("none", "network", "of the output", choices=_FINAL_ACTIVATIONS)

    epochs: int = whole(1000, "training", "passes over the training points", (1, 10**9))
    batch_size: int = whole(1024, "training", "points in a step", (1, _MANY))
    seed: int = whole(0, "training", "decides weights, points and order", (0, 2**63 - 1))
    optimizer: str = word("adam", "training", "optimiser of the network", choices=OPTIMIZERS)
    learning_rate: float = real(1e-3, "training", "rate of the network", (0, 1e6), positive=True)
    lr_schedule: str | None = word(
        None, "training", "of both rates; cosine ends at a hundredth; by default constant, with "
        "learned steps cosine", choices=SCHEDULES,
    )  # fmt: skip
    grad_clip_norm: float | None = real(
        None, "training", "clip the network's gradient to this norm", positive=True
    )
    device: str = word("cpu", "training", "where to compute: cpu, cuda, cuda:1, mps")
    threads: int = whole(0, "training", "threads; 0: chosen by the network's size", (0, 1024))
    use_compile: bool = switch(False, "training", "compile the network with torch.compile")
    no_watchdog: tuple[str, ...] = words(
        (), "training", "switch this watchdog off (repeatable)", choices=WATCHDOGS
    )

    audit: bool = switch(
        True, "audit", "check at the first step that every loss term reaches network and predictor"
    )

    momentum: float = real(0.9, "optimiser", "of sgd_momentum and rmsprop", (0, 1))
    weight_decay: float = real(0.0, "optimiser", "weight decay of the network's optimiser")
    adam_beta1: float = real(0.9, "optimiser", "beta1 of adam and adamw", (0, 0.9999999))
    adam_beta2: float = real(0.999, "optimiser", "beta2 of adam and adamw", (0, 0.9999999))
    adam_eps: float = real(1e-8, "optimiser", "of adam, adamw and rmsprop", positive=True)
    amsgrad: bool = switch(False, "optimiser", "use AMSGrad in adam and adamw")
    rmsprop_alpha: float = real(0.99, "optimiser", "smoothing of rmsprop", (0, 1))
    muon_momentum: float = real(0.95, "optimiser", "momentum of muon", (0, 1))
    muon_eps: float = real(1e-7, "optimiser", "epsilon of muon", positive=True)
    muon_ns_steps: int = whole(5, "optimiser", "Newton-Schulz steps of muon", (1, 99))
    muon_nesterov: bool = switch(True, "optimiser", "Nesterov momentum in muon")
    muon_adjust_lr_fn: str = word(
        "original", "optimiser", "how muon's rate goes with a matrix's shape", choices=MUON_RATES
    )

    kolmogorov_weight: float | str = real(
        0.0,
        "kolmogorov",
        "lambda in task + lambda * K: a number, 0 for no K; mdl, for the shortest description of "
        "data and network; bits:N, for a description of N bits",
        choices=("mdl",),
        counted="bits",
    )
    kolmogorov_warmup: int = whole(
        0, "kolmogorov", "epochs in which lambda rises from 0", (0, 10**9)
    )
    kolmogorov_noise_std: float | None = real(
        None,
        "kolmogorov",
        "standard deviation of the values' noise, for mdl; by default learned",
        (0, 1e6),
        positive=True,
    )
    kolmogorov_quantise: str = word(
        "none",
        "kolmogorov",
        "learned: the task computes with the weights that a decoder gets, in steps that are "
        "learned; for the smallest networks",
        choices=_QUANTISE,
    )
    kolmogorov_predictor: str | None = word(
        None,
        "kolmogorov",
        "what predicts weights: a network from places, scales of rows and columns, or of tensors; "
        "by default coordinate, with learned steps row_column",
        choices=_PREDICTORS,
    )
    kolmogorov_shape: str = word(
        "[5,5]", "kolmogorov", "hidden layers of the coordinate predictor; none: no K at all"
    )
    kolmogorov_loss_type: str = word(
        "cross_entropy", "kolmogorov", "what the coordinate predictor predicts", choices=_KINDS
    )
    kolmogorov_bins: int = whole(256, "kolmogorov", "values a weight can take", (2, 65536))
    kolmogorov_range: str | None = word(
        None, "kolmogorov", "where the bins lie; auto: each tensor learns it; by default fixed, "
        "with learned steps auto", choices=RANGES,
    )  # fmt: skip
    kolmogorov_weight_min: float = real(-3.0, "kolmogorov", "centre of the first bin", _ANY)
    kolmogorov_weight_max: float = real(3.0, "kolmogorov", "centre of the last bin", _ANY)
    kolmogorov_targets: str | None = word(
        None, "kolmogorov", "how a weight is shared among bins; by default soft, with learned "
        "steps rounded", choices=_TARGETS,
    )  # fmt: skip
    kolmogorov_temperature: float = real(
        0.1, "kolmogorov", "temperature of the soft targets", positive=True
    )
    kolmogorov_lr: float | None = real(
        None, "kolmogorov", "rate of the weight predictor and of learned steps, by Adam; by "
        "default 0.001, with learned steps 0.01", positive=True,
    )  # fmt: skip
    kolmogorov_predictor_bits: int = whole(
        8, "kolmogorov", "bits in which a parameter of the predictor is sent", (2, 32)
    )
    kolmogorov_every: int = whole(
        1, "kolmogorov", "K in every k-th step alone, with k times its weight", (1, 10**9)
    )

    measure_folds: int | None = whole(
        None, "folds", "epochs between measurements of the folds, 0: none; by default at frames",
        (0, 10**9),
    )  # fmt: skip

    output_dir: str | None = word(
        None, "folder", "folder of the run; by default a new dated one under runs/"
    )
    checkpoint_dir: str = word("checkpoints", "folder", "of the checkpoints, within the run's")
    checkpoint_interval: int = whole(100, "folder", "epochs between two checkpoints", (1, _MANY))
    tensorboard: bool = switch(False, "folder", "write the metrics for TensorBoard too")
    log_file: str | None = word(None, "folder", "write the log to this file too")

    save_interval: str = word(
        "geometric:60", "frames", "epochs between frames, or geometric:N, N frames a tenfold"
    )
    snapshot_dir: str = word("snapshots", "frames", "of the frames, within the run's folder")
    snapshot_format: str = word("png", "frames", "of frames beside the video", choices=IMAGES)
    png_compression: int = whole(2, "frames", "compression of PNG frames", (0, 9))
    jpeg_quality: int = whole(90, "frames", "quality of JPEG frames", (1, 100))
    frame_size: int | None = whole(
        None, "frames", "longer side of a panel in pixels; by default the picture's", (64, 4096)
    )
    layout: str = word(
        "full", "frames", "every panel, folds alone, or a panel for each layer", choices=LAYOUTS
    )
    faces: str = word("value", "frames", "what fills the panel with folds", choices=FACES)
    fold_colour: str = word("plain", "frames", "of folds: alike, or by whose", choices=FOLD_COLOURS)
    polytope_engine: str = word(
        "auto", "frames", "exact where the network allows it, or sampled", choices=ENGINES
    )
    clip_slices: int = whole(3, "frames", "slices of a clip in a frame", (1, 16))
    slice_times: str | None = word(
        None, "frames", "times of a clip's slices, such as -0.4,0,0.4; by default evenly spread"
    )
    smoothing_sigma: float = real(
        3.0, "frames", "pixels of the kernel smoothing beside the target; 0: none", (0, 1000)
    )
    video_fps: int = whole(25, "frames", "frames a second of the video", (1, 120))

    def __post_init__(self) -> None:
        for name, _, one in settings_of(type(self)):
            object.__setattr__(self, name, one.check(name, getattr(self, name)))
        parse_shape(self.shape)
        if self.kolmogorov_shape.strip().lower() not in ("", "none"):
            parse_shape(self.kolmogorov_shape)
        if self.kolmogorov_weight_min >= self.kolmogorov_weight_max:
            raise ConfigError(
                "Cannot use --kolmogorov-weight-min: expected less than --kolmogorov-weight-max "
                f"({self.kolmogorov_weight_max:g}), got {self.kolmogorov_weight_min:g}."
            )
        if 16 < self.kolmogorov_predictor_bits < 32:
            raise ConfigError(
                "Cannot use --kolmogorov-predictor-bits: expected 2 to 16, or 32 for float32, got "
                f"{self.kolmogorov_predictor_bits}."
            )
        check_kolmogorov(self)
        FrameSchedule.parse(self.save_interval)
        parse_times(self.slice_times)

    @property
    def has_kolmogorov(self) -> bool:
        """Whether K is part of the loss: a predictor is configured and lambda is not always 0."""
        return self.kolmogorov_weight != 0 and self.predictor_shape is not None

    @property
    def is_quantised(self) -> bool:
        """Whether the task computes with the weights that a decoder gets."""
        return self.kolmogorov_quantise == "learned"

    @property
    def kolmogorov_settings(self) -> KolmogorovSettings:
        """The settings of K that have no default of their own, as they are used."""
        return kolmogorov_settings(self)

    @property
    def target_bits(self) -> int | None:
        """The N of ``bits:N``, or None if lambda is chosen otherwise."""
        weight = self.kolmogorov_weight
        is_counted = isinstance(weight, str) and weight.startswith("bits:")
        return int(str(weight).removeprefix("bits:")) if is_counted else None

    @property
    def predictor_shape(self) -> tuple[int, ...] | None:
        """The hidden widths of the weight predictor, or None for no predictor."""
        if self.kolmogorov_shape.strip().lower() in ("", "none"):
            return None
        return parse_shape(self.kolmogorov_shape)

    def replace(self, **changes: Any) -> Config:
        """Return a checked copy with some settings changed."""
        return dataclasses.replace(self, **changes)


def parse_times(text: str | None) -> tuple[float, ...]:
    """Read the times of a clip's slices: -0.5 is where it begins, 0.5 where it ends.

    Raises:
        ConfigError: a time is not a number, or lies outside the clip.

    >>> parse_times("-0.4, 0,0.4")
    (-0.4, 0.0, 0.4)
    """
    words = [] if text is None else text.split(",")
    try:
        times = tuple(float(word) for word in words)
    except ValueError:
        times = (math.nan,)
    if not all(abs(time) <= 0.5 for time in times):
        raise ConfigError(
            f"Cannot use --slice-times: expected times from -0.5 to 0.5, got {text!r}. Write for "
            "example --slice-times=-0.4,0,0.4."
        )
    return times


def config_from_mapping(values: Mapping[str, Any], *, place: str) -> Config:
    """Build a configuration from names and values; dashes and underscores are the same.

    Args:
        values: name to value; names that stand for nothing are refused.
        place: where the values come from, for the error.

    Raises:
        ConfigError: an unknown name, or a value that `Config` refuses.

    >>> config_from_mapping({"batch-size": 8}, place="here").batch_size
    8
    """
    known = [name for name, _, _ in settings_of(Config)]
    arguments = {}
    for written, value in values.items():
        name = written.replace("-", "_")
        if name not in known:
            raise ConfigError(
                f"Cannot read setting {written!r} in {place}: there is none of that name."
                + closest(name, known)
            )
        arguments[name] = value
    return Config(**arguments)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read the settings in a TOML file, unchecked.

    Raises:
        ConfigError: the file cannot be read, or is not TOML.
    """
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"Cannot read configuration {path}: {error.strerror}.") from None
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigError(f"Cannot read configuration {path}: not TOML: {error}.") from None


def read_config(path: str | Path) -> Config:
    """Read a configuration from a TOML file, such as a run's ``config.toml``.

    Raises:
        ConfigError: the file cannot be read, or holds a setting that `Config` refuses.
    """
    return config_from_mapping(read_toml(path), place=str(path))


def config_toml(config: Config) -> str:
    """Return a configuration as TOML; what is None is left out.

    >>> print(config_toml(Config(target="disk")).splitlines()[0])
    target = "disk"
    """
    values = dataclasses.asdict(config)
    kept = {name: value for name, value in values.items() if value is not None}
    return tomli_w.dumps({n: list(v) if isinstance(v, tuple) else v for n, v in kept.items()})


def resumable_settings() -> list[str]:
    """Return the names of the settings that `bitfold.resume` may change in any run."""
    return [name for name, _, _ in settings_of(Config) if name not in FIXED | PREDICTOR]
