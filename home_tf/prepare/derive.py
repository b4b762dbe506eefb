"""Columns and conditions in the user's SQL."""

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import expressions

from home_tf.engines import Engine, Table, explained


def derive(
    engine: Engine, table: Table, columns: Mapping[str, str], *, key: str
) -> Table:
    """Adds or replaces columns, in order: each may use those before it.

    Args:
        engine: Where it is done.
        table: The table.
        columns: `{name: SQL}`.
        key: The key of the configuration that has them, for messages.

    Raises:
        HomeError: If one is not valid SQL, or uses a column that does not exist.
    """
    for group in _groups(columns, key):
        try:
            table = _derive(engine, table, group, key)
        except ValueError:  # find out which one it is
            for name, sql in group.items():
                table = _derive(engine, table, {name: sql}, key)
            raise
    return table


def _derive(
    engine: Engine, table: Table, columns: Mapping[str, str], key: str
) -> Table:
    name, sql = next(iter(columns.items()))
    with explained(_where(key, name, sql)):
        return engine.derive(table, columns)


def _groups(columns: Mapping[str, str], key: str) -> Iterator[dict[str, str]]:
    """Groups columns that can be derived together: none uses another of its group."""
    group: dict[str, str] = {}
    for name, sql in columns.items():
        with explained(_where(key, name, sql)):
            parsed = sqlglot.parse_one(sql, read="duckdb")
        used = {column.name for column in parsed.find_all(expressions.Column)}
        if used & group.keys():
            yield group
            group = {}
        group[name] = sql
    if group:
        yield group


def _where(key: str, name: str, sql: str) -> str:
    """Names what the user wrote, for messages; names with `__` are internal."""
    return f"`{key if name.startswith('__') else f'{key}.{name}'}`: {sql!r}"
