"""Prints the MiB by which the process has grown at most when it has prepared logs.

Usage: python prepare_memory.py FOLDER SMALL_LOGS LOGS MEMORY
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from home_tf.prepare import prepare
from support.kuairand import kuairand_config


def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


out, small, logs = map(Path, sys.argv[1:4])
config = kuairand_config()
prepare(small, config, out / small.name)  # what is loaded only once
before = peak()
prepare(logs, config, out / logs.name, memory=sys.argv[4])
print(peak() - before)
