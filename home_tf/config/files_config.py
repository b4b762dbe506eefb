"""The section `data.history_log`: files whose rows only serve as history."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class FilesConfig:
    """Files with further rows.

    Attributes:
        files: CSV, gzip CSV or Parquet files: a pattern such as `history_*.parquet`, or
            a list of them.
        columns: Columns derived from those of these files: `{name: SQL}`.
    """

    files: str | tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
