"""The state of a module as a decoder gets it."""

from torch import Tensor

from bitfold.kolmogorov.grid.decoded_weights import decoded_weights
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.options.construction import as_rest
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset


def decode_state(
    table: ParameterTable, weight_range: WeightRange, rest_bits: int, all_weights: WeightSubset
) -> dict[str, Tensor]:
    """Round a module's state to what a decoder gets; see `KolmogorovLoss.decoded_state`.

    Args:
        table: the described parameters.
        weight_range: turns them into values.
        rest_bits: precision of the numbers that are not described.
        all_weights: of the table.

    Returns:
        By name; tied parameters under each of their names.
    """
    pieces = table.split(decoded_weights(table, weight_range, all_weights))
    decoded = dict(zip(map(id, table.parameters), pieces.values(), strict=True))
    state = table.module.state_dict(keep_vars=True)
    for name, item in state.items():
        if id(item) in decoded:
            state[name] = decoded[id(item)]
        elif isinstance(item, Tensor):
            state[name] = as_rest(item.detach(), rest_bits)
    return dict(state)
