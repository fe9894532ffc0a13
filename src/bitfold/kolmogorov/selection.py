"""Which parameters of a module are described, and which are sent as they are."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch import nn

from bitfold.errors import KolmogorovError

Pattern = str | Iterable[str] | Callable[[str, nn.Parameter], bool]
"""Parameters by name pattern, several of them, or a function of name and parameter."""


class Selection(NamedTuple):
    """The parameters of a module by what becomes of them; tied ones under their first name.

    Attributes:
        kept: trainable and described.
        frozen: not trainable.
        excluded: trainable, but left out on request.
    """

    kept: dict[str, nn.Parameter]
    frozen: tuple[str, ...]
    excluded: tuple[str, ...]


def select(
    module: nn.Module, include: Pattern | None = None, exclude: Pattern | None = None
) -> Selection:
    """Sort the parameters of a module.

    Source: none, ours.

    Args:
        module: any module.
        include: only these are described; None stands for all. A pattern is a shell's, such as
            ``"encoder.*"``; a function is called with name and parameter.
        exclude: these are not, even if included.

    Returns:
        The selection, in the module's order.

    Raises:
        KolmogorovError: if a pattern fits no parameter, or no trainable parameter is left.

    Example:
        >>> module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        >>> list(select(module, exclude="*.bias").kept)
        ['0.weight', '1.weight']
    """
    named = dict(module.named_parameters())
    included = set(named) if include is None else _chosen("include", include, named)
    excluded = set() if exclude is None else _chosen("exclude", exclude, named)
    wanted = included - excluded
    trainable = [name for name, item in named.items() if item.requires_grad]
    kept = {name: named[name] for name in trainable if name in wanted}
    if not kept:
        rest = "the rest is excluded. Include some" if trainable else "Check requires_grad"
        raise KolmogorovError(
            "Cannot describe a module: expected at least one trainable parameter, got none. "
            f"{rest[0].upper()}{rest[1:]}."
        )
    return Selection(
        kept,
        tuple(name for name in named if name not in trainable),
        tuple(name for name in trainable if name not in wanted),
    )


def _chosen(setting: str, pattern: Pattern, named: dict[str, nn.Parameter]) -> set[str]:
    if callable(pattern):
        return {name for name, item in named.items() if pattern(name, item)}
    patterns = [pattern] if isinstance(pattern, str) else list(pattern)
    chosen: set[str] = set()
    for one in patterns:
        fitting = {name for name in named if fnmatchcase(name, one)}
        if not fitting:
            raise KolmogorovError(
                f"Cannot use {setting}={one!r}: expected it to fit one of the module's "
                f"{len(named)} parameters, got none. They are named such as "
                f"{', '.join(map(repr, list(named)[:3])) or 'nothing'}."
            )
        chosen |= fitting
    return chosen
