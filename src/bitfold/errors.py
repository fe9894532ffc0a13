"""One tree of exceptions: everything that bitfold raises on purpose.

Each message is one line: ``Cannot <do> <thing>: expected <X>, got <Y>. <What to do>.``
"""


class BitfoldError(Exception):
    """Base of every error that bitfold raises on purpose."""


class ConfigError(BitfoldError, ValueError):
    """A setting is unknown, malformed or outside its bounds."""


class ShapeError(ConfigError):
    """A network shape such as ``[10]*8`` cannot be parsed, or is too large."""


class TargetError(BitfoldError):
    """A picture or clip cannot be loaded, or does not suit the task."""


class SamplingError(TargetError):
    """More points are asked for than the target has pixels."""


class KolmogorovError(BitfoldError, ValueError):
    """A Kolmogorov loss cannot be built from these settings, or no longer fits its module."""


class ModelFileError(BitfoldError):
    """A model file cannot be read, or not into this module; or a module not be written.

    Attributes:
        offset: byte of the file at which it was found out, if it was found in a file.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class PolytopeError(BitfoldError):
    """The polytopes of a module cannot be found, or those of a file not be read."""


class AuditError(BitfoldError, ValueError):
    """A loss term or a module cannot be audited."""


class RunError(BitfoldError):
    """A run folder is missing, occupied, locked or not a run."""


class CheckpointError(RunError):
    """A checkpoint is damaged or belongs to another network."""


class TrajectoryError(RunError):
    """A trajectory file is damaged or belongs to another network."""


class RenderError(BitfoldError):
    """A picture, plot or video cannot be drawn or encoded."""
