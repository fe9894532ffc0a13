"""What the weights of a session cost now, and the file that they would make."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bitfold.errors import StudioError
from bitfold.experiments.network_picture import draw_picture
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.description.predicted_masses import predicted_masses
from bitfold.model_file import write_model
from bitfold.model_file.decoding import decoded
from bitfold.networks import PolytopeNet
from bitfold.recording import NetworkView
from bitfold.studio.wire.message import Message
from bitfold.training import Session

# Pixels of the longer side of the picture that the file decodes to.
_PICTURE_PX = 96
# Values of the histogram, and the most weights whose prediction is summed for each of them.
_MOST_VALUES, _MOST_WEIGHTS = 65, 4096


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
    """Describe the costs of all weights, the file, and the picture that it decodes to.

    Returns:
        ``bits``, with the arrays ``weights`` and ``costs``, in bits, of all described weights one
        after the other; ``picture``; and ``values``, ``counts`` and ``masses`` of the histogram.

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
    costs, state = loss.weight_bits(), loss.decoded_state()
    description = loss.bits()
    facts = {
        "epoch": session.epoch,
        "num_bytes": len(data),
        "items": {name: _finite(bits) for name, bits in description.items.items()},
        "tensors": [{"name": n, "shape": list(c.shape)} for n, c in costs.items()],
    }
    arrays: dict[str, NDArray[Any]] = {
        "weights": _flat([state[name] for name in costs]),
        "costs": _flat(list(costs.values())),
        "picture": _picture(session, data),
        **_histogram(loss),
    }
    return Message("bits", facts, arrays)


def _histogram(loss: KolmogorovLoss) -> dict[str, NDArray[np.float64]]:
    if loss.num_weights > _MOST_WEIGHTS:
        return {}
    as_sent = loss.described.send_predictor(loss.predictor_bits)
    everything = loss.subsampling.all_weights()
    found = predicted_masses(loss.described, as_sent, everything, _MOST_VALUES)
    names = ("values", "counts", "masses")
    return {name: one.double().numpy() for name, one in zip(names, found, strict=True)}


def _picture(session: Session, data: bytes) -> NDArray[np.uint8]:
    """Return the picture (height, width, 3) that a file of the session decodes to."""
    network = decoded(data, into=copy.deepcopy(session.network))
    assert isinstance(network, PolytopeNet)
    view = NetworkView.of_network(network.eval(), session.run.target)
    grid = session.run.target.grid
    scale = min(1.0, _PICTURE_PX / max(grid.width, grid.height))
    width, height = (max(1, round(scale * side)) for side in (grid.width, grid.height))
    return draw_picture(view, width, height, 0.0)


def _flat(tensors: list[Tensor]) -> NDArray[np.float32]:
    parts = [tensor.detach().float().reshape(-1).numpy() for tensor in tensors]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _finite(number: Any) -> float | None:
    return float(number) if np.isfinite(number) else None
