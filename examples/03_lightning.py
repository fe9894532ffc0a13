"""A Lightning module
==================

The three lines inside a Lightning module. The loss is a part of the module: it moves to the device,
is saved in the checkpoint and is optimised with the rest::

    python examples/03_lightning.py                    # digits drawn by code
    python examples/03_lightning.py --mnist FOLDER     # MNIST

Needs ``pip install pytorch_lightning``.
"""

# sphinx_gallery_thumbnail_path = "figures/examples/03_lightning.svg"

import argparse
import logging
from pathlib import Path

import pytorch_lightning as lightning
import torch
from digits import load_digits
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from bitfold import KolmogorovLoss


class ShortClassifier(lightning.LightningModule):
    """A small LeNet that learns digits in few bits."""

    def __init__(self, weight: float, widths: tuple[int, int] = (100, 50)) -> None:
        super().__init__()
        first, second = widths
        self.network = nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, first),
            nn.ReLU(),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Linear(second, 10),
        )
        self.kolmogorov = KolmogorovLoss(self.network)  # bitfold, 1 of 3
        self.weight = weight

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The task's loss and K."""
        pictures, labels = batch
        loss = functional.cross_entropy(self.network(pictures), labels)
        return loss + self.weight * self.kolmogorov()  # bitfold, 2 of 3

    def test_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Log the share of pictures that are told right."""
        pictures, labels = batch
        told = self.network(pictures).argmax(1)
        self.log("right", (told == labels).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Learn the network and what the loss learns: parameters() has both."""
        return torch.optim.Adam(self.parameters(), lr=4e-3)  # bitfold, 3 of 3


def main() -> None:
    """Train, test, and test again what a decoder gets."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's four .gz files")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--weight", type=float, default=0.25, help="of K, lambda")
    options = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    lightning.seed_everything(0, verbose=False)
    digits = load_digits(options.mnist)
    learned = TensorDataset(digits.pictures, digits.labels)
    held_out = TensorDataset(digits.test_pictures, digits.test_labels)

    module = ShortClassifier(options.weight)
    before = module.kolmogorov.bits().total
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        accelerator="auto",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(learned, batch_size=32, shuffle=True))
    (plain,) = trainer.test(module, DataLoader(held_out, batch_size=1_000), verbose=False)
    after, in_float32 = module.kolmogorov.bits().total, 32 * module.kolmogorov.num_weights
    module.network.load_state_dict(module.kolmogorov.decoded_state())
    (decoded,) = trainer.test(module, DataLoader(held_out, batch_size=1_000), verbose=False)

    print(f"float32:                     {in_float32 / 8:9,.0f} bytes, {plain['right']:.2%} right")
    print(f"described, before training:  {before / 8:9,.0f} bytes")
    print(f"described, after:            {after / 8:9,.0f} bytes, {decoded['right']:.2%} right")
    print(f"{in_float32 / after:.1f} times shorter than float32")


if __name__ == "__main__":
    main()
