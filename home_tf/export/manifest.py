"""Where an export comes from."""

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

import home_tf
from home_tf.backend import keras
from home_tf.data.schema import FILE_NAME
from home_tf.run import Run, read_json, write_json

# In a SavedModel, beside what TF Serving itself reads.
MANIFEST_FILE = Path("assets.extra", "home_tf.json")


def write_manifest(
    folder: Path,
    run: Run,
    data: Path,
    *,
    tables: str,
    auc_changes: Mapping[str, float],
) -> None:
    """Writes what the export was made of.

    Args:
        folder: The SavedModel.
        run: The run that is exported.
        data: The prepared folder.
        tables: How the embedding tables are stored.
        auc_changes: The AUC that the tasks gained by that, on the validation rows.
    """
    file = folder / MANIFEST_FILE
    file.parent.mkdir(exist_ok=True)
    metrics = run.metrics_file
    write_json(
        file,
        {
            "versions": {
                "home_tf": home_tf.__version__,
                "tensorflow": tf.__version__,
                keras.__name__: keras.__version__,
                "python": platform.python_version(),
            },
            "git_revision": _git_revision(),
            "config": run.config_file.read_text(encoding="utf-8"),
            "data_sha256": _data_hash(data),
            "embedding_tables": tables,
            "auc_changes": dict(auc_changes),
            "metrics": read_json(metrics) if metrics.is_file() else None,
        },
    )


def _git_revision() -> str | None:
    """The revision of the repository that the export was called in, if it is one."""
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
