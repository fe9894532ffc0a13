from bitfold.networks.activations import ACTIVATIONS, FINAL_ACTIVATIONS, activation_gain
from bitfold.networks.dense import CompiledNet
from bitfold.networks.encoding import Encoding, most_visible_octaves
from bitfold.networks.grid_features import GridFeatures
from bitfold.networks.picture import Picture
from bitfold.networks.polytope_net import PolytopeNet, count_parameters, tensor_shapes
from bitfold.networks.shape import check_widths, format_shape, parse_shape
from bitfold.networks.triangle_waves import TriangleWaves

__all__ = [
    "ACTIVATIONS",
    "FINAL_ACTIVATIONS",
    "CompiledNet",
    "Encoding",
    "GridFeatures",
    "Picture",
    "PolytopeNet",
    "TriangleWaves",
    "activation_gain",
    "check_widths",
    "count_parameters",
    "format_shape",
    "most_visible_octaves",
    "parse_shape",
    "tensor_shapes",
]
