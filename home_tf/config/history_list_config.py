"""The section `data.history_lists`: the last items of a user or the like."""

from dataclasses import dataclass

from home_tf.config.history_config import Periods
from home_tf.hints import Size, check_fields


@dataclass(frozen=True, kw_only=True)
class HistoryListConfig:
    """The items of the last earlier rows with the same key, most recent first.

    Attributes:
        key: The column, or the list of columns, such as `user_id`.
        item: The column that is listed, such as `video_id`.
        when: SQL that is true for the rows that are listed; by default all.
        length: How many items a list has; shorter ones are padded.
        window: How many periods (`data.period`) count; by default all earlier ones.
        gap: How many periods before a row's own do not count.
    """

    key: str | tuple[str, ...]
    item: str
    when: str | None = None
    length: Size = 20
    window: Size | None = None
    gap: Periods = 0

    def __post_init__(self) -> None:
        check_fields(self)
