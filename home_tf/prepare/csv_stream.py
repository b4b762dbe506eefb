"""Streams chosen columns of a CSV file, with errors that name the file."""

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from home_tf.errors import HomeError

BLOCK_BYTES = 4 << 20

Columns = dict[str, npt.NDArray[Any]]


def stream_csv(file: Path, types: Mapping[str, pa.DataType]) -> Iterator[pa.Table]:
    """Reads a CSV file, plain or gzip, in blocks of bounded size.

    Args:
        file: The file; its first line names the columns.
        types: The columns to read, and their types. Empty fields and NaN are null.

    Yields:
        Tables with the columns of `types`.

    Raises:
        HomeError: If the file is empty, truncated or not CSV, lacks a column, or holds
            a value that is not of the column's type.
    """
    _check_header(file, types)
    try:
        with pa_csv.open_csv(file, _READ, convert_options=_convert(types)) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except (pa.ArrowInvalid, OSError) as error:
        raise HomeError(f"{file} could not be read: {_one_line(error)}") from error


# Without threads, because only then does Arrow say in which line a value is wrong.
_READ = pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False)


def _convert(types: Mapping[str, pa.DataType]) -> pa_csv.ConvertOptions:
    return pa_csv.ConvertOptions(
        column_types=dict(types),
        include_columns=list(types),
        null_values=["", "NaN", "nan", "NULL", "null"],
        strings_can_be_null=True,
    )


def _check_header(file: Path, types: Mapping[str, pa.DataType]) -> None:
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rt", encoding="utf-8-sig") as lines:
            names = [name.strip('"') for name in lines.readline().rstrip().split(",")]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise HomeError(f"{file} could not be read: {_one_line(error)}") from error
    missing = [name for name in types if name not in names]
    if missing:
        raise HomeError(f"{file} has no column `{'`, `'.join(missing)}`")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def integers(
    table: pa.Table, column: str, file: Path, *, signed: bool = False
) -> npt.NDArray[np.int64]:
    """Takes a column of integers, none of which may be missing.

    Args:
        table: A table of `stream_csv` or of a parquet file.
        column: The column's name.
        file: Where the table comes from, for the error.
        signed: Whether they may be negative.

    Returns:
        `(rows,)` int64.

    Raises:
        HomeError: If a value is missing, no integer, or negative and not `signed`.
    """
    if table[column].null_count:
        raise HomeError(f"{file} has an empty value in column `{column}`")
    kind = table[column].type
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise HomeError(
            f"{file}: column `{column}` must hold integers. Received: {kind}"
        )
    values: npt.NDArray[np.int64] = (
        table[column].to_numpy().astype(np.int64, copy=False)
    )
    if not signed and values.size and values.min() < 0:
        raise HomeError(
            f"{file}: column `{column}` must not be negative. Received: {values.min()}"
        )
    return values


def floats(table: pa.Table, column: str) -> npt.NDArray[np.float64]:
    """Takes a column of numbers; a missing one becomes 0, which is also the least.

    Args:
        table: A table of `stream_csv`.
        column: The column's name.

    Returns:
        `(rows,)` float64.
    """
    values: npt.NDArray[np.float64] = table[column].to_numpy()
    return np.maximum(np.nan_to_num(values, nan=0.0), 0.0)
