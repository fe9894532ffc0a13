"""Configurations that train within a fraction of a second."""

from pathlib import Path

from bitfold.training import Config


def tiny(folder: Path, **changes: object) -> Config:
    """Return a configuration that trains within a fraction of a second."""
    settings = {
        "target": "ring", "size": 32, "shape": "[6]*2", "epochs": 6, "batch_size": 128,
        "save_interval": "2", "checkpoint_interval": 3, "frame_size": 64, "output_dir": str(folder),
    }  # fmt: skip
    return Config(**{**settings, **changes})  # type: ignore[arg-type]
