"""Joins rows with their history, day by day, in the order in which they are written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import ibis

from home_tf.config import DataConfig
from home_tf.errors import HomeError
from home_tf.prepare.columns import Columns, Kind
from home_tf.prepare.engine import Connection, Expression, Table, explained, first_row
from home_tf.prepare.history_columns import HistoryColumns
from home_tf.prepare.history_list import list_history
from home_tf.prepare.history_rates import COUNT, HistoryRates
from home_tf.prepare.read_rows import OF_LOG, ROW, as_list
from home_tf.prepare.splits import SplitOf, shuffled
from home_tf.prepare.times import DAY, PERIOD

SPLIT = "split"
# About as many rows are joined and put in order at once.
CHUNK_ROWS = 500_000

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class JoinHistory:
    """Joins rows with what was known before them.

    Attributes:
        rows: The rows of the log; those without a split are left out.
        events: The events.
        data: The section `data`.
        columns: The columns that are written.
        wanted: Those of them that are history.
        rates: By the name of the history.
        lists: By the column.
    """

    rows: Table
    events: Table
    data: DataConfig
    columns: Columns
    wanted: HistoryColumns
    rates: Mapping[str, HistoryRates]
    lists: Mapping[str, Table]

    @classmethod
    def count(
        cls,
        connection: Connection,
        rows: Table,
        events: Table,
        data: DataConfig,
        columns: Columns,
        wanted: HistoryColumns,
    ) -> "JoinHistory":
        """Counts the history of all rows, from the events."""
        rates = {
            name: HistoryRates.count(
                connection, name, events, data.history[name], wanted.labels(name)
            )
            for name in wanted.counted
        }
        lists = {
            name: list_history(connection, name, events, data.history_lists[name])
            for name in wanted.lists
        }
        return cls(rows, events, data, columns, wanted, rates, lists)

    def write(
        self,
        connection: Connection,
        split_of: SplitOf,
        *,
        offset: int,
        progress: Progress,
    ) -> Table:
        """Writes the table `dataset`: the columns, and `SPLIT`.

        Args:
            connection: The database.
            split_of: The split of rows.
            offset: Of the seed; decides the order of the rows of a day.
            progress: Called with the rows so far.
        """
        log = self.events.filter(self.events[OF_LOG])
        chunks = list(_chunks(log.filter(split_of(log).notnull())))
        total, done = sum(chunk.size for chunk in chunks), 0
        for number, chunk in enumerate(chunks):
            joined = self._join(split_of, chunk, offset)
            with explained("the rows"):
                if number == 0:
                    connection.create_table("dataset", joined)
                else:
                    connection.insert("dataset", joined)
            done += chunk.size
            progress("joining rows", done, total)
        return connection.table("dataset")

    def _join(self, split_of: SplitOf, chunk: "_Chunk", offset: int) -> Table:
        def of_days(table: Table) -> Table:
            return table.filter(table[DAY].between(chunk.first, chunk.last))

        rows = self.rows.filter(self.rows[ROW].between(*chunk.rows))
        rows = of_days(rows) if DAY in rows.columns else rows
        rows = rows.mutate(**{SPLIT: split_of(rows)})
        rows = rows.filter(rows[SPLIT].notnull())
        joined = rows
        for name, rates in self.rates.items():
            past, overall = of_days(rates.by_key), of_days(rates.overall)
            joined = _join_past(joined, rows, past, name, rates.key)
            joined = _join_past(joined, rows, overall, f"overall_{name}", [])
        for name, items in self.lists.items():
            key = as_list(self.data.history_lists[name].key)
            joined = _join_past(joined, rows, of_days(items), f"list_{name}", key)
        written = {name: self._value(joined, name) for name in self.columns.kinds}
        order = {"__order": shuffled(joined[ROW], offset)}
        order |= {name: joined[name] for name in (DAY, ROW) if name in rows.columns}
        selected = joined.select(joined[SPLIT], **written, **order)
        by = [name for name in (DAY, "__order", ROW) if name in order]
        return selected.order_by(by).select(SPLIT, *written)

    def _value(self, joined: Table, name: str) -> Expression:
        if name in self.wanted.counts:
            history = self.wanted.counts[name]
            return joined[f"{history}.{COUNT}"].fill_null(0).cast("float32")
        if name in self.wanted.rates:
            history, label = self.wanted.rates[name]
            overall = joined[f"overall_{history}.{label}"]
            return joined[f"{history}.{label}"].fill_null(overall).cast("float32")
        if name in self.lists:
            return joined[f"list_{name}.{name}"]
        return _written(name, joined[name], self.columns.kinds[name])


class _Chunk(NamedTuple):
    """Days that are joined at once: the first, the last, and which rows they have."""

    first: int
    last: int
    rows: tuple[int, int]
    size: int


def _chunks(events: Table) -> Iterator[_Chunk]:
    row = events[ROW]
    found = {"count": events.count(), "least": row.min(), "greatest": row.max()}
    if DAY not in events.columns:
        whole = first_row(events.agg(**found))
        yield _Chunk(0, 0, (whole["least"], whole["greatest"]), whole["count"])
        return
    counted = events.group_by(DAY).agg(**found).order_by(DAY).to_pyarrow().to_pylist()
    waiting: list[dict[str, Any]] = []
    for day in counted:
        waiting.append(day)
        count = sum(one["count"] for one in waiting)
        if count >= CHUNK_ROWS or day is counted[-1]:
            least = min(one["least"] for one in waiting)
            greatest = max(one["greatest"] for one in waiting)
            yield _Chunk(waiting[0][DAY], day[DAY], (least, greatest), count)
            waiting = []


def _join_past(
    joined: Table, rows: Table, past: Table, name: str, key: list[str]
) -> Table:
    """Joins what is called `name.column` to rows, by the key and the period."""
    right = past.select(**{f"{name}.{column}": past[column] for column in past.columns})
    keys = [*key, DAY, PERIOD]
    return joined.left_join(
        right, [rows[one] == right[f"{name}.{one}"] for one in keys]
    )


def _written(name: str, value: Expression, kind: Kind) -> Expression:
    """A column in the type in which it is written."""
    if kind in ("number", "nullable", "label"):
        return _number(name, value)
    found = value.type()
    if found.is_array():
        return value
    if found.is_date():
        return value.year() * 10_000 + value.month() * 100 + value.day()
    if found.is_timestamp():
        return value.epoch_seconds().cast("int64")
    if found.is_boolean() or (found.is_integer() and found.nbytes < 4):
        value = value.cast("int32")
    elif found.is_decimal() or (found.is_floating() and kind == "id"):
        value = value.cast("int64")
    elif found.is_floating():
        return value.cast("float32")
    elif not found.is_integer():
        return value.cast("string").fill_null("")
    elif found.is_unsigned_integer():
        value = value.cast("int64")
    return value.fill_null(-1)


def _number(name: str, value: Expression) -> Expression:
    kind = value.type()
    if not (kind.is_numeric() or kind.is_boolean()):
        raise HomeError(
            f"`{name}` is read as a number. Received: a column of {kind}; derive a "
            "number by `data.columns`, or read it by a categorical feature"
        )
    number = value.cast("float32")
    return number.isnan().ifelse(ibis.null("float32"), number)
