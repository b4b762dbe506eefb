"""Prints the MiB by which the process grows at most while it prepares logs.

Usage: python prepare_memory.py SMALL_LOGS OUT LOGS OUT
"""

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
