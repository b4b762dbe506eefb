"""Writes columns of rows as sharded TFRecord files."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.data.encode_examples import encode_examples
from home_tf.data.schema import (
    COMPRESSIONS,
    FILE_NAME,
    LAYOUTS,
    ROWS_FEATURE,
    Column,
    RecordFile,
    RecordSchema,
    Split,
    check_choice,
    check_column_names,
    fingerprint_file,
)
from home_tf.errors import HomeError, check_at_least
from home_tf.files import as_path, require_local

Array = npt.NDArray[Any]


class RecordWriter:
    """Writes a dataset directory; a context manager.

    Row `i` of a split goes to shard `i % shards`, so shards differ by at most one row.
    About `shards * block_rows` rows of each split wait in memory. `schema.json` is
    written last, when the `with` block ends without an error; a folder without it
    cannot be read. To publish a folder atomically, write to a temporary one and rename
    it.

    Args:
        folder: The folder to write, created if necessary.
        columns: The columns by name.
        layout: `"packed"` (a record holds a block of rows; fast) or `"rows"` (a record
            is a `tf.train.Example` with one row; for other readers).
        compression: `None` or `"GZIP"`.
        shards: Number of files per split.
        block_rows: Maximum number of rows in a packed record.
        nullable: `float32` columns in which NaN means "missing", such as labels.

    Raises:
        HomeError: If an argument is invalid, or the directory already holds records;
            while writing, if a file cannot be written, for example because the disk is
            full.

    Examples:
        ```python
        columns = {"user_id": Column("int64"), "tags": Column("int32", (3,))}
        with RecordWriter(folder, columns) as writer:
            writer.write("train", {"user_id": user_id, "tags": tags})
        ```
    """

    def __init__(
        self,
        folder: str | Path,
        columns: Mapping[str, Column],
        *,
        layout: Literal["packed", "rows"] = "packed",
        compression: Literal["GZIP"] | None = None,
        shards: int = 8,
        block_rows: int = 1024,
        nullable: Collection[str] = (),
    ) -> None:
        check_choice("layout", layout, LAYOUTS)
        check_choice("compression", compression, COMPRESSIONS)
        check_at_least("shards", shards, 1)
        check_at_least("block_rows", block_rows, 1)
        self.folder = require_local(as_path(folder), "folder")
        self.columns = dict(columns)
        self.layout = layout
        self.compression = compression
        self.shards = shards
        self.block_rows = block_rows
        self.nullable = frozenset(nullable)
        self._check_columns()
        self._make_folder()
        self._splits: dict[str, _SplitWriter] = {}

    def write(self, split: str, rows: Mapping[str, Any]) -> None:
        """Appends rows to a split. The arrays may be changed afterwards.

        Args:
            split: Name of the split; letters, digits, "_" and "-".
            rows: `{column: (rows, *shape)}` for every column. Integer columns take
                integers and booleans that fit, `float32` columns any real numbers,
                string columns `str` or `bytes`.

        Raises:
            HomeError: If a column is missing, unknown, of another shape or type, or
                holds a number that is not finite. None of the rows is written then.
        """
        self._check_names(split, rows)
        arrays: dict[str, Array] = {}
        for name, column in self.columns.items():
            where = f"split {split!r}: column {name!r}"
            # NumPy's own byte strings would lose trailing zeros.
            dtype = object if column.dtype == "string" else None
            values = np.asarray(rows[name], dtype)
            _check_shape(where, values, column, arrays)
            arrays[name] = _converted(where, values, column, name in self.nullable)
        with self._explain_unwritable():
            if split not in self._splits:
                self._splits[split] = _SplitWriter(self, split)
            self._splits[split].add(arrays)

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if exception_type is None:
                with self._explain_unwritable():
                    for writer in self._splits.values():
                        writer.flush()
        finally:
            # An earlier error takes precedence.
            quiet = suppress(HomeError) if exception_type else nullcontext()
            with quiet, self._explain_unwritable():
                for writer in self._splits.values():
                    writer.close()
        if exception_type is None:
            self._schema().save(self.folder)

    @contextmanager
    def _explain_unwritable(self) -> Iterator[None]:
        """Turns TensorFlow's errors, such as a full disk, into one line."""
        try:
            yield
        except tf.errors.OpError as error:
            reason = str(error).splitlines()[0]
            raise HomeError(f"{self.folder}: cannot be written ({reason})") from None

    def _schema(self) -> RecordSchema:
        return RecordSchema(
            layout=self.layout,
            compression=self.compression,
            columns=self.columns,
            splits={name: writer.result() for name, writer in self._splits.items()},
        )

    def _check_columns(self) -> None:
        check_column_names(self.columns)
        for name in sorted(self.nullable):
            if name not in self.columns or self.columns[name].dtype != "float32":
                raise HomeError(
                    "`nullable` must name columns of dtype float32 only. Received: "
                    f"{name!r}"
                )

    def _make_folder(self) -> None:
        if (self.folder / FILE_NAME).exists():
            raise HomeError(
                f"{self.folder}: already contains records; remove it or choose another "
                "`folder`"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeError(f"{self.folder}: cannot be created ({error})") from error

    def _check_names(self, split: str, rows: Mapping[str, Any]) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", split):
            raise HomeError(
                "`split` must be made of letters, digits, '_' and '-', because it "
                f"names files. Received: {split!r}"
            )
        missing = [name for name in self.columns if name not in rows]
        unknown = [name for name in rows if name not in self.columns]
        for problem, names in (("are missing", missing), ("are unknown", unknown)):
            if names:
                listed = ", ".join(map(repr, names))
                raise HomeError(
                    f"split {split!r}: columns {problem}: {listed}; `rows` must have "
                    "exactly the writer's `columns`"
                )


class _SplitWriter:
    """The open shards of a split, and the rows that wait for full blocks."""

    def __init__(self, writer: RecordWriter, split: str) -> None:
        shards, folder = writer.shards, writer.folder
        self._encode = _blocks if writer.layout == "packed" else encode_examples
        self._columns = writer.columns
        self._turn_rows = shards * writer.block_rows
        self._waiting: list[dict[str, Array]] = []
        self._waiting_rows = 0
        self._paths = [
            folder / f"{split}-{shard:05}-of-{shards:05}.tfrecord"
            for shard in range(shards)
        ]
        self._rows, self._records = [0] * shards, [0] * shards
        options = tf.io.TFRecordOptions(compression_type=writer.compression or "")
        self._files = [tf.io.TFRecordWriter(str(path), options) for path in self._paths]

    def add(self, arrays: dict[str, Array]) -> None:
        self._waiting.append(arrays)
        self._waiting_rows += _row_count(arrays)
        if self._waiting_rows < self._turn_rows:
            return
        rows = self._take_waiting()
        whole = _row_count(rows) // self._turn_rows * self._turn_rows
        for start in range(0, whole, self._turn_rows):
            self._write_turn(_sliced(rows, slice(start, start + self._turn_rows)))
        # A copy, because a view would keep all of the rows in memory.
        rest = {name: values[whole:].copy() for name, values in rows.items()}
        self._waiting, self._waiting_rows = [rest], _row_count(rest)

    def flush(self) -> None:
        if self._waiting_rows:
            self._write_turn(self._take_waiting())

    def close(self) -> None:
        for file in self._files:
            file.close()

    def result(self) -> Split:
        files = (
            RecordFile(
                path.name, rows, path.stat().st_size, records, fingerprint_file(path)
            )
            for path, rows, records in zip(
                self._paths, self._rows, self._records, strict=True
            )
        )
        return Split(sum(self._rows), tuple(files))

    def _take_waiting(self) -> dict[str, Array]:
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0
        waiting = [arrays for arrays in waiting if _row_count(arrays)]
        if len(waiting) == 1:
            return waiting[0]
        return {
            name: np.concatenate([arrays[name] for arrays in waiting])
            for name in self._columns
        }

    def _write_turn(self, rows: dict[str, Array]) -> None:
        """Writes one block of rows to each shard."""
        shards = len(self._files)
        for shard, file in enumerate(self._files[: _row_count(rows)]):
            share = _sliced(rows, slice(shard, None, shards))
            self._rows[shard] += _row_count(share)
            for record in self._encode(share, self._columns):
                file.write(record)
                self._records[shard] += 1


def _blocks(rows: dict[str, Array], columns: Mapping[str, Column]) -> Iterator[bytes]:
    features = {ROWS_FEATURE: _int64_feature([_row_count(rows)])}
    for name, values in rows.items():
        packed = (
            values.ravel().tolist()
            if columns[name].dtype == "string"
            else [values.tobytes()]
        )
        features[name] = _bytes_feature(packed)
    yield _serialized(features)


def _serialized(features: dict[str, Any]) -> bytes:
    example = tf.train.Example(features=tf.train.Features(feature=features))
    # The order of a map's entries would otherwise differ from run to run.
    return bytes(example.SerializeToString(deterministic=True))


def _int64_feature(values: list[int]) -> Any:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _bytes_feature(values: list[bytes]) -> Any:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _row_count(arrays: Mapping[str, Array]) -> int:
    return len(next(iter(arrays.values())))


def _sliced(rows: dict[str, Array], part: slice) -> dict[str, Array]:
    return {name: values[part] for name, values in rows.items()}


def _check_shape(
    where: str, values: Array, column: Column, others: Mapping[str, Array]
) -> None:
    rows = _row_count(others) if others else len(values) if values.ndim else 0
    if values.shape != (rows, *column.shape):
        expected = "".join(f", {length}" for length in column.shape) or ","
        raise HomeError(
            f"{where} must have the shape (rows{expected}), here with {rows} rows. "
            f"Received: shape {values.shape}; pad or cut multi-valued columns"
        )


def _converted(where: str, values: Array, column: Column, nullable: bool) -> Array:
    """A copy in the column's dtype, little-endian; strings become bytes objects."""
    if column.dtype == "string":
        return _as_bytes(where, values)
    if column.dtype == "float32":
        return _as_floats(where, values, nullable)
    return _as_integers(where, values, np.dtype(column.dtype))


def _as_integers(where: str, values: Array, dtype: np.dtype[Any]) -> Array:
    _check_kind(where, values, "biu", "integers")
    if values.size and values.dtype.kind != "b":
        limits = np.iinfo(dtype)
        low, high = int(values.min()), int(values.max())
        if low < limits.min or high > limits.max:
            raise HomeError(
                f"{where} must hold integers that fit {dtype.name}. Received: values "
                f"from {low} to {high}; use a wider dtype or map them to fewer values"
            )
    return values.astype(dtype.newbyteorder("<"))


def _as_floats(where: str, values: Array, nullable: bool) -> Array:
    _check_kind(where, values, "biuf", "real numbers")
    with np.errstate(over="ignore"):
        floats: Array = values.astype("<f4")
    refused = np.isinf(floats) if nullable else ~np.isfinite(floats)
    if refused.any():
        row = int(np.argwhere(refused)[0, 0])
        raise HomeError(
            f"{where} must hold finite float32 numbers{' or NaN' if nullable else ''}. "
            f"Received: {values[row]} in row {row} of `rows`; replace it, or name the "
            "column in `nullable` if NaN means a missing label"
        )
    return floats


def _as_bytes(where: str, values: Array) -> Array:
    flat = values.ravel().tolist()
    try:
        is_encoded = set(map(type, flat)) == {bytes}
        encoded = flat if is_encoded else list(map(str.encode, flat))
    except TypeError:  # not only str
        encoded = [
            _one_as_bytes(where, value, index * len(values) // values.size)
            for index, value in enumerate(flat)
        ]
    result = np.empty(len(flat), object)
    result[:] = encoded
    return result.reshape(values.shape)


def _one_as_bytes(where: str, value: object, row: int) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise HomeError(
        f"{where} must hold str or bytes. Received: {value!r} in row {row} of "
        '`rows`; write a missing string as ""'
    )


def _check_kind(where: str, values: Array, kinds: str, expected: str) -> None:
    if values.dtype.kind not in kinds:
        raise HomeError(
            f"{where} must hold {expected}. Received: dtype {values.dtype}; "
            "convert it first"
        )
