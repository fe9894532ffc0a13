"""Lambda's controller in a user's own loop, with decoded weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.training.lambda_control.bits_lambda import TOLERANCE, BitsLambda


@pytest.mark.parametrize("num_bits", [2000, 1000])
def test_a_number_of_bits_is_met_with_learned_steps(num_bits: int) -> None:
    """Some later epochs are within 2 % of the bits, and the best of them has learned its task."""
    torch.manual_seed(0)
    points = torch.randn(2000, 12)
    classes = (points[:, :4] + 0.5 * points[:, 4:8].abs()).argmax(1)
    network = nn.Sequential(nn.Linear(12, 60), nn.ReLU(), nn.Linear(60, 4))
    kolmogorov = KolmogorovLoss(network, quantise="learned")
    optimizer = torch.optim.Adam([*network.parameters(), *kolmogorov.parameters()], lr=0.01)

    def measure() -> tuple[float, float]:
        with torch.no_grad(), kolmogorov.quantised():
            return functional.cross_entropy(network(points), classes).item(), kolmogorov().item()

    controller = BitsLambda(num_bits, kolmogorov.bits().items["ranges"], measure)
    found: list[float] = []
    kept: tuple[float, dict[str, torch.Tensor]] = (float("inf"), {})
    for epoch in range(1, 121):
        for some in torch.randperm(len(points)).split(500):  # type: ignore[no-untyped-call] # torch leaves it untyped
            optimizer.zero_grad()
            with kolmogorov.quantised():
                task = functional.cross_entropy(network(points[some]), classes[some])
            (task + controller.weight(epoch) * kolmogorov()).backward()
            optimizer.step()
        loss, bits = measure()[0], kolmogorov.bits().total
        controller.observe(epoch, loss, bits)
        found.append(bits)
        if abs(bits / num_bits - 1) <= TOLERANCE and loss < kept[0]:
            kept = (loss, kolmogorov.decoded_state())
    later = torch.tensor(found[40:])
    assert (later / num_bits - 1).abs().median() < 0.1
    assert int(((later / num_bits - 1).abs() <= TOLERANCE).sum()) >= 5
    network.load_state_dict(kept[1])
    assert (network(points).argmax(1) == classes).double().mean() > 0.8
