"""Starts `home-tf` in a process of `LocalProcesses`, which runs this file.

Its arguments are the folder of the package, then those of the command.
"""

import os
import sys
import threading


def end_with_the_launcher() -> None:
    """Ends this process when the process that started it has ended."""
    while os.read(0, 1024):  # nobody writes: this waits for end of file
        pass
    os._exit(1)


threading.Thread(target=end_with_the_launcher, daemon=True).start()

# The package is found where the launcher found it, whatever the current folder holds.
sys.path[0] = sys.argv.pop(1)

from home_tf.__main__ import main  # noqa: E402

main()
