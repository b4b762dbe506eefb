"""Finding the log, and the keys by which other sources are joined to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from home_tf.engines import Table, first_row
from home_tf.errors import HomeError
from home_tf.init.names import ITEMS, USERS, entity_rank, is_code
from home_tf.init.sources import Source

_EXAMPLES = 3


@dataclass(frozen=True)
class Join:
    """A table that is joined to the log.

    Attributes:
        source: Its files.
        key: The columns that it shares with the log, unique in the table.
        matched: The share of the log's rows that have a match.
    """

    source: Source
    key: tuple[str, ...]
    matched: float


@dataclass(frozen=True)
class Joins:
    """A log and what is joined to it.

    Attributes:
        log: The log.
        tables: The tables, in the order in which they are joined.
        rows: The log with the columns of the tables.
        names: `{name of a source: {its column: the column of rows}}`.
    """

    log: Source
    tables: list[Join]
    rows: Table
    names: dict[str, dict[str, str]]


def find_joins(sources: Sequence[Source]) -> Joins:
    """Finds the log, to which all others can be joined, and the keys.

    If several sources can be the log, it is the one with the most rows.

    Raises:
        HomeError: If a table has no unique key that it shares with the log.
    """
    by_rows = sorted(sources, key=lambda source: -source.rows)
    for log in by_rows:
        joins = _try(log, sources)
        if not isinstance(joins, Source):
            return joins
    lone = _try(by_rows[0], sources)
    assert isinstance(lone, Source)
    raise HomeError(_explain(lone, by_rows[0]))


def _try(log: Source, sources: Sequence[Source]) -> Joins | Source:
    """Tries a log: its joins, or the first source that cannot be joined."""
    names = {log.name: {name: name for name in log.table.columns}}
    joins = Joins(log, [], log.table, names)
    waiting = [source for source in sources if source is not log]
    while waiting:
        # A table may have the key of another, such as the author of a video.
        for source in waiting:
            key = _find_key(joins.rows, source)
            if key:
                break
        else:
            return waiting[0]
        joins = _join(joins, source, key)
        waiting.remove(source)
    return joins


def _find_key(rows: Table, source: Source) -> tuple[str, ...]:
    table = source.table
    shared = [
        name
        for name in table.columns
        if name in rows.columns
        and rows[name].type().is_numeric() == table[name].type().is_numeric()
        and not rows[name].type().is_array()
    ]
    shared.sort(key=lambda name: not _sounds_like_key(name))
    for key in (*combinations(shared, 1), *combinations(shared, 2)):
        distinct = (
            table.select(*key).drop_null().distinct().count().to_pyarrow().as_py()
        )
        if distinct == source.rows:
            return key
    return ()


def _sounds_like_key(name: str) -> bool:
    return is_code(name) or entity_rank(name, (*USERS, *ITEMS)) is not None


def _join(joins: Joins, source: Source, key: tuple[str, ...]) -> Joins:
    rows, table = joins.rows, source.table
    names = {
        name: f"{source.name}_{name}" if name in rows.columns else name
        for name in table.columns
        if name not in key
    }
    right = table.select(
        **{f"__key_{name}": table[name] for name in key},
        **{new: table[old] for old, new in names.items()},
    )
    joined = rows.left_join(right, [rows[k] == right[f"__key_{k}"] for k in key])
    found = joined[f"__key_{key[0]}"].notnull().mean()
    matched = first_row(joined.agg(matched=found))["matched"]
    return Joins(
        joins.log,
        [*joins.tables, Join(source, key, matched)],
        joined.drop(*(f"__key_{name}" for name in key)),
        {**joins.names, source.name: names},
    )


def _explain(table: Source, log: Source) -> str:
    shared = [name for name in table.table.columns if name in log.table.columns]
    start = f"{table.shown} cannot be joined to the log, {log.shown}: "
    if not shared:
        return (
            f"{start}they share no column. Give the key the same name in both, or "
            "leave the file out"
        )
    listed = ", ".join(f"`{name}`" for name in shared[:_EXAMPLES])
    return (
        f"{start}they share {listed}, of which it has some values in several rows, so "
        "that a join would multiply the log. Keep one row for each key, or leave the "
        "file out"
    )
