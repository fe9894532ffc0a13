"""The two tasks: what is minimised, and what is reported beside it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional


class Task(ABC):
    """Turns outputs and what they should be into a loss and a score.

    Attributes:
        score_name: the metric that it reports: ``psnr_db`` or ``accuracy``.
    """

    score_name: ClassVar[Literal["psnr_db", "accuracy"]]

    @abstractmethod
    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Return the mean loss, a scalar tensor that carries the graph."""

    @abstractmethod
    def hits(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Return what `score` needs beside the loss, a scalar tensor."""

    @abstractmethod
    def score(self, loss: float, hits: float) -> float | None:
        """Return the metric from the validation loss and `hits`."""


class RegressionTask(Task):
    """Mean squared error of values in [0, 1], and its peak signal-to-noise ratio.

    >>> RegressionTask().score(0.01, 0.0)
    20.0
    """

    score_name = "psnr_db"

    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Mean over points and channels; outputs and wanted (N, channels)."""
        return functional.mse_loss(outputs, wanted)

    def hits(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Nothing more is needed."""
        return outputs.new_zeros(())

    def score(self, loss: float, hits: float) -> float | None:
        """-10 log10(mse): the peak is 1."""
        return -10 * math.log10(loss) if 0 < loss < math.inf else None


class ClassificationTask(Task):
    """Cross-entropy of logits in nats, and the share of points in their class."""

    score_name = "accuracy"

    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Mean over points; logits (N, K), classes int64 (N,)."""
        return functional.cross_entropy(outputs, wanted)

    def hits(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Share of points whose largest logit is their class's."""
        return (outputs.argmax(1) == wanted).to(torch.float32).mean()

    def score(self, loss: float, hits: float) -> float | None:
        """The share itself."""
        return hits


def make_task(name: str) -> Task:
    """Return the task ``regression`` or ``classification``."""
    return ClassificationTask() if name == "classification" else RegressionTask()
