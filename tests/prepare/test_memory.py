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
def test_memory_does_not_grow_with_the_length_of_the_logs(tmp_path):
    logs = [tmp_path / name for name in ("small", "few", "many")]
    generate(logs[0], users=30, videos=20, days=5, rows=400)
    for folder, days in zip(logs[1:], (3, 18), strict=True):
        generate(folder, users=500, videos=300, days=days, rows=days * 10_000)
    done = run_python(PREPARE, tmp_path / "out", *logs)
    assert done.returncode == 0, done.stderr
    # Six times the rows; the process itself takes some tens of MiB more or less.
    few, many = map(float, done.stdout.split())
    assert many < 2.5 * few
