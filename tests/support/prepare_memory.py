"""Prints the MiB by which the process has grown at most when it has prepared logs.

Usage: python prepare_memory.py FOLDER SMALL_LOGS LOGS...
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


out, small, *rest = map(Path, sys.argv[1:])
prepare(small, out / small.name)  # what is loaded only once
before = peak()
for logs in rest:
    prepare(logs, out / logs.name)
    print(peak() - before)
