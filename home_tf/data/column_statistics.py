"""The statistics of a column over the training rows."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from home_tf.errors import HomeError


class ColumnStatistics:
    """What `statistics.json` says of a column; missing values are left out of it.

    A statistic is checked when it is asked for: one that nobody needs may be missing.

    Args:
        file: The file, for error messages.
        column: The column.
        values: Its statistics: `mean`, `variance`, `log1p_mean`, `log1p_variance`,
            `quantiles`.
        reason: Who needs them, for error messages, such as ", which feature `price`
            needs".
    """

    def __init__(
        self, file: Path, column: str, values: Mapping[str, Any], reason: str = ""
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
        return self._number("variance")

    @property
    def log1p_mean(self) -> float:
        """The mean of `log(1 + x)`."""
        return self._number("log1p_mean")

    @property
    def log1p_variance(self) -> float:
        """The variance of `log(1 + x)`."""
        return self._number("log1p_variance")

    @property
    def quantiles(self) -> list[float]:
        """Quantiles at equal steps from the least to the greatest value."""
        found = self._values.get("quantiles")
        if not isinstance(found, list) or not found or not all(map(_is_number, found)):
            raise HomeError(
                f"{self._place('quantiles')} must be a list of finite numbers, those "
                f"at equal steps from 0 to 100 %. Received: {str(found)[:100]}"
            )
        return [float(value) for value in found]

    @property
    def positive_rate(self) -> float:
        """The share of ones of a label, never 0 or 1 in full, so that it has log-odds.

        Raises:
            HomeError: If these cannot be the statistics of zeros and ones.
        """
        mean = self.mean
        # Of a label quantiles may be left out.
        given = self._values.get("quantiles")
        lowest = min([mean, *self.quantiles]) if given else mean
        if lowest < 0 or mean > 1:
            raise HomeError(
                f"{self._place('mean')} must be the share of ones, between 0 and 1. "
                f"Received: mean {mean:g}, lowest {lowest:g}. Leave missing labels "
                "(NaN or -1) out of its statistics, or set `initial_rates: false`"
            )
        return min(max(mean, 1e-6), 1 - 1e-6)

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
