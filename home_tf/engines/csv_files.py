"""How DuckDB reads CSV files, on both engines."""

import re
from collections.abc import Mapping, Sequence

import duckdb

from home_tf.engines.sql import as_text, quoted

# How a cell is marked as missing.
MISSING = ("", "NaN", "nan", "NULL", "null")
# The error for a cell that is not a whole number, with the column and the value.
NOT_WHOLE = "no whole number in column "
_WHOLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")


def kinds_of_csv(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[str],
    types: Mapping[str, str],
) -> dict[str, str]:
    """Detects the DuckDB types of the columns, `{column: type}`.

    Args:
        connection: A database.
        files: The files; their columns may stand in different orders.
        types: Types of columns that are not to be guessed.
    """
    there = connection.sql(_read(files, {})).columns
    given = {name: types[name] for name in there if name in types}
    found = connection.sql(_read(files, given))
    return dict(zip(found.columns, map(str, found.types), strict=True))


def select_csv(files: Sequence[str], kinds: Mapping[str, str]) -> str:
    """Reads CSV files; a fraction in a column of whole numbers fails.

    DuckDB would round it.

    Args:
        files: The files.
        kinds: The types of all columns.
    """
    whole = {name: kind for name, kind in kinds.items() if _WHOLE.fullmatch(kind)}
    read = _read(files, {**kinds, **dict.fromkeys(whole, "VARCHAR")})
    if not whole:
        return read
    casts = ", ".join(f"{_cast(*one)} AS {quoted(one[0])}" for one in whole.items())
    return f"SELECT * REPLACE ({casts}) FROM ({read})"


def _read(files: Sequence[str], types: Mapping[str, str]) -> str:
    listed = ", ".join(map(as_text, files))
    missing = ", ".join(map(as_text, MISSING))
    options = ["union_by_name = true", f"nullstr = [{missing}]"]
    if types:
        given = (f"{as_text(name)}: {as_text(kind)}" for name, kind in types.items())
        options.append(f"types = {{{', '.join(given)}}}")
    return f"SELECT * FROM read_csv([{listed}], {', '.join(options)})"


def _cast(name: str, kind: str) -> str:
    text = quoted(name)
    number = f"TRY_CAST({text} AS {kind})"
    is_whole = f"TRY_CAST({text} AS DOUBLE) % 1 = 0"
    failed = f"error({as_text(f'{NOT_WHOLE}{name}: ')} || {text})"
    return (
        f"CASE WHEN {text} IS NULL OR ({number} IS NOT NULL AND {is_whole}) "
        f"THEN {number} ELSE CAST({failed} AS {kind}) END"
    )
