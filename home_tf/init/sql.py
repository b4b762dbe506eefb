"""Names and values in SQL."""

import re
from functools import cache

import duckdb


def quoted(name: str) -> str:
    """Writes a column's name in SQL, in quotes if necessary."""
    is_plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
    if is_plain and name.lower() not in _keywords():
        return name
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(value: object) -> str:
    """Writes a text in SQL."""
    escaped = str(value).replace("'", "''")
    return f"'{escaped}'"


@cache
def _keywords() -> frozenset[str]:
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT keyword_name FROM duckdb_keywords()")
        return frozenset(name for (name,) in rows.fetchall())
