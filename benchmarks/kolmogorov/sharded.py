"""What share of a training step does K take, for a transformer that FSDP2 divides?

``python -m benchmarks.kolmogorov.sharded [--quick] [--output docs/results/sharded.json]``. The
transformer has 100 million weights and 2 processes on this machine train it in float32, with one
thread each and Adam, on next tokens of random text. Steps with and without K alternate in one run.
The time of K alone, which a step spends forward and backward, is measured too, and its bytes: what
a process sends for K in one step, and what FSDP2 sends.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from benchmarks.harness.timing import (
    alternate,
    argument_parser,
    flattened,
    ratios,
    seconds_of,
    write_results,
)
from bitfold.kolmogorov import KolmogorovLoss

NUM_PROCESSES = 2
WEIGHT = 0.01
#: Width, layers, heads, vocabulary, tokens of a text, and texts of a process.
LARGE = (768, 12, 12, 10_000, 128, 2)
QUICK = (64, 2, 4, 500, 32, 2)
#: Bytes of one number of a sum, which K adds in float64, and bytes of a weight.
SUM_BYTES, WEIGHT_BYTES = 8, 4


class Transformer(nn.Module):
    """A decoder without biases in attention: embedding, layers, and the embedding's transpose.

    Args:
        width: of a token.
        num_layers: of attention and two linear layers each.
        num_heads: of attention.
        num_tokens: in the vocabulary.
    """

    def __init__(self, width: int, num_layers: int, num_heads: int, num_tokens: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, width)
        layer = nn.TransformerEncoderLayer(
            width, num_heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.ModuleList(
            nn.TransformerEncoder(layer, 1, enable_nested_tensor=False) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_tokens, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of next tokens: (texts, length, tokens)."""
        hidden = self.embedding(tokens)
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        for layer in self.layers:
            hidden = layer(hidden, mask=mask, is_causal=True)
        logits: Tensor = self.head(self.norm(hidden))
        return logits


def bytes_of_k(num_sums: int, num_processes: int) -> int:
    """Return the bytes that a process sends for K in a step, if a ring adds all sums at once."""
    return 2 * (num_processes - 1) * num_sums * SUM_BYTES // num_processes


def bytes_of_fsdp(num_weights: int, num_processes: int) -> int:
    """Return FSDP2's bytes: weights gathered forward and backward, gradients reduced."""
    return 3 * (num_processes - 1) * num_weights * WEIGHT_BYTES // num_processes


def measure(rank: int, sizes: tuple[int, ...], rounds: int, folder: str) -> None:
    """Measure as one of the processes; the first one writes the results to the folder."""
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415 - takes seconds
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415 - likewise

    torch.set_num_threads(1)
    where = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=NUM_PROCESSES)
    width, num_layers, num_heads, num_tokens, length, num_texts = sizes
    torch.manual_seed(0)
    module = Transformer(width, num_layers, num_heads, num_tokens)
    mesh = init_device_mesh("cpu", (NUM_PROCESSES,))
    for layer in module.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh)
    loss = KolmogorovLoss(module, predictor="row_column")
    groups = [{"params": [*module.parameters()]}, {"params": [*loss.parameters()]}]
    optimizer = torch.optim.Adam(groups, lr=1e-4)
    text = torch.randint(num_tokens, (num_texts, length + 1))

    def step(*, with_k: bool) -> float:
        optimizer.zero_grad()
        logits = module(text[:, :-1])
        task = nn.functional.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())
        total = task + WEIGHT * loss() if with_k else task
        total.backward()
        optimizer.step()
        return float(total.detach())

    def only_k() -> float:
        optimizer.zero_grad()
        nats = loss()
        nats.backward()
        return float(nats.detach())

    step(with_k=True)
    step(with_k=False)
    plain, full = alternate(
        lambda: [seconds_of(lambda: step(with_k=False))],
        lambda: [seconds_of(lambda: step(with_k=True))],
        rounds,
    )
    alone = [[seconds_of(only_k)] for _ in range(rounds)]
    if rank == 0:
        num_sums = 1 + sum(item.numel() for item in loss.parameters())
        report(loss.num_weights, num_sums, (plain, full, alone), Path(folder) / "results.pt")
    dist.destroy_process_group()


def report(
    num_weights: int, num_sums: int, times: tuple[list[list[float]], ...], path: Path
) -> None:
    """Print the results and keep them in a file."""
    plain, full, alone = times
    ratio, spread = ratios(full, plain), flattened(alone)
    sent = bytes_of_k(num_sums, NUM_PROCESSES), bytes_of_fsdp(num_weights, NUM_PROCESSES)
    print(
        f"{num_weights:,} weights in {NUM_PROCESSES} processes: a step takes "
        f"{flattened(plain).text(1, ' s')}, with K {ratio.text()} times that; K alone "
        f"{spread.text(1, ' s')}. A process sends {sent[0]:,} bytes for K "
        f"({num_sums:,} sums) and {sent[1]:,} for FSDP2.",
        flush=True,
    )
    found: dict[str, Any] = {
        "weights": num_weights,
        "processes": NUM_PROCESSES,
        "sums": num_sums,
        "seconds": flattened(plain).record(),
        "seconds_with_k": flattened(full).record(),
        "ratio": ratio.record(),
        "seconds_of_k": spread.record(),
        "bytes_of_k": sent[0],
        "bytes_of_fsdp": sent[1],
    }
    torch.save(found, path)


def main() -> int:
    """Measure, and write the results if a path is given."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    sizes, rounds = (QUICK, 3) if arguments.quick else (LARGE, 3)
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")
        processes = [
            context.Process(target=measure, args=(rank, sizes, rounds, folder))
            for rank in range(NUM_PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        write_results(arguments.output, torch.load(Path(folder) / "results.pt"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
