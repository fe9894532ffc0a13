"""Triangle waves of coordinates: an encoding that is piecewise linear, so polytopes stay exact."""

from typing import Final

import torch
from torch import Tensor, nn

from bitfold.networks.encoding import Encoding


class TriangleWaves(nn.Module):
    """Each coordinate and its triangle waves, in octaves and two phases.

    In octave k = 0, 1, ... the period is p = 2^-k, and the two waves of a coordinate x are::

        c_k(x) = 1 - 4 d(x / p)          1 at 0: a cosine with straight sides
        s_k(x) = 1 - 4 d(x / p - 1/4)    0 at 0, and rising: the same a quarter of a period later

    where d is the distance to the nearest whole number. On [-0.5, 0.5] all waves lie within
    [-1, 1]. Beyond it their formulas below go on, and the waves leave [-1, 1].

    The waves are absolute values of absolute values: ``c_0 = 1 - |4x|``, and with
    ``A = |4x + 1|`` and ``B = |4x - 1|``::

        s_0 = A - B - 4x                c_1     = 2 (A + B - |4x|) - 3
        u_k = |s_k + c_k|               v_k     = |s_k - c_k|
        s_(k+1) = u_k - v_k             c_(k+2) = 2 (u_k + v_k) - 3

    since ``|s_k| + |c_k| = 1``. So each fold belongs to one neuron only: u and v of octave k fold
    at the odd multiples of p/8.

    Source: piecewise linear sibling of Tancik et al. 2020, "Fourier features let networks learn
    high frequency functions in low dimensional domains".

    Args:
        in_features: coordinates of a point, 2 or 3.
        num_octaves: 1 to 20.

    Raises:
        ShapeError: the coordinates are neither 2 nor 3.

    Guarantees: there are no parameters and no buffers. The slope of a wave at its kink is 0, the
    mean of both sides, as PyTorch documents it for the absolute value. At multiples of 2^-(n + 1),
    for n octaves, the waves are exact.

    >>> waves = TriangleWaves(2, 2)
    >>> waves(torch.tensor([[0.0, 0.125]])).tolist()
    [[0.0, 0.125, 1.0, 0.5, 0.0, 0.5, 1.0, 0.0, 0.0, 1.0]]
    """

    is_encoding: Final = True  # its folds are drawn faintly

    def __init__(self, in_features: int, num_octaves: int) -> None:
        super().__init__()
        self.in_features, self.num_octaves = in_features, num_octaves
        self.out_features = Encoding(num_octaves).num_features(in_features)

    def forward(self, points: Tensor) -> Tensor:
        """Encode points.

        Args:
            points: float (N, in_features), coordinates within [-0.5, 0.5].

        Returns:
            float (N, out_features): the coordinates, then for each octave all coordinates' c and
            all coordinates' s.
        """
        size = self.in_features
        scaled = 4 * points
        folded = torch.abs(torch.cat([scaled, scaled + 1, scaled - 1], 1))
        whole, right, left = folded[:, :size], folded[:, size : 2 * size], folded[:, 2 * size :]
        cosine, sine = 1 - whole, right - left - scaled
        next_cosine = 2 * (right + left - whole) - 3
        found = [points, cosine, sine]
        for _ in range(self.num_octaves - 1):
            folded = torch.abs(torch.cat([sine + cosine, sine - cosine], 1))
            first, second = folded[:, :size], folded[:, size:]
            cosine, sine = next_cosine, first - second
            next_cosine = 2 * (first + second) - 3
            found += [cosine, sine]
        return torch.cat(found, 1)

    def extra_repr(self) -> str:
        """Name coordinates and octaves in the module's repr."""
        return f"{self.in_features}, {self.num_octaves}"
