"""How a partition of a network that shows a picture is drawn: as the picture itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import nn

Doubles = NDArray[np.float64]
# Between black and white.
GREY_LEVEL: Final = 0.5


class PictureFacts(Protocol):
    """What a module may say of its picture: aspect, and the colours of classes if it has any."""

    @property
    def aspect(self) -> float:
        """Width over height."""
        ...

    @property
    def class_colours(self) -> Sequence[Sequence[int]] | None:
        """Red, green and blue of each class, 0 to 255; None where outputs are grey or RGB."""
        ...


@runtime_checkable
class ShowsPicture(Protocol):
    """A module that knows the picture that its outputs show."""

    picture: PictureFacts | None


@dataclass(frozen=True, eq=False)
class ShownPicture:
    """How the outputs of a network are shown.

    Args:
        aspect: width of the picture over its height.
        class_colours: (K, 3), 0 to 1; None where outputs are grey or RGB.
    """

    aspect: float = 1.0
    class_colours: Doubles | None = None

    @property
    def has_classes(self) -> bool:
        """Whether outputs are classes."""
        return self.class_colours is not None

    def colours(self, outputs: Doubles) -> Doubles:
        """Return the colours (N, 3), 0 to 1, of outputs (N, outputs)."""
        if self.class_colours is not None:
            return np.asarray(self.class_colours[outputs.argmax(1)])
        return np.clip(np.broadcast_to(outputs, (len(outputs), 3)), 0, 1)


def shown_picture(module: nn.Module) -> ShownPicture | None:
    """Return how a module's outputs are shown; None if it does not say that they are a picture."""
    facts = module.picture if isinstance(module, ShowsPicture) else None
    if facts is None:
        return None
    colours: Any = facts.class_colours
    return ShownPicture(facts.aspect, None if colours is None else np.array(colours) / 255)
