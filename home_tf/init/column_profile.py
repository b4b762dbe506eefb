"""Profiling the values of a column."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from home_tf.engines import Engine, Expression, Table, first_row

# Rows of the sample. Counts are over all rows.
SAMPLE_ROWS = 100_000
# Up to this many rows, distinct values are counted exactly.
_EXACT_ROWS = 1_000_000
# Up to this many distinct values, each one is counted.
FEW = 30
_SEPARATORS = ("|", ";", ",", " ")
# How many texts with a separator there must be, and how few values they are made of.
_LEAST_LISTS, _MOST_PARTS = 0.05, {"|": 0.8, ";": 0.8, ",": 0.8, " ": 0.25}
_LEVELS = {"low": 0.01, "median": 0.5, "high": 0.99}


@dataclass(frozen=True)
class ColumnProfile:
    """Profiling the values of a column.

    Attributes:
        column: Its name in the rows, with the tables joined.
        source: The name of the files that have it.
        type: Its type in Ibis.
        rows: The rows of the files.
        missing: Number of rows in which it is missing or NaN.
        distinct: The number of distinct values, of lists those in a sample.
        least: The least number or time.
        greatest: The greatest number or time.
        quantiles: `low`, `median` and `high`, 0.01 to 0.99, of a number.
        is_whole: Whether all numbers are whole.
        is_finite: Whether no number is infinite or NaN.
        values: How often each value is there, if they are `FEW`.
        longest: The length of the longest list in a sample.
        separator: The separator of a list that is stored as text.
        length: The mean length of a text.
        is_time: Whether all texts can be read as times.
    """

    column: str
    source: str
    type: Any
    rows: int
    missing: int
    distinct: int
    least: Any = None
    greatest: Any = None
    quantiles: Mapping[str, float] = field(default_factory=dict)
    is_whole: bool = False
    is_finite: bool = True
    values: Mapping[Any, int] = field(default_factory=dict)
    longest: int = 0
    separator: str | None = None
    length: float = 0.0
    is_time: bool = False

    @property
    def is_number(self) -> bool:
        """Whether it is a number, not a boolean."""
        return bool(self.type.is_numeric()) and not self.type.is_boolean()

    @property
    def is_list(self) -> bool:
        """Whether it has several values per row."""
        return bool(self.type.is_array()) or self.separator is not None

    @property
    def is_binary(self) -> bool:
        """Whether it has booleans, or zeros and ones."""
        found = set(self.values)
        return len(found) == 2 and found <= {0, 1}

    @property
    def is_unique(self) -> bool:
        """Whether hardly any value occurs in two rows."""
        known = self.rows - self.missing
        return known >= FEW and self.distinct >= 0.98 * known


def take_sample(engine: Engine, name: str, table: Table, rows: int) -> Table:
    """Stores a sample of a table, in whole blocks of rows.

    Args:
        engine: Where it is done.
        name: A name for the sample.
        table: The table.
        rows: How many rows it has.
    """
    if rows > SAMPLE_ROWS:
        table = table.sample(SAMPLE_ROWS / rows, method="block", seed=0)
    return engine.store(name, table)


def profile_column(
    source: str, column: str, values: Expression, sample: Expression
) -> ColumnProfile:
    """Profiles a column.

    Args:
        source: The name of its files.
        column: What it is called in the joined rows.
        values: The column, of all rows.
        sample: The column, of some rows.
    """
    kind = values.type()
    values, sample = (one.name("value").as_table()["value"] for one in (values, sample))
    found = _measure(values, _counts(values))
    seen = _measure(sample, _details(sample))
    separator = _find_separator(known(sample), seen, found["distinct"])
    is_list = kind.is_array() or separator is not None
    if is_list:
        lists = _lists(known(sample), separator)
        found["distinct"] = _parts(lists).nunique().to_pyarrow().as_py()
        found["longest"] = lists.length().max().to_pyarrow().as_py() or 0
    is_few = found["distinct"] <= FEW and not is_list and not kind.is_nested()
    return ColumnProfile(
        column=column,
        source=source,
        type=kind,
        is_whole=bool(found.pop("is_whole", kind.is_integer())),
        quantiles={level: seen.get(level) or 0.0 for level in _LEVELS},
        separator=separator,
        length=seen.get("length") or 0.0,
        is_time=bool(seen.get("is_time")),
        values=_count_values(values) if is_few else {},
        **found,
    )


def _measure(values: Expression, wanted: dict[str, Expression]) -> dict[str, Any]:
    return first_row(values.as_table().agg(**wanted)) if wanted else {}


def _counts(values: Expression) -> dict[str, Expression]:
    """Counts over all rows."""
    value, kind = known(values), values.type()
    rows = values.as_table().count()
    found = {"rows": rows, "missing": value.isnull().sum()}
    if kind.is_nested():
        return {**found, "distinct": value.count()}
    is_small = rows.to_pyarrow().as_py() <= _EXACT_ROWS
    found["distinct"] = value.nunique() if is_small else value.approx_nunique()
    if kind.is_numeric() or kind.is_temporal():
        found |= {"least": value.min(), "greatest": value.max()}
    if kind.is_floating():
        found["is_finite"] = ~(values.isinf() | values.isnan()).fill_null(False).any()
    if kind.is_floating() or kind.is_decimal():
        found["is_whole"] = (value == value.floor()).all()
    return found


def _details(sample: Expression) -> dict[str, Expression]:
    """Measures details on a sample."""
    value, kind = known(sample), sample.type()
    if kind.is_string():
        shares = {one: value.contains(one).mean() for one in _SEPARATORS}
        return {
            "length": value.length().mean(),
            "is_time": value.try_cast("timestamp").count() == value.count(),
            "has brackets": value.re_search(r"[][(){}]|, ").any(),
            **shares,
        }
    if not kind.is_numeric() or kind.is_boolean():
        return {}
    amount = value.cast("float64")
    return {level: amount.quantile(share) for level, share in _LEVELS.items()}


def known(value: Expression) -> Expression:
    """Returns a column with all kinds of missing values as null."""
    kind = value.type()
    if kind.is_floating():
        return (value.isnan() | value.isinf()).ifelse(None, value)
    return value.nullif("") if kind.is_string() else value


def _find_separator(
    sample: Expression, seen: Mapping[str, Any], distinct: int
) -> str | None:
    if seen.get("has brackets") or seen.get("is_time"):
        return None
    for separator in _SEPARATORS:
        if (seen.get(separator) or 0) < _LEAST_LISTS:
            continue
        lists = _lists(sample, separator)
        parts = _parts(lists).nunique().to_pyarrow().as_py()
        if parts <= _MOST_PARTS[separator] * distinct:
            return separator
    return None


def _lists(value: Expression, separator: str | None) -> Expression:
    return value if separator is None else value.split(separator)


def _parts(lists: Expression) -> Expression:
    return lists.unnest().name("part").as_table()["part"]


def _count_values(value: Expression) -> dict[Any, int]:
    counted = known(value).name("value").value_counts(name="rows").to_pyarrow()
    pairs = ((row["value"], row["rows"]) for row in counted.to_pylist())
    return {value: rows for value, rows in pairs if value is not None}
