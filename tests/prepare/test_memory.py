"""The memory that preparing takes, in a process of its own."""

import sys
from pathlib import Path

import pytest
from support.processes import run_python

from home_tf.lab.synthetic import generate

PREPARE = Path(__file__).parents[1] / "support" / "prepare_memory.py"


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux", reason="the peak is read as Linux tells it"
)
def test_the_memory_is_bounded(tmp_path):
    small, many = tmp_path / "small", tmp_path / "many"
    generate(small, users=30, videos=20, days=5, rows=400)
    generate(many, users=500, videos=300, days=18, rows=360_000)
    grown = []
    for memory in ("4GB", "400MB"):
        done = run_python(PREPARE, tmp_path / memory, small, many, memory)
        assert done.returncode == 0, done.stderr
        grown.append(float(done.stdout))
    # What is beside the database, such as the rows that are written, takes its share.
    assert grown[1] < 650 < grown[0]
