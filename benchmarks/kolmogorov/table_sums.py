"""Are the tables worth their code? K's forward and backward with and without them.

``python -m benchmarks.kolmogorov.table_sums [--quick] [--output FILE]``; exit code 1
if tables are less than twice as fast for rounded targets, the default with learned steps. The
predictor is ``row_column``, with ``quantise="learned"``, on networks of four sizes. Without tables,
`scale_sums.sum_scales` sums K for linear targets, and PyTorch's operations in chunks for rounded
ones. Both ways take turns in one process. Tables use one thread; the other way uses ``--threads``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

import bitfold
from benchmarks.harness.timing import (
    alternate,
    argument_parser,
    flattened,
    ratios,
    seconds_of,
    write_results,
)
from benchmarks.kolmogorov.large import gradients, make_loss, resnet_shaped, step_of
from bitfold.kolmogorov import RowColumnPredictor

LEAST_RATIO = 2.0
#: Tables promise K to within 1e-4.
MOST_DIFFERENT_NATS = 1e-4
#: The other way adds 128 to a weight in float32 before it finds the bin below. About 1e-5 of the
#: weights are rounded across a kink, which changes the norm of slopes by the root of that share.
MOST_DIFFERENT_SLOPES = 1e-2
TARGETS = ("linear", "rounded")


def lenet_300_100() -> nn.Module:
    """Return the layers of LeNet-300-100, 266,610 weights."""
    return nn.ModuleList([nn.Linear(784, 300), nn.Linear(300, 100), nn.Linear(100, 10)])


MODULES: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        "[10]*8": lambda: bitfold.PolytopeNet(2, [10] * 8, 1),
        "[100]*5": lambda: bitfold.PolytopeNet(2, [100] * 5, 1),
        "LeNet-300-100": lenet_300_100,
        "ResNet-18": resnet_shaped,
    }
)


class WithoutTables(RowColumnPredictor):
    """The same predictor, which never reads costs from tables."""

    def summed_in_steps(self, *_: Any, **__: Any) -> None:
        """Decline all weights."""


def check_agreement(
    module: nn.Module, without: Callable[[], float], with_tables: Callable[[], float]
) -> None:
    """Stop unless both ways give the same K and the same gradients by weights.

    Weights of exactly 0 are left out: K has a kink there, and each way uses a different slope of
    it.

    Raises:
        RuntimeError: they do not.
    """
    smooth = torch.cat([item.detach().flatten() for item in module.parameters()]) != 0
    nats, slopes = [], []
    for step in (without, with_tables):
        nats.append(step())
        slopes.append(gradients(module)[smooth])
    nats_apart = abs(nats[1] / nats[0] - 1)
    slopes_apart = ((slopes[1] - slopes[0]).norm() / slopes[0].norm()).item()
    if nats_apart > MOST_DIFFERENT_NATS or slopes_apart > MOST_DIFFERENT_SLOPES:
        raise RuntimeError(f"K differs by {nats_apart:.1e}, gradients by {slopes_apart:.1e}.")


def measure(module: nn.Module, targets: str, rounds: int) -> dict[str, Any]:
    """Return the spreads of both ways' times, and of their ratio."""
    steps = []
    for predictor in (WithoutTables(is_centred=True), RowColumnPredictor(is_centred=True)):
        loss = make_loss(module, predictor=predictor, quantise="learned", targets=targets)
        steps.append(step_of(loss, loss))
    without, with_tables = steps
    check_agreement(module, without, with_tables)
    least = seconds_of(with_tables)
    num_steps = min(max(int(0.05 / least), 1), 50)
    slow, fast = alternate(
        lambda: [seconds_of(without) for _ in range(max(num_steps // 4, 1))],
        lambda: [seconds_of(with_tables) for _ in range(num_steps)],
        rounds,
    )
    ratio = ratios(slow, fast)
    print(
        f"{loss.num_weights:>10,} weights, {targets} targets: with tables "
        f"{flattened(fast).text(1e3, ' ms')}, without {flattened(slow).text(1e3, ' ms')}: "
        f"{ratio.text()} times as fast",
        flush=True,
    )
    return {
        "weights": loss.num_weights,
        "seconds": flattened(fast).record(),
        "seconds_without": flattened(slow).record(),
        "ratio": ratio.record(),
    }


def main() -> int:
    """Measure all sizes, and say whether the tables are worth their code."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results: dict[str, Any] = {}
    for name, make_module in MODULES.items():
        torch.manual_seed(0)
        module = make_module()
        results[name] = {
            targets: measure(module, targets, 5 if arguments.quick else 15) for targets in TARGETS
        }
    least = min(rows["rounded"]["ratio"]["median"] for rows in results.values())
    is_met = least >= LEAST_RATIO
    print(f"rounded targets: at least {least:.3g} times as fast: {'PASS' if is_met else 'SHORT'}")
    write_results(
        arguments.output, {"threads": arguments.threads, "cases": results, "is_met": is_met}
    )
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
