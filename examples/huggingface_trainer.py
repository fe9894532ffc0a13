"""The Trainer of Hugging Face
===========================

A small GPT-2 that learns spelled numbers under ``transformers.Trainer``. The loss is made of the
model, and its parameters join the optimiser. A callback clears their gradients, since the Trainer
clears only the model's, and saves the loss's state with each checkpoint::

    python examples/huggingface_trainer.py

Needs ``pip install transformers accelerate``.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from spelled_numbers import LETTERS, make_lines
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

from bitfold import KolmogorovLoss, read_model, write_model

STATE_NAME = "kolmogorov.safetensors"


class KeepKolmogorov(TrainerCallback):
    """Clears a loss's gradients after each step, and saves its state with each checkpoint."""

    def __init__(self, kolmogorov: KolmogorovLoss) -> None:
        self.kolmogorov = kolmogorov

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Clear the gradients of what the loss learns; the Trainer clears the model's alone."""
        self.kolmogorov.zero_grad()

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Write the state beside the model's."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        held = {name: item.contiguous() for name, item in self.kolmogorov.state_dict().items()}
        save_file(held, folder / STATE_NAME)

    def load(self, checkpoint: str | Path) -> None:
        """Read the state of a checkpoint, before ``train(resume_from_checkpoint=checkpoint)``."""
        self.kolmogorov.load_state_dict(load_file(Path(checkpoint) / STATE_NAME))


class ShortTrainer(Trainer):
    """Adds K to the task's loss, and what K learns to the optimiser."""

    def __init__(self, *, kolmogorov: KolmogorovLoss, weight: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.kolmogorov, self.weight = kolmogorov, weight
        self.add_callback(KeepKolmogorov(kolmogorov))

    def compute_loss(self, model: nn.Module, inputs: Any, *args: Any, **options: Any) -> Any:
        """The task's loss and K; K alone is left out of evaluation."""
        loss: Any = super().compute_loss(model, inputs, *args, **options)
        return loss + self.weight * self.kolmogorov() if model.training else loss

    def create_optimizer(self, *args: Any) -> Any:
        """Learn the network and what the loss learns."""
        optimizer = super().create_optimizer(*args)
        own = list(self.kolmogorov.parameters())
        if not any(own[0] is item for group in optimizer.param_groups for item in group["params"]):
            rate = self.args.learning_rate
            optimizer.add_param_group({"params": own, "weight_decay": 0.0, "lr": rate})
        return optimizer


def make_examples() -> list[dict[str, Tensor]]:
    """Lines of spelled numbers, as the Trainer takes them."""
    return [{"input_ids": line, "labels": line} for line in make_lines()]


def main() -> None:
    """Train, write the file, and read it into a new model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--weight", type=float, default=0.1, help="of K, lambda")
    options = parser.parse_args()
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(LETTERS), n_positions=64, n_embd=64, n_layer=2, n_head=4)
    model = GPT2LMHeadModel(config)
    kolmogorov = KolmogorovLoss(model)  # made before the Trainer wraps anything
    before = kolmogorov.bits().total
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            folder, max_steps=options.steps, per_device_train_batch_size=16, learning_rate=3e-3,
            report_to=[], save_steps=options.steps, logging_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        trainer = ShortTrainer(
            kolmogorov=kolmogorov, weight=options.weight, model=model, args=settings,
            train_dataset=make_examples(),
        )  # fmt: skip
        trainer.train()
        num_bytes = write_model(Path(folder) / "net.bitfold", model, kolmogorov)
        read_model(Path(folder) / "net.bitfold", into=GPT2LMHeadModel(config))
    print(f"{before / 8:,.0f} bytes before training, {num_bytes:,} bytes after")
    print(f"{4 * kolmogorov.num_weights / num_bytes:.1f} times shorter than float32")


if __name__ == "__main__":
    main()
