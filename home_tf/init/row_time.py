"""Finding the time of a row: which column, and in which format."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from home_tf.engines import Engine, Expression, Table
from home_tf.errors import HomeError
from home_tf.init.column_profile import ColumnProfile
from home_tf.init.names import is_other_time, is_time
from home_tf.init.sql import quoted
from home_tf.prepare.derive import derive

# Numbers from 1990 to 2100, in seconds since 1970.
_SECONDS = (631_152_000, 4_102_444_800)
_UNITS = {
    "seconds": (1, "epoch_ms(1000 * {})"),
    "milliseconds": (1000, "epoch_ms({})"),
    "microseconds": (1_000_000, "make_timestamp({})"),
}
_DAYS = (19_700_101, 21_001_231)
# The last two days need this many rows, and this share of all, for evaluation.
_LEAST_ROWS, _LEAST_SHARE = 50, 0.005


@dataclass(frozen=True)
class TimeColumn:
    """A column of times or days.

    Attributes:
        column: Its name.
        sql: What `data.time` or `data.day` takes.
        date: SQL of its date.
        is_day: Whether it has days only.
        what: Its format, for a comment.
    """

    column: str
    sql: str
    date: str
    is_day: bool
    what: str


@dataclass(frozen=True)
class RowTime:
    """The time of the rows.

    Attributes:
        time: The column.
        day: Another column with the day, if there is one.
        days: The number of days.
        splits_by_days: Whether the last two days have enough rows for evaluation.
        period: The period of history; None if all rows are in the same period.
    """

    time: TimeColumn
    day: TimeColumn | None
    days: int
    splits_by_days: bool
    period: Literal["day", "hour"] | None

    @property
    def date(self) -> str:
        """SQL of the date of a row."""
        return (self.day or self.time).date


def find_times(profiles: Sequence[ColumnProfile], rows: Table) -> dict[str, TimeColumn]:
    """Finds the columns of times and days, in any form.

    Args:
        profiles: The columns.
        rows: A table that has them.
    """
    found = {profile.column: _time_column(profile, rows) for profile in profiles}
    return {column: time for column, time in found.items() if time is not None}


def choose_time(
    engine: Engine,
    log: Table,
    times: Sequence[TimeColumn],
    given: str | None,
) -> RowTime | None:
    """Chooses the time of a row, by the names and then by the resolution.

    Args:
        engine: Where it is done.
        log: The log.
        times: The log's columns of times.
        given: The name of the column that it must be.

    Raises:
        HomeError: If the given column has no times.
    """
    if given is not None and given not in [time.column for time in times]:
        raise HomeError(
            f"`--time` is {given!r}, which is not a column of times or days in the "
            f"log. Such columns: {', '.join(time.column for time in times) or 'none'}"
        )
    if not times:
        return None
    ranked = sorted(times, key=lambda time: _rank(time, given))
    time = ranked[0]
    days = (one for one in ranked if one.is_day and not is_other_time(one.column))
    day = None if time.is_day else next(_same_days(engine, log, time, days), None)
    rows = _rows_of_days(engine, log, day or time)
    enough = max(_LEAST_ROWS, _LEAST_SHARE * sum(rows))
    return RowTime(
        time,
        day,
        days=len(rows),
        splits_by_days=len(rows) > 2 and min(rows[-2:]) >= enough,
        period="day" if len(rows) > 1 else None if time.is_day else "hour",
    )


def _rank(time: TimeColumn, given: str | None) -> tuple[bool, bool, bool, bool]:
    name = time.column
    return name != given, is_other_time(name), time.is_day, not is_time(name)


def _time_column(profile: ColumnProfile, log: Table) -> TimeColumn | None:
    column, name, kind = profile.column, quoted(profile.column), profile.type
    if profile.distinct < 2:
        return None
    if kind.is_date():
        return TimeColumn(column, name, name, True, "a date")
    if kind.is_timestamp():
        sql = name if kind.timezone is None else f"CAST({name} AS TIMESTAMP)"
        return TimeColumn(column, sql, f"CAST({name} AS DATE)", False, "a time")
    if kind.is_string() and profile.is_time:
        sql = f"CAST({name} AS TIMESTAMP)"
        is_day = profile.length <= len("2026-03-01")
        date = f"CAST({name} AS DATE)"
        return TimeColumn(column, sql, date, is_day, "a time, written as text")
    return _time_of_numbers(profile, log) if profile.is_whole else None


def _time_of_numbers(profile: ColumnProfile, log: Table) -> TimeColumn | None:
    column, least, greatest = profile.column, profile.least, profile.greatest
    name = quoted(column)
    if _DAYS[0] <= least and greatest <= _DAYS[1] and _are_days(log[column]):
        written = f"CAST({_integer(profile)} AS VARCHAR)"
        sql = f"CAST(strptime({written}, '%Y%m%d') AS DATE)"
        what = f"a day such as {greatest:.0f}"
        return TimeColumn(column, name, sql, True, what)
    for unit, (factor, sql) in _UNITS.items():
        is_in_range = _SECONDS[0] * factor <= least and greatest <= _SECONDS[1] * factor
        # Ten digits may as well be an id.
        if is_in_range and (factor > 1 or is_time(column)):
            sql = sql.format(_integer(profile))
            date = f"CAST({sql} AS DATE)"
            return TimeColumn(column, sql, date, False, f"{unit} since 1970")
    return None


def _integer(profile: ColumnProfile) -> str:
    name = quoted(profile.column)
    return name if profile.type.is_integer() else f"CAST({name} AS BIGINT)"


def _are_days(value: Expression) -> bool:
    month, day = value.cast("int64") // 100 % 100, value.cast("int64") % 100
    are = (month.between(1, 12) & day.between(1, 31)).all()
    return bool(are.to_pyarrow().as_py())


def _same_days(
    engine: Engine, log: Table, time: TimeColumn, days: Iterable[TimeColumn]
) -> Iterator[TimeColumn]:
    """Finds columns of days that match the day of a time, in any time zone."""
    for day in days:
        sql = f"date_diff('day', {day.date}, {time.date})"
        away = derive(engine, log, {"__away": sql}, key="--time")["__away"]
        if (away.abs() <= 1).all().to_pyarrow().as_py():
            yield day


def _rows_of_days(engine: Engine, log: Table, day: TimeColumn) -> list[int]:
    dated = derive(engine, log, {"__date": day.date}, key="--time")
    dated = dated.filter(dated["__date"].notnull())
    counted = dated.group_by("__date").agg(rows=dated.count()).order_by("__date")
    rows: list[int] = counted.to_pyarrow()["rows"].to_pylist()
    return rows
