"""From a run's best checkpoint to a versioned SavedModel."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import tensorflow as tf

from home_tf.config import Config, override_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError, check_at_least
from home_tf.export.candidates import Candidates
from home_tf.export.check_export import check_export
from home_tf.export.expected_answers import expected_answers
from home_tf.export.manifest import write_manifest
from home_tf.export.quantized_tables import (
    AucChanges,
    QuantizedTable,
    TableType,
    check_auc_changes,
    quantize_tables,
)
from home_tf.export.requests import as_served, warmup_requests
from home_tf.export.serving_model import ServingModel
from home_tf.export.versions import Versions
from home_tf.export.warmup import write_warmup
from home_tf.extras import require_extra
from home_tf.features import Preprocessor
from home_tf.models import RankingNetwork
from home_tf.run import Run
from home_tf.training.broken_records import explain_broken_records
from home_tf.training.evaluate import load_network
from home_tf.training.predictions import Predictions, Predictor
from home_tf.training.ranking_dataset import ranking_dataset

CHECKED_ROWS = 256
# The server's graph rounds to half precision at other places than the eager network:
# four units in the last place of the type that it computes in.
TOLERANCES = {"float32": 1e-5, "mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}
MAX_AUC_LOSS = 0.001


def export_run(
    run: Run,
    out: str | Path,
    *,
    data: DatasetDirectory | str | Path | None = None,
    keep: int = 5,
    tables: TableType = "float32",
    max_auc_loss: float | None = None,
    score_weights: Mapping[str, float] | None = None,
    on_check: Callable[[float], None] | None = None,
    on_auc_changes: Callable[[AucChanges], None] | None = None,
) -> Path:
    """Exports a run as the next version of a model.

    The SavedModel is written aside, loaded in a process with only TensorFlow, compared
    with the trained model (with the quantised tables, if there are) on validation rows,
    and only then renamed into place. TF Serving never sees a half-written version.

    Its `assets.extra` has `tf_serving_warmup_requests`, validation rows that TF Serving
    replays before it serves the version, and `home_tf.json`, what it was made of.

    Args:
        run: The run.
        out: The model's folder, which holds the versions: `out/1`, `out/2`, ...
        data: The dataset directory; by default the one that the run was trained on.
        keep: How many versions to keep, the new one among them.
        tables: How embedding tables are stored: `float32`, as trained; `float16` or
            `int8`, in a half or about a quarter of the space.
        max_auc_loss: By how much the AUC of a task may fall on the validation rows
            with `float16` or `int8`; by default by 0.001.
        score_weights: Weights of the combined score, `{task: weight}`, instead of those
            in the configuration. Without `serving.score` there, the score is a product.
        on_check: Called with the largest difference that the comparison found.
        on_auc_changes: Called with what `check_auc_changes` returns, for `float16` or
            `int8` tables.

    Returns:
        The folder of the new version.

    Raises:
        HomeError: If the run has no checkpoint, the data no validation rows or none of
            the configured candidates, a weight of the score no task, the export cannot
            be written or fails its check, the AUC falls too far, or another export of
            the model is running; the versions that exist stay as they are.
    """
    max_auc_loss = _check_arguments(keep, tables, max_auc_loss)
    versions = Versions(out)
    config = run.load_config()
    if score_weights is not None:
        override = {"serving.score.weights": dict(score_weights)}
        config = override_config(config, override)
    data = DatasetDirectory.of(data or run.data)
    _check_validation_rows(data)
    preprocessor = Preprocessor(config.features, data)
    network = load_network(run, config, preprocessor)
    quantized, auc_changes = _quantize(
        network, config, data, preprocessor, tables=tables, max_auc_loss=max_auc_loss
    )
    if auc_changes and on_auc_changes is not None:
        on_auc_changes(auc_changes)
    candidates = _candidates(config, data, preprocessor)
    model = ServingModel(
        preprocessor,
        network,
        list(config.tasks),
        data.schema,
        config.request_columns,
        score=config.serving.score,
        candidates=candidates,
        tables=quantized,
    )
    batch = _first_rows(data, preprocessor)
    columns = as_served(batch)
    expected = expected_answers(network, preprocessor, config, batch)
    with versions.publish(keep=keep) as (version, aside):
        with _explain_unwritable(aside):
            tf.saved_model.save(model, str(aside), signatures=model.signatures())
            warmup = warmup_requests(columns, config, candidates)
            write_warmup(aside, Path(out).name, warmup)
            write_manifest(
                aside,
                run,
                data,
                score=config.serving.score,
                tables=tables,
                auc_changes=auc_changes,
            )
        tolerance = TOLERANCES[config.training.mixed_precision]
        difference = check_export(
            aside, columns, expected, candidates=candidates, tolerance=tolerance
        )
    if on_check is not None:
        on_check(difference)
    return version


def _check_arguments(keep: int, tables: str, max_auc_loss: float | None) -> float:
    require_extra("serving", "tensorflow_serving")
    check_at_least("keep", keep, 1)
    if tables not in get_args(TableType):
        raise HomeError(
            f"`tables` should be one of {', '.join(get_args(TableType))}. Received: "
            f"{tables!r}"
        )
    if max_auc_loss is None:
        return MAX_AUC_LOSS
    if tables == "float32":
        raise HomeError(
            "`max_auc_loss` goes with `tables` float16 or int8, float32 loses nothing. "
            f"Received: {max_auc_loss}"
        )
    if not max_auc_loss >= 0:
        raise HomeError(
            f"`max_auc_loss` should not be negative. Received: {max_auc_loss}"
        )
    return max_auc_loss


def _candidates(
    config: Config, data: DatasetDirectory, preprocessor: Preprocessor
) -> Candidates | None:
    if config.serving.candidates is None:
        return None
    columns = [n for n in preprocessor.columns if n not in config.request_columns]
    return Candidates.read(data, config.serving.candidates, columns)


def _check_validation_rows(data: DatasetDirectory) -> None:
    splits = data.schema.splits
    if "validation" not in splits or not splits["validation"].rows:
        raise HomeError(
            f"{data}: no rows in the split 'validation', which the check of an export "
            "needs. Prepare the data again, or name other data"
        )


def _quantize(
    network: RankingNetwork,
    config: Config,
    data: DatasetDirectory,
    preprocessor: Preprocessor,
    *,
    tables: TableType,
    max_auc_loss: float,
) -> tuple[list[QuantizedTable], AucChanges]:
    """The network's quantised tables, and by how much the AUC changed with them."""
    if tables == "float32":
        return [], {}

    def predict() -> Predictions:
        dataset = ranking_dataset(
            data,
            "validation",
            preprocessor,
            config.tasks,
            batch_size=config.training.batch_size,
            group_by=config.evaluation.group_by,
        )
        with explain_broken_records(data, "validation"):
            return Predictor(network).predict(dataset)

    exact = predict()
    quantized = quantize_tables(network, tables)
    changes = check_auc_changes(exact, predict(), max_auc_loss=max_auc_loss)
    return quantized, changes


def _first_rows(data: DatasetDirectory, preprocessor: Preprocessor) -> dict[str, Any]:
    """The first validation rows, as the records have them."""
    columns = list(preprocessor.columns)
    dataset = data.read("validation", batch_size=CHECKED_ROWS, columns=columns)
    with explain_broken_records(data, "validation"):
        return dict(next(iter(dataset.take(1))))


@contextmanager
def _explain_unwritable(folder: Path) -> Iterator[None]:
    """Turns TensorFlow's errors, such as of a full disk, into one line."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = str(error).splitlines()[0]
        raise HomeError(f"{folder}: cannot be written ({reason})") from None
