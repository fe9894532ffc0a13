"""The process that trains one run of the studio.

It reads orders from its standard input, one JSON object a line, and writes messages to its standard
output, each after its length in four bytes. The end of the input is the order to stop.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from bitfold.errors import BitfoldError
from bitfold.studio.trainer.beginning import Beginning
from bitfold.studio.trainer.driver import Driver
from bitfold.studio.trainer.orders import OrdersOfServer
from bitfold.studio.wire.message import Message
from bitfold.studio.wire.pipe import Sender, leave_signals_to_server, own_output

# The server takes a process that is silent for six times as long for a stopped one.
_BEAT_SECONDS = 2.0
_MEMORY = (
    "Cannot go on: the memory does not suffice. Begin a run with fewer points or a narrower shape; "
    "what was saved is safe."
)


def main() -> int:
    """Train the run that the first argument, an object of JSON, describes: see `Beginning`."""
    leave_signals_to_server()
    send = Sender(own_output())
    threading.Thread(target=_say_alive, args=(send,), daemon=True).start()
    try:
        beginning = Beginning(**json.loads(sys.argv[1]))
        Driver(beginning.open, OrdersOfServer(sys.stdin), send).run()
    except BitfoldError as error:
        send(Message("ended", {"text": str(error)}))
        return 1
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        send(Message("ended", {"text": _MEMORY}))
        return 1
    return 0


def _say_alive(send: Sender) -> None:
    while True:
        time.sleep(_BEAT_SECONDS)
        send(Message("alive"))


if __name__ == "__main__":
    sys.exit(main())
