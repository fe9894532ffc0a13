"""The optimisers of the network and of the weight predictor, from a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from bitfold.runtime.light_torch.plain_optimizers import plain
from bitfold.training.config.configuration import Config


def network_optimizers(config: Config, network: nn.Module) -> list[Optimizer]:
    """Return the optimisers that together step every parameter of the network.

    Muon steps the matrices and AdamW the other parameters; every other choice is one optimiser.

    Source: Kingma & Ba 2015 (adam), Loshchilov & Hutter 2019 (adamw), Jordan et al. 2024 (muon),
    Reddi et al. 2018 (amsgrad), Tieleman & Hinton 2012 (rmsprop); all as PyTorch has them.
    """
    parameters = list(network.parameters())
    rate, decay = config.learning_rate, config.weight_decay
    match config.optimizer:
        case "adam":
            return [plain(torch.optim.Adam)(parameters, **_adam_options(config))]
        case "adamw":
            return [plain(torch.optim.AdamW)(parameters, **_adam_options(config))]
        case "muon":
            return _muon(config, parameters)
        case "sgd":
            return [plain(torch.optim.SGD)(parameters, lr=rate, weight_decay=decay, fused=True)]
        case "sgd_momentum":
            momentum = config.momentum
            return [
                plain(torch.optim.SGD)(parameters, rate, momentum, weight_decay=decay, fused=True)
            ]
        case _:
            return [
                plain(torch.optim.RMSprop)(
                    parameters,
                    rate,
                    config.rmsprop_alpha,
                    config.adam_eps,
                    weight_decay=decay,
                    momentum=config.momentum,
                )
            ]


def predictor_optimizer(config: Config, predictor: nn.Module) -> Optimizer:
    """Return the optimiser of the weight predictor: always Adam, at ``kolmogorov_lr``."""
    rate = config.kolmogorov.lr
    return plain(torch.optim.Adam)(predictor.parameters(), lr=rate, fused=True)


def keeps_state(before: Config, now: Config) -> bool:
    """Whether the state of the network's optimiser stays valid under a changed configuration.

    It does not if the optimiser is of another kind, or needs averages that were not kept so far.
    """
    kinds = [(c.optimizer, c.amsgrad, c.momentum > 0) for c in (before, now)]
    return kinds[0] == kinds[1]


def set_rate(optimizers: Sequence[Optimizer], rate: float) -> None:
    """Set the learning rate of every parameter of these optimisers."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def _adam_options(config: Config) -> dict[str, Any]:
    return {
        "lr": config.learning_rate,
        "betas": (config.adam_beta1, config.adam_beta2),
        "eps": config.adam_eps,
        "weight_decay": config.weight_decay,
        "amsgrad": config.amsgrad,
        "fused": True,
    }


def _muon(config: Config, parameters: list[nn.Parameter]) -> list[Optimizer]:
    matrices = [p for p in parameters if p.ndim == 2]
    others = [p for p in parameters if p.ndim != 2]
    muon = plain(torch.optim.Muon)(
        matrices,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        momentum=config.muon_momentum,
        nesterov=config.muon_nesterov,
        eps=config.muon_eps,
        ns_steps=config.muon_ns_steps,
        adjust_lr_fn=config.muon_adjust_lr_fn,
    )
    return [muon, plain(torch.optim.AdamW)(others, **_adam_options(config))]
