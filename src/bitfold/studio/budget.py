"""What a run of the studio may take of the disk."""

from __future__ import annotations

from typing import Final

#: For the older checkpoints of a run. They lie so near that a branch begins within some seconds.
CHECKPOINT_MB: Final = 200
