"""Selecting and checking the rows to keep."""

from collections.abc import Collection

from home_tf.config import DataConfig
from home_tf.engines import (
    ROW,
    Engine,
    Expression,
    Table,
    explained,
    first_row,
)
from home_tf.errors import HomeError
from home_tf.prepare.columns import Columns
from home_tf.prepare.derive import derive
from home_tf.prepare.history_columns import HistoryColumns
from home_tf.prepare.read_rows import OF_LOG, as_list, check_columns
from home_tf.prepare.times import DAY, PERIOD, TIME

# From here on, neighbouring whole numbers can be equal as floats.
_EXACT = 2**53

# The values of `data.split.column`.
NAMED_SPLIT = "__named_split"


def select_rows(
    engine: Engine,
    rows: Table,
    data: DataConfig,
    columns: Columns,
    history: HistoryColumns,
) -> tuple[Table, Table]:
    """Selects the needed columns, and stores what history and splits need.

    Args:
        engine: Where they are.
        rows: What `read_rows` and `add_times` made.
        data: The section `data`.
        columns: The columns that are written.
        history: The history columns.

    Returns:
        The rows of the log, a view; and the events, a table with few columns that also
        has the rows that only serve as history. Missing ids and labels are null; labels
        are float32.

    Raises:
        HomeError: If a value cannot be read, or is invalid in its column.
    """
    rows = _add_listed(engine, rows, data, history)
    labels = [c for c, kind in columns.kinds.items() if kind == "label"]
    labels += history.labels
    keys = _key_columns(rows, data, history)
    ids = [c for c, kind in columns.kinds.items() if kind == "id"] + keys
    changed = {name: _id(rows[name]) for name in ids if name in rows.columns}
    changed |= {name: _label(name, rows[name]) for name in labels}
    if data.split is not None and data.split.column is not None:
        check_columns(rows, [data.split.column], "data.split.column")
        changed[NAMED_SPLIT] = rows[data.split.column].cast("string")
    wide = engine.view("wide", rows.mutate(**changed))
    needed = [ROW, OF_LOG, TIME, DAY, PERIOD, NAMED_SPLIT, *keys, *labels]
    needed += map(listed, history.lists)
    narrow = wide.select(*(n for n in dict.fromkeys(needed) if n in wide.columns))
    with explained("the rows"):
        events = engine.store("events", narrow)
        _check(events, ids=[], labels=dict.fromkeys(labels))
        log = engine.view("rows", wide.filter(wide[OF_LOG]))
        _check(log, ids=_whole(log, ids), labels=[])
    return log, events


def _add_listed(
    engine: Engine, rows: Table, data: DataConfig, history: HistoryColumns
) -> Table:
    for name in history.lists:
        when = data.history_lists[name].when
        condition = {listed(name): "TRUE" if when is None else when}
        key = f"data.history_lists.{name}.when"
        rows = derive(engine, rows, condition, key=key)
        rows = rows.mutate(**{listed(name): rows[listed(name)].cast("boolean")})
    return rows


def _key_columns(rows: Table, data: DataConfig, history: HistoryColumns) -> list[str]:
    found = []
    for name in history.counted:
        found += _keys(rows, data.history[name].key, f"data.history.{name}.key")
    for name in history.lists:
        wanted, key = data.history_lists[name], f"data.history_lists.{name}"
        found += _keys(rows, wanted.key, f"{key}.key")
        found += _keys(rows, wanted.item, f"{key}.item")
    return found


def listed(name: str) -> str:
    """The column that says whether a row is in a list of history."""
    return f"__listed_{name}"


def _keys(rows: Table, names: str | tuple[str, ...], key: str) -> list[str]:
    check_columns(rows, as_list(names), key)
    return as_list(names)


def _id(value: Expression) -> Expression:
    kind = value.type()
    if kind.is_boolean():
        return value.cast("int32")
    if kind.is_string():
        return value.nullif("")
    if kind.is_numeric():
        return value.nullif(-1)
    return value if kind.is_array() else value.cast("string")


def _label(name: str, value: Expression) -> Expression:
    kind = value.type()
    if not (kind.is_numeric() or kind.is_boolean()):
        raise HomeError(
            f"`{name}` is the label of a task and must be 0, 1 or missing. Received: "
            f"a column of {kind}"
        )
    number = value.cast("float32")
    if kind.is_floating():
        number = number.isnan().ifelse(None, number)
    return number.nullif(-1)


def _whole(table: Table, ids: Collection[str]) -> list[str]:
    """Finds the id columns that must be converted to whole numbers."""
    kinds = {name: table[name].type() for name in ids if name in table.columns}
    return [n for n, kind in kinds.items() if kind.is_floating() or kind.is_decimal()]


def _check(table: Table, *, ids: Collection[str], labels: Collection[str]) -> None:
    wrong = {
        name: (table[name] != table[name].floor()) | (table[name].abs() >= _EXACT)
        for name in ids
    }
    wrong |= {name: ~table[name].isin([0, 1]) for name in labels}
    if not wrong:
        return
    found = first_row(
        table.agg(**{name: table[name].max(where=bad) for name, bad in wrong.items()})
    )
    for name, value in found.items():
        if value is None:
            continue
        if name in labels:
            raise HomeError(
                f"`{name}` is the label of a task and must be 0, 1 or missing. "
                f"Received: {value:g}. Derive it with `data.columns`, for example "
                f"`{name}: {name} >= 4`, or give the task `type: regression`"
            )
        raise HomeError(
            f"`{name}` is read as ids and must hold whole numbers, below 2^53 if they "
            f"are written with a point. Received: {value!r}. Write it as text or whole "
            "numbers, or derive it with `data.columns`"
        )
