"""From a run's best checkpoint to a versioned SavedModel."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import tensorflow as tf

from home_tf.config import Config
from home_tf.data import Column, RecordSchema, read
from home_tf.data.encode_examples import encode_examples
from home_tf.errors import HomeError
from home_tf.export.check_export import check_export
from home_tf.export.manifest import write_manifest
from home_tf.export.quantized_tables import (
    QuantizedTable,
    TableType,
    check_auc_changes,
    quantize_tables,
)
from home_tf.export.serving_model import ServingModel
from home_tf.export.versions import Versions
from home_tf.export.warmup import Request, write_warmup
from home_tf.features import Preprocessor
from home_tf.models import RankingNetwork
from home_tf.run import Run
from home_tf.training.broken_records import explain_broken_records
from home_tf.training.evaluate import load_network
from home_tf.training.predictions import Predictions, Predictor
from home_tf.training.ranking_dataset import ranking_dataset

CHECKED_ROWS = 256
WARMUP_ROWS = 64


def export_run(
    run: Run,
    out: str | Path,
    *,
    data: str | Path | None = None,
    keep: int = 5,
    tables: TableType = "float32",
    max_auc_loss: float = 0.001,
    on_check: Callable[[float], None] | None = None,
    on_auc_changes: Callable[[dict[str, float]], None] | None = None,
) -> Path:
    """Exports a run as the next version of a model.

    The SavedModel is written aside, loaded in a process with only TensorFlow, compared
    with the trained model on validation rows, and only then renamed into place. TF
    Serving never sees a half-written version.

    Its `assets.extra` has `tf_serving_warmup_requests`, validation rows that TF Serving
    replays before it serves the version, and `home_tf.json`, what it was made of.

    Args:
        run: The run.
        out: The model's folder, which holds the versions: `out/1`, `out/2`, ...
        data: The prepared folder; by default the one that the run was trained on.
        keep: How many versions to keep, the new one among them.
        tables: How embedding tables are stored: `float32`, as trained; `float16` or
            `int8`, in a half or about a quarter of the space.
        max_auc_loss: By how much the AUC of a task may fall on the validation rows
            with `float16` or `int8`.
        on_check: Called with the largest difference that the comparison found.
        on_auc_changes: Called with the AUC that `float16` or `int8` tables gained, by
            task.

    Returns:
        The folder of the new version.

    Raises:
        HomeError: If the run has no checkpoint, the export fails its check, or the AUC
            falls too far; the versions that exist stay as they are.
    """
    _check_arguments(keep, tables, max_auc_loss)
    config = run.load_config()
    data = Path(data or run.data)
    preprocessor = Preprocessor(config, data)
    network = load_network(run, config, preprocessor)
    quantized, auc_changes = _quantize(
        network, config, data, preprocessor, tables=tables, max_auc_loss=max_auc_loss
    )
    if auc_changes and on_auc_changes is not None:
        on_auc_changes(auc_changes)
    model = ServingModel(
        preprocessor,
        network,
        list(config.tasks),
        RecordSchema.load(data),
        config.request_columns,
        config.serving.score,
        quantized,
    )
    versions = Versions(out)
    aside = versions.begin()
    try:
        signatures = model.signatures()
        tf.saved_model.save(model, str(aside), signatures=signatures)
        columns = _sample(config, data, preprocessor)
        warmup = _warmup_requests(columns, config)
        write_warmup(aside, Path(out).name, warmup)
        write_manifest(aside, run, data, tables=tables, auc_changes=auc_changes)
        expected = _expected(signatures["predict"], columns)
        difference = check_export(aside, columns, expected)
        version = versions.publish(aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    versions.keep(keep)
    if on_check is not None:
        on_check(difference)
    return version


def _check_arguments(keep: int, tables: str, max_auc_loss: float) -> None:
    if keep < 1:
        raise HomeError(f"`keep` should be at least 1. Received: {keep}")
    if tables not in get_args(TableType):
        raise HomeError(
            f"`tables` should be one of {', '.join(get_args(TableType))}. Received: "
            f"{tables!r}"
        )
    if not max_auc_loss >= 0:
        raise HomeError(
            f"`max_auc_loss` should not be negative. Received: {max_auc_loss}"
        )


def _quantize(
    network: RankingNetwork,
    config: Config,
    data: Path,
    preprocessor: Preprocessor,
    *,
    tables: TableType,
    max_auc_loss: float,
) -> tuple[list[QuantizedTable], dict[str, float]]:
    """The network's quantised tables, and by how much the AUC changed with them."""
    if tables == "float32":
        return [], {}

    def predict() -> Predictions:
        dataset = ranking_dataset(
            config, data, "validation", preprocessor, with_groups=True
        )
        with explain_broken_records(data, "validation"):
            return Predictor(network).predict(dataset)

    exact = predict()
    quantized = quantize_tables(network, tables)
    changes = check_auc_changes(exact, predict(), max_auc_loss=max_auc_loss)
    return quantized, changes


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


def _warmup_requests(columns: dict[str, Any], config: Config) -> list[Request]:
    """A request of one row and one of many, for each signature."""
    requests: list[Request] = []
    once, score = config.request_columns, config.serving.score
    for rows in (1, WARMUP_ROWS):
        few = {name: values[:rows] for name, values in columns.items()}
        requests.append(("predict", few))
        examples = _as_examples(few)
        requests.append(("serving_default", {"examples": examples}))
        requests.append(("classify", {"inputs": examples}))
        if score:
            requests.append(("regress", {"inputs": examples}))
        if once:
            first = {k: v[:1] if k in once else v for k, v in few.items()}
            requests.append(("rank", first))
            if score:
                weights = [score.weights.get(task, 0.0) for task in config.tasks]
                weighted = {**first, "weights": np.array(weights, np.float32)}
                requests.append(("rank_weighted", weighted))
    return requests


def _as_examples(columns: dict[str, Any]) -> Any:
    dtypes = {"i": "int64", "f": "float32", "O": "string"}
    schema = {
        name: Column(dtypes[values.dtype.kind], values.shape[1:])
        for name, values in columns.items()
    }
    return np.array(list(encode_examples(columns, schema)), object)


def _expected(signature: Any, columns: dict[str, Any]) -> dict[str, Any]:
    tensors = {name: tf.constant(values) for name, values in columns.items()}
    return {task: values.numpy() for task, values in signature(**tensors).items()}
