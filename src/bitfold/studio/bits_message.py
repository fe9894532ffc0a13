"""What weights cost, and the file that they make: of a live session, or of a recorded moment."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from bitfold.errors import RunError
from bitfold.experiments import CodedRun, code_run
from bitfold.experiments.network_picture import draw_picture
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.description.predicted_masses import predicted_masses
from bitfold.networks import PolytopeNet
from bitfold.recording import NetworkView
from bitfold.studio.wire.message import Message
from bitfold.targets import Target
from bitfold.training import Run

# Pixels of the longer side of the picture that the file decodes to.
_PICTURE_PX = 96
# Values of the histogram, and the most weights whose prediction is summed for each of them.
_MOST_VALUES, _MOST_WEIGHTS = 65, 4096


def bits_message(
    loss: KolmogorovLoss, epoch: int, num_bytes: int, decoded: nn.Module, target: Target
) -> Message:
    """Describe the costs of all weights, the file, and the picture that it decodes to.

    Args:
        loss: K, with the predictor of the same moment.
        epoch: of the moment.
        num_bytes: the size of the file.
        decoded: the network that the file decodes to.
        target: what the network learns.

    Returns:
        ``bits``, with the arrays ``weights`` and ``costs``, in bits, of all described weights one
        after the other; ``picture``; and ``values``, ``counts`` and ``masses`` of the histogram.
    """
    costs, state = loss.weight_bits(), loss.decoded_state()
    items = {name: _finite(bits) for name, bits in loss.bits().items.items()}
    arrays: dict[str, NDArray[Any]] = {
        "costs": _flat(list(costs.values())),
        "picture": _picture(decoded, target),
        **_histogram(loss),
    }
    facts = {"epoch": epoch, "num_bytes": num_bytes, "items": items}
    return _message(facts, {name: state[name] for name in costs}, arrays)


def size_message(network: nn.Module, epoch: int, coded: CodedRun, target: Target) -> Message:
    """Describe the file of a network whose weights have no prices: size, picture and weights.

    Args:
        network: with the weights of the moment.
        epoch: of the moment.
        coded: the file; its ``how`` says why there are no prices.
        target: what the network learns.
    """
    facts = {"epoch": epoch, "num_bytes": len(coded.data), "items": {}, "how": coded.how}
    arrays = {"picture": _picture(coded.network, target)}
    return _message(facts, dict(network.named_parameters()), arrays)


def code_moment(run: Run, epoch: int) -> CodedRun:
    """Return the file that the page saves of a recorded moment, whose size it shows.

    Raises:
        RunError: the epoch was not kept.
        ModelFileError: the weights cannot be written, as one is not finite.
    """
    return code_run(run, epoch, as_seen=False)


def bits_of_moment(run: Run, epoch: int) -> Message:
    """Return the message of a recorded moment.

    Frames hold no predictor. So the costs are known at epochs of checkpoints alone; elsewhere
    ``how`` says why they are missing. The size is that of the file which the page saves. Without K
    it is rounded as the present moment is, without a search: whoever waits for a cut waits for it.

    Args:
        run: the run.
        epoch: one whose weights the run has kept.

    Raises:
        RunError: the epoch was not kept.
        ModelFileError: the weights cannot be written, as one is not finite.
    """
    coded, target = code_moment(run, epoch), run.at(epoch).target
    try:
        loss = run.kolmogorov(epoch)
    except RunError:
        return size_message(run.network(epoch), epoch, coded, target)
    return bits_message(loss, epoch, len(coded.data), coded.network, target)


def _message(
    facts: Mapping[str, Any], weights: Mapping[str, Tensor], arrays: Mapping[str, NDArray[Any]]
) -> Message:
    tensors = [{"name": name, "shape": list(one.shape)} for name, one in weights.items()]
    found = {"weights": _flat(list(weights.values())), **arrays}
    return Message("bits", {**facts, "tensors": tensors}, found)


def _histogram(loss: KolmogorovLoss) -> dict[str, NDArray[np.float64]]:
    if loss.num_weights > _MOST_WEIGHTS:
        return {}
    as_sent = loss.described.send_predictor(loss.predictor_bits)
    everything = loss.subsampling.all_weights()
    found = predicted_masses(loss.described, as_sent, everything, _MOST_VALUES)
    names = ("values", "counts", "masses")
    return {name: one.double().numpy() for name, one in zip(names, found, strict=True)}


def _picture(decoded: nn.Module, target: Target) -> NDArray[np.uint8]:
    """Return the picture (height, width, 3) of a network."""
    network = copy.deepcopy(decoded)
    assert isinstance(network, PolytopeNet)
    view = NetworkView.of_network(network.eval(), target)
    scale = min(1.0, _PICTURE_PX / max(target.grid.width, target.grid.height))
    width, height = (
        max(1, round(scale * side)) for side in (target.grid.width, target.grid.height)
    )
    return draw_picture(view, width, height, 0.0)


def _flat(tensors: list[Tensor]) -> NDArray[np.float32]:
    parts = [tensor.detach().float().reshape(-1).numpy() for tensor in tensors]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _finite(number: Any) -> float | None:
    return float(number) if np.isfinite(number) else None
