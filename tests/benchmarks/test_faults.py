"""Trainings that are disturbed at random moments end as one that is not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from home_tf.backend import IS_LEGACY

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "faults.py"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_every_kind_of_fault(workers, tmp_path):
    """One of each; `docs/guides/distributed.md` has the results of many."""
    faults = {1: 5, 2: 7}[workers]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [
            *(sys.executable, SCRIPT, "--work", tmp_path, "--faults", str(faults)),
            *("--workers", str(workers)),
            *("--framework", "tfrs" if IS_LEGACY else "keras"),
        ],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] == found["recoveries"] == faults
    assert set(found["by kind"].values()) == {1}
    assert found["largest difference of a weight"] < 1e-6
    assert found["largest difference of a metric"] < 1e-6
