"""The provenance of results and exports."""

import platform
import subprocess
from typing import Any

import home_tf


def collect_provenance() -> dict[str, Any]:
    """Collects the versions and the revision of the code."""
    import tensorflow as tf

    from home_tf.backend import keras

    return {
        "versions": {
            "home_tf": home_tf.__version__,
            "tensorflow": tf.__version__,
            keras.__name__: keras.__version__,
            "python": platform.python_version(),
        },
        "git_revision": git_revision(),
    }


def git_revision() -> str | None:
    """The revision of the repository in the current folder, if there is one.

    Git is not asked to look at any files, so hooks and filters in the repository's
    configuration do not run.

    Returns:
        40 hexadecimal digits.
    """
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "rev-parse", "--verify", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
