"""The statistics of a column over the training rows."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, TypeGuard

from home_tf.errors import HomeError
from home_tf.files import AnyPath


class ColumnStatistics:
    """The statistics of a column in `statistics.json`, without missing values.

    A statistic is checked when it is accessed: one that is not needed may be missing.

    Args:
        file: The file, for error messages.
        column: The column.
        values: Its statistics: `mean`, `variance`, `log1p_mean`, `log1p_variance`,
            `quantiles`.
        reason: Who needs them, for error messages, such as ", which feature `price`
            needs".
    """

    def __init__(
        self, file: AnyPath, column: str, values: Mapping[str, Any], reason: str = ""
    ) -> None:
        self._file, self._column, self._reason = file, column, reason
        self._values = values

    @property
    def mean(self) -> float:
        """The mean."""
        return self._number("mean")

    @property
    def variance(self) -> float:
        """The variance, divided by the number of rows."""
        return self._not_negative("variance")

    @property
    def log1p_mean(self) -> float:
        """The mean of `log(1 + x)`."""
        return self._number("log1p_mean")

    @property
    def log1p_variance(self) -> float:
        """The variance of `log(1 + x)`."""
        return self._not_negative("log1p_variance")

    @property
    def quantiles(self) -> list[float]:
        """Quantiles at equal steps from the smallest to the largest value."""
        found = self._values.get("quantiles")
        if found == []:
            raise HomeError(
                f"{self._place('quantiles')} is empty: no training row has a number "
                "in this column. Remove it from the features, or prepare other data"
            )
        if (
            not isinstance(found, list)
            or len(found) < 2
            or not all(map(_is_number, found))
            or any(second < first for first, second in pairwise(found))
        ):
            raise HomeError(
                f"{self._place('quantiles')} must be a list of at least two finite "
                "numbers in ascending order, those at equal steps from 0 to 100 %. "
                f"Received: {str(found)[:100]}"
            )
        return [float(value) for value in found]

    @property
    def positive_rate(self) -> float:
        """The positive rate of a label, never exactly 0 or 1, so that it has log-odds.

        Raises:
            HomeError: If these cannot be the statistics of zeros and ones.
        """
        mean = self.mean
        # The quantiles of a label may be left out.
        given = self._values.get("quantiles")
        lowest = min(mean, self.quantiles[0]) if given else mean
        if lowest < 0 or mean > 1:
            raise HomeError(
                f"{self._place('mean')} must be the share of ones, between 0 and 1. "
                f"Received: mean {mean:g}, lowest {lowest:g}. Leave missing labels "
                "(NaN or -1) out of its statistics, or set "
                "`model.prior_initialization: false`"
            )
        return min(max(mean, 1e-6), 1 - 1e-6)

    def _not_negative(self, key: str) -> float:
        found = self._number(key)
        if found < 0:
            raise HomeError(
                f"{self._place(key)} must not be negative. Received: {found}"
            )
        return found

    def _number(self, key: str) -> float:
        found = self._values.get(key)
        if not _is_number(found):
            raise HomeError(
                f"{self._place(key)} must be a finite number. Received: {found!r}"
            )
        return float(found)

    def _place(self, key: str) -> str:
        comma = "," if self._reason else ""
        return f"{self._file}: `{self._column}.{key}`{self._reason}{comma}"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)
