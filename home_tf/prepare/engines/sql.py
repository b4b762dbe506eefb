"""SQL for DuckDB that Ibis has no expressions for."""

from collections.abc import Iterable, Mapping, Sequence

_MISSING = ("", "NaN", "nan", "NULL", "null")


def select_csv(files: Sequence[str], types: Mapping[str, str]) -> str:
    """Reads CSV files whose columns may stand in different orders.

    Args:
        files: The files.
        types: `{column: type}` of columns that are not to be guessed.
    """
    listed = ", ".join(map(_text, files))
    options = [
        "union_by_name = true",
        f"nullstr = [{', '.join(map(_text, _MISSING))}]",
    ]
    if types:
        given = ", ".join(f"{_text(n)}: {_text(kind)}" for n, kind in types.items())
        options.append(f"types = {{{given}}}")
    return f"SELECT * FROM read_csv([{listed}], {', '.join(options)})"


def select_parquet(files: Sequence[str], *more: str) -> str:
    """Reads Parquet files whose columns may stand in different orders.

    Args:
        files: The files.
        more: Further columns that are selected.
    """
    listed = ", ".join(map(_text, files))
    columns = ", ".join(["*", *more])
    return f"SELECT {columns} FROM read_parquet([{listed}], union_by_name = true)"


def select_derived(
    table: str, columns: Iterable[str], derived: Mapping[str, str]
) -> str:
    """Adds or replaces columns.

    Args:
        table: The name of the table.
        columns: Its columns.
        derived: `{name: SQL}`.
    """
    kept = [quoted(name) for name in columns if name not in derived]
    made = [f"({sql}) AS {quoted(name)}" for name, sql in derived.items()]
    return f"SELECT {', '.join([*kept, *made])} FROM {quoted(table)}"


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _text(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
