"""SQL for DuckDB where Ibis has no expressions."""

from collections.abc import Iterable, Mapping, Sequence


def select_parquet(files: Sequence[str], *more: str) -> str:
    """Reads Parquet files whose columns may stand in different orders.

    Args:
        files: The files.
        more: Further columns that are selected.
    """
    listed = ", ".join(map(as_text, files))
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
    """Quotes a name for SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def as_text(value: str) -> str:
    """Quotes a text for SQL."""
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
