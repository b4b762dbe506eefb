"""Where an export comes from."""

from collections.abc import Mapping
from pathlib import Path

from home_tf.made_by import made_by
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
            **made_by(data),
            "config": run.config_file.read_text(encoding="utf-8"),
            "embedding_tables": tables,
            "auc_changes": dict(auc_changes),
            "metrics": read_json(metrics) if metrics.is_file() else None,
        },
    )
