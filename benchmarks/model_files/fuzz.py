"""Does every damaged or hostile model file end in our error, or in a module?

``python -m benchmarks.model_files.fuzz [--runs N]`` reads 100,000 inputs that atheris finds, guided
by the branches they reach; the checksum is made right after each mutation, so that the parser is
reached. The first tenth is read with the loops interpreted, whose branches then guide too and where
an index out of bounds shows; the rest with them compiled, as users read. Exit code 1 if any input
crashes, hangs for 10 s (100 s interpreted), takes 2 GB, or ends in another error than
`ModelFileError` with an offset in the file. Needs the ``fuzz`` extra.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

from benchmarks.harness.folders import ROOT
from benchmarks.harness.timing import argument_parser, write_results

NUM_RUNS, QUICK_RUNS = 100_000, 2_000
# The share of the inputs that are read with interpreted loops.
INTERPRETED = 0.1
# Interpreted loops take a hundred times as long.
MOST_SECONDS, MOST_MEGABYTES = {"compiled": 10, "interpreted": 100}, 2_048
MOST_BYTES = 4_096
# A file's checksum is in bytes 3 to 6 and covers all bytes after them.
CHECKSUM = slice(3, 7)
# Counts are written after this many inputs, and after each of the last ones.
SAVED = 100
# The most bytes that a mutation moves between two files of a corpus.
MOST_SPLICED = 64


def with_checksum(data: bytes) -> bytes:
    """Return a file with the right checksum."""
    if len(data) < CHECKSUM.stop:
        return data
    right = zlib.crc32(data[CHECKSUM.stop :]).to_bytes(4, "little")
    return data[: CHECKSUM.start] + right + data[CHECKSUM.stop :]


def seeds() -> list[tuple[bytes, Any]]:
    """Return small files of all kinds, each with the module to read it into, or None."""
    import torch  # noqa: PLC0415 - what is imported under atheris is imported there
    from torch import nn  # noqa: PLC0415

    import bitfold  # noqa: PLC0415

    torch.manual_seed(0)
    network = bitfold.PolytopeNet(2, "[5]*3", 1)
    mixed = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 3, 2), nn.Linear(7, 6)
    )
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.bitfold"
        for module, into in ((network, None), (mixed, mixed)):
            losses = [
                bitfold.KolmogorovLoss(module, **settings)
                for settings in (
                    {"predictor": "row_column"},
                    {"predictor": "adaptive"},
                    {"predictor": "per_tensor", "rest_bits": 16},
                    {"quantise": "learned"},
                    {"weight_range": (-0.1, 0.2), "bins": 17},
                    {"predictor": "coordinate", "predictor_shape": (3,), "bins": 9},
                )
            ]
            files: list[dict[str, Any]] = [{"kolmogorov": loss} for loss in losses]
            files += [{"tolerance": 0, "names": True}, {"tolerance": 0.2}]
            for options in files:
                bitfold.write_model(path, module, **options)
                found.append((path.read_bytes(), into))
    found.append(on_trellis(nn.Linear(30, 20)))
    return found


def on_trellis(linear: Any) -> tuple[bytes, Any]:
    """Return a small file with a trellis, which only files of large modules have, and the layer."""
    # As in `seeds`.
    from bitfold.model_file.calibrated.blind import blindly_rounded  # noqa: PLC0415
    from bitfold.model_file.calibrated.tables import Known  # noqa: PLC0415
    from bitfold.model_file.encoding import encoded  # noqa: PLC0415
    from bitfold.model_file.planning.automatic import shortest_plan  # noqa: PLC0415
    from bitfold.model_file.syntax.structure import tensors_of  # noqa: PLC0415

    grid = blindly_rounded(linear.weight.detach(), 2.0**-12, Known(in_large=True))
    plan, _ = shortest_plan(tensors_of(linear), [grid, None], 32)
    return encoded(linear, plan), linear


def main() -> int:
    """Fuzz twice, and print the outcomes of all inputs."""
    parser = argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, help=f"inputs; {NUM_RUNS:,}")
    parser.add_argument("--child", choices=("interpreted", "compiled"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    total = arguments.runs or (QUICK_RUNS if arguments.quick else NUM_RUNS)
    if arguments.child:
        fuzz(arguments.child, total, arguments.folder)
    results, codes = {}, []
    with tempfile.TemporaryDirectory() as folder:
        few = int(INTERPRETED * total)
        for how, runs in (("interpreted", few), ("compiled", total - few)):
            results[how], code = fuzz_in_child(how, runs, Path(folder))
            codes.append(code)
    for how, result in results.items():
        print(
            f"{how}: {result['inputs']:,} inputs in {result['seconds']:.0f} s, "
            f"{result['refused']:,} refused, {result['read']:,} read; the slowest took "
            f"{result['slowest']:.2f} s, the process {result['megabytes']:,.0f} MB at most"
        )
    write_results(arguments.output, results)
    return int(any(codes))


def fuzz_in_child(how: str, runs: int, folder: Path) -> tuple[dict[str, Any], int]:
    """Fuzz in a child process, which libFuzzer ends; its corpus is kept."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.model_files.fuzz",
        "--child",
        how,
        "--runs",
        str(runs),
    ]
    setting = {"NUMBA_DISABLE_JIT": "1" if how == "interpreted" else "0"}
    done = subprocess.run(
        [*command, "--folder", str(folder)], env={**os.environ, **setting}, check=False
    )
    path = folder / f"{how}.json"
    if not path.exists():
        raise SystemExit(f"The {how} run ended without a result, with code {done.returncode}.")
    return json.loads(path.read_text(encoding="utf-8")), done.returncode


