"""The section `data.tables`: tables that are joined to the log."""

from dataclasses import dataclass

from home_tf.config.files_config import FilesConfig
from home_tf.hints import NotNegative, check_fields


@dataclass(frozen=True, kw_only=True)
class TableConfig(FilesConfig):
    """A table with one row per value of a key, such as the users.

    Attributes:
        files: CSV, gzip CSV or Parquet files: a pattern such as `users_*.csv*`, or a
            list of them.
        columns: Columns derived from those of these files: `{name: SQL}`.
        key: The column, or the list of columns, that the log and the table share.
        max_unmatched: The largest share of log rows whose key may be missing from the
            table. A larger share is an error, a smaller one a warning.
    """

    key: str | tuple[str, ...]
    max_unmatched: NotNegative = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
