"""One of several processes that describe a module together; saves its results.

Run by test_kolmogorov_distributed.py: python distributed_worker.py RANK PROCESSES FOLDER
"""

import copy
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bitfold.kolmogorov import KolmogorovLoss

CASES: dict[str, dict[str, Any]] = {
    "coordinate": {},
    "coordinate, soft": {"targets": "soft", "weight_range": (-0.5, 0.5)},
    "coordinate, mse": {"kind": "mse", "weight_range": (-0.5, 0.5)},
    "row_column": {"predictor": "row_column"},
    "per_tensor": {"predictor": "per_tensor"},
    "hard": {"targets": "hard"},
    "sample": {"sample": 40},
    "sample, row_column": {"sample": 40, "predictor": "row_column"},
    "noise": {"targets": "noise", "every": 2},
}
DTYPES = {"float32": torch.float32, "float64": torch.float64}
NUM_STEPS = 20


def network(rank: int, dtype: torch.dtype) -> nn.Module:
    """Return layers of all kinds, with other values on each rank until DDP makes them equal."""
    torch.manual_seed(rank)
    layers = [nn.Conv1d(2, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(20, 3)]
    return nn.Sequential(*layers, nn.LayerNorm(3)).to(dtype)


def make(module: nn.Module, settings: dict[str, Any], num_processes: int, how: str) -> Any:
    """Return the module to run and its loss, made from the wrapper or with an explicit group."""
    generator = torch.Generator().manual_seed(5 + (dist.get_rank() if num_processes > 1 else 0))
    given: dict[str, Any] = {
        "predictor": "coordinate",
        "bins": 32,
        "generator": generator,
    } | settings
    if num_processes == 1:
        return module, KolmogorovLoss(module, **given)
    if how == "wrapper":
        wrapped = DistributedDataParallel(module)
        return wrapped, KolmogorovLoss(wrapped, **given)
    loss = KolmogorovLoss(module, process_group=dist.group.WORLD, **given)
    return DistributedDataParallel(module), loss


def gradient(item: Tensor) -> Tensor:
    """Return the gradient that a tensor received."""
    assert item.grad is not None
    return item.grad


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """Return all tensors in one vector."""
    return torch.cat([item.detach().flatten() for item in tensors])


def run_case(
    rank: int, num_processes: int, dtype: torch.dtype, name: str, how: str
) -> dict[str, Any]:
    """Return the first K, gradients and bits, and all weights after some steps on task and K."""
    settings = CASES[name]
    module = network(rank, dtype)
    wrapped, loss = make(module, settings, num_processes, how)
    data = torch.linspace(-1, 1, 8 * 10).view(8, 2, 5).to(dtype)
    mine = data[rank * 8 // num_processes : (rank + 1) * 8 // num_processes]
    found: dict[str, Any] = {"bits": loss.bits().total, "copied": copy.deepcopy(loss)().item()}
    if rank == 0:
        with torch.no_grad():
            found["looked at alone"] = loss().item()
    if name == "hard":
        return found | {"values": [loss().item()]}
    optimizer = torch.optim.SGD([*module.parameters(), *loss.parameters()], lr=0.02)
    values = []
    for step in range(NUM_STEPS):
        optimizer.zero_grad()
        value = loss()
        (wrapped(mine).square().mean() + 0.3 * value).backward()
        values.append(value.item())
        if step == 0:
            found["network"] = flat(gradient(item) for item in module.parameters())
            found["own"] = flat(gradient(item) for item in loss.parameters())
        optimizer.step()
    found["trained"] = flat([*module.parameters(), *loss.parameters()])
    return found | {"values": values, "bits after": loss.bits().total}


def run_tiny(rank: int, num_processes: int) -> dict[str, Tensor]:
    """Run a module with fewer weights than processes, so that some processes have no weight."""
    found = {}
    for predictor in ("coordinate", "row_column", "per_tensor"):
        torch.manual_seed(0)
        module = nn.Linear(1, 1, bias=False)
        wrapped, loss = make(module, {"predictor": predictor}, num_processes, "wrapper")
        value = loss()
        (value + 0 * wrapped(torch.ones(1, 1)).sum()).backward()
        found[predictor] = torch.cat([value.detach().view(1), gradient(module.weight).view(1)])
    return found


def main() -> None:
    """Run all cases and save their results."""
    rank, num_processes, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    if num_processes > 1:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{folder / 'meeting'}",
            rank=rank,
            world_size=num_processes,
        )
    found: dict[str, dict[str, Any]] = {"tiny": run_tiny(rank, num_processes)}
    for name in CASES:
        for type_name, dtype in DTYPES.items():
            found[f"{name}, {type_name}"] = run_case(rank, num_processes, dtype, name, "wrapper")
    found["group"] = run_case(rank, num_processes, torch.float64, "row_column", "group")
    found["group, noise"] = run_case(rank, num_processes, torch.float64, "noise", "group")
    torch.save(found, folder / f"found-{rank}-of-{num_processes}.pt")
    if num_processes > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
