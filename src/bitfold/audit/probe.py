"""Evaluates terms at given or displaced parameters, each time from the same state."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction

from bitfold.audit.fingerprint import Fingerprints
from bitfold.audit.graph import Graph, Passage, leaf_of, nodes_of
from bitfold.audit.operation_log import OperationLog, OperationRecorder, finite_number
from bitfold.audit.snapshot import Snapshot
from bitfold.audit.source_location import Locator
from bitfold.errors import AuditError

# Characters of another error's message that an AuditError quotes.
LONGEST_MESSAGE = 300

Term = Callable[[], Tensor | float]
Moves = Mapping[nn.Parameter, Tensor]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of evaluating a term once.

    Args:
        number: its value.
        epsilon: relative spacing of numbers of its type.
        has_graph: whether a backward pass can run.
        gradients: one for each requested parameter, None where no path leads.
        log: its operations, if requested.
        passage: how the gradient passed through the graph, if requested.
    """

    number: float
    epsilon: float
    has_graph: bool
    gradients: list[Tensor | None]
    log: OperationLog | None
    passage: Passage | None


class Probe:
    """Evaluates terms so that two evaluations differ in nothing but the requested displacement.

    Args:
        terms: by name.
        modules: by name.
        parameters: the trainable parameters of each module, by the module's name.
    """

    def __init__(
        self,
        terms: Mapping[str, Term],
        modules: Mapping[str, nn.Module],
        parameters: Mapping[str, Sequence[nn.Parameter]],
    ) -> None:
        self._terms = terms
        self._masks: dict[int, int] = {}
        for bit, own in enumerate(parameters.values()):
            for parameter in own:
                self._masks[id(parameter)] = self._masks.get(id(parameter), 0) | (1 << bit)
        self.snapshot = Snapshot(modules.values())
        self._fingerprints = Fingerprints()
        self._locator = Locator(Probe._call.__code__)  # one, as it keeps what it found of code
        self.num_evaluations = 0

    def value(self, name: str, moves: Moves | None = None) -> float:
        """Evaluate a term and return only its value; arguments as for `evaluate`."""
        with self._prepared(moves):
            return self._call(name)[0]

    def evaluate(
        self,
        name: str,
        moves: Moves | None = None,
        *,
        wanted: Sequence[nn.Parameter] = (),
        with_log: bool = True,
    ) -> Evaluation:
        """Evaluate a term, record its operations, and run its backward pass.

        Args:
            name: the term's.
            moves: displacements that are added to parameters during the evaluation, in their dtype.
            wanted: parameters to compute gradients for; no ``.grad`` changes.
            with_log: whether to record the operations and the passage of the gradient.

        Raises:
            AuditError: if the term or its backward pass raises, or the value is no finite scalar.
        """
        with self._prepared(moves):
            if with_log:
                number, tensor, log = self._logged(name)
            else:
                (number, tensor), log = self._call(name), None
            gradients, passage = self._passed(name, tensor, wanted, with_log)
            return Evaluation(
                number=number,
                epsilon=2.0**-52 if tensor is None else torch.finfo(tensor.dtype).eps,
                has_graph=tensor is not None and tensor.requires_grad,
                gradients=gradients,
                log=log,
                passage=passage,
            )

    def _logged(self, name: str) -> tuple[float, Tensor | None, OperationLog]:
        graph = Graph(self._masks)
        recorder = OperationRecorder(graph, self._locator, self._fingerprints, self.snapshot)
        with recorder:
            number, tensor = self._call(name)
        if tensor is not None:
            recorder.log.value = recorder.see(tensor, len(recorder.log.records))
        return number, tensor, recorder.log

    def _call(self, name: str) -> tuple[float, Tensor | None]:
        self.num_evaluations += 1
        try:
            given: object = self._terms[name]()
        except Exception as error:
            raise AuditError(
                f"Cannot audit term {name!r}: expected a scalar, got {_named(error)}. "
                "Make it a function that needs no arguments and can be called again."
            ) from error
        return _checked(name, given)

    @contextmanager
    def _prepared(self, moves: Moves | None) -> Iterator[None]:
        with ExitStack() as stack:
            if "torch._dynamo" in sys.modules:
                # Compiled code would hide its operations, and would warn of the snapshot's hook.
                stack.enter_context(torch.compiler.set_stance("force_eager"))
                stack.enter_context(warnings.catch_warnings())
                warnings.filterwarnings(
                    "ignore", r"Using `torch\.compile\(module\)` when there are"
                )
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            stack.callback(self.snapshot.restore)
            stack.enter_context(self.snapshot.watching())
            for parameter, move in (moves or {}).items():
                parameter.data.add_(move)
            yield

    def _passed(
        self, name: str, value: Tensor | None, wanted: Sequence[nn.Parameter], is_watched: bool
    ) -> tuple[list[Tensor | None], Passage | None]:
        # The term may have frozen some parameters.
        asked = [parameter for parameter in wanted if parameter.requires_grad]
        if value is None or not value.requires_grad or not asked:
            return [None] * len(wanted), None
        passage = Passage(value) if is_watched else None
        try:
            found = dict(zip(map(id, asked), self._gradients(name, value, asked), strict=True))
        finally:
            if passage is not None:
                passage.close()
        return [found.get(id(parameter)) for parameter in wanted], passage

    def _gradients(
        self, name: str, value: Tensor, wanted: Sequence[nn.Parameter]
    ) -> list[Tensor | None]:
        hidden = any(isinstance(node, BackwardCFunction) for node in nodes_of(value))
        try:
            if not hidden:
                return list(torch.autograd.grad(value, list(wanted), allow_unused=True))
            return self._hidden_gradients(value, wanted)
        except Exception as error:
            raise AuditError(
                f"Cannot audit term {name!r}: expected a backward pass, got {_named(error)}. "
                "Make the term differentiable, or detach it."
            ) from error

    def _hidden_gradients(
        self, value: Tensor, wanted: Sequence[nn.Parameter]
    ) -> list[Tensor | None]:
        """Compute gradients of a graph whose custom Functions may run their own backward passes.

        Such an inner pass, for example of a reentrant checkpoint, delivers gradients only through
        ``backward`` and ``.grad``. All other gradients are computed without touching ``.grad``.
        """
        found: list[Tensor | None] = [None]
        with suppress(RuntimeError):
            found = list(
                torch.autograd.grad(value, list(wanted), allow_unused=True, retain_graph=True)
            )
        if all(gradient is not None for gradient in found):
            return found
        leaves: dict[int, Tensor] = {id(leaf): leaf for leaf in wanted}
        leaves |= {id(x): x for x in map(leaf_of, nodes_of(value)) if x is not None}
        for leaf in leaves.values():
            self.snapshot.add_tensor(leaf)
            leaf.grad = None
        value.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
        return [parameter.grad for parameter in wanted]


def _named(error: Exception) -> str:
    first_line = str(error).strip().partition("\n")[0].removesuffix(".")
    return f"{type(error).__name__}: {first_line[:LONGEST_MESSAGE]}"


def _checked(name: str, given: object) -> tuple[float, Tensor | None]:
    number = finite_number(given)
    if number is not None:
        return number, None
    if not isinstance(given, Tensor):
        found = f"a {type(given).__name__}"
    elif given.numel() != 1:
        found = f"a tensor of shape {tuple(given.shape)}"
    elif given.is_complex() or not given.is_floating_point():
        found = f"a value of {given.dtype}"
    else:
        number = finite_number(given.detach().item())
        if number is not None:
            return number, given
        found = f"{given.detach().item()}"
    if isinstance(given, float):
        found = f"{given}"
    raise AuditError(
        f"Cannot audit term {name!r}: expected a finite scalar, got {found}. "
        "Return one real number, such as a mean."
    )
