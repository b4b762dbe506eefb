"""Where an export comes from."""

from dataclasses import asdict
from pathlib import Path

from home_tf.config import ScoreConfig
from home_tf.data import DatasetDirectory
from home_tf.export.quantized_tables import AucChanges
from home_tf.files import read_json, write_json
from home_tf.provenance import made_by
from home_tf.run import Run

# In a SavedModel, beside what TF Serving itself reads.
MANIFEST_FILE = Path("assets.extra", "home_tf.json")


def write_manifest(
    folder: Path,
    run: Run,
    data: DatasetDirectory,
    *,
    score: ScoreConfig | None,
    tables: str,
    auc_changes: AucChanges,
) -> None:
    """Writes what the export was made of.

    Args:
        folder: The SavedModel.
        run: The run that is exported.
        data: The dataset directory.
        score: What the combined score is, if there is one.
        tables: How the embedding tables are stored.
        auc_changes: The AUC that the tasks gained by that, on the validation rows;
            None for tasks without both classes there.
    """
    file = folder / MANIFEST_FILE
    file.parent.mkdir(exist_ok=True)
    made = made_by(data)
    metrics = run.metrics_file
    write_json(
        file,
        {
            "versions": made["versions"],
            "training_git_revision": run.load_state().get("git_revision"),
            "export_git_revision": made["git_revision"],
            "data_sha256": made["data_sha256"],
            "config": run.config_file.read_text(encoding="utf-8"),
            "score": None if score is None else asdict(score),
            "embedding_tables": tables,
            "auc_changes": auc_changes,
            "metrics": read_json(metrics) if metrics.is_file() else None,
        },
    )
