"""The section `data.tables`: what is joined to the log."""

from dataclasses import dataclass

from home_tf.config.files_config import FilesConfig
from home_tf.hints import NotNegative, check_fields


@dataclass(frozen=True, kw_only=True)
class TableConfig(FilesConfig):
    """A table with a row for each value of a key, such as the users.

    Attributes:
        files: CSV, gzip CSV or Parquet files: a pattern such as `users_*.csv*`, or a
            list of them.
        columns: Columns that are made of these files' own: `{name: SQL}`.
        key: The column, or the list of columns, that the log and the table share.
        max_unmatched: The largest share of the log's rows that may have a key that is
            not in the table; if more have, it is an error, and else a warning.
    """

    key: str | tuple[str, ...]
    max_unmatched: NotNegative = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
