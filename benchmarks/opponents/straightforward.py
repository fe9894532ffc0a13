"""The same system as a competent person writes it in an afternoon; shares no code with bitfold.

It is what bitfold's speed is measured against: honest PyTorch, nothing slowed down on purpose and
nothing made fast on purpose. Data through a DataLoader, K through a weights-by-bins softmax, a
polytope's identity as one integer hash a pixel, frames by OpenCV in the training thread.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

CHUNK_SIZE = 131072


class WeightPredictor(nn.Module):
    """Predicts log-probabilities over bins from a weight's position."""

    def __init__(self, hidden: tuple[int, ...] = (5, 5), num_bins: int = 256) -> None:
        super().__init__()
        self.num_bins = num_bins
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise([4, *hidden]):
            layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU()]
        layers.append(nn.Linear(hidden[-1], num_bins))
        self.layers = nn.Sequential(*layers)

    def forward(self, positions: Tensor) -> Tensor:
        """Return log-probabilities (weights, bins)."""
        return F.log_softmax(self.layers(positions), dim=1)


def weight_positions(network: nn.Sequential) -> Tensor:
    """Return normalised (layer, row, column, is bias) of every weight, in parameters() order."""
    linears = [layer for layer in network if isinstance(layer, nn.Linear)]
    positions = []
    for index, linear in enumerate(linears):
        rows, columns = linear.weight.shape
        depth = index / max(len(linears) - 1, 1)
        for row in range(rows):
            for column in range(columns):
                positions.append((depth, row / rows, column / columns, 0.0))  # noqa: PERF401
        for row in range(rows):
            positions.append((depth, row / rows, 1.0, 1.0))  # noqa: PERF401 - plain loops on purpose
    return torch.tensor(positions, dtype=torch.float32)


def kolmogorov_loss(
    network: nn.Sequential, predictor: WeightPredictor, positions: Tensor, temperature: float = 0.1
) -> Tensor:
    """Return the cross-entropy of soft targets over all bins, nats per weight."""
    weights = torch.cat([p.reshape(-1) for p in network.parameters()])
    normalised = (weights.clamp(-3.0, 3.0) + 3.0) / 6.0
    continuous = normalised * (predictor.num_bins - 1)
    bins = torch.arange(predictor.num_bins, dtype=torch.float32)
    distances = (continuous.unsqueeze(1) - bins.unsqueeze(0)).abs()
    soft_targets = F.softmax(-distances / temperature, dim=1)
    nats: Tensor = -(soft_targets * predictor(positions)).sum(dim=1).mean()
    return nats


