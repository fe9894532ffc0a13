"""Watching the operations of PyTorch."""

from torch.utils._python_dispatch import TorchDispatchMode


# TorchDispatchMode carries no annotations: the `no-untyped-call` here are its own.
class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode that sees each operation; its first one does not import PyTorch's compiler.

    That takes more than a second, and is there for those who compile what a mode does.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()  # type: ignore[no-untyped-call]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
