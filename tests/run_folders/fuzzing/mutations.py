"""Structured damage to a run's folder, as a stranger could do on purpose.

Each mutation knows the format of its file: checksums are right and lengths fit, so that the code
behind those checks is reached.
"""

from __future__ import annotations

import json
import os
import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bitfold.training.store.checkpoints import _digest
from tests.run_folders.fuzzing.file_contents import contents

# Larger than any machine's memory, but without bytes on the disk.
SPARSE_BYTES = 2**40
DEEP = 100_000
FILES = (
    "config.toml", "run.json", "target.safetensors", "split.safetensors", "metrics.jsonl",
    "trajectory.bin", "audit.txt", "video.mp4", "video.previous.mp4", ".video.mp4.partial",
    "last_frame.png", "loss.png", "report.html", ".lock", ".drawing.lock", "config.toml.tmp",
    "metrics.jsonl.tmp", "run.json.tmp", "epoch-3.png", "folds.png", "changes.jsonl",
    "target-0001.safetensors", "split-0001.safetensors", "net.bitfold",
)  # fmt: skip
ARRAYS = (
    "target.safetensors", "split.safetensors", "target-0001.safetensors", "split-0001.safetensors",
)  # fmt: skip
FOLDERS = ("checkpoints", "snapshots", "render", "render/frames", "tensorboard")
WORDS = (
    "", "x", "a" * 5000, "\x1b[2J\x1b]0;owned\x07", "[/red]{{7*7}}<script>", "\u202egnp.exe",
    "a\nb", "~nobody/x", "~/x", "../../outside/taken", "/dev/full", "/dev/zero", "con\x00cat",
    "é" * 300, "bits:9", "mdl", "none", "geometric:9999999", "[1]*256", "[65536]*200", "[]",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 7, 63, 1024, 100_000, 2**31, 2**53, 2**63 - 1, 2**64, 2**80, 10**400, 0.5, -0.0,
    1e-300, 1e100, 1e308, -1e308, float("inf"), float("nan"),
)  # fmt: skip

# Errors that a mutation may meet in a file that an earlier mutation has damaged.
_OF_DAMAGED = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, SafetensorError,
)  # fmt: skip


class Stranger:
    """Changes the folder of a run.

    Args:
        folder: the folder, which is changed.
        outside: a folder with a file ``victim`` and a folder ``taken``, to which links lead.
        chance: the source of all random choices.
    """

    def __init__(self, folder: Path, outside: Path, chance: random.Random) -> None:
        self.folder, self.outside, self.chance = folder, outside, chance
        self.done: list[str] = []

    def mutate(self, among: Sequence[Callable[[Stranger], str]]) -> None:
        """Apply one of the mutations, sometimes several."""
        kinds = self.chance.choices(among, k=self.chance.choice((1, 1, 1, 2, 3)))
        # Special files come last: reading a FIFO or an endless file would wait for ever.
        for kind in sorted(kinds, key=lambda kind: kind is special):
            try:
                note = kind(self)
            except _OF_DAMAGED as error:
                note = f"nothing more ({type(error).__name__})"  # damaged by an earlier mutation
            self.done.append(f"{kind.__name__.strip('_')}: {note}"[:200])

    def value(self, depth: int = 0) -> Any:
        """Return a value of JSON, mostly of the wrong type or size."""
        length = self.chance.randrange(4) if depth < 3 else 0
        match self.chance.randrange(9):
            case 0 | 1 | 2:
                found: Any = self.chance.choice(NUMBERS)
            case 3 | 4:
                found = self.word()
            case 5:
                found = self.chance.choice((None, True, False))
            case 6:
                found = [self.value(depth + 1) for _ in range(length)]
            case 7:
                found = {self.word(): self.value(depth + 1) for _ in range(length)}
            case _:
                found = self.chance.uniform(-10, 10)
        return found

    def word(self) -> str:
        """Return a text that is dangerous to print or to use as a path."""
        outside = (str(self.outside / "taken"), str(self.outside / "victim"))
        return self.chance.choice((*WORDS, *outside))

    def path(self) -> Path:
        """Return one of the files; sometimes none, for a file that only some runs have."""
        return self.folder / self.chance.choice(FILES)

    def checkpoint(self) -> Path:
        """Return one of the checkpoints."""
        return self.chance.choice(sorted((self.folder / "checkpoints").glob("*.safetensors")))