def build_network(shape: list[int], inputs: int = 2, outputs: int = 1) -> nn.Sequential:
    """Return Linear and LeakyReLU layers with He initialisation and biases of 0.1."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise([inputs, *shape]):
        layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU(0.01)]
    layers.append(nn.Linear(shape[-1], outputs))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, a=0.01, nonlinearity="leaky_relu")
            nn.init.constant_(layer.bias, 0.1)
    return nn.Sequential(*layers)


class StraightforwardProgram:
    """Trains on a grey picture and draws frames.

    Args:
        picture: uint8 (height, width).
        shape: hidden widths.
        kolmogorov_weight: lambda; 0 for no K.
    """

    def __init__(
        self,
        picture: np.ndarray,
        shape: list[int],
        *,
        kolmogorov_weight: float = 0.0,
        points: int = 5000,
        batch_size: int = 1024,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> None:
        torch.manual_seed(seed)
        self.picture, self.kolmogorov_weight, self.epoch = picture, kolmogorov_weight, 0
        self.all_points, values = self._pixels()
        order = torch.randperm(len(values))
        self.train_indices = order[:points]
        self.val_indices = order[points : points + batch_size]
        train = TensorDataset(self.all_points[self.train_indices], values[self.train_indices])
        self.val_points = (self.all_points[self.val_indices], values[self.val_indices])
        self.train_loader = DataLoader(train, batch_size=batch_size, shuffle=True)
        self.network = build_network(shape)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=learning_rate)
        if kolmogorov_weight > 0:
            self.predictor = WeightPredictor()
            self.positions = weight_positions(self.network)
            self.predictor_optimizer = torch.optim.Adam(self.predictor.parameters(), lr=1e-3)
        # One random number for each hidden neuron: the sum over active neurons identifies a
        # polytope.
        self.hash_numbers = [torch.randint(-(2**62), 2**62, (width,)) for width in shape]
        self.losses: list[tuple[float, float, float]] = []

    def _pixels(self) -> tuple[Tensor, Tensor]:
        height, width = self.picture.shape
        ys, xs = np.mgrid[0:height, 0:width]
        x = (xs.reshape(-1) + 0.5) / width - 0.5
        y = (ys.reshape(-1) + 0.5) / height - 0.5
        points = torch.tensor(np.stack([x, y], axis=1), dtype=torch.float32)
        values = torch.tensor(self.picture.reshape(-1, 1) / 255.0, dtype=torch.float32)
        return points, values

    def train_epoch(self) -> None:
        """Pass over the training points once, then over the validation points."""
        self.network.train()
        task_sum = k_sum = 0.0
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = F.mse_loss(self.network(x), y)
            task_sum += loss.item() * len(x)
            if self.kolmogorov_weight > 0:
                self.predictor_optimizer.zero_grad()
                k = kolmogorov_loss(self.network, self.predictor, self.positions)
                k_sum += k.item() * len(x)
                loss = loss + self.kolmogorov_weight * k
            loss.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
            self.optimizer.step()
            if self.kolmogorov_weight > 0:
                self.predictor_optimizer.step()
        count = len(self.train_indices)
        self.epoch += 1
        self.losses.append((task_sum / count, k_sum / count, self.validate()))

    def validate(self) -> float:
        """Return the mean squared error over the validation points."""
        self.network.eval()
        with torch.no_grad():
            x, y = self.val_points
            return F.mse_loss(self.network(x), y).item()

    @torch.no_grad()
    def predict_picture(self) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs and activation hashes at every pixel, both (height, width)."""
        outputs, hashes = [], []
        for start in range(0, len(self.all_points), CHUNK_SIZE):
            x = self.all_points[start : start + CHUNK_SIZE]
            code = torch.zeros(len(x), dtype=torch.int64)
            hidden = 0
            for layer in self.network:
                x = layer(x)
                if isinstance(layer, nn.LeakyReLU):
                    pattern = (x > 0).to(torch.int64)
                    code += (pattern * self.hash_numbers[hidden]).sum(dim=1)
                    hidden += 1
            outputs.append(x[:, 0].numpy())
            hashes.append(code.numpy())
        shape = self.picture.shape
        return np.concatenate(outputs).reshape(shape), np.concatenate(hashes).reshape(shape)

    def write_frame(self, path: Path) -> None:
        """Draw prediction with folds, prediction, and target with points; write a PNG."""
        outputs, hashes = self.predict_picture()
        grey = (np.clip(outputs, 0.0, 1.0) * 255).astype(np.uint8)
        folds = np.zeros(hashes.shape, dtype=bool)
        folds[:, 1:] |= hashes[:, 1:] != hashes[:, :-1]
        folds[1:, :] |= hashes[1:, :] != hashes[:-1, :]
        prediction = np.repeat(grey[:, :, None], 3, axis=2)
        with_folds = prediction.copy()
        with_folds[folds] = (0, 0, 255)
        target = np.repeat(self.picture[:, :, None], 3, axis=2)
        self._draw_points(target, self.train_indices, (0, 255, 0))
        self._draw_points(target, self.val_indices, (255, 0, 0))
        frame = np.hstack([with_folds, prediction, target])
        text = f"epoch {self.epoch}  polytopes {len(np.unique(hashes))}"
        cv2.putText(frame, text, (10, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 255, 255), 2)
        cv2.imwrite(str(path), frame)

    def _draw_points(
        self, image: np.ndarray, indices: Tensor, colour: tuple[int, int, int]
    ) -> None:
        width = self.picture.shape[1]
        for index in indices.tolist():
            cv2.circle(image, (index % width, index // width), 1, colour, -1)