def fuzz(how: str, runs: int, folder: Path) -> None:
    """Read the given number of inputs; does not return."""
    import atheris  # noqa: PLC0415 - only who fuzzes has it

    if how == "compiled":
        # Compiled loops cannot call instrumented functions, so those of other packages come first.
        package = ROOT / "src" / "bitfold"
        for path in (package / "entropy_coding").rglob("*.py"):
            name = path.relative_to(package).with_suffix("").as_posix().replace("/", ".")
            importlib.import_module(f"bitfold.{name}")
    with atheris.instrument_imports(include=["bitfold.model_file"]):
        from bitfold.model_file import decoding  # noqa: PLC0415, F401 - to be instrumented
    reader = Reader(folder / f"{how}.json", runs)
    corpus = folder / "corpus"
    if not corpus.exists():
        corpus.mkdir()
        for number, (data, _) in enumerate(reader.seeds):
            (corpus / f"seed-{number}").write_bytes(bytes([number]) + data)
    options = [
        f"-runs={runs}",
        f"-timeout={MOST_SECONDS[how]}",
        f"-rss_limit_mb={MOST_MEGABYTES}",
        f"-max_len={MOST_BYTES}",
        f"-artifact_prefix={folder}/",
        "-seed=1",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options], reader.read, custom_mutator=reader.mutate)
    atheris.Fuzz()


class Reader:
    """Reads inputs and counts their outcomes; an input's first byte chooses the module.

    An input's first byte says which module it is read into.

    Args:
        path: of the file for the counts.
        runs: the number of inputs; libFuzzer ends the process after the last.
    """

    def __init__(self, path: Path, runs: int) -> None:
        self.seeds, self._path, self._left = seeds(), path, runs
        self.counts = {"inputs": 0, "refused": 0, "read": 0}
        self.slowest, self._start = 0.0, time.perf_counter()

    def read(self, given: bytes) -> None:
        """Read one input; raise for an improper end."""
        self._left -= 1
        if len(given) > 1:
            self._read(given)
        if self._left < SAVED or self._left % SAVED == 0:
            self._save()

    def _read(self, given: bytes) -> None:
        import bitfold  # noqa: PLC0415 - imported by now
        from bitfold.model_file.decoding import decoded  # noqa: PLC0415

        _, module = self.seeds[given[0] % len(self.seeds)]
        data, start = given[1:], time.perf_counter()
        self.counts["inputs"] += 1
        try:
            decoded(data, module)
        except bitfold.ModelFileError as error:
            self.counts["refused"] += 1
            assert len(str(error).splitlines()) == 1, str(error)
            assert error.offset is None or 0 <= error.offset <= len(data), error.offset
        else:
            self.counts["read"] += 1
        self.slowest = max(self.slowest, time.perf_counter() - start)

    def mutate(self, given: bytes, most: int, seed: int) -> bytes:
        """Return a changed input with the right checksum, some with a piece of another file."""
        import atheris  # noqa: PLC0415 - imported by now

        chance = random.Random(seed)
        which, data = given[:1] or b"\0", bytes(given[1:])
        if chance.random() < 0.2:
            other, _ = chance.choice(self.seeds)
            at, start = chance.randrange(len(data) + 1), chance.randrange(len(other))
            piece = other[start : start + chance.randrange(1, MOST_SPLICED)]
            data = data[:at] + piece + data[at + len(piece) * chance.randrange(2) :]
        else:
            data = atheris.Mutate(data, max(1, most - 1))
        if chance.random() < 0.02:
            which = bytes([chance.randrange(len(self.seeds))])
        return which + with_checksum(bytes(data))[: most - 1]

    def _save(self) -> None:
        seconds = time.perf_counter() - self._start
        found = {**self.counts, "slowest": self.slowest, "seconds": seconds}
        found["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        self._path.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
