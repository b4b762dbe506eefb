"""The memory that preparing takes, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from home_tf.lab.synthetic import generate

PREPARE = Path(__file__).parents[1] / "support" / "prepare_memory.py"


def growth(tmp_path, days):
    small, logs = tmp_path / "small", tmp_path / f"logs_{days}"
    generate(small, users=30, videos=20, days=5, rows=400)
    generate(logs, users=500, videos=300, days=days, rows=days * 10_000)
    folders = [small, tmp_path / "a", logs, tmp_path / "b"]
    done = subprocess.run(
        [sys.executable, PREPARE, *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return float(done.stdout)


@pytest.mark.skipif(
    sys.platform != "linux", reason="the peak is read as Linux tells it"
)
def test_memory_does_not_grow_with_the_length_of_the_logs(tmp_path):
    # Six times the rows; the process itself takes some tens of MiB more or less.
    few, many = growth(tmp_path, 4), growth(tmp_path, 24)
    assert many < 2.5 * few
