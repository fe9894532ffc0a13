"""Watching the operations of PyTorch."""

from torch.utils._python_dispatch import TorchDispatchMode


# TorchDispatchMode carries no annotations: the `no-untyped-call` here are its own.
class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode that sees each operation, and does not import PyTorch's compiler for that.

    The import takes more than a second; only programs that compile modes need it.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()  # type: ignore[no-untyped-call]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
