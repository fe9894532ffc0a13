"""One of four processes: two replicas of a module, each divided by FSDP2 between two processes.

Run by test_replicas.py: python replicas_worker.py RANK PROCESSES FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh

from bitfold import read_model
from tests.kolmogorov.sharded import sharded_worker as parts

SETTINGS = {"predictor": "row_column"}


def results(folder: Path) -> dict[str, Any]:
    """Return what a loss finds of a whole module, and of replicas of a divided one."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicas", "shards"))

    def divided(**options: Any) -> Any:
        return parts.shard(parts.network(**options), mesh=mesh)

    found: dict[str, Any] = {
        "one": parts.look(parts.network(torch.float64), folder, **SETTINGS),
        "divided": parts.look(divided(dtype=torch.float64), folder, **SETTINGS),
        "K of one": parts.look_at_k(parts.network()),
        "K of divided": parts.look_at_k(divided()),
    }
    into = divided(dtype=torch.float64, seed=1)
    read_model(folder / "sharded.bitfold", into)
    found["read"] = [parts.whole(item) for item in into.state_dict().values()]
    other = parts.network(torch.float64, seed=1)
    read_model(folder / "sharded.bitfold", other)
    found["read into one"] = list(other.state_dict().values())
    return found


def main() -> None:
    """Save the results of this process."""
    rank, num_processes, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    where = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=num_processes)
    torch.save(results(folder), folder / f"found-{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
