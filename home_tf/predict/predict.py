"""Predictions for many rows: from files, tables or records to Parquet files."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from home_tf.data import DatasetDirectory
from home_tf.data.schema import FILE_NAME as SCHEMA_FILE
from home_tf.data.schema import fingerprint_file
from home_tf.engines import PartFiles
from home_tf.errors import HomeError, check_at_least
from home_tf.files import AnyPath, PathLike, RemotePath, as_path
from home_tf.predict.predict_batches import PREFIX, PredictBatches
from home_tf.predict.rows import RecordRows, TableRows
from home_tf.predict.saved_ranker import find_saved_model, load_ranker
from home_tf.progress import Progress, no_progress

MANIFEST = "predictions.json"


def predict(
    data: Any,
    out: PathLike,
    *,
    export: PathLike | None = None,
    run: PathLike | None = None,
    run_data: PathLike | None = None,
    split: str | None = None,
    columns: Sequence[str] = (),
    batch_size: int = 4096,
    rows_per_file: int = 1_000_000,
    engine: Any = "duckdb",
    master: str | None = None,
    memory: str = "4GB",
    progress: Progress | None = None,
) -> int:
    """Predicts all tasks for many rows and writes Parquet files.

    The rows are read, predicted and written batch by batch, so memory does not grow
    with their number. An interrupted call resumes after the last complete file.

    Args:
        data: A dataset directory, or its URL; CSV or Parquet files with the columns
            that the model reads, as a path, a pattern such as `new/*.parquet` or a list
            of them; or a table of Ibis, Arrow, pandas or Polars, for which `out` must
            be new.
        out: The folder to write, or its URL: `part-00000.parquet`, ..., each with the
            kept columns and a `float32` column `predicted_TASK` for each task, and
            `predicted_score` if the model has a score. The rows are in the order of
            the data, except on Spark.
        export: A SavedModel that `home-tf export` wrote, or the folder of its versions,
            to use the newest. Neither Keras nor the run is needed.
        run: The folder of a run to use instead: its best checkpoint, as it would be
            exported.
        run_data: The dataset directory of the run, if it has moved.
        split: The split of a dataset directory; by default `test`.
        columns: Columns to keep next to the predictions, such as keys.
        batch_size: Maximum number of rows per model call.
        rows_per_file: Approximate number of rows per file; not on Spark.
        engine: `"duckdb"`, `"spark"`, or a Spark session, whose executors then load the
            model.
        master: The Spark master.
        memory: Memory limit of DuckDB.
        progress: Called with a stage, the number of rows done, and their total.

    Returns:
        Number of rows in the folder.

    Raises:
        HomeError: If there is no model or no data, a column is missing or has values
            that the model cannot read, an argument is out of its range, or `out` holds
            something else, such as predictions for other data.
    """
    check_at_least("batch_size", batch_size, 1)
    check_at_least("rows_per_file", rows_per_file, 1)
    rows = _find_rows(data, split, engine, master, memory)
    with _open_model(export, run, run_data, engine) as folder:
        fingerprint = _fingerprint(as_path(run) if run else folder)
        ranker = load_ranker(str(folder), fingerprint)
        function = PredictBatches(
            model=str(folder),
            fingerprint=fingerprint,
            columns=ranker.columns,
            outputs=ranker.outputs,
            kept=_check_kept(columns, ranker.outputs),
            batch_size=batch_size,
        )
        job = {
            "model": fingerprint,
            "data": rows.fingerprint(),
            "columns": function.kept,
        }
        parts = PartFiles(out, MANIFEST, job, rows_per_file=rows_per_file)
        if not parts.complete:
            with parts.hold():
                rows.predict(function, parts, progress or no_progress)
                parts.finish()
        return parts.rows


def _find_rows(
    data: Any, split: str | None, engine: Any, master: str | None, memory: str
) -> RecordRows | TableRows:
    is_path = isinstance(data, (str, Path, RemotePath))
    if is_path and (as_path(data) / SCHEMA_FILE).is_file():
        if engine != "duckdb":
            raise HomeError(
                "Spark reads CSV or Parquet files, not a dataset directory. "
                f"Received: {data}. Leave `engine` out"
            )
        return RecordRows(DatasetDirectory(data), split or "test")
    if split is not None:
        raise HomeError(
            f"`split` requires a dataset directory. Received: {split!r}, and "
            f"{data if is_path else 'a table'}, which is not one"
        )
    return TableRows(data, engine, master, memory)


@contextmanager
def _open_model(
    export: PathLike | None,
    run: PathLike | None,
    run_data: PathLike | None,
    engine: Any,
) -> Iterator[AnyPath]:
    """Yields the folder of the SavedModel; the one of a run is removed afterwards."""
    if export is not None:
        if run is not None or run_data is not None:
            raise HomeError("name either an `export` or a `run`, not both")
        yield find_saved_model(export)
        return
    if engine != "duckdb":
        raise HomeError(
            "on Spark each executor loads an `export`. Write one of the run with "
            "`home-tf export`, to a folder that all machines have"
        )
    if run is None:
        raise HomeError("name the model: an `export` or a `run`")
    # Imported here: they import Keras, which an export does not need.
    from home_tf.export import export_for_predictions
    from home_tf.run import Run

    with TemporaryDirectory() as scratch:
        export_for_predictions(Run(as_path(run)), scratch, data=run_data)
        yield Path(scratch)


def _check_kept(columns: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """Checks the columns to keep, and removes duplicates."""
    taken = {f"{PREFIX}{output}" for output in outputs}.intersection(columns)
    if taken:
        raise HomeError(
            "`columns` must not contain the name of a prediction. Received: "
            f"{sorted(taken)}. Rename the column in the data"
        )
    return list(dict.fromkeys(columns))


def _fingerprint(folder: AnyPath) -> str:
    """Returns a text that identifies a model.

    Args:
        folder: The folder of a SavedModel, or of a run.
    """
    patterns = ("saved_model.pb", "variables/*", "checkpoints/best/*")
    found = []
    for pattern in patterns:
        files: list[Any] = list(folder.glob(pattern))
        found += [fingerprint_file(file) for file in sorted(files) if file.is_file()]
    return hashlib.sha256(" ".join(found).encode()).hexdigest()
