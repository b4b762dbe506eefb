"""The section `data.history`: what was known about a user, an item or the like."""

from dataclasses import dataclass
from typing import Annotated

from home_tf.hints import Bounds, NotNegative, Size, check_fields

Periods = Annotated[int, Bounds(at_least=0, below=2**31)]


@dataclass(frozen=True, kw_only=True)
class HistoryConfig:
    """Counts and rates of the earlier rows with the same key.

    With the name `user`, the column `user_impressions` is the number of earlier rows,
    and `user_is_click_rate` is the smoothed share of ones in the column `is_click`,
    `(ones + prior * overall rate) / (known + prior)`; likewise for every column of
    zeros and ones that a feature refers to in this way.

    Attributes:
        key: The column, or the list of columns, such as `user_id`.
        prior: The weight of the overall rate, in rows.
        window: Number of periods (`data.period`) that count; by default all earlier
            ones.
        gap: Number of periods just before a row's own that do not count, because their
            labels are not known in time.
    """

    key: str | tuple[str, ...]
    prior: NotNegative = 20.0
    window: Size | None = None
    gap: Periods = 0

    def __post_init__(self) -> None:
        check_fields(self)
