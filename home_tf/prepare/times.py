"""The time, the day and the period of a row."""

import ibis

from home_tf.config import DataConfig
from home_tf.engines import Engine, Expression, Table
from home_tf.errors import HomeError
from home_tf.prepare.derive import derive

TIME, DAY, PERIOD = "__time", "__day", "__period"
_HINT = (
    "give a date or a time, such as `epoch_ms(time_ms)` or `to_timestamp(seconds)`, "
    "which make a time of a number"
)


def add_times(engine: Engine, rows: Table, data: DataConfig) -> Table:
    """Adds the columns `TIME`, `DAY` (since 1970) and `PERIOD`, if available.

    Args:
        engine: Where they are.
        rows: The rows.
        data: The section `data`.

    Raises:
        HomeError: If the day or the hour cannot be derived.
    """
    if data.time is not None:
        rows = derive(engine, rows, {TIME: data.time}, key="data.time")
        if rows[TIME].type().is_string():
            time = f"CAST({data.time} AS TIMESTAMP)"
            rows = derive(engine, rows, {TIME: time}, key="data.time")
    day = data.day if data.day is not None else data.time
    if day is None:
        return rows
    rows = derive(engine, rows, {DAY: day}, key="data.day")
    if rows[DAY].type().is_string():
        rows = derive(engine, rows, {DAY: f"CAST({day} AS DATE)"}, key="data.day")
    rows = rows.mutate(**{DAY: _days_since_1970(rows[DAY])})
    return rows.mutate(**{PERIOD: _period(rows, data)})


def _days_since_1970(value: Expression) -> Expression:
    kind = value.type()
    if kind.is_integer():
        value = ibis.date(value // 10_000, value // 100 % 100, value % 100)
    elif kind.is_date() or kind.is_timestamp():
        value = value.cast("date")
    else:
        raise HomeError(f"`data.day` must be a day. Received: {kind}; {_HINT}")
    return value.delta(ibis.date("1970-01-01"), unit="day").cast("int32")


def _period(rows: Table, data: DataConfig) -> Expression:
    if data.period == "day":
        return rows[DAY]
    if data.time is None or not rows[TIME].type().is_timestamp():
        raise HomeError(f"`data.period: hour` needs a time in `data.time`: {_HINT}")
    return (rows[TIME].epoch_seconds() // 3600).cast("int32")
