"""One of several processes among which FSDP2 divides a module; it saves its results.

Run by test_sharded.py: python sharded_worker.py RANK PROCESSES FOLDER
"""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from bitfold import KolmogorovLoss, PolytopeNet, read_model, write_model
from bitfold.errors import BitfoldError
from bitfold.kolmogorov import WeightPredictor, choose_predictor, fit_predictor
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.sharding.sharded_modules import local_part

CASES: dict[str, dict[str, Any]] = {
    "per_tensor": {"predictor": "per_tensor"},
    "row_column": {"predictor": "row_column"},
    "fixed range": {"predictor": "row_column", "weight_range": (-0.3, 0.4), "bins": 32},
    "coordinate": {"predictor": "coordinate", "bins": 16},
}
#: Those that are compared in float64 too.
EXACT = ("per_tensor", "row_column")
NUM_STEPS = 4


def network(dtype: torch.dtype = torch.float32, *, seed: int = 0) -> nn.Sequential:
    """Return tensors of 7, 2, 3 and 1 rows, a transposed kernel, a frozen tensor and buffers."""
    torch.manual_seed(seed)
    first, second, norm = nn.Linear(10, 7), nn.Linear(7, 2), nn.LayerNorm(6)
    layers = [first, nn.Tanh(), second, nn.Unflatten(1, (2, 1))]
    layers += [nn.ConvTranspose1d(2, 3, 2), nn.Flatten(), norm, nn.Linear(6, 1)]
    made = nn.Sequential(*layers).to(dtype)
    with torch.no_grad():
        first.weight[2] = 0  # outside the fixed range
        second.weight[:, 1] = 0  # a dead column
        first.weight[0, 0] = 1.5  # out of the fixed range
    norm.weight.requires_grad_(False)
    made.register_buffer("mean", torch.linspace(0, 1, 3, dtype=dtype))
    return made


def shard(module: nn.Module, *, layers: Iterable[int] = (0, 2), **options: Any) -> nn.Module:
    """Shard some layers by themselves, and all others together."""
    mesh = options.pop("mesh", None) or init_device_mesh("cpu", (dist.get_world_size(),))
    for number in layers:
        fully_shard(module.get_submodule(str(number)), mesh=mesh, **options)
    fully_shard(module, mesh=mesh, **options)
    return module


def make(module: nn.Module, **settings: Any) -> KolmogorovLoss:
    """Return a loss whose seed differs between processes, as a careless program would have."""
    generator = torch.Generator().manual_seed(5 + (dist.get_rank() if is_sharded(module) else 0))
    return KolmogorovLoss(module, generator=generator, **settings)


def is_sharded(module: nn.Module) -> bool:
    """Return whether a module's parameters are sharded."""
    return any(isinstance(item, DTensor) for item in module.parameters())


def whole(item: Tensor | None) -> Tensor:
    """Return all numbers of a tensor."""
    assert item is not None
    return (item.full_tensor() if isinstance(item, DTensor) else item).detach().clone()


def gradients(module: nn.Module) -> list[Tensor]:
    """Return the gradients of a module's trainable parameters."""
    return [whole(item.grad) for item in module.parameters() if item.requires_grad]


def points(dtype: torch.dtype) -> Tensor:
    """Return points that are equal in all processes, so that mean gradients equal one process's."""
    return torch.linspace(-1, 1, 50, dtype=dtype).view(5, 10)


def optimizer_of(module: nn.Module, loss: KolmogorovLoss) -> torch.optim.Optimizer:
    """Return Adam over both, in two groups, because PyTorch does not mix their tensor kinds."""
    trained = [item for item in module.parameters() if item.requires_grad]
    return torch.optim.Adam([{"params": trained}, {"params": [*loss.parameters()]}], lr=0.01)


