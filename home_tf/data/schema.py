"""The schema of a dataset directory: its columns, splits and files."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import tensorflow as tf

from home_tf.errors import HomeError
from home_tf.files import AnyPath, PathLike, as_path, write_json

FORMAT = "home_tf.records"
VERSION = 2
FILE_NAME = "schema.json"
DTYPES = ("int32", "int64", "float32", "string")
LAYOUTS = ("packed", "rows")
COMPRESSIONS = (None, "GZIP")
# The feature of a packed record that holds its number of rows.
ROWS_FEATURE = "__rows__"
FINGERPRINT_BYTES = 2**16
# What is an input of a served model, a file of a vocabulary and a name in a graph.
_COLUMN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
# Of the served model's own inputs and functions.
_RESERVED = ("examples", "inputs", "self", "weights")


@dataclass(frozen=True)
class Column:
    """A column: the type and the fixed shape of a row's value.

    Multi-valued columns are padded at the end: -1 for integers, `""` for strings.

    Args:
        dtype: `"int32"`, `"int64"`, `"float32"` or `"string"`.
        shape: `()`, or `(length,)` for a multi-valued column.

    Raises:
        HomeError: If the dtype or the shape is none of these.
    """

    dtype: str
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise HomeError(
                f"`dtype` must be one of {', '.join(DTYPES)}. Received: {self.dtype!r}"
            )
        if len(self.shape) > 1 or any(
            not isinstance(length, int) or length < 1 for length in self.shape
        ):
            raise HomeError(
                "`shape` must be () or (length,) with a length of at least 1. "
                f"Received: {self.shape!r}"
            )

    @property
    def missing(self) -> int | str:
        """The value for missing values and padding: `""` or -1."""
        return "" if self.dtype == "string" else -1

    @property
    def values_per_row(self) -> int:
        """Number of values per row."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class RecordFile:
    """A shard of a split.

    Attributes:
        name: The file's name in the dataset directory.
        rows: Number of rows.
        bytes: Size of the file, in bytes.
        records: Number of TFRecord records; a packed record holds many rows.
        fingerprint: A SHA-256 of the file's first and last bytes, to detect a file that
            was replaced.
    """

    name: str
    rows: int
    bytes: int
    records: int
    fingerprint: str


@dataclass(frozen=True)
class Split:
    """A split, such as `train`.

    Attributes:
        rows: Number of rows over all files.
        files: The shards.
    """

    rows: int
    files: tuple[RecordFile, ...]


@dataclass(frozen=True)
class RecordSchema:
    """The content of `schema.json`.

    Attributes:
        layout: `"packed"` (a record holds a block of rows) or `"rows"` (one
            `tf.train.Example` a row).
        compression: `None` or `"GZIP"`.
        columns: The columns by name.
        splits: The splits by name.

    Raises:
        HomeError: If there is no column, or one has a name that it cannot have.
    """

    layout: str
    compression: str | None
    columns: dict[str, Column]
    splits: dict[str, Split]

    def __post_init__(self) -> None:
        check_column_names(self.columns)

    @classmethod
    def load(cls, folder: PathLike) -> "RecordSchema":
        """Reads the schema of a dataset directory.

        Args:
            folder: The dataset directory.

        Returns:
            The schema. The existence of the shards is checked when they are read.

        Raises:
            HomeError: If the directory has no valid schema, or one of another version.
        """
        path = _find(as_path(folder))
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise HomeError(
                f"{path}: cannot be read as JSON ({error}); run `home-tf prepare` again"
            ) from error
        _check_format(path, content)
        try:
            return _from_json(content)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise HomeError(
                f"{path}: not a valid schema ({type(error).__name__}: {error}); run "
                "`home-tf prepare` again"
            ) from error

    def save(self, folder: PathLike) -> None:
        """Writes `schema.json` into a directory.

        Args:
            folder: The directory with the shards.
        """
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        write_json(as_path(folder) / FILE_NAME, content)

    def example_features(self) -> dict[str, Any]:
        """Returns how `tf.io.parse_example` reads a row from a `tf.train.Example`.

        Returns:
            A `tf.io.FixedLenFeature` for each column. An `int32` column is parsed as
            `int64`, the only integer type of an example: cast it afterwards.
        """
        return {
            name: tf.io.FixedLenFeature(column.shape, example_dtype(column))
            for name, column in self.columns.items()
        }


def example_dtype(column: Column) -> Any:
    """The TensorFlow dtype that a column has in a `tf.train.Example` of a row."""
    return tf.int64 if column.dtype == "int32" else tf.as_dtype(column.dtype)


def _find(folder: AnyPath) -> AnyPath:
    path = folder / FILE_NAME
    if path.is_file():
        return path
    if not folder.exists():
        problem = "there is no such directory"
    elif not folder.is_dir():
        problem = "this is not a directory"
    elif not any(folder.iterdir()):
        problem = "the directory is empty"
    else:
        problem = f"there is no {FILE_NAME}, so it is not a dataset directory"
    raise HomeError(f"{folder}: {problem}; run `home-tf prepare` to write it")


def _check_format(path: AnyPath, content: Any) -> None:
    found = content.get("format") if isinstance(content, Mapping) else None
    if found != FORMAT:
        raise HomeError(
            f"{path}: `format` must be {FORMAT!r}. Received: {found!r}; choose a "
            "directory that `home-tf prepare` wrote"
        )
    if content.get("version") != VERSION:
        raise HomeError(
            f"{path}: `version` {content.get('version')!r} of the records is not "
            f"supported, only {VERSION} is; run `home-tf prepare` again"
        )


def _from_json(content: Mapping[str, Any]) -> RecordSchema:
    layout, compression = content["layout"], content["compression"]
    check_choice("layout", layout, LAYOUTS)
    check_choice("compression", compression, COMPRESSIONS)
    return RecordSchema(
        layout=layout,
        compression=compression,
        columns={
            name: Column(column["dtype"], tuple(column["shape"]))
            for name, column in content["columns"].items()
        },
        splits={
            name: Split(
                rows=split["rows"],
                files=tuple(RecordFile(**file) for file in split["files"]),
            )
            for name, split in content["splits"].items()
        },
    )


def fingerprint_file(path: AnyPath) -> str:
    """A SHA-256 of a file's first and last `FINGERPRINT_BYTES`, in hexadecimal."""
    with path.open("rb") as file:
        hashed = hashlib.sha256(file.read(FINGERPRINT_BYTES))
        file.seek(max(file.tell(), path.stat().st_size - FINGERPRINT_BYTES))
        hashed.update(file.read())
    return hashed.hexdigest()


def check_column_names(names: Iterable[str]) -> None:
    """Checks the names of a dataset directory's columns.

    Raises:
        HomeError: If there are none, or one could not be an input of a served model.
    """
    if not names:
        raise HomeError(
            "`columns` must name at least one column. Received: an empty list"
        )
    for name in names:
        if not _COLUMN_NAME.fullmatch(name) or name in _RESERVED:
            raise HomeError(
                "the name of a column must consist of letters (a to z), digits, `_`, "
                "`-` and `.`, start with a letter or digit, and must not be one of "
                f"{', '.join(_RESERVED)}. Received: {name!r}"
            )


def check_choice(argument: str, value: object, choices: tuple[object, ...]) -> None:
    """Checks that an argument is one of its choices.

    Raises:
        HomeError: If it is not.
    """
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise HomeError(f"`{argument}` must be one of {listed}. Received: {value!r}")
