"""The section `data.history_lists`: the last items of a user or the like."""

from dataclasses import dataclass

from home_tf.config.history_config import Periods
from home_tf.hints import Size, check_fields


@dataclass(frozen=True, kw_only=True)
class HistoryListConfig:
    """The items of the last earlier rows with the same key, most recent first.

    Attributes:
        key: The column, or the list of columns, such as `user_id`.
        item: The column with the items to list, such as `video_id`.
        when: SQL condition for the rows to list; by default all.
        length: Length of a list; shorter ones are padded.
        window: Number of periods (`data.period`) that count; by default all earlier
            ones.
        gap: Number of periods just before a row's own that do not count.
    """

    key: str | tuple[str, ...]
    item: str
    when: str | None = None
    length: Size = 20
    window: Size | None = None
    gap: Periods = 0

    def __post_init__(self) -> None:
        check_fields(self)
