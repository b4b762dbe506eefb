"""Starts a worker process; `worker_processes.py` runs this file.

Its arguments are the folder of the package, the framework, which determines the Keras,
the module whose `main` to call, and the argument of `main`.
"""

import importlib
import os
import sys
import threading


def end_with_the_parent() -> None:
    """Ends this process when the process that started it has ended."""
    while os.read(0, 1024):  # nobody writes: this waits for end of file
        pass
    os._exit(1)


threading.Thread(target=end_with_the_parent, daemon=True).start()

package_folder, framework, module, argument = sys.argv[1:]
# The package is found where the parent found it, and not in the current folder, which
# may hold another version; nor is this folder searched, whose modules are not Python's.
sys.path[0] = package_folder

from home_tf.cli.start_tensorflow import start_tensorflow  # noqa: E402

# TensorFlow reads the environment and logs when it is imported, so this comes first.
start_tensorflow(framework)

importlib.import_module(module).main(argument)
