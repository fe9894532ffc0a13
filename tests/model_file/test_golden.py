"""Files of earlier versions are read exactly, by the same tables."""

import hashlib
import json
import subprocess
import sys
from typing import Any

import numba
import pytest
import torch

import bitfold
from bitfold.entropy_coding.laplace.tables import integer_tables
from tests.model_file.make_golden import GOLDEN, modules, state_hash

HASHES = json.loads((GOLDEN / "hashes.json").read_text(encoding="utf-8"))

READ = """
import sys, torch
torch.set_num_threads(int(sys.argv[2]))
torch.set_default_dtype(getattr(torch, sys.argv[3]))
import bitfold
found = bitfold.read_model(sys.argv[1])
print(repr([item.float().tolist() for item in found.parameters()]))
"""


@pytest.mark.parametrize("name", sorted(HASHES))
def test_golden_files_are_read_as_ever(name: Any) -> None:
    """Every number is exactly the one that was written."""
    module = modules()[name.split("-")[0]]
    with torch.no_grad():
        for item in module.parameters():
            item.fill_(0)
    assert state_hash(bitfold.read_model(GOLDEN / f"{name}.bitfold", into=module)) == HASHES[name]


@pytest.mark.parametrize("name", sorted(HASHES))
def test_other_types_and_threads_get_the_same_numbers(name: Any) -> None:
    """Modules in float64 get numbers that round to those in float32, on any count of threads."""
    given = modules()[name.split("-")[0]].double()
    threads = torch.get_num_threads(), numba.get_num_threads()
    try:
        torch.set_num_threads(2)
        numba.set_num_threads(1)
        found = bitfold.read_model(GOLDEN / f"{name}.bitfold", into=given)
    finally:
        torch.set_num_threads(threads[0])
        numba.set_num_threads(threads[1])
    assert state_hash(found.float()) == HASHES[name]


def test_a_fresh_process_with_other_settings_gets_the_same_network() -> None:
    """Another number of threads or default dtype gives a fresh process the same network."""
    path = GOLDEN / "network-rows.bitfold"
    here = bitfold.read_model(path)
    expected = repr([item.tolist() for item in here.parameters()])
    for threads, dtype in (("1", "float32"), ("3", "float64")):
        ran = subprocess.run(
            [sys.executable, "-c", READ, str(path), threads, dtype],
            capture_output=True,
            check=True,
            text=True,
        )
        assert ran.stdout.strip() == expected


@pytest.mark.parametrize(
    ("distribution", "digest"),
    [
        ("laplace", "0f90543f75ebf0c5281b2c4cc1ed790a7c7e2f385f0fa2101627fcb35ff3710d"),
        ("logistic", "5b50ba45a2db8e0b43ab2f5b1f468fdd2a5c8d224e23b64df3ce43a56c8e614c"),
    ],
)
def test_the_tables_are_those_of_the_format(distribution: str, digest: str) -> None:
    """Every number of the tables is fixed, because every decoder needs the same tables."""
    tables = integer_tables(distribution)
    raw = b"".join(item.astype("<i8").tobytes() for item in tables)
    assert hashlib.sha256(raw).hexdigest() == digest