def step(module: nn.Module, loss: KolmogorovLoss, optimizer: torch.optim.Optimizer) -> float:
    """Take one step on a task and K; return K."""
    optimizer.zero_grad()
    dtype = next(module.parameters()).dtype
    task = module(points(dtype)).float().square().mean()
    nats = loss()
    (task + 0.3 * nats).backward()
    optimizer.step()
    return float(nats.detach())


def look(module: nn.Module, folder: Path, **settings: Any) -> dict[str, Any]:
    """Return all results of a loss about a module, before and after some steps."""
    loss = make(module, **settings)
    nats = loss()
    nats.backward()
    found: dict[str, Any] = {"K": nats.detach(), "gradients": gradients(module)}
    found |= {"own": gradients(loss), "bits": loss.bits().items, "report": str(loss.report())}
    found["outside"], found["coverage"] = loss.num_out_of_range(), loss.gradient_coverage()
    found["decoded"] = [whole(item) for item in loss.decoded_state().values()]
    found["weight bits"] = sum(float(whole(item).sum()) for item in loss.weight_bits().values())
    name = "sharded" if is_sharded(module) else f"whole-{dist.get_rank()}"
    path = folder / f"{name}.bitfold"
    found["num_bytes"] = write_model(path, module, loss)
    found["file"] = path.read_bytes()
    optimizer = optimizer_of(module, loss)
    found["trained K"] = [step(module, loss, optimizer) for _ in range(NUM_STEPS)]
    found["trained"] = [whole(item) for item in (*module.parameters(), *loss.parameters())]
    return found


def compare(folder: Path) -> dict[str, Any]:
    """Run each case in one process and divided."""
    found: dict[str, Any] = {}
    for name, settings in CASES.items():
        for dtype in (torch.float32, torch.float64)[: 2 if name in EXACT else 1]:
            one = look(network(dtype), folder, **settings)
            divided = look(shard(network(dtype)), folder, **settings)
            found[f"{name}, {str(dtype)[6:]}"] = (one, divided)
    return found


def check_variants(folder: Path) -> dict[str, Any]:
    """Compute K and gradients of divided modules in other modes."""
    del folder
    plain = look_at_k(network())
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    checkpointed = network()
    for number in (0, 2):
        checkpointed[number] = checkpoint_wrapper(checkpointed[number])
    replicas = init_device_mesh("cpu", (dist.get_world_size(), 1), mesh_dim_names=("r", "s"))
    variants = {
        "mixed precision": shard(network(), mp_policy=policy),
        "checkpointed": shard(checkpointed),
        "replicas": shard(network(), mesh=replicas),
        "kept gathered": shard(network(), reshard_after_forward=False),
        "bfloat16": shard(network(torch.bfloat16)),
    }
    found: dict[str, Any] = {name: (plain, look_at_k(module)) for name, module in variants.items()}
    found["bfloat16"] = (look_at_k(network(torch.bfloat16)), found["bfloat16"][1])
    module = shard(network())
    loss = make(module, sample=40, every=2, targets="noise")
    optimizer = optimizer_of(module, loss)
    drawn = [step(module, loss, optimizer) for _ in range(4)]
    found["drawn"] = (drawn, [whole(item) for item in loss.parameters()])
    return found


def look_at_k(module: nn.Module) -> dict[str, Any]:
    """Return K's gradient, as the difference of the gradients with and without K."""
    dtype = next(module.parameters()).dtype
    module(points(dtype).to(dtype)).float().square().mean().backward()
    task = gradients(module)
    module.zero_grad()
    loss = make(module, predictor="row_column")
    nats = loss()
    (module(points(dtype)).float().square().mean() + nats).backward()
    both = gradients(module)
    slopes = [one.float() - other.float() for one, other in zip(both, task, strict=True)]
    found = {"K": nats.detach(), "gradients": slopes, "names": loss.table.names}
    return found | {"bits": loss.bits().total, "task": [float(item.norm()) for item in task]}


