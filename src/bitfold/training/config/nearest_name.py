"""The name that was probably meant, where a setting, an option or a command has another one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

#: Names that other programs use, and the settings they mean here.
SYNONYMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lambda": "kolmogorov_weight",
        "kolmogorov_lambda": "kolmogorov_weight",
        "lr": "learning_rate",
        "hidden": "shape",
        "layers": "shape",
        "width": "shape",
        "steps": "epochs",
        "iterations": "epochs",
        "optimiser": "optimizer",
        "quantize": "kolmogorov_quantise",
        "quantise": "kolmogorov_quantise",
        "predictor": "kolmogorov_predictor",
        "output": "output_dir",
        "out": "output_dir",
        "fps": "video_fps",
        "gpu": "device",
    }
)


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """Return the known name that was probably meant; None if none is near.

    Args:
        name: a name that is not known. Dashes and underscores are the same, and so are cases.
        known: names, all of settings, of options or of commands.

    >>> nearest_name("--lambda", ["--layout", "--kolmogorov-weight"])
    '--kolmogorov-weight'
    >>> nearest_name("trian", ["train", "render"]), nearest_name("zzz", ["train"])
    ('train', None)
    """
    import difflib  # noqa: PLC0415 - only needed for an error

    by_plain = {_plain(one): one for one in sorted(known) if not _is_letter(one)}
    wanted = _plain(name)
    if SYNONYMS.get(wanted) in by_plain:
        return by_plain[SYNONYMS[wanted]]
    near = difflib.get_close_matches(wanted, by_plain, n=1)
    return by_plain[near[0]] if near else None


def hint(name: str, known: Collection[str]) -> str:
    """Return the question that ends an error about an unknown name; empty if no name is near.

    >>> hint("batchsize", ["batch_size", "seed"])
    " Did you mean 'batch_size'?"
    """
    near = nearest_name(name, known)
    return f" Did you mean {near!r}?" if near else ""


def _plain(name: str) -> str:
    return name.lstrip("-").replace("-", "_").lower()


def _is_letter(option: str) -> bool:
    """Whether an option is a short one such as ``-o``, which is near to nothing."""
    return option.startswith("-") and not option.startswith("--")
