"""The two tasks, regression and classification: their loss and their score."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from bitfold.runtime.display.decibels import psnr_of


class Task(ABC):
    """Computes a loss and a score from outputs and wanted values.

    Attributes:
        score_name: the metric of the score: ``psnr_db`` or ``accuracy``.
    """

    score_name: ClassVar[Literal["psnr_db", "accuracy"]]

    @abstractmethod
    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Return the mean loss, a scalar tensor with its graph."""

    @abstractmethod
    def hits(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Return the further scalar tensor that `score` needs."""

    @abstractmethod
    def score(self, loss: float, hits: float) -> float | None:
        """Return the score from the validation loss and `hits`."""


class RegressionTask(Task):
    """Mean squared error of values in [0, 1], and its peak signal-to-noise ratio.

    >>> RegressionTask().score(0.01, 0.0)
    20.0
    """

    score_name = "psnr_db"

    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Return the mean over points and channels; outputs and wanted are (N, channels)."""
        return functional.mse_loss(outputs, wanted)

    def hits(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Return 0: the score follows from the loss."""
        return outputs.new_zeros(())

    def score(self, loss: float, hits: float) -> float | None:
        """Return -10 log10(mse), in decibels; the peak is 1."""
        return psnr_of(loss) if 0 < loss < math.inf else None


class ClassificationTask(Task):
    """Cross-entropy of logits, in nats, and the share of points that get their class."""

    score_name = "accuracy"

    def loss(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Return the mean over points; logits are (N, classes), wanted classes int64 (N,)."""
        return functional.cross_entropy(outputs, wanted)

    def hits(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """Return the share of points whose largest logit is that of their class."""
        return (outputs.argmax(1) == wanted).to(torch.float32).mean()

    def score(self, loss: float, hits: float) -> float | None:
        """Return that share."""
        return hits


def make_task(name: str) -> Task:
    """Return the task ``regression`` or ``classification``."""
    return ClassificationTask() if name == "classification" else RegressionTask()
