"""Numbers from record columns: checked, bounded and normalised."""

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from home_tf.data import ColumnStatistics, DatasetDirectory
from home_tf.features.numeric_feature import NumericFeature
from home_tf.types import Tensor

# A standard deviation below this share of the numbers' size is rounding in float32.
_ROUNDING = 1e-7


class NumericColumns:
    """The columns of some numeric features, side by side.

    Private to the package. Infinity is an error, and so is NaN but in a feature that is
    `nullable`, where it is the mean of the training rows. Numbers outside of what the
    training rows have are taken for the least or the greatest of these.

    Args:
        features: The features by name.
        data: The dataset directory with their statistics.
    """

    def __init__(
        self, features: Mapping[str, NumericFeature], data: DatasetDirectory
    ) -> None:
        self._columns = [feature.column or name for name, feature in features.items()]
        moments = [
            _Moments.of(
                feature,
                data.statistics(column, needed_by=f"feature `{name}`"),
            )
            for (name, feature), column in zip(
                features.items(), self._columns, strict=True
            )
        ]
        self._nullable = np.array([f.nullable for f in features.values()], bool)
        self._use_log1p = np.array([m.log1p for m in moments], bool)
        self._low, self._high, self._fill, self._mean, self._scale = (
            np.array([getattr(m, name) for m in moments], np.float32)
            for name in ("low", "high", "fill", "mean", "scale")
        )

    def bounded(self, columns: Mapping[str, Tensor]) -> Tensor:
        """The numbers without missing ones, inside the bounds.

        Args:
            columns: `{column: (rows,)}`; of a single row beside others with more, it
                holds for all.

        Returns:
            `(rows, features)` in float32.

        Raises:
            tf.errors.InvalidArgumentError: If a number is NaN or infinite that must not
                be; the message names the column.
        """
        numbers = [tf.cast(columns[name], tf.float32) for name in self._columns]
        x = tf.stack(_as_long(numbers), axis=1)
        missing = tf.math.is_nan(x)
        wrong = tf.math.is_inf(x) | (missing & ~self._nullable)
        with tf.control_dependencies([self._check(tf.reduce_any(wrong, axis=0))]):
            x = tf.where(missing, self._fill, x)
        return tf.clip_by_value(x, self._low, self._high)

    def normalized(self, columns: Mapping[str, Tensor]) -> Tensor:
        """The numbers, after their transforms, with mean 0 and variance 1 in training.

        Args:
            columns: As in `bounded`.

        Returns:
            `(rows, features)` in float32.

        Raises:
            tf.errors.InvalidArgumentError: See `bounded`.
        """
        x = self.bounded(columns)
        if self._use_log1p.any():
            # log1p has no value below -1: a negative count is no more than none at all.
            x = tf.where(self._use_log1p, tf.math.log1p(tf.maximum(x, 0.0)), x)
        return (x - self._mean) / self._scale

    def _check(self, wrong: Tensor) -> tf.Operation:
        """An operation that fails, with the name of the first column that is wrong."""
        first = tf.argmax(tf.cast(wrong, tf.int32))
        message = tf.strings.join(
            [
                "column `",
                tf.gather(self._columns, first),
                "` of the features must hold finite numbers, and NaN only with "
                "`nullable: true`. Received: NaN or infinity",
            ]
        )
        return tf.raw_ops.Assert(condition=~tf.reduce_any(wrong), data=[message])


class _Moments:
    """What is done to the numbers of one feature."""

    def __init__(
        self, *, low: float, high: float, mean: float, variance: float, log1p: bool
    ) -> None:
        self.low, self.high, self.log1p = low, high, log1p
        self.mean = mean
        self.fill = math.expm1(mean) if log1p else mean
        scale = math.sqrt(variance)
        size = max(abs(mean), *(abs(_transformed(x, log1p)) for x in (low, high)))
        # As scikit-learn has it, a constant is moved to 0, and not scaled.
        self.scale = scale if scale > _ROUNDING * size else 1.0

    @classmethod
    def of(cls, feature: NumericFeature, statistics: ColumnStatistics) -> "_Moments":
        log1p = feature.transform == "log1p"
        quantiles = statistics.quantiles
        if feature.encoding == "bucketized":
            mean, variance = statistics.mean, 1.0
        elif log1p:
            mean, variance = statistics.log1p_mean, statistics.log1p_variance
        else:
            mean, variance = statistics.mean, statistics.variance
        return cls(
            low=quantiles[0],
            high=quantiles[-1],
            mean=mean,
            variance=variance,
            log1p=log1p,
        )


def _transformed(number: float, log1p: bool) -> float:
    return math.log1p(max(number, 0.0)) if log1p else number


def _as_long(columns: list[Tensor]) -> list[Tensor]:
    """Columns `(rows,)`; one of a single value is repeated for all rows."""
    longer = [column for column in columns if column.shape[0] != 1]
    if len(longer) in (0, len(columns)):
        return columns
    rows = tf.shape(longer[0])
    return [
        tf.broadcast_to(column, rows) if column.shape[0] == 1 else column
        for column in columns
    ]
