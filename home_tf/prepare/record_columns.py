"""From the columns of the database to those of records."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from home_tf.config import DataConfig
from home_tf.data import Column
from home_tf.errors import HomeError
from home_tf.prepare.columns import Kind
from home_tf.prepare.engine import Table, first_row

Array = npt.NDArray[Any]


def record_columns(
    dataset: Table, kinds: Mapping[str, Kind], data: DataConfig
) -> dict[str, Column]:
    """The columns of the records, in order.

    Args:
        dataset: The table `dataset`.
        kinds: The columns that are written.
        data: The section `data`, which may have the lengths of lists.

    Raises:
        HomeError: If a list holds something else than ids.
    """
    lengths = _longest(dataset, [n for n in kinds if _is_list(dataset, n)])
    for name in lengths:
        given = data.history_lists.get(name) or data.columns.get(name)
        if given is not None and not isinstance(given, str) and given.length:
            lengths[name] = given.length
    return {
        name: Column(_dtype(name, dataset), (lengths[name],) if name in lengths else ())
        for name in kinds
    }


def to_arrays(batch: pa.RecordBatch, columns: Mapping[str, Column]) -> dict[str, Array]:
    """A batch of the database as the arrays that are written."""
    return {
        name: _padded(batch[name], column) if column.shape else _flat(batch[name])
        for name, column in columns.items()
    }


def _is_list(dataset: Table, name: str) -> bool:
    return bool(dataset[name].type().is_array())


def _longest(dataset: Table, names: list[str]) -> dict[str, int]:
    if not names:
        return {}
    longest = dataset.agg(**{name: dataset[name].length().max() for name in names})
    return {name: max(1, length or 0) for name, length in first_row(longest).items()}


def _dtype(name: str, dataset: Table) -> str:
    kind = dataset[name].type()
    kind = kind.value_type if kind.is_array() else kind
    if kind.is_integer():
        return "int32" if kind.nbytes <= 4 else "int64"
    if kind.is_string():
        return "string"
    if _is_list(dataset, name):
        raise HomeError(
            f"`{name}`: a list must hold whole numbers or text. Received: {kind}"
        )
    return "float32"


def _flat(values: pa.Array) -> Array:
    return values.to_numpy(zero_copy_only=False)


def _padded(lists: pa.Array, column: Column) -> Array:
    """Lists as `(rows, length)`: the first values, padded at the end."""
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
