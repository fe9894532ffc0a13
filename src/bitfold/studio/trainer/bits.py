"""What the weights of a session cost now, and the file that they would make."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

from bitfold.errors import ModelFileError
from bitfold.experiments import CodedRun
from bitfold.model_file import write_model
from bitfold.model_file.decoding import decoded
from bitfold.studio.bits_message import bits_message, size_message
from bitfold.studio.wire.message import Message
from bitfold.training import Session

_WITHOUT_K = "Without K, weights have no price. Set lambda above 0."


def file_of(session: Session) -> bytes:
    """Return the model file of the session's present weights, as the page saves it.

    Raises:
        ModelFileError: the weights cannot be written: one is not finite, or the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="bitfold-studio-") as folder:
        path = Path(folder) / "network.bitfold"
        loss = session.kolmogorov
        try:
            write_model(path, session.network, loss, sort_neurons=loss is None)
        except ModelFileError as error:  # nobody knows the path
            raise ModelFileError(str(error).replace(str(path), "the network's file")) from None
        return path.read_bytes()


def bits_of(session: Session) -> Message:
    """Return the message of `bits_message` for the present moment.

    Raises:
        ModelFileError: as `file_of`.
    """
    loss, epoch, target = session.kolmogorov, session.epoch, session.run.target
    data = file_of(session)
    network = decoded(data, into=copy.deepcopy(session.network))
    if loss is None:
        return size_message(session.network, epoch, CodedRun(data, network, _WITHOUT_K), target)
    return bits_message(loss, epoch, len(data), network, target)
