"""The process that trains one run of the studio.

It reads orders from its standard input, one JSON object a line, and writes messages to its standard
output, each after its length in four bytes. The end of the input is the order to stop.
"""

from __future__ import annotations

import json
import signal
import sys

from bitfold.errors import BitfoldError
from bitfold.studio.trainer.beginning import Beginning
from bitfold.studio.trainer.driver import Driver
from bitfold.studio.trainer.orders import Orders
from bitfold.studio.wire.message import Message
from bitfold.studio.wire.pipe import Sender, own_output


def main() -> int:
    """Train the run that the first argument, an object of JSON, describes: see `Beginning`."""
    # Ctrl-C in the server's terminal reaches this process too; the server says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    send = Sender(own_output())
    try:
        beginning = Beginning(**json.loads(sys.argv[1]))
        Driver(beginning.open, Orders(sys.stdin), send).run()
    except BitfoldError as error:
        send(Message("ended", {"text": str(error)}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
