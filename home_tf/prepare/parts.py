"""Splitting the dataset into parts that can each be sorted in memory."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import ibis

from home_tf.engines import SPLIT, SPLITS, Expression, Table
from home_tf.prepare.shuffle import RANGE
from home_tf.prepare.splits import SplitOf
from home_tf.prepare.times import DAY

# The approximate number of rows per part.
PART_ROWS = 1_000_000

# Numbers of rows, `{split: {day: rows}}`, days ascending; the day is 0 without days.
Counts = Mapping[str, Mapping[int, int]]


def count_rows(log: Table, split_of: SplitOf) -> Counts:
    """Counts the rows of each split and day.

    Args:
        log: The rows of the log, `DAY` among their columns if they have days.
        split_of: The split of rows.
    """
    keyed = log.select(**{SPLIT: split_of(log), DAY: day_of(log)})
    keyed = keyed.filter(keyed[SPLIT].notnull())
    counted = keyed.group_by([SPLIT, DAY]).agg(rows=keyed.count()).order_by(DAY)
    found: dict[str, dict[int, int]] = {split: {} for split in SPLITS}
    for row in counted.to_pyarrow().to_pylist():
        found[row[SPLIT]][row[DAY]] = row["rows"]
    return found


def day_of(rows: Table) -> Expression:
    """The day of rows; 0 if there are no days."""
    day = rows[DAY].fill_null(0) if DAY in rows.columns else ibis.literal(0)
    return day.cast("int32")


def part_of(
    split: Expression, day: Expression, place: Expression, counts: Counts
) -> Expression:
    """Assigns rows to parts, in the order of splits, days and places.

    Args:
        split: Their split.
        day: Their day.
        place: Their place within the day, a random number from 0 to `RANGE`.
        counts: The rows of each split and day.
    """
    return ibis.cases(
        *(
            (
                (split == days.split) & day.between(days.first, days.last),
                days.part + place * days.parts // (RANGE + 1),
            )
            for days in _divide(counts)
        )
    )


class _Days(NamedTuple):
    """Days that form one part together, or a day that is split into several."""

    split: str
    first: int
    last: int
    part: int
    parts: int


def _divide(counts: Counts) -> Iterator[_Days]:
    part = 0
    for split in SPLITS:
        waiting: list[int] = []
        rows = 0
        for day, count in [*counts[split].items(), (None, PART_ROWS)]:
            if waiting and rows + count > PART_ROWS:
                parts = -(-rows // PART_ROWS)
                yield _Days(split, waiting[0], waiting[-1], part, parts)
                part, waiting, rows = part + parts, [], 0
            if day is not None:
                waiting.append(day)
                rows += count
