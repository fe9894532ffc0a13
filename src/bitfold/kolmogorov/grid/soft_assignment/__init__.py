"""How a weight is shared among bins; each kind of targets has a file of its own."""

from bitfold.kolmogorov.grid.soft_assignment.cut import CutTargets
from bitfold.kolmogorov.grid.soft_assignment.hard import HardTargets
from bitfold.kolmogorov.grid.soft_assignment.linear import LinearTargets
from bitfold.kolmogorov.grid.soft_assignment.noise import NoiseTargets
from bitfold.kolmogorov.grid.soft_assignment.rounded import RoundedTargets
from bitfold.kolmogorov.grid.soft_assignment.soft import SoftTargets
from bitfold.kolmogorov.grid.soft_assignment.targets import (
    LINEAR,
    NEAREST,
    Shares,
    Sharing,
    Targets,
)

__all__ = [
    "LINEAR",
    "NEAREST",
    "CutTargets",
    "HardTargets",
    "LinearTargets",
    "NoiseTargets",
    "RoundedTargets",
    "Shares",
    "Sharing",
    "SoftTargets",
    "Targets",
]
