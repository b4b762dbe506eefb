"""Joins rows with their history."""

from collections.abc import Mapping
from dataclasses import dataclass

import ibis

from home_tf.config import DataConfig, HistoryFeature
from home_tf.engines import (
    PART,
    ROW,
    SPLIT,
    Engine,
    Expression,
    Table,
    explained,
)
from home_tf.errors import HomeError
from home_tf.prepare.columns import Columns, Kind
from home_tf.prepare.history_columns import HistoryColumns
from home_tf.prepare.history_list import list_history
from home_tf.prepare.history_rates import COUNT, HistoryRates
from home_tf.prepare.parts import Counts, day_of, part_of
from home_tf.prepare.read_rows import as_list
from home_tf.prepare.shuffle import shuffled
from home_tf.prepare.splits import SplitOf
from home_tf.prepare.times import DAY, PERIOD

# The sort order of the rows of a part: by days, and random within each day.
ORDER = (DAY, "__place", ROW)


@dataclass(frozen=True)
class JoinHistory:
    """Joins rows with their history.

    Attributes:
        rows: The rows of the log; those without a split are left out.
        events: The events.
        data: The section `data`.
        columns: The columns that are written.
        wanted: The history columns among them.
        rates: The rates, by the name of the history.
        lists: The lists, by column.
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
        engine: Engine,
        rows: Table,
        events: Table,
        data: DataConfig,
        columns: Columns,
        wanted: HistoryColumns,
    ) -> "JoinHistory":
        """Counts the history of all rows, from the events."""
        rates = {
            name: HistoryRates.count(
                engine, name, events, data.history[name], wanted.labels_of(name)
            )
            for name in wanted.counted
        }
        lists = {
            name: list_history(engine, name, events, data.history_lists[name])
            for name in wanted.lists
        }
        return cls(rows, events, data, columns, wanted, rates, lists)

    def join(
        self, engine: Engine, split_of: SplitOf, counts: Counts, seed: int
    ) -> Table:
        """Stores the dataset: the columns, `SPLIT`, `PART` and those of `ORDER`.

        Args:
            engine: Where they are.
            split_of: The split of rows.
            counts: The rows of each split and day.
            seed: Seed of the row order within a day.
        """
        rows = self.rows.mutate(**{SPLIT: split_of(self.rows)})
        rows = rows.filter(rows[SPLIT].notnull())
        joined = rows
        for name, rates in self.rates.items():
            joined = _join_past(joined, rows, rates.by_key, name, rates.key)
            joined = _join_past(joined, rows, rates.overall, f"overall_{name}", [])
        for name, items in self.lists.items():
            key = as_list(self.data.history_lists[name].key)
            joined = _join_past(joined, rows, items, f"list_{name}", key)
        written = {name: self._value(joined, name) for name in self.columns.kinds}
        split, day = joined[SPLIT], day_of(joined)
        place = shuffled(joined[ROW], seed)
        part = part_of(split, day, place, counts)
        order = dict(zip(ORDER, (day, place, joined[ROW]), strict=True))
        with explained("the rows"):
            return engine.store_parts(
                "dataset", joined.select(split, **{PART: part}, **order, **written)
            )

    def _value(self, joined: Table, name: str) -> Expression:
        feature = self.wanted.features.get(name)
        if feature is not None:
            return _of_history(joined, name, feature)
        return _written(name, joined[name], self.columns.kinds[name])


def _of_history(joined: Table, name: str, feature: HistoryFeature) -> Expression:
    if feature.kind == "list":
        return joined[f"list_{name}.{name}"]
    if feature.kind == "count":
        return joined[f"{feature.history}.{COUNT}"].fill_null(0).cast("float32")
    overall = joined[f"overall_{feature.history}.{feature.label}"]
    rate = joined[f"{feature.history}.{feature.label}"]
    return rate.fill_null(overall).cast("float32")


def _join_past(
    joined: Table, rows: Table, past: Table, name: str, key: list[str]
) -> Table:
    """Joins the columns `name.column` to rows, by the key and the period."""
    right = past.select(**{f"{name}.{column}": past[column] for column in past.columns})
    keys = [*key, DAY, PERIOD]
    return joined.left_join(
        right, [rows[one] == right[f"{name}.{one}"] for one in keys]
    )


def _written(name: str, value: Expression, kind: Kind) -> Expression:
    """Casts a column to the type in which it is written."""
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
            "number with `data.columns`, or use a categorical feature"
        )
    number = value.cast("float32")
    return number.isnan().ifelse(ibis.null("float32"), number)
