"""How long are files of trained networks beside NNCodec's at the same error, and how fast?

``python -m benchmarks.model_files.trained CACHE`` trains four networks plainly on MNIST's first
50,000 training pictures, or takes their weights from the folder ``CACHE``. At three points of each
it compares bytes on disk and the error of what they decode to, on the 10,000 test pictures. All
settings are chosen by the last 10,000 training pictures: NNCodec's are the fewest bytes of its
settings with at most so many points more wrong than the network; bitfold's ``num_bytes`` is the
smallest share of NNCodec's bytes, in steps of a fortieth, whose error is at most 0.03 points, 3
pictures, above NNCodec's. Needs NNCodec, see `opponent`. Continues where it was stopped. It never
fails: limits are printed beside what was measured.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

import bitfold
from benchmarks.harness.cells import Cell, CellTable
from benchmarks.harness.folders import MNIST, RESULTS
from benchmarks.harness.mnist import load_test, load_training
from benchmarks.model_files.trained.networks import NETWORKS, percent_wrong, trained, widest
from benchmarks.model_files.trained.opponent import NNCodec, Settings
from benchmarks.model_files.trained.page import fill_page

#: Points more wrong than the network itself, on the validation pictures.
ALLOWED: Final = (0.1, 0.3, 1.0)
#: Errors that differ by fewer points, 3 of 10,000 pictures, count as equal.
EQUAL: Final = 0.03
QPS: Final = tuple(range(-34, -9, 2))
BATCH, ROUNDS = 256, 5
#: Calibration pictures for each input of the network's widest layer, and the most of them.
EACH, MOST_PICTURES = 8, 5000
#: Shares of NNCodec's bytes that are tried, in fortieths.
LEAST, MOST, PARTS = 8, 48, 40


class Comparison:
    """All measurements of one network.

    Args:
        name: of the network.
        table: of results.
        cache: folder of weights.
        mnist: folder of pictures.
        folder: for files.
    """

    def __init__(self, name: str, table: CellTable, cache: Path, mnist: Path, folder: Path) -> None:
        self.name, self.table = name, table
        training, self.validation = load_training(mnist)
        self.test = load_test(mnist)
        self.network = trained(name, training, cache)
        num_pictures = min(EACH * widest(self.network), MOST_PICTURES)
        self.calibration = list(torch.split(training.pictures[:num_pictures], BATCH))
        self.path, self.codec = folder / "network.bitfold", NNCodec(folder)

    def run(self, *, has_times: bool) -> None:
        """Measure all cells that are missing."""
        plain = self.table.measured(f"{self.name}/float32", self._plain)
        for allowed in ALLOWED:
            where = f"{self.name}/{allowed}"
            most = plain["validation_percent"] + allowed
            theirs = self.table.measured(f"{where}/nncodec", lambda: self._theirs(most))  # noqa: B023 - called at once
            for kind in ("calibrated", "blind"):
                self.table.measured(f"{where}/{kind}", lambda: self._ours(kind, theirs))  # noqa: B023 - called at once
        theirs = self.table.get(f"{self.name}/{ALLOWED[1]}/nncodec") or {}
        if has_times:
            self.table.measured(f"{self.name}/seconds", lambda: self._seconds(theirs))

    def _plain(self) -> Cell:
        num_bytes = 4 * sum(item.numel() for item in self.network.state_dict().values())
        return {"bytes": num_bytes, **self._errors(self.network)}

    def _errors(self, network: nn.Module) -> Cell:
        return {
            "validation_percent": percent_wrong(network, self.validation),
            "test_percent": percent_wrong(network, self.test),
        }

    def _theirs(self, most: float) -> Cell:
        """NNCodec's shortest file within an error."""
        found: tuple[int, Settings] | None = None
        for qp in reversed(QPS):
            for opt_qp in (False, True):
                settings = Settings(qp, opt_qp, param_opt=True)
                size = len(self.codec.encode(self.network.state_dict(), settings))
                if found is not None and size >= found[0]:
                    continue
                if self._validation_of(settings) <= most:
                    found = (size, settings)
        if found is None:
            raise RuntimeError(f"Cannot compare: no qp of {QPS} has an error of {most}.")
        # Whether the coder's parameters are searched for changes bytes alone.
        options = [found[1]._replace(param_opt=param_opt) for param_opt in (False, True)]
        data = [self.codec.encode(self.network.state_dict(), one) for one in options]
        size, best = min((len(one), number) for number, one in enumerate(data))
        decoded = self._loaded(self.codec.decode(data[best]))
        return {"bytes": size, **self._errors(decoded), "settings": options[best]._asdict()}

    def _validation_of(self, settings: Settings) -> float:
        key = f"{self.name}/qp {settings.qp}{' adapted' * settings.opt_qp}"

        def measure() -> Cell:
            data = self.codec.encode(self.network.state_dict(), settings)
            decoded = self._loaded(self.codec.decode(data))
            return {
                "bytes": len(data),
                "validation_percent": percent_wrong(decoded, self.validation),
            }

        return float(self.table.measured(key, measure)["validation_percent"])

    def _loaded(self, state: dict[str, Tensor]) -> nn.Module:
        network = NETWORKS[self.name]()
        own = network.state_dict()
        found = {name: state[name].reshape(own[name].shape) for name in own if name in state}
        network.load_state_dict({**own, **found})
        return network.eval()

    def _ours(self, kind: str, theirs: Cell) -> Cell:
        """The shortest file with NNCodec's error, of all shares of NNCodec's bytes."""
        most = theirs["validation_percent"] + EQUAL
        for share in range(LEAST, MOST + 1):
            decoded = self._written(kind, theirs["bytes"] * share // PARTS)
            if decoded is not None and percent_wrong(decoded, self.validation, most) <= most:
                return {"bytes": self.path.stat().st_size, **self._errors(decoded)}
        return {"bytes": None}

    def _written(self, kind: str, num_bytes: int) -> nn.Module | None:
        calibration = self.calibration if kind == "calibrated" else None
        try:
            bitfold.write_model(
                self.path, self.network, calibration=calibration, num_bytes=num_bytes
            )
        except bitfold.ModelFileError:
            return None
        return bitfold.read_model(self.path, into=NETWORKS[self.name]()).eval()

    def _seconds(self, theirs: Cell) -> Cell:
        """Processor time of writing one file of a size and of reading it, medians of some calls."""
        state, settings = self.network.state_dict(), Settings(**theirs["settings"])
        size = int(theirs["bytes"] * 0.7)
        data = self.codec.encode(state, settings)
        self._written("calibrated", size)
        into = NETWORKS[self.name]()
        work: dict[str, Callable[[], Any]] = {
            "nncodec_encode": lambda: self.codec.encode(state, settings),
            "nncodec_search": lambda: self._their_search(size),
            "nncodec_decode": lambda: self.codec.decode(data),
            "calibrated_write": lambda: self._only_written(self.calibration, size),
            "read": lambda: bitfold.read_model(self.path, into=into),
            "blind_write": lambda: self._only_written(None, size),
        }
        taken: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(ROUNDS):
            for name, call in work.items():
                start = time.process_time()
                call()
                taken[name].append(time.process_time() - start)
        return {name: round(statistics.median(samples), 4) for name, samples in taken.items()}

    def _their_search(self, num_bytes: int) -> None:
        """Find NNCodec's finest file of a size, by bisection of `qp` in both modes."""
        for opt_qp in (False, True):
            low, high = 0, len(QPS) - 1
            while low <= high:
                middle = (low + high) // 2
                settings = Settings(QPS[middle], opt_qp, param_opt=True)
                is_small = len(self.codec.encode(self.network.state_dict(), settings)) <= num_bytes
                low, high = (low, middle - 1) if is_small else (middle + 1, high)

    def _only_written(self, calibration: list[Tensor] | None, num_bytes: int) -> None:
        bitfold.write_model(self.path, self.network, calibration=calibration, num_bytes=num_bytes)


def main() -> None:
    """Measure what is missing, and fill the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cache", type=Path, help="folder of the networks' weights")
    parser.add_argument("--mnist", type=Path, default=MNIST, help="folder with MNIST's files")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--no-times", action="store_true", help="on a machine that is busy")
    parser.add_argument("--output", type=Path, default=RESULTS / "trained.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = CellTable(arguments.output)
    for name in arguments.networks:
        with tempfile.TemporaryDirectory(prefix="bitfold-benchmark-") as folder:
            Comparison(name, table, arguments.cache, arguments.mnist, Path(folder)).run(
                has_times=not arguments.no_times
            )
    fill_page(table, ALLOWED)


if __name__ == "__main__":
    main()
