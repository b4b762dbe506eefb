"""Starts the worker of one job; `jobs.py` runs this file.

Its arguments are the folder of the package and the job as JSON.
"""

import os
import sys
import threading


def end_with_the_comparison() -> None:
    """Ends this process when the one that started it has ended."""
    while os.read(0, 1024):  # nobody writes: it waits for the end
        pass
    os._exit(1)


threading.Thread(target=end_with_the_comparison, daemon=True).start()

# The package is found where the parent found it, and not in the current folder, which
# may hold another version, nor is this folder searched, whose `statistics` is not
# Python's.
sys.path[0] = sys.argv[1]

from home_tf.cli.start_tensorflow import start_tensorflow  # noqa: E402

# TensorFlow reads the environment, and speaks, when it is imported: this comes first.
start_tensorflow("keras")

from home_tf.lab.comparison.worker import main  # noqa: E402

main(sys.argv[2])
