"""A small transformer
===================

A causal transformer reads the digits of numbers and writes them in words. Its tied embedding is
described once::

    python examples/02_transformer.py
    python examples/02_transformer.py --weight 0    # without K
"""

# sphinx_gallery_thumbnail_path = "figures/examples/02_transformer.svg"

import argparse

import torch
from spelled_numbers import LENGTH, LETTERS, NUM_DIGITS, make_lines
from torch import Tensor, nn
from torch.nn import functional

import bitfold


class Transformer(nn.Module):
    """Letters so far to logits of the next one; some 103,000 weights."""

    def __init__(self, width: int = 64, num_layers: int = 2) -> None:
        super().__init__()
        self.letters = nn.Embedding(len(LETTERS), width)
        nn.init.normal_(self.letters.weight, std=width**-0.5)
        self.places = nn.Parameter(torch.zeros(LENGTH, width))
        layer = nn.TransformerEncoderLayer(
            width,
            nhead=4,
            dim_feedforward=4 * width,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, letters: Tensor) -> Tensor:
        """Letters (lines, length) to logits (lines, length, letters)."""
        length = letters.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        values = self.letters(letters) + self.places[:length]
        return self.norm(self.layers(values, mask, is_causal=True)) @ self.letters.weight.T


def share_right(network: nn.Module, lines: Tensor) -> float:
    """The share of lines whose letters are all right, each told from the true ones before."""
    with torch.no_grad():
        told = network(lines[:, :-1]).argmax(2)[:, NUM_DIGITS:]
    return (told == lines[:, NUM_DIGITS + 1 :]).all(1).double().mean().item()


def main() -> None:
    """Train on nine lines of ten, and say what the network takes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--weight", type=float, default=0.4, help="of K, lambda")
    options = parser.parse_args()
    torch.manual_seed(0)
    lines = make_lines()[torch.randperm(1_000)]
    learned, held_out, network = lines[:900], lines[900:], Transformer()

    kolmogorov = bitfold.KolmogorovLoss(network)  # bitfold, 1 of 3
    before = kolmogorov.bits().total
    parameters = [*network.parameters(), *kolmogorov.parameters()]  # bitfold, 2 of 3
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1e-2, total_steps=options.steps, pct_start=0.1
    )
    for step in range(options.steps):
        some = learned[torch.randint(len(learned), (32,))]
        logits = network(some[:, :-1])[:, NUM_DIGITS:]
        letters = some[:, NUM_DIGITS + 1 :]
        loss = functional.cross_entropy(logits.flatten(0, 1), letters.flatten())
        loss = loss + options.weight * kolmogorov()  # bitfold, 3 of 3
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            print(f"step {step + 1}: {loss.item():.3f}")

    decoded = Transformer()
    decoded.load_state_dict(kolmogorov.decoded_state())
    after, in_float32 = kolmogorov.bits().total, 32 * kolmogorov.num_weights
    plain, short = share_right(network, held_out), share_right(decoded, held_out)
    print(f"float32:                     {in_float32 / 8:9,.0f} bytes, {plain:.2%} right")
    print(f"described, before training:  {before / 8:9,.0f} bytes")
    print(f"described, after:            {after / 8:9,.0f} bytes, {short:.2%} right")
    print(f"{in_float32 / after:.1f} times shorter than float32")


if __name__ == "__main__":
    main()
