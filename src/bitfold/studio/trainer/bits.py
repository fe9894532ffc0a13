"""What the weights of a session cost now, and the file that they would make."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

from bitfold.errors import StudioError
from bitfold.model_file import write_model
from bitfold.model_file.decoding import decoded
from bitfold.studio.bits_message import bits_message
from bitfold.studio.wire.message import Message
from bitfold.training import Session


def file_of(session: Session) -> bytes:
    """Return the model file of the session's present weights, as the page saves it.

    Raises:
        ModelFileError: the weights cannot be written, as one is not finite.
    """
    with tempfile.TemporaryDirectory(prefix="bitfold-studio-") as folder:
        path = Path(folder) / "network.bitfold"
        write_model(path, session.network, session.kolmogorov)
        return path.read_bytes()


def bits_of(session: Session) -> Message:
    """Return the message of `bits_message` for the present moment.

    Raises:
        StudioError: the run has no K.
        ModelFileError: as `file_of`.
    """
    loss = session.kolmogorov
    if loss is None:
        raise StudioError(
            "Cannot show bits: expected a run with K, got one without. Set lambda above 0."
        )
    data = file_of(session)
    network = decoded(data, into=copy.deepcopy(session.network))
    return bits_message(loss, session.epoch, len(data), network, session.run.target)
