"""The internals of Numba that bitfold uses, and a check that the installed Numba has them.

`borrowed_arrays` and `vector_lanes` build LLVM instructions themselves, `loop_cache` builds on
Numba's dispatcher and cache, and `unfinished_code` leaves out a part of Numba's compiler. What they
use is not part of Numba's public interface, so a new
version may change it. Where the check fails, bitfold takes a plain way that is slower, and says so
in one line of the log. Importing this module imports Numba.
"""

import inspect
import logging
from functools import cache
from typing import Any

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import caching, cgutils, codegen, compiler, datamodel, dispatcher
from numba.core.typing import templates

OLDEST_TESTED, NEWEST_TESTED = (0, 61), (0, 68)
"""The minor versions of Numba that are admitted: all tests have passed with the newest; with the
oldest, those of the fused sum, of partitions against rational arithmetic, and of rasters."""

# Each field of an array's structure that bitfold sets or reads.
_ARRAY_FIELDS = ("meminfo", "parent", "data")
# What `loop_cache` overrides, calls or replaces: the arguments of each method.
_METHODS = {
    (dispatcher.Dispatcher, "compile"): ["self", "sig"],
    (dispatcher.Dispatcher, "get_call_template"): ["self", "args", "kws"],
    (dispatcher.Dispatcher, "add_overload"): ["self", "cres"],
    (templates._OverloadFunctionTemplate, "_get_jit_decorator"): ["self"],
    (compiler.CompileResult, "_reduce"): ["self"],
    (caching.IndexDataCacheFile, "__init__"): [
        "self", "cache_path", "filename_base", "source_stamp",
    ],
    (caching.IndexDataCacheFile, "load"): ["self", "key"],
    (caching.IndexDataCacheFile, "save"): ["self", "key", "data"],
    (caching.IndexDataCacheFile, "_load_index"): ["self"],
    (caching.IndexDataCacheFile, "_load_data"): ["self", "name"],
    (caching.IndexDataCacheFile, "_save_data"): ["self", "name", "data"],
    (caching.IndexDataCacheFile, "_dump"): ["self", "obj"],
    (caching.IndexDataCacheFile, "_open_for_write"): ["self", "filepath"],
}  # fmt: skip
_LOGGER = logging.getLogger("bitfold")
_CONFIG: Any = numba.config  # has no types


@cache
def are_as_expected() -> bool:
    """Whether compiled loops may use Numba's internals; logs one warning if they may not.

    The answer is worked out once in a process, in about a millisecond: nothing is compiled.
    """
    if _CONFIG.DISABLE_JIT:
        _LOGGER.warning(
            "Cannot compile loops: expected NUMBA_DISABLE_JIT to be 0 or not set, got %s. Results "
            "stay the same, but everything takes a hundred times as long; unset it.",
            _CONFIG.DISABLE_JIT,
        )
        return False
    difference = find_difference(numba.__version__)
    if difference is None:
        return True
    oldest, newest = (".".join(map(str, version)) for version in (OLDEST_TESTED, NEWEST_TESTED))
    _LOGGER.warning(
        "Cannot use the fast compiled loops: expected Numba %s to %s with known internals, got %s "
        "(%s). Results stay the same, but every start compiles; install a tested version of Numba.",
        oldest,
        newest,
        numba.__version__,
        difference,
    )
    return False


def find_difference(version: str) -> str | None:
    """Return how Numba differs from what bitfold expects, or None if it does not.

    Args:
        version: Numba's.

    Example:
        >>> find_difference("0.9.1")
        'an untested version'
    """
    try:
        if not OLDEST_TESTED <= _minor_version(version) <= NEWEST_TESTED:
            return "an untested version"
        _check_methods()
        _check_arrays()
        _check_vectors()
        _check_libraries()
    except Exception as error:  # changed internals may fail in any way
        return f"{type(error).__name__}: {error}"
    return None


def _minor_version(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def _check_methods() -> None:
    """Check that the methods that `loop_cache` overrides or calls take the known arguments.

    Raises:
        Exception: one does not.
    """
    for (owner, name), expected in _METHODS.items():
        found = list(inspect.signature(getattr(owner, name)).parameters)
        if found != expected:
            raise TypeError(f"{owner.__name__}.{name} takes {', '.join(found)}")


def _check_arrays() -> None:
    """Check that an array's structure has the fields that `borrowed_arrays` empties.

    Raises:
        Exception: it does not.
    """
    manager: Any = datamodel.default_manager  # type: ignore[attr-defined] # Numba exports nothing
    model = manager.lookup(types.Array(types.float64, 1, "C"))
    for name in _ARRAY_FIELDS:
        model.get_field_position(name)
    if not callable(cgutils.create_struct_proxy):
        raise TypeError("create_struct_proxy cannot be called")


def _check_libraries() -> None:
    """Check that code can be linked and looked up as `unfinished_code` does.

    Raises:
        Exception: it cannot.
    """
    library: Any = codegen.JITCodeLibrary
    for name in ("finalize", "_ensure_finalized", "_finalize_dynamic_globals",
                 "_get_module_for_linking"):  # fmt: skip
        if not callable(getattr(library, name)):
            raise TypeError(f"{name} cannot be called")
    if not {"cfunc", "fndesc"} <= set(compiler._LowerResult._fields):
        raise TypeError("a result of lowering has other fields")
    if "no_compile" not in compiler.Flags.options:
        raise TypeError("flags have no option no_compile")


def _check_vectors() -> None:
    """Check that LLVM accepts the vector instructions that `vector_lanes` writes.

    Raises:
        Exception: it does not.
    """
    vector = ir.VectorType(ir.FloatType(), 16)
    module = ir.Module()
    kind = ir.FunctionType(ir.FloatType(), [vector, vector.as_pointer()])
    function = ir.Function(module, kind, "probe")
    builder = ir.IRBuilder(function.append_basic_block())
    get_or_insert: Any = cgutils.get_or_insert_function

    def call(name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Value:
        signature = ir.FunctionType(result, [argument.type for argument in arguments])
        return builder.call(get_or_insert(module, signature, name), arguments)

    loaded = builder.load(function.args[1], align=4)
    fused = call("llvm.fmuladd.v16f32", vector, [function.args[0], loaded, loaded])
    builder.store(fused, function.args[1], align=4)
    start = ir.Constant(ir.FloatType(), -0.0)
    total = call("llvm.vector.reduce.fadd.v16f32", ir.FloatType(), [start, fused])
    largest = call("llvm.vector.reduce.fmax.v16f32", ir.FloatType(), [fused])
    builder.ret(builder.fadd(total, largest))
    parse: Any = binding.parse_assembly
    parse(str(module)).verify()
