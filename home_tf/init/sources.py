"""Grouping files with the same columns, and naming them in the configuration."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape, has_magic
from itertools import takewhile
from pathlib import Path

import duckdb

from home_tf.engines import ROW, Engine, Table, explained, is_parquet
from home_tf.engines.csv_files import kinds_of_csv
from home_tf.engines.read_files import read_files
from home_tf.engines.sql import select_parquet
from home_tf.errors import HomeError

_TYPES = re.compile(r"`data\.types: \{(\w+): (\w+)\}`")
_SUFFIX = re.compile(r"\.(csv|tsv|txt|parquet|pq)(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """Files with the same columns, as one table.

    Attributes:
        name: A name for the table, such as `movies` of `movies.csv`.
        files: Their paths, addresses such as `s3://...`, or patterns.
        table: Their content.
        rows: Number of rows.
    """

    name: str
    files: tuple[str, ...]
    table: Table
    rows: int

    @property
    def shown(self) -> str:
        """The files, for messages."""
        more = len(self.files) - 1
        return self.files[0] + (f" and {more} more" if more else "")


def read_sources(
    engine: Engine, files: Sequence[str], types: Mapping[str, str]
) -> list[Source]:
    """Reads files; those with the same columns form one source.

    Args:
        engine: The engine.
        files: CSV, gzip CSV or Parquet files, or patterns of them.
        types: Types of CSV columns that must not be guessed.

    Returns:
        The sources, in the order of their first files.

    Raises:
        HomeError: If there is no such file, one cannot be read, or has no rows.
    """
    alike: dict[frozenset[str], list[str]] = {}
    for file in dict.fromkeys(files):
        columns = frozenset(_columns(file))
        alike.setdefault(columns, []).append(file)
    sources: list[Source] = []
    for some in alike.values():
        name = _table_name(some, [source.name for source in sources])
        table = _read(engine, name, some, types)
        rows = table.count().to_pyarrow().as_py()
        if not rows:
            raise HomeError(f"{some[0]} has no rows")
        sources.append(Source(name, tuple(some), table, rows))
    return sources


def common_folder(files: Sequence[str], beside: Path) -> Path:
    """Finds the folder that paths in a configuration are relative to.

    Args:
        files: All files.
        beside: The folder of the configuration.

    Returns:
        The folder of the configuration, if all files are in it or below; otherwise
        their common folder.
    """
    local = [Path(file).absolute() for file in files if "://" not in file]
    if all(path.is_relative_to(beside.absolute()) for path in local):
        return beside.absolute()
    return Path(os.path.commonpath([path.parent for path in local]))


def pattern_of(files: Sequence[str], folder: Path) -> str | list[str]:
    """Names files in a configuration: by one pattern if possible, else by a list."""
    paths = [file if "://" in file else _relative(file, folder) for file in files]
    if len(paths) == 1:
        return paths[0]
    first = _common_start(paths)
    last = _common_start([path[::-1] for path in paths])[::-1]
    pattern = f"{first}*{last}"
    is_local = not any("://" in path or has_magic(path) for path in paths)
    if is_local and sorted(paths) == sorted(
        str(path.relative_to(folder)) for path in folder.glob(pattern)
    ):
        return pattern
    return paths


def _columns(file: str) -> list[str]:
    if not Path(file).is_file():  # a pattern or an address is one source
        return [file]
    with explained(file), duckdb.connect() as connection:
        if is_parquet(file):
            return connection.sql(select_parquet([file])).columns
        return list(kinds_of_csv(connection, [file], {}))


def _read(
    engine: Engine, name: str, files: Sequence[str], types: Mapping[str, str]
) -> Table:
    patterns = [escape(file) if Path(file).is_file() else file for file in files]
    table_name, here = f"read_{name}", Path.cwd()
    try:
        table = read_files(engine, table_name, patterns, here, key="FILES", types=types)
    except HomeError as error:
        # `prepare` reads it from the configuration, but `init` takes an option.
        message = _TYPES.sub(r"`--type \1=\2`", str(error))
        raise HomeError(message) from None
    return table.drop(ROW)


def _table_name(files: Sequence[str], taken: Sequence[str]) -> str:
    stems = [_SUFFIX.sub("", Path(file).name) for file in files]
    words = re.sub(r"[^A-Za-z0-9]+", "_", _common_start(stems)).strip("_")
    name = words.lower() or "table"
    while name in taken:
        name += "_table"
    return name


def _relative(file: str, folder: Path) -> str:
    path = Path(file).absolute()
    found = os.path.relpath(path, folder)
    # A name such as `a[1].csv` is not a pattern.
    return escape(found) if path.is_file() else found


def _common_start(texts: Sequence[str]) -> str:
    letters = takewhile(lambda some: len(set(some)) == 1, zip(*texts, strict=False))
    return "".join(some[0] for some in letters)
