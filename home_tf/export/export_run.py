"""From a run's best checkpoint to a versioned SavedModel."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.config import Config
from home_tf.data import RecordSchema, read
from home_tf.errors import HomeError
from home_tf.export.check_export import check_export
from home_tf.export.serving_model import ServingModel
from home_tf.features import Preprocessor
from home_tf.run import Run
from home_tf.training.evaluate import load_network

CHECKED_ROWS = 256


def export_run(
    run: Run,
    out: str | Path,
    *,
    data: str | Path | None = None,
    on_check: Callable[[float], None] | None = None,
) -> Path:
    """Exports a run as the next version of a model.

    The SavedModel is written aside, loaded in a process with only TensorFlow, compared
    with the trained model on validation rows, and only then renamed into place. TF
    Serving never sees a half-written version.

    Args:
        run: The run.
        out: The model's folder, which holds the versions: `out/1`, `out/2`, ...
        data: The prepared folder; by default the one that the run was trained on.
        on_check: Called with the largest difference that the comparison found.

    Returns:
        The folder of the new version.

    Raises:
        HomeError: If the run has no checkpoint, or the export fails its check; the
            versions that exist stay as they are.
    """
    config = run.load_config()
    data = Path(data or run.data)
    preprocessor = Preprocessor(config, data)
    network = load_network(run, config, preprocessor)
    schema = RecordSchema.load(data)
    model = ServingModel(
        preprocessor, network, list(config.tasks), schema, config.request_columns
    )
    version = _next_version(Path(out))
    aside = version.with_name(f".{version.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        signatures = model.signatures()
        tf.saved_model.save(model, str(aside), signatures=signatures)
        columns = _sample(config, data, preprocessor)
        expected = _expected(signatures["predict"], columns)
        difference = check_export(aside, columns, expected)
        aside.rename(version)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if on_check is not None:
        on_check(difference)
    return version


def _next_version(out: Path) -> Path:
    if out.exists() and not out.is_dir():
        raise HomeError(f"{out}: is a file. Name a folder for the model's versions")
    out.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name) for path in out.iterdir() if path.name.isdigit()]
    return out / str(max(taken, default=0) + 1)


def _sample(config: Config, data: Path, preprocessor: Preprocessor) -> dict[str, Any]:
    """The first validation rows, as the `predict` signature takes them."""
    columns = list(preprocessor.columns)
    dataset = read(data, "validation", batch_size=CHECKED_ROWS, columns=columns)
    batch = next(iter(dataset.take(1)))
    return {
        name: values.numpy().astype(np.int64)
        if values.dtype == tf.int32
        else values.numpy()
        for name, values in batch.items()
    }


def _expected(signature: Any, columns: dict[str, Any]) -> dict[str, Any]:
    tensors = {name: tf.constant(values) for name, values in columns.items()}
    return {task: values.numpy() for task, values in signature(**tensors).items()}
