"""Converting batches of an engine to the arrays that are written."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from home_tf.data import Column

Array = npt.NDArray[Any]


def to_arrays(batch: pa.RecordBatch, columns: Mapping[str, Column]) -> dict[str, Array]:
    """Turns a batch into the arrays that are written.

    Args:
        batch: The rows.
        columns: The columns to convert.

    Returns:
        `{column: (rows, *shape)}`; lists are cut or padded at the end.
    """
    return {
        name: _padded(batch[name], column) if column.shape else _flat(batch[name])
        for name, column in columns.items()
    }


def _flat(values: pa.Array) -> Array:
    # Text is written in UTF-8, as it is in memory: it need not become `str` first.
    if pa.types.is_string(values.type):
        values = values.cast(pa.binary())
    return values.to_numpy(zero_copy_only=False)


def _padded(lists: pa.Array, column: Column) -> Array:
    """Turns lists into `(rows, length)`: the first values, padded at the end."""
    (length,) = column.shape
    dtype = object if column.dtype == "string" else column.dtype
    rows = np.full((len(lists), length), column.missing, dtype)
    lists = lists.fill_null([])
    counts = np.asarray(lists.value_lengths())
    values = lists.flatten().fill_null(column.missing).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(len(lists)), counts)
    place = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = place < length
    rows[row[kept], place[kept]] = values[kept]
    return rows
