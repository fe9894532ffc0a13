"""Your own weight predictor
=========================

A mixture of narrow and wide weights, for networks with many zeros::

    python examples/04_own_predictor.py     # or with --mnist FOLDER
"""

# sphinx_gallery_thumbnail_path = "figures/examples/04_own_predictor.svg"

import argparse
from pathlib import Path

import torch
from digits import load_digits
from torch import Tensor, nn
from torch.nn import functional

import bitfold
from bitfold.kolmogorov import Bins, Layout, WeightSubset


class NarrowAndWide(bitfold.WeightPredictor):
    """Each tensor's weights come from one of two Laplace distributions around 0.

    Three numbers for each tensor say how large the narrow ones and the wide ones are, and how many
    of them are wide.
    """

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Learn how many tensors there are, and where 0 is."""
        super().attach(layout, bins, generator)
        num_tensors = len(layout.blocks)
        self.log_narrow = nn.Parameter(torch.zeros(num_tensors))
        self.log_wide = nn.Parameter(torch.full((num_tensors,), 2.5))
        self.share = nn.Parameter(torch.zeros(num_tensors))

    def forward(self, subset: WeightSubset, indices: Tensor) -> Tensor:
        """Minus the logarithm of the probability of bins, (k, n) as the indices are."""
        values = torch.arange(self.bins.num_bins, device=indices.device) * self.bins.width
        distance = (values + self.bins.minimum).abs() / self.bins.width
        narrow = (-distance / self.log_narrow.exp()[:, None]).log_softmax(1)
        wide = (-distance / self.log_wide.exp()[:, None]).log_softmax(1)
        narrow = narrow + functional.logsigmoid(-self.share)[:, None]
        wide = wide + functional.logsigmoid(self.share)[:, None]
        return -torch.logaddexp(narrow, wide)[subset.block_numbers, indices]


def make_network() -> nn.Sequential:
    """84,060 weights."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 100),
        nn.ReLU(),
        nn.Linear(100, 50),
        nn.ReLU(),
        nn.Linear(50, 10),
    )


def main() -> None:
    """Train with the predictor, and compare it with those that bitfold has."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's four .gz files")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--weight", type=float, default=0.3, help="of K, lambda")
    options = parser.parse_args()
    torch.manual_seed(0)
    digits, network = load_digits(options.mnist), make_network()

    kolmogorov = bitfold.KolmogorovLoss(network, predictor=NarrowAndWide())  # bitfold, 1 of 3
    before = kolmogorov.bits().total
    parameters = [*network.parameters(), *kolmogorov.parameters()]  # bitfold, 2 of 3
    optimizer = torch.optim.Adam(parameters, lr=4e-3)
    for _ in range(options.epochs):
        for some in torch.randperm(len(digits.labels)).split(32):
            loss = functional.cross_entropy(network(digits.pictures[some]), digits.labels[some])
            loss = loss + options.weight * kolmogorov()  # bitfold, 3 of 3
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    decoded = make_network()
    decoded.load_state_dict(kolmogorov.decoded_state())
    with torch.no_grad():
        right = decoded(digits.test_pictures).argmax(1) == digits.test_labels
    after, in_float32 = kolmogorov.bits().total, 32 * kolmogorov.num_weights
    print(f"float32:                     {in_float32 / 8:9,.0f} bytes")
    print(f"described, before training:  {before / 8:9,.0f} bytes")
    print(
        f"described, after:            {after / 8:9,.0f} bytes, {right.double().mean():.2%} right"
    )
    print(f"{in_float32 / after:.1f} times shorter than float32\n")
    candidates = ["per_tensor", "row_column", NarrowAndWide()]
    print(bitfold.choose_predictor(kolmogorov, candidates=candidates))


if __name__ == "__main__":
    main()
