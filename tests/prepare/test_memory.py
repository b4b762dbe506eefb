"""The memory that preparing takes, in a process of its own."""

import subprocess
import sys

import pytest

from home_tf.lab.synthetic import generate

# Prints the MiB by which the process grows at most while it prepares.
PREPARE = """
import sys
from pathlib import Path
from home_tf.prepare import prepare, spool
from home_tf.prepare.running_statistics import RunningStatistics

# Buffers of a fixed size, which are as large as the logs of a test otherwise: the rows
# of a day that wait to be written, and the sample for the quantiles.
spool.GROUP_ROWS = 1024
RunningStatistics.__init__.__kwdefaults__["sample_rows"] = 1024

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

prepare(sys.argv[1], sys.argv[2])  # a small one: what is loaded only once
before = peak()
prepare(sys.argv[3], sys.argv[4])
print(peak() - before)
"""


def growth(tmp_path, days):
    small, logs = tmp_path / "small", tmp_path / f"logs_{days}"
    generate(small, users=30, videos=20, days=5, rows=400)
    generate(logs, users=500, videos=300, days=days, rows=days * 10_000)
    folders = [small, tmp_path / "a", logs, tmp_path / "b"]
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, *map(str, folders)],
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
