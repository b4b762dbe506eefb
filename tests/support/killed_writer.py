"""Dies as it writes a directory, or between the renames that replace what was there.

Usage: python killed_writer.py DIRECTORY writing|replacing
"""

import os
import pathlib
import sys

from home_tf.files import atomic_directory

rename = pathlib.Path.rename


def die(path, target):
    if path.name.endswith(".partial"):
        os._exit(9)
    return rename(path, target)


pathlib.Path.rename = die
with atomic_directory(sys.argv[1], replaceable=lambda folder: True) as partial:
    (partial / "new").touch()
    if sys.argv[2] == "writing":
        os._exit(9)
