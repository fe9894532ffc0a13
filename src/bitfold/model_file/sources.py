"""What can be written as a model file: a module, tensors by name, or a .safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NoReturn

from torch import Tensor, nn

from bitfold.errors import ModelFileError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file.syntax.structure import Holder
from bitfold.runtime.module_state import first_difference, hidden_weights, other_state
from bitfold.runtime.sharding.sharded_modules import (
    is_divided,
    refused_division,
    restore_shards,
)
from bitfold.runtime.wrapped_modules import unwrap

TENSORS_SUFFIX = ".safetensors"


def source_of(given: object) -> Holder:
    """What a file is to be made of.

    Args:
        given: a module; a mapping of names to tensors; or the path of a ``.safetensors`` file.

    Returns:
        The module without wrappers around it, or the tensors by name.

    Raises:
        ModelFileError: if it is none of these, if a module saves more than its parameters and
            buffers, if a mapping has other values, or if the file cannot be read.
    """
    divided = refused_division(given)
    if divided is not None:
        _refuse("a module of which each process holds all or whole rows", divided)
    if isinstance(given, nn.Module):
        module = unwrap(given)
        restore_shards(module)
        _check_state(module)
        if next(module.parameters(), None) is None and not module.state_dict():
            return _refuse(
                "a module with parameters or buffers",
                f"a {type(module).__name__} without. There is nothing to write",
            )
        return module
    if isinstance(given, str | PathLike):
        return tensors_in(given)
    if isinstance(given, Mapping):
        return _checked(given)
    kind = type(given)
    return _refuse(
        "a torch.nn.Module, a mapping of names to tensors or the path of a .safetensors file",
        f"{kind.__module__}.{kind.__qualname__}. Put its arrays into a mapping of tensors",
    )


def tensors_in(path: str | PathLike[Any]) -> dict[str, Tensor]:
    """All tensors of a ``.safetensors`` file, by name.

    Raises:
        ModelFileError: if it cannot be read, or has another suffix.
    """
    from safetensors import SafetensorError  # noqa: PLC0415 - only who reads such a file needs it
    from safetensors.torch import load_file  # noqa: PLC0415 - likewise

    where = Path(fspath(path))
    if where.suffix != TENSORS_SUFFIX:
        _refuse(
            "the path of a .safetensors file",
            f"{str(where)!r}. Load it, and pass the module or its state_dict()",
        )
    try:
        return load_file(where)
    except OSError as error:
        reason = error.strerror or str(error).partition(":")[0]
        raise ModelFileError(f"Cannot read {where}: {reason}. Check the path.") from None
    except SafetensorError as error:
        reason = str(error).splitlines()[0]
        raise ModelFileError(
            f"Cannot read {where}: expected a safetensors file, got a damaged one ({reason}). "
            "Save it again."
        ) from None


def check_place(path: str | PathLike[Any], given: object) -> None:
    """Check that a file does not take the place of the one that it is made of.

    Raises:
        ModelFileError: if both are one file.
    """
    if not isinstance(given, str | PathLike):
        return
    place, where = Path(fspath(path)), Path(fspath(given))
    if place.exists() and place.samefile(where):
        _refuse(
            f"another path than that of {where}, whose numbers it rounds",
            "the same. Choose another name, such as net.bitfold",
        )


def check_undivided(source: Holder) -> None:
    """Check that a module without a loss lies in one process.

    Raises:
        ModelFileError: if ``fully_shard`` divides a tensor of it.
    """
    if isinstance(source, nn.Module) and is_divided(source):
        _refuse(
            "a KolmogorovLoss beside a module that fully_shard divides",
            "none. Pass the loss, or all tensors: get_model_state_dict(module, "
            "options=StateDictOptions(full_state_dict=True))",
        )


def check_loss(source: Holder, kolmogorov: KolmogorovLoss, options: tuple[object, ...]) -> None:
    """Check that a loss describes what is to be written, and that nothing else says how.

    Args:
        source: as `source_of` returns it.
        kolmogorov: the loss.
        options: of a file that is written without a loss; all None.

    Raises:
        ModelFileError: if one of these is not so.
    """
    if not isinstance(kolmogorov, KolmogorovLoss):
        _refuse("a KolmogorovLoss", f"a {type(kolmogorov).__name__}. Pass options by their names")
    if kolmogorov.table.module is not source:
        got = "one of another. Pass the module that the loss was made with"
        if isinstance(source, nn.Module):
            got = _other_module(kolmogorov.table.module, source)
        _refuse("a KolmogorovLoss of the module given", got)
    if any(option is not None for option in options):
        _refuse(
            "no tolerance, num_bytes, loss, rest_bits, sort_neurons or calibration beside a "
            "KolmogorovLoss, which says what to write",
            "some. Leave out these options or the loss",
        )


def _other_module(described: nn.Module, given: nn.Module) -> str:
    found = first_difference(described, given)
    if found is None:
        return "one of another module of the same structure. Use kolmogorov.attached_to(module)"
    return (
        f"one of a module that has {found[0]} where the given one has {found[1]}. Pass the module "
        "that the loss was made with"
    )


def _check_state(module: nn.Module) -> None:
    found = hidden_weights(module)
    if found is None:
        others = other_state(module).items()
        found = next((f"{name!r}, a {type(item).__name__}" for name, item in others), None)
    if found is not None:
        _refuse(
            "everything that the module saves in parameters and buffers",
            f"{found}, in its state_dict(). Pass a mapping of those tensors that are to be "
            "written, or the module before it was quantised",
        )


def _checked(given: Mapping[Any, Any]) -> dict[str, Tensor]:
    for name, item in given.items():
        if not isinstance(name, str) or not isinstance(item, Tensor):
            _refuse(
                "a mapping of names to tensors",
                f"{type(item).__name__} for {name!r}. Leave it out, or make it a tensor",
            )
    if not given:
        _refuse("at least one tensor", "an empty mapping. Pass a state_dict() with tensors")
    return dict(given)


def _refuse(expected: str, got: str) -> NoReturn:
    raise ModelFileError(f"Cannot write a model file: expected {expected}, got {got}.")
