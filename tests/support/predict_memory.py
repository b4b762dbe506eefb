"""Prints the MiB by which the process has grown at most when it has predicted rows.

Usage: python predict_memory.py MODEL SMALL_FILE FILE OUT
"""

import sys
from pathlib import Path

from home_tf.predict import predict


def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


model, small, many, out = map(Path, sys.argv[1:])
predict(small, out / "small", export=model)  # what is loaded only once
before = peak()
predict(many, out / "many", export=model, rows_per_file=100_000)
print(peak() - before)
