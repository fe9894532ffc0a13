from bitfold.networks.activations import ACTIVATIONS, FINAL_ACTIVATIONS, activation_gain
from bitfold.networks.dense import CompiledNet
from bitfold.networks.polytope_net import PolytopeNet, count_parameters, tensor_shapes
from bitfold.networks.shape import check_widths, format_shape, parse_shape

__all__ = [
    "ACTIVATIONS",
    "FINAL_ACTIVATIONS",
    "CompiledNet",
    "PolytopeNet",
    "activation_gain",
    "check_widths",
    "count_parameters",
    "format_shape",
    "parse_shape",
    "tensor_shapes",
]
