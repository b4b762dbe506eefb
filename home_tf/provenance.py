"""The provenance of results and exports."""

import platform
import subprocess
from typing import Any

import home_tf


def collect_provenance() -> dict[str, Any]:
    """The versions and the revision of the code: `versions` and `git_revision`."""
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
    """The revision of the repository that this was called in, if it is one.

    Git is asked for nothing that looks at the files: hooks and filters, which a
    repository's configuration can name, do not run.

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
