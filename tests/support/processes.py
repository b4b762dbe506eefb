"""Python in a process of its own, with no variables of TensorFlow but those given."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


def run_python(*arguments, cwd=None, **variables):
    """Runs Python with 80 columns and without colours; returns how it went."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**environment, "COLUMNS": "80", "NO_COLOR": "1", **variables},
        check=False,
        timeout=300,
    )


def children_of(process):
    """Identifiers of the processes that a process has started."""
    tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in tasks.read_text().split()]


def is_running(pid):
    """Whether there is a process that has not ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def wait_until(holds, seconds=90):
    """Waits until a function returns what is true, and fails if it takes longer."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