def resume(folder: Path) -> dict[str, Any]:
    """Continue from torch.distributed.checkpoint, and train an unbroken run beside it."""
    found = {}
    for number, is_stopped in enumerate((False, True)):
        module = shard(network())
        loss = make(module, predictor="row_column", targets="noise")
        optimizer = optimizer_of(module, loss)
        for _ in range(3):
            step(module, loss, optimizer)
        if is_stopped:
            saved = {"network": module.state_dict(), "kolmogorov": loss.state_dict()}
            where = folder / f"checkpoint-{number}"
            save(saved, checkpoint_id=where)
            adam = optimizer.state_dict()
            module = shard(network(seed=1))
            loss = make(module, predictor="row_column", targets="noise")
            loaded = {"network": module.state_dict(), "kolmogorov": loss.state_dict()}
            load(loaded, checkpoint_id=where)
            module.load_state_dict(loaded["network"])
            loss.load_state_dict(loaded["kolmogorov"])
            optimizer = optimizer_of(module, loss)
            optimizer.load_state_dict(adam)
        nats = [step(module, loss, optimizer) for _ in range(3)]
        trained = [whole(item) for item in (*module.parameters(), *loss.parameters())]
        found["resumed" if is_stopped else "undisturbed"] = (nats, trained)
    return found


def divide_parent(folder: Path) -> dict[str, Any]:
    """Compute K of a part of a divided module, and of the whole, after a forward pass."""
    del folder
    body = network()
    plain = make(network(), predictor="row_column")()
    parent = nn.Sequential(body, nn.Linear(1, 3))
    shard(parent, layers=())
    part, whole_loss = make(body, predictor="row_column"), make(parent, predictor="row_column")
    at_first = [part().detach(), whole_loss().detach()]
    parent(points(torch.float32))  # the parameters stay gathered until a backward pass
    assert not is_sharded(parent)
    found = {"plain": plain.detach(), "part": (at_first[0], part().detach())}
    num_walks = [0]
    walk = parent.modules

    def counted(*given: bool) -> Iterator[nn.Module]:  # PyTorch 2.9 takes no argument
        num_walks[0] += 1
        return walk(*given)

    parent.modules = counted  # type: ignore[assignment, method-assign]
    whole_loss.table.check()
    found |= {"walks": num_walks[0], "whole": (at_first[1], whole_loss().detach())}
    parent[1].weight = nn.Parameter(torch.zeros(3, 1))
    found["replaced"] = error_of(whole_loss.table.check)
    return found


def exchange_files(folder: Path) -> dict[str, Any]:
    """Read files into divided modules, and raise errors that all processes get."""
    module = shard(network())
    loss = make(module, predictor="row_column")
    fit_predictor(loss)
    found: dict[str, Any] = {"fitted": loss.bits().total}
    alone = make(network(), predictor="row_column")
    fit_predictor(alone)
    found["fitted alone"] = alone.bits().total
    tried = ["per_tensor", "row_column"]
    found["chosen"] = choose_predictor(module, candidates=tried).best.name
    found["chosen alone"] = choose_predictor(network(), candidates=tried).best.name
    path = folder / "exchanged.bitfold"
    write_model(path, module, loss, names=True)
    decoded = [whole(item) for item in loss.decoded_state().values()]
    gathered = shard(network(seed=1), layers=())
    with torch.no_grad():  # without a backward pass, the outermost parameters stay gathered
        gathered(points(torch.float32))
    into = {"whole": network(seed=1), "divided": shard(network(seed=1)), "gathered": gathered}
    for name, other in into.items():
        read_model(path, other)
        found[name] = [whole(item) for item in other.state_dict().values()]
    found["decoded"] = decoded
    found["recipes"] = [file_of_network(folder, is_divided=one) for one in (False, True)]
    damaged = folder / "damaged.bitfold"
    if dist.get_rank() == 0:
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        damaged.write_bytes(data)
    found["damaged"] = error_of(lambda: read_model(damaged, into["divided"]))
    found["missing"] = error_of(lambda: read_model(folder / "missing", into["divided"]))
    other = shard(nn.Sequential(nn.Linear(3, 4)), layers=())
    found["another"] = error_of(lambda: read_model(path, other))
    found["no folder"] = error_of(lambda: write_model(folder / "none" / "a", module, loss))
    first = local_part(module.get_parameter("0.weight"))
    if len(first) and dist.get_rank() == dist.get_world_size() - 1:
        first[0, 0] = float("nan")
    found["not finite"] = error_of(lambda: write_model(folder / "nan", module, loss))
    found["not finite at first"] = error_of(lambda: KolmogorovLoss(module))
    found["after errors"] = [whole(item) for item in into["divided"].state_dict().values()]
    return found


