"""What answers the page of a notebook, in the process of the notebook itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from bitfold.errors import BitfoldError
from bitfold.studio.fault import fault_line
from bitfold.studio.wire.commands import Command, read_command
from bitfold.studio.wire.message import Message, encode

Send = Callable[[bytes], None]
"""Takes a message of the wire for the page."""


class NotebookPage(ABC):
    """Carries out the commands of one page, as the studio's server does for many.

    Args:
        send: takes the messages for the page.
    """

    def __init__(self, send: Send) -> None:
        self._send = send

    def hear(self, text: str) -> None:
        """Carry out a command of the page; one that is refused is answered in one line."""
        try:
            self._carry_out(read_command(text))
        except BitfoldError as error:
            self.refuse(str(error))
        except Exception as error:
            self.refuse(fault_line("do what the page asks for", error))

    def refuse(self, line: str) -> None:
        """Tell the page why something cannot be done."""
        self._send(encode(Message("refused", {"text": line})))

    @abstractmethod
    def _carry_out(self, command: Command) -> None:
        """Do what a command asks for."""

    @property
    def is_playing(self) -> bool:
        """Whether `advance` trains."""
        return False

    def close(self) -> None:  # noqa: B027 - most pages have nothing to let go
        """Let go of what the page looks at."""

    def advance(self) -> float:
        """Train for a moment, and show it.

        Returns:
            The seconds until the next call.
        """
        return 0.0
