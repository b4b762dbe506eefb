"""The section `data.history_log`: files whose rows count as history only."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class FilesConfig:
    """Files of further rows.

    Attributes:
        files: CSV, gzip CSV or Parquet files: a pattern such as `history_*.parquet`, or
            a list of them.
        columns: Columns that are made of these files' own: `{name: SQL}`.
    """

    files: str | tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
