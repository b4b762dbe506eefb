"""Finding and reading CSV, gzip CSV and Parquet files."""

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from home_tf.engines import Engine, Table, explained, is_parquet
from home_tf.engines.check_csv import cells_explained, check_headers, check_texts
from home_tf.errors import HomeError
from home_tf.files import AnyPath

_BLOCK_BYTES = 1 << 20


def read_files(
    engine: Engine,
    name: str,
    patterns: str | Sequence[str],
    folder: Path,
    *,
    key: str,
    types: Mapping[str, str],
    expected: Mapping[str, str] | None = None,
) -> Table:
    """Reads files of one kind; their columns may stand in different orders.

    Args:
        engine: The engine to read them with.
        name: The name of the table.
        patterns: Paths or patterns of paths; an address such as `s3://...` is left to
            the engine.
        folder: Where relative paths begin.
        key: The key of the configuration that names the files, for messages.
        types: Types of CSV columns, where they are not to be guessed.
        expected: What columns of CSV are used as, see `check_csv`.

    Returns:
        A table with the columns of the files, and `ROW`.

    Raises:
        HomeError: If there is no such file, or one exists twice or cannot be read.
    """
    listed = [patterns] if isinstance(patterns, str) else patterns
    files = [file for one in listed for file in find_files(one, folder, key=key)]
    _check_once(files)
    for file in files:
        _check_whole(file)
    where = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    with explained(f"`{key}`: {where}"):
        if is_parquet(files[0]):
            return engine.read(name, files, types)
        check_headers(files)
        with cells_explained(files, expected or {}):
            table = engine.read(name, files, types)
        check_texts(table, files, expected or {})
        return table


def find_files(pattern: str, folder: Path, *, key: str) -> list[str]:
    """Finds the files that match a pattern, in the order of their names.

    Args:
        pattern: A path or a pattern of paths; an address is returned as it is.
        folder: Where relative paths begin.
        key: What names the files, for messages.

    Raises:
        HomeError: If there is none.
    """
    found = _matches(pattern, folder)
    if not found:
        raise HomeError(f"`{key}`: no file matches {pattern} in {folder}")
    return found


def check_folder(folder: AnyPath) -> None:
    """Checks that the folder of the files is a folder.

    Raises:
        HomeError: If it is not.
    """
    if not folder.is_dir():
        raise HomeError(f"`source` must be a folder. Received: {folder}")


def files_exist(patterns: str | Sequence[str], folder: Path) -> bool:
    """Whether any of the files exists."""
    listed = [patterns] if isinstance(patterns, str) else patterns
    return any(_matches(pattern, folder) for pattern in listed)


def _matches(pattern: str, folder: Path) -> list[str]:
    if "://" in pattern:
        return [pattern]
    base, relative = folder, pattern
    if Path(pattern).is_absolute():
        base, relative = Path("/"), pattern.lstrip("/")
    return sorted(str(path) for path in base.glob(relative) if path.is_file())


def _check_whole(file: str) -> None:
    """Reads a gzip file to its end, because DuckDB does not notice truncation."""
    if "://" in file or not file.endswith(".gz"):
        return
    try:
        with gzip.open(file) as packed:
            while packed.read(_BLOCK_BYTES):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise HomeError(f"{file}: is damaged or truncated ({error})") from None


def _check_once(files: Sequence[str]) -> None:
    for file in files:
        if f"{file}.gz" in files:
            raise HomeError(
                f"{file} exists twice, plain and as .gz, so its rows would count "
                "twice. Remove one of them"
            )
    if len({is_parquet(file) for file in files}) > 1:
        raise HomeError(
            f"{files[0]} and {files[-1]}: the files of a table must be all CSV or all "
            "Parquet"
        )
