"""Three lines for a convolutional network
=======================================

Three lines make the description of a network that reads digits ten times shorter::

    python examples/01_mnist_convnet.py                       # digits drawn by code, seconds
    python examples/01_mnist_convnet.py --mnist FOLDER        # MNIST, a few minutes
    python examples/01_mnist_convnet.py --mnist FOLDER --weight 0    # without K
"""

# sphinx_gallery_thumbnail_path = "figures/examples/01_mnist_convnet.svg"

import argparse
from pathlib import Path

import torch
from digits import Digits, load_digits
from torch import nn
from torch.nn import functional

import bitfold
from bitfold.kolmogorov import fit_predictor


def make_network() -> nn.Sequential:
    """46,730 weights: 186,920 bytes in float32."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def accuracy(network: nn.Module, digits: Digits) -> float:
    """The share of test pictures that are told right."""
    with torch.no_grad():
        told = network(digits.test_pictures).argmax(1)
    return (told == digits.test_labels).double().mean().item()


def main() -> None:
    """Train, and say what the network takes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's four .gz files")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--weight", type=float, default=0.2, help="of K, lambda")
    options = parser.parse_args()
    torch.manual_seed(0)
    digits, network = load_digits(options.mnist), make_network()

    kolmogorov = bitfold.KolmogorovLoss(network)  # bitfold, 1 of 3
    before = kolmogorov.bits().total
    parameters = [*network.parameters(), *kolmogorov.parameters()]  # bitfold, 2 of 3
    optimizer = torch.optim.Adam(parameters, lr=5e-3)
    num_steps = options.epochs * -(-len(digits.labels) // 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    for epoch in range(options.epochs):
        for some in torch.randperm(len(digits.labels)).split(32):
            loss = functional.cross_entropy(network(digits.pictures[some]), digits.labels[some])
            loss = loss + options.weight * kolmogorov()  # bitfold, 3 of 3
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: {loss.item():.3f}")

    decoded = make_network()
    decoded.load_state_dict(kolmogorov.decoded_state())
    after, in_float32 = kolmogorov.bits(), 32 * kolmogorov.num_weights
    plain, short = accuracy(network, digits), accuracy(decoded, digits)
    print(kolmogorov.report(), after, "", sep="\n\n")
    print(f"float32:                     {in_float32 / 8:9,.0f} bytes, {plain:.2%} right")
    print(f"described, before training:  {before / 8:9,.0f} bytes")
    print(f"described, after:            {after.total / 8:9,.0f} bytes, {short:.2%} right")
    fit_predictor(kolmogorov)  # to the weights as they are now, which stay
    fitted = kolmogorov.bits().total
    print(f"its predictor fitted again:  {fitted / 8:9,.0f} bytes, the same network")
    print(f"{in_float32 / fitted:.1f} times shorter than float32")


if __name__ == "__main__":
    main()
