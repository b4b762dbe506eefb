"""The database that prepares: DuckDB, embedded, within bounds of memory."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import ibis
from ibis.common.exceptions import IbisError
from sqlglot.errors import SqlglotError

from home_tf.errors import HomeError

# What DuckDB and SQLGlot add to an error: hints to options of their own, and colours.
_HINTS = ("Candidate", "LINE ", "Possible", "The search space")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# Ibis has no types that mypy could use.
Connection = Any
Table = Any
Expression = Any


@contextmanager
def connect(folder: Path, memory: str) -> Iterator[Connection]:
    """Opens a database of its own; what does not fit in memory goes to the folder.

    Args:
        folder: An empty folder.
        memory: The most memory that the database takes, such as `4GB`.

    Raises:
        HomeError: If `memory` is no amount of memory, or in the context the database
            reports an error that nothing there explains.
    """
    with explained("`memory`"):
        connection = ibis.duckdb.connect(
            folder / "rows.duckdb",
            memory_limit=memory,
            temp_directory=str(folder / "spill"),
        )
    connection.raw_sql("SET TimeZone = 'UTC'")
    connection.raw_sql("SET enable_progress_bar = false")
    try:
        with explained("the rows"):
            yield connection
    finally:
        connection.disconnect()


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turns errors of the database into one line.

    Args:
        where: What the user wrote or which files are read, for the message.

    Raises:
        HomeError: If the database reports an error.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise HomeError(
            f"{where}: {_first_lines(error)}. Give the database more `memory`"
        ) from None
    except (duckdb.Error, IbisError, SqlglotError) as error:
        raise HomeError(f"{where}: {_first_lines(error)}") from None


def first_row(table: Table) -> dict[str, Any]:
    """The only row of a table."""
    row: dict[str, Any] = table.to_pyarrow().to_pylist()[0]
    return row


def _first_lines(error: Exception) -> str:
    """What an error says, without the hints to DuckDB's own options."""
    kept = []
    for line in str(error).splitlines():
        if not line.strip() or line.startswith(_HINTS):
            break
        kept.append(line.strip())
    return _COLOUR.sub("", " ".join(" ".join(kept).split()))