def file_of_network(folder: Path, *, is_divided: bool) -> bytes:
    """The file of a network that a reader builds by itself."""
    net = PolytopeNet(2, [8, 8], 1, generator=torch.Generator().manual_seed(0))
    path = folder / f"network-{is_divided or dist.get_rank()}.bitfold"
    write_model(path, shard(net, layers=()) if is_divided else net, KolmogorovLoss(net))
    assert isinstance(read_model(path), PolytopeNet)
    return path.read_bytes()


def error_of(call: Callable[[], object]) -> str:
    """Return the message of bitfold's error."""
    try:
        call()
    except BitfoldError as error:
        return str(error)
    return "none"


def refuse(folder: Path) -> dict[str, Any]:
    """Return the errors of features that divided modules lack."""
    world = dist.get_world_size()
    module, mesh = shard(network()), init_device_mesh("cpu", (world,))
    loss = make(module, predictor="row_column")
    replaced = shard(network())
    about_replaced = make(replaced, predictor="row_column")
    replaced.get_submodule("0").weight = nn.Parameter(torch.zeros(7, 10))
    columns = nn.Linear(2 * world, 3)
    from torch.distributed.tensor import Shard

    fully_shard(columns, mesh=mesh, shard_placement_fn=lambda item: Shard(item.ndim - 1))
    half = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    fully_shard(half[1], mesh=mesh)
    from torch.distributed.tensor.parallel import RowwiseParallel, parallelize_module

    rows = parallelize_module(nn.Linear(2 * world, 3), mesh, RowwiseParallel())

    class Even(WeightPredictor):
        def forward(self, subset: WeightSubset, indices: Tensor) -> Tensor:
            return torch.full(indices.shape, 6.0, device=subset.device)

    calls: dict[str, Callable[[], object]] = {
        "quantise": lambda: KolmogorovLoss(module, quantise="learned"),
        "quantised": lambda: loss.quantised().__enter__(),
        "kind": lambda: KolmogorovLoss(module, predictor="coordinate", kind="mse"),
        "own predictor": lambda: KolmogorovLoss(module, predictor=Even()),
        "adaptive": lambda: KolmogorovLoss(module, predictor="adaptive"),
        "group": lambda: KolmogorovLoss(module, process_group=dist.group.WORLD),
        "replaced": about_replaced,
        "columns": lambda: KolmogorovLoss(columns),
        "tensor parallel": lambda: KolmogorovLoss(rows),
        "half": lambda: KolmogorovLoss(half),
        "attached": lambda: loss.attached_to(network()),
        "attached to parts": lambda: make(network()).attached_to(module),
        "without a loss": lambda: write_model(folder / "a", module),
        "tensors": lambda: write_model(folder / "a", module.state_dict()),
    }
    return {name: error_of(call) for name, call in calls.items()}


def main() -> None:
    """Run all parts and save their results."""
    rank, num_processes, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    # PyTorch 2.9's own checkpoints warn so.
    warnings.filterwarnings("ignore", "TypedStorage is deprecated")
    where = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=num_processes)
    parts = (compare, check_variants, divide_parent, resume, exchange_files, refuse)
    found = {part.__name__: part(folder) for part in parts}
    torch.save(found, folder / f"found-{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
