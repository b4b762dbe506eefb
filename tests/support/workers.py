"""Processes of this machine that train together, as on several machines."""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

from home_tf.cli.local_processes import free_addresses
from home_tf.cluster import describe_worker


def run_workers(*arguments, number=2, cwd=None, timeout=120, **variables):
    """Runs Python in several processes with a `TF_CONFIG` each, or in one without.

    Args:
        *arguments: Of Python.
        number: How many processes.
        cwd: Where they run.
        timeout: Seconds after which they are killed, and the test fails.
        **variables: Of the environment.

    Returns:
        Exit code and output, standard error after standard output, of each process.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    environment |= {"COLUMNS": "80", "NO_COLOR": "1", **variables}
    addresses = free_addresses(number)
    with ExitStack() as stack:
        outputs, processes = [], []
        for index in range(number):
            config = describe_worker(addresses, index) if number > 1 else ""
            outputs.append(stack.enter_context(tempfile.TemporaryFile("w+")))
            process = subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                stdout=outputs[-1],
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**environment, "TF_CONFIG": config},
            )
            processes.append(process)
            stack.callback(end, process)
        wait_for(processes, timeout)
        codes = [process.poll() for process in processes]
        for process in processes:
            end(process)
        return [
            (code, read(output)) for code, output in zip(codes, outputs, strict=True)
        ]


def wait_for(processes, timeout):
    """Waits until all have ended, or one has failed and the others had 20 seconds."""
    deadline = time.monotonic() + timeout
    while any(process.poll() is None for process in processes):
        if any(process.returncode for process in processes):
            deadline = min(deadline, time.monotonic() + 20)
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)


def end(process):
    process.kill()
    process.wait()


def read(output):
    output.seek(0)
    return output.read()
