"""The network and the Kolmogorov loss that a configuration asks for."""

from __future__ import annotations

from typing import Any

import torch

from bitfold.kolmogorov import PREDICTORS, KolmogorovLoss
from bitfold.networks import Picture, PolytopeNet, parse_shape, tensor_shapes
from bitfold.targets import Target
from bitfold.targets.classes import display_class_colours
from bitfold.training.config.configuration import Config


def build_network(config: Config, target: Target, generator: Any = None) -> PolytopeNet:
    """Return the configured network for a target."""
    network = PolytopeNet(
        target.in_features,
        config.shape,
        target.out_features,
        activation=config.activation,
        final_activation=config.final_activation,
        encoding=config.encoding,
        generator=generator,
    )
    network.picture = _picture_of(target)
    return network


def network_shapes(config: Config, target: Target) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the configured network's tensors, without building it."""
    widths = parse_shape(config.shape)
    return tensor_shapes(target.in_features, widths, target.out_features, config.encoding)


def build_kolmogorov(
    config: Config, network: PolytopeNet, generator: torch.Generator
) -> KolmogorovLoss:
    """Return the configured Kolmogorov loss, on the network's device.

    Args:
        config: a configuration with K.
        network: the network whose weights K describes.
        generator: draws the predictor's initial values, and all that K draws in training.
    """
    settings = config.kolmogorov
    taken = PREDICTORS[settings.predictor].option_settings
    return KolmogorovLoss(
        network,
        predictor=settings.predictor,
        predictor_shape=settings.predictor_shape if "shape" in taken else None,
        kind=settings.loss_type if "kind" in taken else None,
        bins=settings.bins,
        weight_range=settings.weight_range,
        targets=settings.targets,
        temperature=settings.temperature,
        predictor_bits=settings.predictor_bits,
        every=settings.every,
        generator=generator,
        quantise="learned" if settings.is_quantised else None,
    )


def _picture_of(target: Target) -> Picture:
    grid, colours = target.grid, None
    if target.class_colours is not None:
        colours = display_class_colours(target.class_colours)
    return Picture(
        grid.width,
        grid.height,
        grid.num_frames if grid.is_clip else 0,
        target.frames_per_second,
        None if colours is None else tuple((int(r), int(g), int(b)) for r, g, b in colours),
    )


def side_bits(config: Config, kolmogorov: KolmogorovLoss) -> float:
    """Return the bits of the description that do not depend on lambda."""
    changing = {"weights", "out_of_range"}
    if config.kolmogorov.is_quantised and kolmogorov.predictor.bits_follow_weights:
        changing.add("predictor")  # the scales of dead rows and columns are not sent
    items = kolmogorov.bits().items
    return sum(bits for name, bits in items.items() if name not in changing)
