"""Finding what is wrong with a CSV file, and on which line."""

import csv
import gzip
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import duckdb

from home_tf.engines import Table, engine_errors, first_row
from home_tf.engines.csv_files import NOT_WHOLE
from home_tf.errors import HomeError

# The type that a text must convert to if it is used as a number, a time or a day.
NUMBER, TIME, DAY = "float64", "timestamp", "date"

# The database's errors about a cell: its own, and those of `select_csv`.
_UNREADABLE = re.compile(
    r'converting column "(.+?)"\. Could not convert string "(.*?)" to', re.DOTALL
)
_NOT_WHOLE = re.compile(rf"{NOT_WHOLE}(.+?): (.*)", re.DOTALL)
_SQL = {NUMBER: "DOUBLE", TIME: "TIMESTAMP", DAY: "DATE"}
_WORDS = {NUMBER: "a number", TIME: "a time", DAY: "a day"}


def check_headers(files: Sequence[str]) -> None:
    """Checks that no header names a column twice: DuckDB would rename the second.

    Raises:
        HomeError: If one does.
    """
    for file in files:
        with _rows(file) as rows:
            header = next(rows, (0, []))[1]
        seen: set[str] = set()
        for name in header:
            # The database's names are case-insensitive.
            if name.lower() in seen:
                raise HomeError(
                    f"{file}: the header names `{name}` twice (upper and lower case "
                    "are the same). Give each column its own name"
                )
            seen.add(name.lower())


@contextmanager
def cells_explained(
    files: Sequence[str], expected: Mapping[str, str]
) -> Iterator[None]:
    """Adds the file and the line to errors about a cell that cannot be read.

    Args:
        files: The CSV files that are read in the context.
        expected: What columns must be, `{column: NUMBER, TIME or DAY}`.

    Raises:
        HomeError: If the database could not read a cell.
    """
    try:
        yield
    except engine_errors() as error:
        not_whole = _NOT_WHOLE.search(str(error))
        found = not_whole or _UNREADABLE.search(str(error))
        if found is None:
            raise
        name, value = found.groups()
        problem = (
            _problem_of_number(name, value)
            if not_whole and _is_number(value)
            else _problem(name, value, expected.get(name))
        )
        place = _find_line(files, name, value)
        raise HomeError(f"{place}: {problem}") from None


def check_texts(
    table: Table,
    files: Sequence[str],
    expected: Mapping[str, str],
) -> None:
    """Checks the columns of text that are used as numbers, times or days.

    One odd cell is enough for a column of numbers to be read as text. A column that is
    text for the most part is none of them.

    Args:
        table: What was read.
        files: The CSV files.
        expected: What columns must be, `{column: NUMBER, TIME or DAY}`.

    Raises:
        HomeError: If a cell is not what its column must be.
    """
    for name, kind in expected.items():
        if name in table.columns and table[name].type().is_string():
            value = _find_odd(table, name, kind)
            if value is not None:
                place = _find_line(files, name, value)
                raise HomeError(f"{place}: {_problem(name, value, kind)}")


def _find_odd(table: Table, name: str, kind: str) -> str | None:
    """Finds a cell that differs in kind from most of its column; None if none does."""
    text = table[name]
    is_odd = text.notnull() & text.try_cast(kind).isnull()
    found = first_row(table.agg(odd=is_odd.sum(), known=text.count()))
    if not found["odd"] or (kind == NUMBER and 2 * found["odd"] > found["known"]):
        return None
    (value,) = table.filter(is_odd).limit(1)[name].to_pyarrow().to_pylist()
    return str(value)


def _problem(name: str, value: str, kind: str | None) -> str:
    types = f"`data.types: {{{name}: VARCHAR}}`"
    if kind is None:
        return (
            f"{value!r} does not fit the type of column `{name}`. Mend the cell, or "
            f"read the column as text by {types}"
        )
    cast = f"{{{name}: TRY_CAST({name} AS {_SQL[kind]})}}"
    return (
        f"`{name}` must be {_WORDS[kind]}. Received: {value!r}. Mend the cell, or make "
        f"it missing by `data.columns: {cast}`, with {types}"
    )


def _problem_of_number(name: str, value: str) -> str:
    if float(value).is_integer():
        return (
            f"{value} is beyond the type of column `{name}`. Give it a larger one by "
            f"`data.types: {{{name}: BIGINT}}`"
        )
    return (
        f"`{name}` must be a whole number. Received: {value!r}. Mend the cell, or read "
        f"fractions by `data.types: {{{name}: DOUBLE}}`"
    )


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _find_line(files: Sequence[str], name: str, value: str) -> str:
    """Finds the first file and line on which a column has a value."""
    for file in files:
        with _rows(file) as rows:
            header = next(rows, (0, []))[1]
            place = header.index(name) if name in header else len(header)
            for line, cells in rows:
                if place < len(cells) and cells[place].strip() == value.strip():
                    return f"{file}, line {line}"
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


@contextmanager
def _rows(file: str) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """Yields the rows of a file with their line numbers, the header first.

    There are none for a file without a header, or one that is not on this machine.
    """
    look = None if "://" in file else _sniff(file)
    if look is None:
        yield iter(())
        return
    with _open(file) as lines:
        reader = csv.reader(lines, delimiter=look["Delimiter"])
        yield ((reader.line_num, cells) for cells in reader)


def _sniff(file: str) -> dict[str, Any] | None:
    """Returns what DuckDB detects about a file; None if it has no header."""
    query = "SELECT Delimiter, HasHeader FROM sniff_csv(?)"
    with duckdb.connect() as connection:
        found = connection.execute(query, [file]).fetchone()
    return {"Delimiter": found[0]} if found and found[1] else None


def _open(file: str) -> TextIO:
    opened: Any = gzip.open if file.endswith(".gz") else open
    return opened(file, "rt", newline="", encoding="utf-8-sig", errors="replace")
