"""A loss whose gradient is cut
============================

Two auxiliary losses want few neurons of the first layer to be active. The first counts active
neurons. A count does not change when a neuron's value moves a little, so no gradient reaches the
network, and PyTorch does not warn. The audit names the line before training::

    python examples/05_audit.py
"""

# sphinx_gallery_thumbnail_path = "figures/examples/05_audit.svg"

import torch
from digits import load_digits
from torch import Tensor, nn
from torch.nn import functional

import bitfold


def share_active(network: nn.Sequential, pictures: Tensor) -> Tensor:
    """The share of the first layer's neurons that are active: its gradient is cut."""
    hidden = network[:3](pictures)
    active = (hidden > 0.1).float()
    return active.mean()


def mean_activity(network: nn.Sequential, pictures: Tensor) -> Tensor:
    """The mean value of the first layer's neurons, which falls as they fall silent."""
    return network[:3](pictures).mean()


def main() -> None:
    """Audit both, and train with the one that reaches the network."""
    torch.manual_seed(0)
    digits = load_digits(None)
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    some, labels = digits.pictures[:256], digits.labels[:256]
    modules = {"first layer": network[1], "last layer": network[3]}

    def task() -> Tensor:
        return functional.cross_entropy(network(some), labels)

    counted = bitfold.audit_gradients(
        {"task": task, "active": lambda: share_active(network, some)}, modules
    )
    print(counted, f"ok: {counted.ok}", sep="\n", end="\n\n")
    measured = bitfold.audit_gradients(
        {"task": task, "activity": lambda: mean_activity(network, some)}, modules
    )
    print(measured, f"ok: {measured.ok}", sep="\n", end="\n\n")

    before = share_active(network, digits.test_pictures).item()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(4):
        for chosen in torch.randperm(len(digits.labels)).split(32):
            pictures = digits.pictures[chosen]
            loss = functional.cross_entropy(network(pictures), digits.labels[chosen])
            loss = loss + 2.0 * mean_activity(network, pictures)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = network(digits.test_pictures).argmax(1) == digits.test_labels
    after = share_active(network, digits.test_pictures).item()
    print(
        f"active neurons: {before:.1%} before, {after:.1%} after; {right.double().mean():.1%} right"
    )


if __name__ == "__main__":
    main()
