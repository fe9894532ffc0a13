"""Matplotlib's choice of a window system, which bitfold's figures do without.

All figures are drawn on canvases in memory, never through pyplot. Yet matplotlib refuses to be
imported if the environment variable ``MPLBACKEND`` names a backend that is not installed. A
notebook sets the variable for every program that a cell starts, also for programs of other
environments.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from importlib.util import find_spec

_VARIABLE = "MPLBACKEND"
_MODULE = "module://"


def drop_missing_backend(environ: MutableMapping[str, str] = os.environ) -> None:
    """Remove ``MPLBACKEND`` if it names a module that is not installed here.

    A backend that can be imported stays, for the caller's own use of pyplot.

    >>> environ = {"MPLBACKEND": "module://no_such_package.backend"}
    >>> drop_missing_backend(environ)
    >>> environ
    {}
    """
    name = environ.get(_VARIABLE, "")
    package = name.removeprefix(_MODULE).split(".", maxsplit=1)[0]
    if name.startswith(_MODULE) and (not package or find_spec(package) is None):
        del environ[_VARIABLE]


def without_backend(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for a program of bitfold: the same without ``MPLBACKEND``."""
    return {name: value for name, value in environ.items() if name != _VARIABLE}


def drop_backend(environ: MutableMapping[str, str] = os.environ) -> None:
    """Remove ``MPLBACKEND``, whatever it names; for a process that is a program of bitfold."""
    environ.pop(_VARIABLE, None)


# Importing bitfold imports this module first, and so before any import of matplotlib by bitfold.
drop_missing_backend()
