"""Reading files into one table: log, history, joined tables, derived columns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ibis

from home_tf.config import ColumnConfig, DataConfig, TableConfig
from home_tf.engines import ROW, Engine, Expression, Table, first_row
from home_tf.engines.read_files import read_files
from home_tf.errors import HomeError
from home_tf.prepare.derive import derive

# Whether a row belongs to the log, not to files that only serve as history.
OF_LOG = "__of_log"


def read_rows(
    engine: Engine,
    data: DataConfig,
    folder: Path,
    expected: Mapping[str, str],
    log: Any = None,
) -> Table:
    """Reads the log, joins its tables and derives columns.

    Args:
        engine: The engine to read them with.
        data: The section `data`.
        folder: The base of relative paths.
        expected: What columns of CSV are used as, see `check_csv`.
        log: A table to read instead of `data.log`.

    Returns:
        An expression with all columns, `OF_LOG`, `ROW`, and `matched(name)` for each
        table.

    Raises:
        HomeError: If a file is missing or cannot be read, a table has a key twice, or
            SQL is wrong.
    """
    rows = (
        read_files(
            engine,
            "log",
            data.log,
            folder,
            key="data.log",
            types=data.types,
            expected=expected,
        )
        if log is None
        else engine.take("log", log)
    )
    if not first_row(rows.agg(rows=rows.count()))["rows"]:
        given = data.log if log is None else type(log).__name__
        raise HomeError(f"`data.log`: {given} has no rows")
    rows = rows.mutate(**{OF_LOG: True})
    if data.history_log is not None:
        rows = _add_history(engine, rows, data, folder, expected)
    for name, table in data.tables.items():
        other = _read_table(engine, name, table, data, folder, expected)
        rows = _join(rows, other, name, table)
    rows = _derive_columns(engine, rows, data)
    if data.where is None:
        return rows
    kept = derive(engine, rows, {"__kept": data.where}, key="data.where")
    return kept.filter(kept["__kept"].cast("boolean") | ~kept[OF_LOG]).drop("__kept")


def matched(table: str) -> str:
    """The column that says whether a row has a match in a table."""
    return f"__matched_{table}"


def as_list(key: str | tuple[str, ...]) -> list[str]:
    """Returns one or several columns as a list."""
    return [key] if isinstance(key, str) else list(key)


def check_columns(table: Table, names: list[str], key: str) -> None:
    """Checks that a table has the given columns.

    Raises:
        HomeError: If one is missing.
    """
    for name in names:
        if name not in table.columns:
            there = ", ".join(c for c in table.columns if not c.startswith("__"))
            raise HomeError(f"`{key}`: no column `{name}`. Its columns are: {there}")


def _add_history(
    engine: Engine,
    log: Table,
    data: DataConfig,
    folder: Path,
    expected: Mapping[str, str],
) -> Table:
    assert data.history_log is not None
    key = "data.history_log"
    history = read_files(
        engine,
        "history",
        data.history_log.files,
        folder,
        key=f"{key}.files",
        types=data.types,
        expected=expected,
    )
    # They come before the rows of the log.
    history = history.mutate(**{OF_LOG: False, ROW: history[ROW] - 2**62})
    history = derive(engine, history, data.history_log.columns, key=f"{key}.columns")
    shared = {
        name: history[name].cast(kind)
        if name in history.columns
        else ibis.null().cast(kind)
        for name, kind in log.schema().items()
    }
    only = [name for name in history.columns if name not in log.columns]
    missing = {name: ibis.null().cast(history[name].type()) for name in only}
    aligned = history.select(**shared, **{name: history[name] for name in only})
    return aligned.union(log.mutate(**missing))


def _read_table(
    engine: Engine,
    name: str,
    config: TableConfig,
    data: DataConfig,
    folder: Path,
    expected: Mapping[str, str],
) -> Table:
    key = f"data.tables.{name}"
    table = read_files(
        engine,
        f"table_{name}",
        config.files,
        folder,
        key=f"{key}.files",
        types=data.types,
        expected=expected,
    ).drop(ROW)
    table = derive(engine, table, config.columns, key=f"{key}.columns")
    keys = as_list(config.key)
    check_columns(table, keys, f"{key}.key")
    counted = table.group_by(keys).agg(__rows=table.count())
    double = counted.filter(counted["__rows"] > 1).order_by(keys).limit(1)
    for row in double.to_pyarrow().to_pylist():
        shown = ", ".join(f"{one} {row[one]!r}" for one in keys)
        raise HomeError(
            f"`{key}`: {shown} is in {row['__rows']} rows, so that a join would "
            "multiply the log. Keep one row for each key"
        )
    if first_row(table.agg(rows=table.count()))["rows"] == 0:
        raise HomeError(f"`{key}`: {config.files} has no rows")
    return table


def _join(rows: Table, table: Table, name: str, config: TableConfig) -> Table:
    keys = as_list(config.key)
    check_columns(rows, keys, f"data.tables.{name}.key")
    for key in keys:
        if rows[key].type().is_numeric() != table[key].type().is_numeric():
            raise HomeError(
                f"`data.tables.{name}.key`: `{key}` is {rows[key].type()} in the log "
                f"and {table[key].type()} in {name}. Make them the same with "
                f"`data.tables.{name}.columns`"
            )
    renamed = {
        column: f"{name}_{column}" if column in rows.columns else column
        for column in table.columns
        if column not in keys
    }
    right = table.select(
        **{f"__key_{key}": table[key] for key in keys},
        **{new: table[old] for old, new in renamed.items()},
        **{matched(name): ibis.literal(True)},
    )
    on = [rows[key] == right[f"__key_{key}"] for key in keys]
    joined = rows.left_join(right, on).drop(*(f"__key_{key}" for key in keys))
    return joined.mutate(**{matched(name): joined[matched(name)].fill_null(False)})


def _derive_columns(engine: Engine, rows: Table, data: DataConfig) -> Table:
    columns = {
        name: ColumnConfig(sql=given) if isinstance(given, str) else given
        for name, given in data.columns.items()
    }
    sql = {name: one.sql for name, one in columns.items() if one.sql is not None}
    rows = derive(engine, rows, sql, key="data.columns")
    for name, column in columns.items():
        check_columns(rows, [name], f"data.columns.{name}")
        if column.separator is not None:
            rows = rows.mutate(**{name: _split(rows[name], column.separator)})
    return rows


def _split(text: Expression, separator: str) -> Expression:
    values = text.cast("string").split(separator).map(lambda value: value.strip())
    return values.filter(lambda value: value != "")
