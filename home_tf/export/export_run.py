"""Exporting a run's best checkpoint as a versioned SavedModel."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import tensorflow as tf

from home_tf.config import Calibration, history_features, override_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError, check_at_least
from home_tf.export.candidates import read_candidates
from home_tf.export.check_export import check_export
from home_tf.export.quantized_tables import (
    AucChanges,
    TableType,
    quantize_and_compare,
)
from home_tf.export.requests import Requests
from home_tf.export.serving_model import ServingModel
from home_tf.export.warmup import write_warmup
from home_tf.extras import require_extra
from home_tf.files import AnyPath, PathLike, as_path
from home_tf.model_versions import Versions
from home_tf.provenance import collect_provenance
from home_tf.run import Run
from home_tf.training.experiment import Experiment

# Stored in a SavedModel next to the files that TF Serving reads.
MANIFEST_FILE = Path("assets.extra", "home_tf.json")
# The server's graph rounds to half precision at other places than the eager network:
# allow four units in the last place of the compute type.
TOLERANCES = {"float32": 1e-5, "mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}
MAX_AUC_LOSS = 0.001


def export_run(
    run: Run,
    out: PathLike,
    *,
    data: DatasetDirectory | PathLike | None = None,
    keep: int = 5,
    tables: TableType = "float32",
    max_auc_loss: float | None = None,
    score_weights: Mapping[str, float] | None = None,
    calibration: Calibration | None = None,
    on_check: Callable[[float], None] | None = None,
    on_auc_changes: Callable[[AucChanges], None] | None = None,
) -> AnyPath:
    """Exports a run as the next version of a model.

    The SavedModel is written to a temporary folder, loaded in a process with only
    TensorFlow, compared with the trained model (with the quantised tables, if there
    are) on validation rows, and only then renamed into place. TF Serving never sees a
    half-written version.

    Its `assets.extra` has `tf_serving_warmup_requests`, validation rows that TF Serving
    replays before it serves the version, and `home_tf.json`, its provenance.

    Args:
        run: The run.
        out: The model's folder, which holds the versions: `out/1`, `out/2`, ...
        data: The dataset directory; by default the one that the run was trained on.
        keep: Number of versions to keep, including the new one.
        tables: How embedding tables are stored: `float32`, as trained; `float16` or
            `int8`, in a half or about a quarter of the space.
        max_auc_loss: The largest drop in a task's AUC on the validation rows with
            `float16` or `int8`; by default 0.001.
        score_weights: Weights of the combined score, `{task: weight}`, instead of those
            in the configuration. Without `serving.score` there, the score is a product.
        calibration: `platt`, `isotonic` or `none`, instead of `serving.calibration` in
            the configuration.
        on_check: Called with the largest difference that the comparison found.
        on_auc_changes: Called with what `check_auc_changes` returns, for `float16` or
            `int8` tables.

    Returns:
        The folder of the new version.

    Raises:
        HomeError: If the run has no checkpoint or one with weights that are not finite,
            the data is not the run's or has none of the configured candidates, a score
            weight names no task, the export cannot be written or fails its check, the
            AUC drops too much, or another export of the model is running. Existing
            versions stay as they are.
    """
    limit = _check_arguments(keep, tables, max_auc_loss)
    versions = Versions(out)
    config, best, origin = run.load_config(), run.find_best(), run.describe()
    if score_weights is not None:
        override = {"serving.score.weights": dict(score_weights)}
        config = override_config(config, override)
    if calibration is not None:
        config = override_config(config, {"serving.calibration": calibration})
    experiment = Experiment.open(config, run.open_data(data))
    with experiment.explain_broken_records(*experiment.data.schema.splits):
        network = experiment.load_network(best)
        quantized, auc_changes = quantize_and_compare(
            network,
            tables,
            lambda: experiment.predict(network, "validation")[0],
            max_auc_loss=limit,
            regression=config.regression_tasks,
        )
        candidates = read_candidates(experiment)
        # From the network with quantised tables, if it has any.
        calibrators = experiment.fit_calibrators(network)
        requests = Requests.read(experiment, network, candidates, calibrators)
    if auc_changes and on_auc_changes is not None:
        on_auc_changes(auc_changes)
    model = ServingModel(
        experiment.preprocessor,
        network,
        list(config.tasks),
        config.request_columns,
        score=config.serving.score,
        candidates=candidates,
        calibrators=calibrators,
        tables=quantized,
        numbers=experiment.make_number_losses(),
    )
    made = collect_provenance()
    manifest = {
        **origin,
        "versions": made["versions"],
        "export_git_revision": made["git_revision"],
        "data_sha256": experiment.data.fingerprint,
        "history": {
            column: asdict(feature)
            for column, feature in history_features(config).items()
        },
        "score": config.serving.score and asdict(config.serving.score),
        "calibration": {task: asdict(one) for task, one in calibrators.items()},
        "embedding_tables": tables,
        "auc_changes": auc_changes,
    }
    with versions.publish(keep=keep) as (version, aside):
        with _explain_unwritable(aside):
            tf.saved_model.save(model, str(aside), signatures=model.signatures())
            write_warmup(aside, as_path(out).name, requests.warm_up)
            text = json.dumps(manifest, indent=2, allow_nan=False)
            (aside / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
        tolerance = TOLERANCES[config.training.mixed_precision]
        difference = check_export(aside, requests, tolerance=tolerance)
    if on_check is not None:
        on_check(difference)
    return version


def _check_arguments(keep: int, tables: str, max_auc_loss: float | None) -> float:
    require_extra("serving", "tensorflow_serving")
    check_at_least("keep", keep, 1)
    if tables not in get_args(TableType):
        raise HomeError(
            f"`tables` must be one of {', '.join(get_args(TableType))}. Received: "
            f"{tables!r}"
        )
    if max_auc_loss is None:
        return MAX_AUC_LOSS
    if tables == "float32":
        raise HomeError(
            "`max_auc_loss` requires `tables` float16 or int8; float32 loses nothing. "
            f"Received: {max_auc_loss}"
        )
    check_at_least("max_auc_loss", max_auc_loss, 0)
    return max_auc_loss


@contextmanager
def _explain_unwritable(folder: Path) -> Iterator[None]:
    """Turns TensorFlow's errors, such as a full disk, into one line."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = str(error).splitlines()[0]
        raise HomeError(f"{folder}: cannot be written ({reason})") from None
