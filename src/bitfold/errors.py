"""One tree of exceptions: everything that bitfold raises on purpose.

Each message is one line: ``Cannot <do> <thing>: expected <X>, got <Y>. <What to do>.``
"""


def printable(text: str) -> str:
    """Return a text in one line that a terminal, a page or a figure shows as it stands.

    File names, settings and names of tensors come from strangers. Control characters, which can
    move a cursor or hide a text, and all others that cannot be seen are written as escapes.

    >>> print(printable("net\x1b[2J\u202e.png"))
    net\\x1b[2J\\u202e.png
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )


class BitfoldError(Exception):
    """Base of every error that bitfold raises on purpose; its message is `printable`."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(printable(a) if isinstance(a, str) else a for a in arguments))


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


class ProcessError(BitfoldError):
    """A second process is needed, and this one cannot start it."""


class RenderError(BitfoldError):
    """A picture, plot or video cannot be drawn or encoded."""


class StudioError(BitfoldError):
    """The studio cannot be started, or cannot do what a page asks for."""


class WireError(StudioError):
    """A message between the studio's processes and pages is malformed."""
