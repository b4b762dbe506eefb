"""`home-tf data-service` on this machine, as its users start it."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from home_tf.cli.local_processes import free_addresses

ROOT = Path(__file__).parents[2]


def free_port():
    """A port of the loopback interface that is free now."""
    (address,) = free_addresses(1)
    return int(address.rpartition(":")[2])


@contextmanager
def running_service(port, *options):
    """Lends the process of a service whose dispatcher answers; ends it at last."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "home_tf", "data-service", "--port", str(port)),
            *options,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**environment, "COLUMNS": "80", "NO_COLOR": "1"},
    )
    try:
        assert f"grpc://localhost:{port}" in process.stdout.readline()
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        finally:
            process.kill()
