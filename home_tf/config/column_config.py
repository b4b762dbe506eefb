"""The section `data.columns`: columns that are made of others."""

from dataclasses import dataclass

from home_tf.errors import HomeError
from home_tf.hints import Size, check_fields


@dataclass(frozen=True, kw_only=True)
class ColumnConfig:
    """A column that is made of others, or a list column.

    Attributes:
        sql: What it is, in DuckDB's SQL; by default the column of that name.
        separator: What stands between the values of a list that is written as text.
        length: How many values a list has at most, the first ones; by default as many
            as the longest.
    """

    sql: str | None = None
    separator: str | None = None
    length: Size | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.separator == "":
            raise HomeError("`separator` must be at least one character")
