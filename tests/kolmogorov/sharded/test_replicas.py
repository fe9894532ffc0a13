"""K of two replicas of a module, each divided between two processes (HSDP), against one process."""

from pathlib import Path

import pytest

from tests.kolmogorov.sharded.test_sharded import ROUNDING, distance, results_of

WORKER = Path(__file__).with_name("replicas_worker.py")
NUM_PROCESSES = 4


def test_replicas_of_shards_find_what_one_process_finds(tmp_path: Path) -> None:
    """K, gradients, bits, report, training and the file are those of one process, everywhere."""
    for found in results_of(WORKER, NUM_PROCESSES, tmp_path):
        one, divided = found["one"], found["divided"]
        assert float(divided["K"]) == pytest.approx(float(one["K"]), rel=1e-12)
        assert distance(divided["gradients"], one["gradients"]) < 1e-12
        assert divided["bits"] == pytest.approx(one["bits"], rel=1e-12)
        assert (divided["report"], divided["file"]) == (one["report"], one["file"])
        assert divided["num_bytes"] == one["num_bytes"]
        assert divided["trained K"] == pytest.approx(one["trained K"], rel=1e-9)
        assert distance(divided["trained"], one["trained"]) < 1e-9
        assert float(found["K of divided"]["K"]) == pytest.approx(
            float(found["K of one"]["K"]), rel=ROUNDING
        )
        assert distance(found["K of divided"]["gradients"], found["K of one"]["gradients"]) < 1e-5
        assert distance(found["read"], found["read into one"]) == 0
