"""What results and exports are made by, and from."""

import hashlib
import platform
import subprocess
from pathlib import Path
from typing import Any

import tensorflow as tf

import home_tf
from home_tf.backend import keras
from home_tf.data.schema import FILE_NAME


def made_by(data: Path) -> dict[str, Any]:
    """The versions, the revision of the code, and the data.

    Args:
        data: The prepared folder.

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
        "data_sha256": _data_hash(data),
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


def _data_hash(data: Path) -> str:
    """A hash of the schema, which has the files' sizes, and of what was counted."""
    counted = [*sorted(data.glob("vocabularies/*.csv")), data / "statistics.json"]
    hashed: Any = hashlib.sha256()
    for path in (data / FILE_NAME, *counted):
        hashed.update(path.name.encode() + b"\0" + path.read_bytes())
    return str(hashed.hexdigest())
