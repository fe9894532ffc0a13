"""Compiles functions that only compiled loops call, and leaves their optimisation to the loop's.

Numba optimises each function, and translates it into machine code, before it copies it into the
functions that call it, which are optimised again with all that they contain. Of a loop of seventy
small functions that is a quarter of the time of compiling, for machine code that nobody calls.
Importing this module imports Numba, and fails where Numba's internals are others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from numba.core import codegen, compiler, typed_passes
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typing import templates

# Numba leaves these untyped.
_Code: Any = codegen.JITCodeLibrary
_Lowering: Any = typed_passes.NativeLowering
_Passes: Any = PassManager
_Overloads: Any = templates._OverloadFunctionTemplate


class _UnfinishedCode(_Code):  # type: ignore[misc] # a class of Numba, see above
    """Code that other code contains: linked with what it calls, and nothing more."""

    def finalize(self) -> None:
        """Link the code that is called; skip LLVM's optimisation and machine code."""
        for library in dict.fromkeys(self._linking_libraries):
            _reloads(self).update(_reloads(library))
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True


def _reloads(library: Any) -> set[Any]:
    """Return what must run when the code is loaded again; Numba 0.61 knows of none."""
    return getattr(library, "_reload_init", set())


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call] # see above
class _UnfinishedLowering(_Lowering):  # type: ignore[misc] # see above
    """Numba's translation of typed code to LLVM's, into `_UnfinishedCode`."""

    _name = "bitfold_unfinished_lowering"

    def run_pass(self, state: Any) -> bool:
        """Translate one function."""
        state.library = _UnfinishedCode(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        try:
            super().run_pass(state)
        finally:
            state.flags.no_compile = False
        state.library._ensure_finalized()
        # Numba finds the function by what Python would call. Nothing calls it, so that any builtin
        # method that is equal to no other serves.
        name: Any = [].append
        found = state["cr"]
        state.targetctx.insert_user_function(name, found.fndesc, [state.library])
        if reloads := _reloads(state.library):
            state.reload_init.extend(reloads)
        state["cr"] = found._replace(cfunc=name)
        return True


class UnfinishedCompiler(compiler.CompilerBase):
    """Numba's compiler for functions without wrappers, with `_UnfinishedLowering`."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's usual passes, with another last translation."""
        builder: Any = compiler.DefaultPassBuilder
        usual, own = (
            builder.define_nopython_pipeline(self.state),
            _Passes("unfinished"),
        )
        for kind, description in usual.passes:
            is_last = kind is _Lowering
            own.add_pass(_UnfinishedLowering if is_last else kind, description)
        own.finalize()
        return [own]


_HELPER_OPTIONS = {
    "pipeline_class": UnfinishedCompiler, "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
}  # fmt: skip


@contextlib.contextmanager
def unfinished_helpers() -> Iterator[None]:
    """While a block lasts, compile so what Numba itself writes in Python, like `numpy.empty`.

    A loop needs some dozen such functions, each for several types; nothing but loops calls them.
    The caller holds Numba's lock of the compiler.
    """
    before = _Overloads._get_jit_decorator

    def get(self: Any) -> Any:
        decorate = before(self)
        return lambda **options: decorate(**{**_HELPER_OPTIONS, **options})

    _Overloads._get_jit_decorator = get
    try:
        yield
    finally:
        _Overloads._get_jit_decorator = before
