"""Assigning rows to splits."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import ibis

from home_tf.config import DataConfig, SplitConfig
from home_tf.config.split_config import NO_TEST
from home_tf.engines import ROW, SPLITS, Expression, Table, first_row
from home_tf.errors import HomeError
from home_tf.prepare.days import assign_days, to_day
from home_tf.prepare.read_rows import OF_LOG
from home_tf.prepare.select_rows import NAMED_SPLIT
from home_tf.prepare.shuffle import RANGE, shuffled
from home_tf.prepare.times import DAY, TIME

_EPOCH = date(1970, 1, 1)

SplitOf = Callable[[Table], Expression]


def make_splits(events: Table, data: DataConfig, seed: int) -> SplitOf:
    """Makes the function that assigns rows to splits.

    Args:
        events: The events, with `ROW`, `OF_LOG` and the columns that the split needs.
        data: The section `data`.
        seed: Seed of random splits.

    Returns:
        A function from a table with the same columns to the split of each row, null for
        rows in no split.

    Raises:
        HomeError: If a needed column is missing, or a split would be empty.
    """
    log = events.filter(events[OF_LOG])
    split = chosen_split(data)
    if split.by == "column":
        return _by_column(log)
    if split.by == "days":
        return _by_days(log, split)
    if split.by == "time":
        return _by_time(log, split)
    return _by_shares(log, split, seed)


def chosen_split(data: DataConfig) -> SplitConfig:
    """Returns the section `data.split`, or its default."""
    has_days = data.day is not None or data.time is not None
    return data.split or SplitConfig(by="days" if has_days else "shares")


def days_of(rows: Table) -> dict[int, int]:
    """Lists the days of rows, such as 20220425, ascending, with their row counts."""
    counted = rows.group_by(DAY).agg(rows=rows.count()).order_by(DAY)
    return {
        _to_number(row[DAY]): row["rows"]
        for row in counted.to_pyarrow().to_pylist()
        if row[DAY] is not None
    }


def since_1970(day: int) -> int:
    """Days from 1970 to a day such as 20220425."""
    return (to_day(day) - _EPOCH).days


def _to_number(days: int) -> int:
    day = _EPOCH + timedelta(days=days)
    return day.year * 10_000 + day.month * 100 + day.day


def _by_days(log: Table, split: SplitConfig) -> SplitOf:
    if DAY not in log.columns:
        raise HomeError(
            "`data.split` is by days: set `data.day` or `data.time`, or split `by` "
            "shares or a column"
        )
    tests = split.test != NO_TEST
    days = assign_days(
        list(days_of(log)),
        validation=given_day("validation", split.validation),
        test=given_day("test", split.test) if tests else None,
        first=given_day("first", split.first),
        tests=tests,
    )
    since = {name: list(map(since_1970, found)) for name, found in days.items()}
    return lambda rows: _cases({name: rows[DAY].isin(since[name]) for name in days})


def given_day(key: str, value: object) -> int | None:
    """Parses the day in a key of `data.split`, such as 20220425.

    Raises:
        HomeError: If it is not a day.
    """
    if value is None:
        return None
    text = str(value).replace("-", "")
    where = f"`data.split.{key}`"
    if not text.isdigit():
        raise HomeError(f"{where} must be a day such as 20220505. Received: {value!r}")
    return int(f"{to_day(int(text), where=where):%Y%m%d}")


def _by_column(log: Table) -> SplitOf:
    named = log[NAMED_SPLIT]
    others = log.filter(named.notnull() & ~named.isin(SPLITS))
    for row in others.select(NAMED_SPLIT).limit(1).to_pyarrow().to_pylist():
        raise HomeError(
            "`data.split.column` must be train, validation, test or missing. "
            f"Received: {row[NAMED_SPLIT]!r}"
        )
    return lambda rows: rows[NAMED_SPLIT]


def _by_time(log: Table, split: SplitConfig) -> SplitOf:
    if TIME not in log.columns:
        raise HomeError("`data.split` is by time: set `data.time`")
    kind = log[TIME].type()
    limits = [
        ibis.literal(str(value)).cast(kind)
        if kind.is_temporal()
        else ibis.literal(float(str(value)))
        for value in (split.validation, split.test)
    ]
    return lambda rows: _between(rows[TIME], limits)


def _by_shares(log: Table, split: SplitConfig, seed: int) -> SplitOf:
    validation, test = split.shares
    begin = 1 - (split.shift + 1) * test
    shares = [begin - validation, begin]
    if split.shift:
        # Equal to `begin` of the previous shift, so that no row is in both.
        shares.append(1 - split.shift * test)
    if TIME in log.columns:
        limits = [_time_at(log, share) for share in shares]
        return lambda rows: _between(rows[TIME], limits)
    lots = [round(share * RANGE) for share in shares]
    return lambda rows: _between(shuffled(rows[ROW], seed), lots, others="train")


def _time_at(log: Table, share: float) -> Any:
    """Finds the time before which a share of the rows lies."""
    known = log.filter(log[TIME].notnull()).select(TIME)
    place = int(share * known.count().to_pyarrow().as_py())
    numbered = known.mutate(__number=ibis.row_number().over(order_by=TIME))
    return first_row(numbered.filter(numbered["__number"] == place))[TIME]


def _between(
    value: Expression, limits: list[Any], others: str | None = None
) -> Expression:
    """Assigns splits by limits: the start of validation, of test, and of the rest."""
    validation, test, *end = limits
    cases = {
        "train": value < validation,
        "validation": (value >= validation) & (value < test),
        "test": value >= test,
    }
    if end:
        cases["test"] &= value < end[0]
    return _cases(cases, others if end else None)


def _cases(
    conditions: Mapping[str, Expression], others: str | None = None
) -> Expression:
    cases = [(condition, name) for name, condition in conditions.items()]
    return ibis.cases(*cases, else_=others)
