"""What results and exports are made by, and from."""

import platform
import subprocess
from typing import Any

import tensorflow as tf

import home_tf
from home_tf.backend import keras
from home_tf.data import DatasetDirectory


def made_by(data: DatasetDirectory) -> dict[str, Any]:
    """The versions, the revision of the code, and the data.

    Args:
        data: The dataset directory.

    Returns:
        `versions`, `git_revision` and `data_sha256`.
    """
    return {
        "versions": {
            "home_tf": home_tf.__version__,
            "tensorflow": tf.__version__,
            keras.__name__: keras.__version__,
            "python": platform.python_version(),
        },
        "git_revision": git_revision(),
        "data_sha256": data.fingerprint,
    }


def git_revision() -> str | None:
    """The revision of the repository that this was called in, if it is one.

    Returns:
        40 hexadecimal digits, with `-dirty` if a tracked file is changed, or a tag.
    """
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
