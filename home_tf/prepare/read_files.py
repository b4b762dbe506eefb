"""Reads CSV, gzip CSV and Parquet files into the database."""

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from home_tf.errors import HomeError
from home_tf.prepare.engine import Connection, Table, explained

_BLOCK_BYTES = 1 << 20
_MISSING = ["", "NaN", "nan", "NULL", "null"]


def read_files(
    connection: Connection,
    name: str,
    patterns: str | Sequence[str],
    folder: Path,
    *,
    key: str,
    types: Mapping[str, str],
    stored: bool = False,
) -> Table:
    """Reads files of one kind; their columns may stand in different orders.

    Args:
        connection: The database.
        name: What the table is called there.
        patterns: Paths or patterns of paths; an address such as `s3://...` is left to
            the database.
        folder: Where relative paths begin.
        key: The key of the configuration that names the files, for messages.
        types: Types of CSV columns, where they are not to be guessed.
        stored: Whether a table is needed that numbers its rows.

    Returns:
        A table with the rows in the order of the files.

    Raises:
        HomeError: If there is no such file, or one is there twice or cannot be read.
    """
    listed = [patterns] if isinstance(patterns, str) else patterns
    files = [file for one in listed for file in _find(one, folder, key)]
    _check_once(files)
    for file in files:
        _check_whole(file)
    where = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    with explained(f"`{key}`: {where}"):
        if _is_parquet(files[0]):
            table = connection.read_parquet(files, union_by_name=True)
            return connection.create_table(name, table) if stored else table
        # Of CSV the types are guessed anew by every query, so it is read only once.
        return connection.create_table(name, _read_csv(connection, files, types))


def check_folder(folder: Path) -> None:
    """Checks that the folder of the files is one.

    Raises:
        HomeError: If it is not.
    """
    if not folder.is_dir():
        raise HomeError(f"`source` must be a folder. Received: {folder}")


def _read_csv(
    connection: Connection, files: Sequence[str], types: Mapping[str, str]
) -> Table:
    options = {"nullstr": _MISSING, "union_by_name": True}
    guessed = connection.read_csv(files, **options)
    mine = {name: kind for name, kind in types.items() if name in guessed.columns}
    return connection.read_csv(files, types=mine, **options) if mine else guessed


def files_exist(patterns: str | Sequence[str], folder: Path) -> bool:
    """Whether there is any file that is meant."""
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(_matches(pattern, folder) for pattern in listed)


def _is_parquet(file: str) -> bool:
    return file.endswith((".parquet", ".pq"))


def _matches(pattern: str, folder: Path) -> list[str]:
    if "://" in pattern:
        return [pattern]
    base, relative = folder, pattern
    if Path(pattern).is_absolute():
        base, relative = Path("/"), pattern.lstrip("/")
    return sorted(str(path) for path in base.glob(relative) if path.is_file())


def _find(pattern: str, folder: Path, key: str) -> list[str]:
    found = _matches(pattern, folder)
    if not found:
        raise HomeError(f"`{key}`: no file is called {pattern} in {folder}")
    return found


def _check_whole(file: str) -> None:
    """Reads a gzip file to its end: DuckDB does not notice that one is cut."""
    if "://" in file or not file.endswith(".gz"):
        return
    try:
        with gzip.open(file) as packed:
            while packed.read(_BLOCK_BYTES):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise HomeError(f"{file}: is damaged or cut ({error})") from None


def _check_once(files: Sequence[str]) -> None:
    for file in files:
        if f"{file}.gz" in files:
            raise HomeError(
                f"{file} is there twice, plain and as .gz: its rows would count twice. "
                "Remove one of the two"
            )
    if len({_is_parquet(file) for file in files}) > 1:
        raise HomeError(
            f"{files[0]} and {files[-1]}: the files of a table must be all of CSV or "
            "all of Parquet"
        )
