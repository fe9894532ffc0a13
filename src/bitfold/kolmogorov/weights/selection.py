"""The selection of a module's parameters: described, frozen or excluded."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch import nn

from bitfold.errors import KolmogorovError
from bitfold.runtime.wrapped_modules import plain_names

Pattern = str | Iterable[str] | Callable[[str, nn.Parameter], bool]
"""A name pattern, several patterns, or a function of name and parameter."""


class Selection(NamedTuple):
    """The parameters of a module in three groups; tied ones stand under their first name.

    Attributes:
        kept: trainable and described.
        frozen: not trainable.
        excluded: trainable, left out on request.
    """

    kept: dict[str, nn.Parameter]
    frozen: tuple[str, ...]
    excluded: tuple[str, ...]


def select(
    module: nn.Module, include: Pattern | None = None, exclude: Pattern | None = None
) -> Selection:
    """Sort the parameters of a module into described, frozen and excluded ones.

    Args:
        module: any module.
        include: describe only these parameters; None: all. A pattern is a shell pattern such as
            ``"encoder.*"``; a function is called with name and parameter. Both can match a tied
            parameter by any of its names. Frozen parameters are left out even if included: set
            requires_grad to describe them.
        exclude: do not describe these parameters, even if they are included.

    Returns:
        The selection, in the module's order.

    Raises:
        KolmogorovError: if a pattern is not a string, matches no parameter or includes only frozen
            ones, or if no trainable parameter is left.

    Example:
        >>> module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        >>> list(select(module, exclude="*.bias").kept)
        ['0.weight', '1.weight']
    """
    plain = plain_names(module)
    named = {plain(name): item for name, item in module.named_parameters()}
    wanted = set(named)
    if include is not None:
        wanted &= _chosen("include", include, module)
    if exclude is not None:
        wanted -= _chosen("exclude", exclude, module)
    trainable = {name: item for name, item in named.items() if item.requires_grad}
    kept = {name: item for name, item in trainable.items() if name in wanted}
    if not kept:
        hint = f"Set requires_grad of one of its {len(named)} frozen ones"
        if trainable:
            hint = f"Include one of the {len(trainable)} that are left out on request"
        raise KolmogorovError(
            "Cannot describe a module: expected at least one trainable parameter, got none. "
            f"{hint if named else 'Pass a module that has parameters'}."
        )
    return Selection(
        kept,
        tuple(name for name in named if name not in trainable),
        tuple(name for name in trainable if name not in wanted),
    )


def _chosen(setting: str, pattern: Pattern, module: nn.Module) -> set[str]:
    """First names of the parameters that a pattern matches by any of their names."""
    plain = plain_names(module)
    every = module.named_parameters(remove_duplicate=False)
    named = {plain(name): item for name, item in every}
    first_names = {item: plain(name) for name, item in module.named_parameters()}
    if callable(pattern):
        return {first_names[item] for name, item in named.items() if pattern(name, item)}
    chosen: set[str] = set()
    for one in _patterns(setting, pattern):
        fitting = {first_names[item] for name, item in named.items() if fnmatchcase(name, one)}
        if not fitting:
            raise KolmogorovError(
                f"Cannot use {setting}={one!r}: expected it to fit one of the module's "
                f"{len(named)} parameters, got none. They are named such as "
                f"{', '.join(map(repr, list(named)[:3])) or 'nothing'}."
            )
        if setting == "include" and not any(named[name].requires_grad for name in fitting):
            raise KolmogorovError(
                f"Cannot use include={one!r}: expected it to fit a trainable parameter, got "
                f"{len(fitting)} frozen. Set requires_grad, or leave the pattern out."
            )
        chosen |= fitting
    return chosen


def _patterns(setting: str, pattern: Iterable[str]) -> list[str]:
    patterns = [pattern] if isinstance(pattern, str) else pattern
    found = type(patterns).__name__
    if isinstance(patterns, Iterable):
        patterns = list(patterns)
        if all(isinstance(one, str) for one in patterns):
            return patterns
        found = f"a {found} of other things"
    raise KolmogorovError(
        f"Cannot use {setting}: expected a name pattern, several of them or a function of name and "
        f"parameter, got {found}. Pass for example '*.bias'."
    )
