"""Makes golden model files: ``python -m tests.model_file.make_golden NAME ...``, run in the root.

They were written once, and every later version has to read the same numbers from them. So a new
version makes files of new modules alone.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import bitfold
from bitfold.kolmogorov import CoordinatePredictor, PerTensorPredictor, RowColumnPredictor

GOLDEN = Path(__file__).parents[1] / "golden" / "models"


def modules() -> dict[str, nn.Module]:
    """Return the modules of the files; their weights are sines, the same on all machines."""
    made = {
        "network": bitfold.PolytopeNet(2, "[6]*3", 1, "relu"),
        "layers": nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 3, 2), nn.Linear(30, 20)
        ),
    }
    for module in made.values():
        set_to_waves(module)
    made["shifted"] = shifted()
    made["wide"] = nn.Sequential(nn.Linear(300, 220), nn.Conv2d(6, 20, 3))
    set_to_waves(made["wide"])
    with torch.no_grad():
        weight = made["layers"].get_parameter("3.weight")
        weight[::3] = 0
        weight[0, 0] = 400
    return made


def shifted() -> nn.Module:
    """Return weights on a grid that misses 0: few even values, and some off the grid."""
    module = nn.Sequential(nn.Linear(40, 30), nn.Linear(30, 20))
    chance = np.random.default_rng(7)
    with torch.no_grad():
        for item in module.parameters():
            numbers = chance.choice([-90, -7, 0, 3, 4, 5, 127], item.numel())
            values = (numbers + 0.5) * (2.0 / 255)
            item.copy_(torch.from_numpy(values.astype(np.float32)).view(item.shape))
        module.get_parameter("0.weight")[3, 2] = 1 / 3
        module.get_parameter("0.weight")[29, 39] = -17.1
    module.register_buffer("mask", torch.from_numpy((chance.random(300) < 0.1).astype(np.float32)))
    module.register_buffer("codes", torch.from_numpy(chance.integers(-128, 128, 300)))
    return module


def set_to_waves(module: nn.Module) -> None:
    """Set a module's parameters to sines."""
    for number, item in enumerate(module.parameters()):
        waves = np.sin(np.arange(item.numel()) ** 1.5 + number) * np.float32(0.3 + number)
        with torch.no_grad():
            item.copy_(torch.from_numpy(waves.astype(np.float32)).view(item.shape))


def state_hash(module: nn.Module) -> str:
    """Return the SHA-256 of all numbers in the order of the state, little-endian."""
    state = module.state_dict().values()
    raw = b"".join(np.ascontiguousarray(item.numpy()).tobytes() for item in state)
    return hashlib.sha256(raw).hexdigest()


def main() -> None:
    """Write the files and the hashes of their decoded numbers."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    path = GOLDEN / "hashes.json"
    hashes = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name, module in modules().items():
        if name not in sys.argv[1:]:
            continue
        predictors: dict[str, dict[str, Any]] = {
            "rows": {"predictor": RowColumnPredictor("laplace")},
            "logistic": {"predictor": PerTensorPredictor("logistic")},
            "learned": {"quantise": "learned"},
            "mixed": {"predictor": "adaptive"},
            "fixed": {"predictor": "per_tensor", "weight_range": (-1.0, 2.0), "bins": 64},
            "places": {"predictor": CoordinatePredictor((5, 4)), "bins": 128},
        }
        if name == "network":
            predictors["manybins"] = {
                "predictor": CoordinatePredictor((2,)),
                "weight_range": (-1.0, 2.0),
                "bins": 1500,
            }
        options: dict[str, dict[str, Any]] = {
            key: {"kolmogorov": bitfold.KolmogorovLoss(module, rest_bits=16, **settings)}
            for key, settings in predictors.items()
        }
        for option in options.values():
            if isinstance(option["kolmogorov"].predictor, CoordinatePredictor):
                set_to_waves(option["kolmogorov"].predictor)
        options |= {"rounded": {"tolerance": 0.1}, "exact": {"tolerance": 0, "names": True}}
        if name == "shifted":
            options = {"exact": options["exact"]}
        if name == "wide":
            options = {"trellis": {"num_bytes": 9000}}
        for key, option in options.items():
            model = GOLDEN / f"{name}-{key}.bitfold"
            bitfold.write_model(model, module, **option)
            into = modules()[name]
            for item in into.parameters():
                item.data.fill_(0)
            hashes[model.stem] = state_hash(bitfold.read_model(model, into=into))
    text = json.dumps(hashes, indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