def change_config(stranger: Stranger) -> str:
    """Change a setting."""
    path, chance = stranger.folder / "config.toml", stranger.chance
    text = contents(path).decode()
    names = re.findall(r"(?m)^(\w+) =", text)
    name = chance.choice(names)
    value = chance.choice((toml(stranger.value()), json.dumps(stranger.word())))
    hostile = (
        *[f"{name} = {value}"] * 4,
        "",
        f"{stranger.word()[:50]!r} = 1",
        f"{name} = {'[' * 30_000}{']' * 30_000}",
        f"{name} = {'[' * DEEP}",
        f"{name}{'.a' * 30_000} = 1",
        "".join(f"a{number}.b = 1\n" for number in range(4000)),
        f"{name} = {'9' * 5000}",
        f'{name} = "{"a" * 10**6}"',
    )
    line = chance.choice(hostile)
    path.write_text(re.sub(rf"(?m)^{name} = .*$", lambda _: line, text), encoding="utf-8")
    return line


def toml(value: Any) -> str:
    """Return a value as TOML, also a value that TOML does not have."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def change_places(stranger: Stranger) -> str:
    """Change a setting that names a path."""
    path, chance = stranger.folder / "config.toml", stranger.chance
    name = chance.choice(("snapshot_dir", "checkpoint_dir", "log_file", "output_dir", "target"))
    place = chance.choice(("/taken", "/taken/new", "/victim", "/../outside/taken", "/loop"))
    text = re.sub(rf"(?m)^{name} = .*\n", "", contents(path).decode())
    shown = chance.choice((str(stranger.outside) + place, "../.." + place, "~" + place))
    path.write_text(f"{name} = {json.dumps(shown)}\n{text}", encoding="utf-8")
    return f"{name} = {shown}"


def change_metrics(stranger: Stranger) -> str:
    """Change a line of the metrics."""
    path, chance = stranger.folder / "metrics.jsonl", stranger.chance
    lines = contents(path).decode().splitlines()
    number = chance.randrange(len(lines))
    line = json.loads(lines[number])
    name = chance.choice(sorted(line))
    hostile: tuple[Callable[[], str], ...] = (
        lambda: json.dumps({**line, name: stranger.value()}),
        lambda: json.dumps({**line, name: stranger.value()}),
        lambda: json.dumps({**line, name: chance.choice(NUMBERS)}),
        lambda: json.dumps({**line, stranger.word(): 1.0}),
        lambda: json.dumps({f"fold_length_per_area_layer_{n}": 1 for n in range(30_000)} | line),
        lambda: lines[number][:-1] + f', "{name}": {"[" * DEEP}{"]" * DEEP}}}',
        lambda: lines[number][:-1] + f', "{name}": {"9" * chance.choice((400, 5000))}}}',
        lambda: lines[number][:-1] + f', "{name}": 1e999}}',
        lambda: "x" * 10**6,
        lambda: lines[number] + "\n" + lines[number],
        lambda: "\n".join([lines[number]] * 2000),
    )
    lines[number] = chance.choice(hostile)()
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"line {number + 1}, {name}"


def blocks_of(data: bytes) -> Iterator[bytes]:
    """Return the payloads in a trajectory, header first."""
    start = 8
    while start + 8 <= len(data):
        size = struct.unpack_from("<I", data, start)[0]
        yield data[start + 4 : start + 4 + size]
        start += size + 8


def change_trajectory(stranger: Stranger) -> str:
    """Change a block of the trajectory."""
    path, chance = stranger.folder / "trajectory.bin", stranger.chance
    header, *records = blocks_of(contents(path))
    what = chance.choice((_header, _record, _record, _weights, _order))
    header, records = what(stranger, header, records)
    data = b"BFTRAJ1\n"
    for payload in (header, *records):
        data += struct.pack("<I", len(payload)) + payload + struct.pack("<I", zlib.crc32(payload))
    if chance.random() < 0.1:
        data += struct.pack("<I", chance.choice((0, 1, 2**31, 2**32 - 1)))
    path.write_bytes(data)
    return what.__name__


def _header(stranger: Stranger, header: bytes, records: list[bytes]) -> tuple[bytes, list[bytes]]:
    chance, found = stranger.chance, json.loads(header)
    tensor = chance.choice(found["tensors"])
    match chance.randrange(7):
        case 0:
            tensor[0] = stranger.value()
        case 1:
            tensor[1] = stranger.value()
        case 2:
            tensor[1] = chance.choice(([0], [1] * 70, [2**62, 4], [-1, -6], [1e999], [True], [0.5]))
        case 3:
            found["tensors"].append([stranger.word(), [chance.choice((0, 1, 2**30))]])
        case 4:
            found["tensors"].remove(tensor)
        case 5:
            return b"[" * DEEP, records
        case _:
            found = stranger.value()
    return json.dumps(found).encode(), records


def _record(stranger: Stranger, header: bytes, records: list[bytes]) -> tuple[bytes, list[bytes]]:
    chance = stranger.chance
    number = chance.randrange(len(records))
    epoch, length = struct.unpack_from("<qI", records[number])
    facts, weights = records[number][12 : 12 + length], records[number][12 + length :]
    found = json.loads(facts) or {"task_loss": 1.0}
    match chance.randrange(6):
        case 0:
            epoch = chance.choice((-1, 0, 1, 2**40, 2**63 - 1, -(2**63)))
        case 1 | 2:
            found[chance.choice(sorted(found))] = stranger.value()
            facts = json.dumps(found).encode()
        case 3:
            facts = b'{"a":' * DEEP
        case 4:
            length = chance.choice((0, 1, len(facts) + 4, 2**32 - 1))
        case _:
            weights = weights[: chance.choice((0, 4, len(weights) - 4))]
    length = len(facts) if length == struct.unpack_from("<qI", records[number])[1] else length
    records[number] = struct.pack("<qI", epoch, length) + facts + weights
    return header, records


def _weights(stranger: Stranger, header: bytes, records: list[bytes]) -> tuple[bytes, list[bytes]]:
    chance = stranger.chance
    number = chance.randrange(len(records))
    length = struct.unpack_from("<qI", records[number])[1]
    values = np.frombuffer(records[number][12 + length :], "<f4").copy()
    spoil(values, chance)
    records[number] = records[number][: 12 + length] + values.tobytes()
    return header, records


def _order(stranger: Stranger, header: bytes, records: list[bytes]) -> tuple[bytes, list[bytes]]:
    stranger.chance.shuffle(records)
    return header, records * stranger.chance.choice((0, 1, 3))


def spoil(values: np.ndarray[Any, Any], chance: random.Random) -> None:
    """Put extreme values into an array, in place."""
    if values.dtype.kind == "f" and values.size:
        some = chance.sample(range(values.size), chance.choice((1, values.size)))
        extremes = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0, 1e30)
        values.reshape(-1)[some] = chance.choice(extremes)
    elif values.dtype.kind in "iu" and values.size:
        bounds = np.iinfo(values.dtype)
        values.reshape(-1)[chance.randrange(values.size)] = chance.choice(
            (bounds.min, bounds.max, 0)
        )


def change_checkpoint(stranger: Stranger) -> str:
    """Change a checkpoint."""
    path, chance = stranger.checkpoint(), stranger.chance
    data = contents(path)
    tensors = {name: np.array(item) for name, item in load(data).items()}
    size = int.from_bytes(data[:8], "little")
    facts: Any = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["bitfold"])
    note = _spoiled(stranger, tensors, facts)
    text = json.dumps(facts)
    if chance.random() < 0.05:
        text = "[" * DEEP
    import torch

    digest = _digest({name: torch.from_numpy(item) for name, item in tensors.items()}, text)
    path.write_bytes(save(tensors, {"bitfold": text, "sha256": digest}))
    return note


def _spoiled(stranger: Stranger, tensors: dict[str, Any], facts: dict[str, Any]) -> str:
    chance = stranger.chance
    name, fact = chance.choice(sorted(tensors)), chance.choice(sorted(facts))
    match chance.randrange(9):
        case 0 | 1:
            facts[fact] = stranger.value()
            return f"{fact} = {str(facts[fact])[:50]}"
        case 2:
            setting = chance.choice(re.findall(r"(?m)^(\w+) =", facts["config"]))
            new = f"{setting} = {toml(stranger.value())}"
            facts["config"] = re.sub(rf"(?m)^{setting} = .*$", lambda _: new, facts["config"])
            return new
        case 3:
            del tensors[name]
        case 4:
            tensors[name] = np.zeros(
                chance.choice(((), (0,), (1, 1), (7, 7), (1,) * 9)), np.float32
            )
        case 5:
            kind = chance.choice((np.int64, np.bool_, np.float64, np.float16, np.uint8))
            with np.errstate(all="ignore"):
                tensors[name] = tensors[name].astype(kind)
        case 6:
            tensors[stranger.word()[:100]] = np.ones(3, np.float32)
        case _:
            spoil(tensors[name], chance)
    return name


def change_arrays(stranger: Stranger) -> str:
    """Change the target or the points."""
    chance = stranger.chance
    path = stranger.folder / chance.choice(ARRAYS)
    if not path.exists():
        path = stranger.folder / "target.safetensors"
    data = contents(path)
    tensors = {name: np.array(item) for name, item in load(data).items()}
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size]).get("__metadata__")
    name = chance.choice(sorted(tensors))
    match chance.randrange(5):
        case 0:
            del tensors[name]
        case 1:
            tensors[name] = tensors[name].reshape(-1)[: chance.choice((0, 1, 9))]
        case 2:
            tensors[name] = tensors[name].astype(chance.choice((np.float32, np.int16, np.uint16)))
        case 3 if metadata:
            fields = json.loads(metadata["bitfold_target"])
            fields[chance.choice(sorted(fields))] = stranger.value()
            metadata = {"bitfold_target": json.dumps(fields)}
        case _:
            spoil(tensors[name], chance)
    path.write_bytes(save(tensors, metadata))
    return f"{path.name}, {name}"


def change_bytes(stranger: Stranger) -> str:
    """Change bytes of any file."""
    chance = stranger.chance
    path = chance.choice((stranger.path(), stranger.checkpoint()))
    data = bytearray(contents(path) if path.exists() else b"")
    at = chance.randrange(len(data) + 1)
    match chance.randrange(4):
        case 0:
            del data[at:]
        case 1:
            data[at:at] = chance.randbytes(chance.choice((1, 8, 500)))
        case 2:
            data = bytearray(b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n../outside/victim\n")
        case _ if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(data))
    return f"{path.name} at {at}"


def special(stranger: Stranger) -> str:
    """Put a link, a FIFO or another special file in the place of a file or folder."""
    chance = stranger.chance
    is_folder = chance.random() < 0.25
    path = stranger.folder / chance.choice(FOLDERS) if is_folder else stranger.path()
    if not is_folder and chance.random() < 0.2:
        path = stranger.checkpoint()
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(path.name + "-before"))
    if chance.random() < 0.1 and path.is_file() and not path.is_symlink():
        os.truncate(path, SPARSE_BYTES)
        return f"{path.name}: a sparse end"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    targets = ("victim", "taken", "missing", "taken/missing")
    what = chance.choice((*targets, "/dev/zero", "FIFO", "folder", "nothing", "sparse", "itself"))
    if what in targets:
        path.symlink_to(stranger.outside / what)
    elif what in ("/dev/zero", "itself"):
        path.symlink_to(path if what == "itself" else what)
    elif what == "FIFO":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "sparse":
        with path.open("wb") as file:
            file.truncate(SPARSE_BYTES)
    return f"{path.name}: {what}"
