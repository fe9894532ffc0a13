"""One of several processes that write and read a large module; prints the first one's peaks.

Run by test_memory.py: python memory_worker.py RANK PROCESSES FOLDER
"""

import gc
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from bitfold import KolmogorovLoss, read_model, write_model

#: The side and the number of the tensors.
SIDE, COUNT = 2048, 10


def megabytes(name: str) -> float:
    """Return a value of this process's /proc status, in MB of 10^6 bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(name))


def peak(call: Callable[[], object]) -> float:
    """Return the memory that a call adds at its peak, in MB."""
    gc.collect()
    held = megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    call()
    return megabytes("VmHWM") - held


def make(side: int, count: int) -> tuple[nn.Module, KolmogorovLoss]:
    """Return a divided module and its loss."""
    torch.manual_seed(0)
    module = nn.Sequential(*[nn.Linear(side, side, bias=False) for _ in range(count)])
    if dist.get_world_size() > 1:
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        for layer in (*module, module):
            fully_shard(layer, mesh=mesh)
    return module, KolmogorovLoss(module)


def main() -> None:
    """Write and read a small module, which loads the loops, then a large one."""
    rank, num_processes, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    where = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=num_processes)
    path = folder / "net.bitfold"
    for side, count in ((8, 1), (SIDE, COUNT)):
        module, loss = make(side, count)
        written = peak(lambda module=module, loss=loss: write_model(path, module, loss))  # type: ignore[misc] # of this turn
        read = peak(lambda module=module: read_model(path, module))  # type: ignore[misc] # likewise
    if rank == 0:
        print(written, read, path.stat().st_size / 1e6)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
