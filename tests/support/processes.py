"""Python in a process of its own, with no variables of TensorFlow but those given."""

import os
import subprocess
import sys


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
