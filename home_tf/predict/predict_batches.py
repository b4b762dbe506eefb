"""From batches of rows to batches of predictions, here or on Spark's executors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

from home_tf.data import Column
from home_tf.engines.to_arrays import to_arrays
from home_tf.errors import HomeError
from home_tf.predict.saved_ranker import load_ranker

PREFIX = "predicted_"

_SCALARS = {"int64": pa.int64(), "float32": pa.float32(), "string": pa.string()}
_WORDS = {"int64": "whole numbers", "float32": "numbers", "string": "text"}


@dataclass(frozen=True)
class PredictBatches:
    """Predicts batches of rows.

    Args:
        model: The folder of the SavedModel.
        fingerprint: A text that identifies the model.
        columns: The columns that it reads.
        outputs: What it predicts.
        kept: Columns that are kept next to the predictions.
        batch_size: Maximum number of rows per model call.
    """

    model: str
    fingerprint: str
    columns: Mapping[str, Column]
    outputs: Sequence[str]
    kept: Sequence[str]
    batch_size: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Predicts each batch.

        Args:
            batches: Batches with the columns that the model reads, and those to keep.

        Yields:
            Batches with the kept columns and the predictions, in order.

        Raises:
            HomeError: If a column has values that the model cannot read.
        """
        ranker = load_ranker(self.model, self.fingerprint)
        for batch in batches:
            for start in range(0, batch.num_rows, self.batch_size):
                rows = batch.slice(start, self.batch_size)
                found = ranker(to_arrays(self._cast(rows), self.columns))
                kept = {name: rows[name] for name in self.kept}
                predicted = {f"{PREFIX}{o}": pa.array(found[o]) for o in self.outputs}
                yield pa.RecordBatch.from_pydict({**kept, **predicted})

    @property
    def reads(self) -> list[str]:
        """The columns that the rows must have."""
        return list(dict.fromkeys([*self.columns, *self.kept]))

    def schema(self, rows: pa.Schema) -> pa.Schema:
        """Derives the schema of the predictions from that of the rows."""
        kept = [rows.field(name) for name in self.kept]
        predicted = [pa.field(f"{PREFIX}{o}", pa.float32()) for o in self.outputs]
        return pa.schema([*kept, *predicted])

    def _cast(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {name: _cast(name, rows[name], one) for name, one in self.columns.items()}
        )


def _cast(name: str, values: pa.Array, column: Column) -> pa.Array:
    """Casts values to the type of a column, with missing ones as in a record."""
    wanted = _SCALARS[column.dtype]
    if _is_list(values.type) != bool(column.shape):
        raise _error(name, values, column)
    readable = kinds.is_string if column.dtype == "string" else _is_number
    held = values.type.value_type if column.shape else values.type
    if kinds.is_dictionary(held):
        held = held.value_type
    if not (readable(held) or kinds.is_large_string(held) or kinds.is_null(held)):
        raise _error(name, values, column)
    try:
        # A fraction must not become an integer; a double may become a float.
        safe = column.dtype != "float32"
        cast = values.cast(pa.list_(wanted) if column.shape else wanted, safe=safe)
    except pa.ArrowInvalid as error:
        raise HomeError(f"{_error(name, values, column)} ({error})") from None
    if column.shape:
        return cast
    return cast.fill_null(float("nan") if column.dtype == "float32" else column.missing)


def _is_list(kind: Any) -> bool:
    return bool(
        kinds.is_list(kind)
        or kinds.is_large_list(kind)
        or kinds.is_fixed_size_list(kind)
    )


def _is_number(kind: Any) -> bool:
    return bool(
        kinds.is_integer(kind)
        or kinds.is_floating(kind)
        or kinds.is_boolean(kind)
        or kinds.is_decimal(kind)
    )


def _error(name: str, values: pa.Array, column: Column) -> HomeError:
    wanted = _WORDS[column.dtype]
    if column.shape:
        wanted = f"lists of {wanted}"
    return HomeError(
        f"column `{name}` must hold {wanted}, as the model was trained on. Received: "
        f"{values.type}"
    )
