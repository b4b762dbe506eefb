"""The section `data.columns`: derived columns."""

from dataclasses import dataclass

from home_tf.errors import HomeError
from home_tf.hints import Size, check_fields


@dataclass(frozen=True, kw_only=True)
class ColumnConfig:
    """A derived column or a list column.

    Attributes:
        sql: A DuckDB SQL expression; by default the column of that name.
        separator: The separator of a list that is stored as text.
        length: Maximum length of a list; only the first values are kept. By default the
            length of the longest list.
    """

    sql: str | None = None
    separator: str | None = None
    length: Size | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.separator == "":
            raise HomeError("`separator` must be at least one character")
