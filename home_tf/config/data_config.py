"""The section `data`: where the rows come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from home_tf.config.column_config import ColumnConfig
from home_tf.config.files_config import FilesConfig
from home_tf.config.history_config import HistoryConfig
from home_tf.config.history_list_config import HistoryListConfig
from home_tf.config.split_config import SplitConfig
from home_tf.config.table_config import TableConfig
from home_tf.hints import check_fields


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where the rows come from, and what `home-tf prepare` makes of them.

    Attributes:
        folder: Where relative paths begin, itself relative to the configuration file.
        log: The log files (CSV, gzip CSV or Parquet): a pattern such as
            `log_*.csv.gz`, or a list of them.
        history_log: Further rows that only serve as history, below. Columns that they
            lack count as missing.
        tables: Tables that are joined to the log by a key, below: `{name: table}`. A
            column whose name is already taken is prefixed with the table's name, such
            as `users_city`.
        types: DuckDB types of CSV columns that are guessed wrong, `{column: type}`,
            such as `VARCHAR`.
        columns: Derived columns, in order: `{name: SQL}`, in DuckDB's dialect, or for
            list columns the keys below.
        where: SQL condition for the rows to keep; by default all.
        time: The time of a row, a column or SQL; it defines the order of the rows.
        day: The day of a row, a column or SQL: a date, or a number such as 20220425; by
            default the day of `time`, in UTC.
        period: The resolution of history, `day` or `hour`: only strictly earlier
            periods count.
        split: Which rows are for training, validation and testing, below. By default
            the last two days validate and test; without a time, a tenth of the rows
            each.
        history: Counts and rates by key, below: `{name: history}`.
        history_lists: Lists of the last items by key, below: `{column: list}`.
    """

    folder: str = "."
    log: str | tuple[str, ...]
    history_log: FilesConfig | None = None
    tables: Mapping[str, TableConfig] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str | ColumnConfig] = field(default_factory=dict)
    where: str | None = None
    time: str | None = None
    day: str | None = None
    period: Literal["day", "hour"] = "day"
    split: SplitConfig | None = None
    history: Mapping[str, HistoryConfig] = field(default_factory=dict)
    history_lists: Mapping[str, HistoryListConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
