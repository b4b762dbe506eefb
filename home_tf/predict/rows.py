"""The rows to predict: from a dataset directory, or from files and tables."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from home_tf.data import Column, DatasetDirectory
from home_tf.engines import ROW, Engine, PartFiles, Table, open_engine
from home_tf.engines.part_files import SPOOL
from home_tf.engines.read_files import find_files, read_files
from home_tf.errors import HomeError
from home_tf.predict.predict_batches import PredictBatches
from home_tf.progress import Progress

_STAGE = "predicting rows"
_RECORD_ROWS = 4096
# How DuckDB reads the columns of CSV files.
_SQL = {"int64": "BIGINT", "float32": "DOUBLE", "string": "VARCHAR"}


class RecordRows:
    """A split of a dataset directory.

    Args:
        data: The dataset directory.
        split: Name of the split.
    """

    def __init__(self, data: DatasetDirectory, split: str) -> None:
        self._data, self._split = data, split
        self._rows = data.split(split).rows

    def fingerprint(self) -> dict[str, Any]:
        """A text that identifies these rows."""
        return {"sha256": self._data.fingerprint, "split": self._split}

    def predict(
        self, function: PredictBatches, parts: PartFiles, progress: Progress
    ) -> None:
        """Predicts the rows that are not written yet.

        Raises:
            HomeError: If a column is missing, has values that cannot be read, or a
                record is broken.
        """
        _check_columns(str(self._data), self._data.columns, function)
        batches = self._read(function.reads, parts.rows)
        try:
            parts.write(
                function(batches), lambda done: progress(_STAGE, done, self._rows)
            )
        except (tf.errors.DataLossError, tf.errors.FailedPreconditionError):
            broken = self._data.find_corrupt_record(self._split)
            if broken is None:
                raise
            raise HomeError(broken) from None

    def _read(
        self, columns: Collection[str], first_row: int
    ) -> Iterator[pa.RecordBatch]:
        first_step, left_out = divmod(first_row, _RECORD_ROWS)
        dataset = self._data.read(
            self._split,
            batch_size=_RECORD_ROWS,
            columns=columns,
            first_step=first_step,
        )
        for rows in dataset.as_numpy_iterator():
            arrays = {name: _to_arrow(values) for name, values in rows.items()}
            yield pa.RecordBatch.from_pydict(arrays).slice(left_out)
            left_out = 0


class TableRows:
    """Rows of files, or of a table in memory.

    Args:
        data: A path or pattern of CSV or Parquet files, a list of them, or a table of
            Ibis, Arrow, pandas or Polars.
        engine: The engine that reads the rows; see `open_engine` for this and the
            others.
        master: The Spark master.
        memory: Memory limit of DuckDB.
    """

    def __init__(self, data: Any, engine: Any, master: str | None, memory: str) -> None:
        self._data, self._engine = data, engine
        self._master, self._memory = master, memory
        self._files = _find_files(data)

    def fingerprint(self) -> dict[str, Any]:
        """A text that identifies these rows."""
        if self._files is None:  # a table cannot be identified
            return {"table": uuid4().hex}
        return {"files": [_describe(file) for file in self._files]}

    def predict(
        self, function: PredictBatches, parts: PartFiles, progress: Progress
    ) -> None:
        """Predicts the rows that are not written yet.

        Raises:
            HomeError: If a column is missing, or has values that cannot be read.
        """
        if self._engine != "duckdb" and not function.kept:
            raise HomeError(
                "Spark writes the rows in no particular order: keep columns that "
                "identify them, such as keys, with `columns`"
            )
        beside = parts.folder if isinstance(parts.folder, Path) else None
        with (
            TemporaryDirectory(prefix=SPOOL, dir=beside) as spool,
            open_engine(
                Path(spool), self._memory, self._engine, self._master
            ) as engine,
        ):
            table = self._read(engine, function.columns)
            _check_columns("`data`", table.columns, function)
            rows = table.select(*function.reads)
            total = rows.count().to_pyarrow().as_py()
            engine.map_to_parts(
                rows,
                function,
                function.schema(rows.schema().to_pyarrow()),
                parts,
                lambda done: progress(_STAGE, done, total),
            )

    def _read(self, engine: Engine, columns: Mapping[str, Column]) -> Table:
        if self._files is None:
            return engine.take("rows", self._data)
        types = {
            name: f"{_SQL[column.dtype]}{'[]' if column.shape else ''}"
            for name, column in columns.items()
        }
        return read_files(engine, "rows", self._files, Path(), key="data", types=types)


def _find_files(data: Any) -> list[str] | None:
    """Finds the files; None for a table."""
    if not isinstance(data, (str, Path, list, tuple)):
        return None
    given = [str(data)] if isinstance(data, (str, Path)) else list(map(str, data))
    return [file for one in given for file in find_files(one, Path(), key="data")]


def _describe(file: str) -> list[Any]:
    if "://" in file:
        return [file]
    found = Path(file).stat()
    return [str(Path(file).absolute()), found.st_size, found.st_mtime_ns]


def _check_columns(
    where: str, found: Collection[str], function: PredictBatches
) -> None:
    for names, reason in (
        (function.columns, "the model reads"),
        (function.kept, "`columns` names"),
    ):
        missing = [name for name in names if name not in found]
        if missing:
            there = ", ".join(name for name in found if name != ROW)
            raise HomeError(
                f"{where}: no column {', '.join(missing)}, which {reason}. Its columns "
                f"are: {there}"
            )


def _to_arrow(values: npt.NDArray[Any]) -> pa.Array:
    """Converts an array of records, `(rows,)` or `(rows, length)`, to Arrow."""
    flat = values.ravel()
    # TensorFlow's strings are bytes in UTF-8.
    is_text = flat.dtype.kind == "O"
    found = pa.array(flat, pa.binary()).cast(pa.string()) if is_text else pa.array(flat)
    if values.ndim == 1:
        return found
    offsets = np.arange(0, flat.size + 1, values.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, found)
