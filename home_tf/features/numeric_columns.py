"""Numbers from record columns: checked, bounded and normalised."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.data import ColumnStatistics, DatasetDirectory
from home_tf.features.numeric_feature import NumericFeature
from home_tf.features.side_by_side import holds_for_all
from home_tf.types import Tensor

# A standard deviation below this share of the numbers' size is float32 rounding.
_ROUNDING = 1e-7


class NumericColumns:
    """The columns of the numeric features, checked and bounded together.

    Private to the package. Infinity is an error, and so is NaN unless the feature is
    `nullable`. Numbers are clipped to the range of the training rows.

    Args:
        features: The features by name.
        data: The dataset directory with their statistics.

    Attributes:
        names: The columns of the output: the normalised features, in order, and
            `price is missing` for each nullable one.
        bucketized: Names of those that are cut into buckets.
    """

    def __init__(
        self, features: Mapping[str, NumericFeature], data: DatasetDirectory
    ) -> None:
        normalized, self.bucketized = (
            [name for name, one in features.items() if one.encoding == encoding]
            for encoding in ("normalized", "bucketized")
        )
        self._num_normalized = len(normalized)
        self._names = [*normalized, *self.bucketized]
        chosen = {name: features[name] for name in self._names}
        self._columns = [one.column or name for name, one in chosen.items()]
        moments = [
            _Moments.of(one, data.statistics(column, needed_by=f"feature `{name}`"))
            for (name, one), column in zip(chosen.items(), self._columns, strict=True)
        ]
        self._nullable = np.array([one.nullable for one in chosen.values()], bool)
        self._use_log1p = np.array([m.log1p for m in moments], bool)
        self._low, self._high, self._fill, self._mean, self._scale = (
            np.array([getattr(m, name) for m in moments], np.float32)
            for name in ("low", "high", "fill", "mean", "scale")
        )
        # The output column of each normalised feature's missing-value indicator.
        self._indicators = {
            number: place
            for place, number in enumerate(
                np.flatnonzero(self._nullable[: len(normalized)]).tolist(),
                start=len(normalized),
            )
        }
        indicators = [f"{normalized[number]} is missing" for number in self._indicators]
        self.names = [*normalized, *indicators]

    def __call__(
        self, columns: Mapping[str, Tensor]
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Reads and normalises the numbers of a batch.

        Args:
            columns: `{column: (rows,)}`; a single row next to columns with more applies
                to all rows.

        Returns:
            `(rows, names)`: the normalised numbers, after their transforms, with mean 0
            and variance 1 in training, and the missing-value indicators, 0 or 1; None
            if there are none. And `{feature: (rows,)}`, the bounded numbers of the
            bucketized features, NaN where missing. In float32.

        Raises:
            tf.errors.InvalidArgumentError: If a number is NaN or infinite but must not
                be; the message names the column.
        """
        blocks: list[Tensor] = []
        places: list[int] = []
        bucketized: dict[str, Tensor] = {}
        for once in (True, False):
            alike = [
                number
                for number, column in enumerate(self._columns)
                if holds_for_all(columns[column]) == once
            ]
            plain = [number for number in alike if number < self._num_normalized]
            cut = alike[len(plain) :]
            if not alike:
                continue
            x, missing = self._read(columns, np.array(alike))
            if missing is not None and self._nullable[cut].any():
                is_cut = np.arange(len(alike)) >= len(plain)
                x = tf.where(missing & is_cut, np.nan, x)
            to_normalize, to_cut = _split(x, len(plain), len(cut))
            if plain:
                blocks.append(self._normalize(to_normalize, missing, plain))
                places += plain
                places += [self._indicators[n] for n in plain if n in self._indicators]
            if cut:
                each = tf.unstack(to_cut, num=len(cut), axis=1)
                names = [self._names[number] for number in cut]
                bucketized |= zip(names, each, strict=True)
        return _in_order(blocks, places), bucketized

    def _read(
        self, columns: Mapping[str, Tensor], chosen: npt.NDArray[np.int_]
    ) -> tuple[Tensor, Tensor | None]:
        """Stacks some columns, bounded and filled, and finds where they are missing.

        The second is None if none of them is nullable.
        """
        names = [self._columns[number] for number in chosen]
        x = tf.stack([tf.cast(columns[name], tf.float32) for name in names], axis=1)
        valid, nullable = tf.math.is_finite(x), self._nullable[chosen]
        missing = tf.math.is_nan(x) & nullable if nullable.any() else None
        if missing is not None:
            valid |= missing
        check = _check(tf.reduce_all(valid, axis=0), names)
        # In eager code it has already raised, and there is no operation.
        with tf.control_dependencies([] if check is None else [check]):
            x = (
                tf.identity(x)
                if missing is None
                else tf.where(missing, self._fill[chosen], x)
            )
        return tf.clip_by_value(x, self._low[chosen], self._high[chosen]), missing

    def _normalize(
        self, x: Tensor, missing: Tensor | None, plain: Sequence[int]
    ) -> Tensor:
        """Normalises columns, and appends their missing-value indicators."""
        chosen = np.array(plain)
        use_log1p = self._use_log1p[chosen]
        if use_log1p.any():
            # log1p is undefined below -1: a negative count is treated as 0.
            x = tf.where(use_log1p, tf.math.log1p(tf.maximum(x, 0.0)), x)
        x = (x - self._mean[chosen]) / self._scale[chosen]
        nullable = np.flatnonzero(self._nullable[chosen])
        if missing is None or not nullable.size:
            return x
        indicators = tf.cast(tf.gather(missing, nullable, axis=1), tf.float32)
        return tf.concat([x, indicators], axis=1)


def _check(valid: Tensor, names: Sequence[str]) -> tf.Operation | None:
    """An operation that fails, with the name of the first column that is wrong."""
    first = tf.argmin(tf.cast(valid, tf.int32))
    message = tf.strings.join(
        [
            "column `",
            tf.gather(names, first),
            "` of the features must hold finite numbers, and NaN only with "
            "`nullable: true`. Received: NaN or infinity",
        ]
    )
    return tf.raw_ops.Assert(condition=tf.reduce_all(valid), data=[message])


def _split(x: Tensor, first: int, second: int) -> tuple[Tensor, Tensor]:
    """Splits columns into two parts; an empty one may be any tensor."""
    if not first or not second:
        return x, x
    one, other = tf.split(x, [first, second], axis=1)
    return one, other


def _in_order(blocks: list[Tensor], numbers: list[int]) -> Tensor | None:
    """Joins blocks `(rows, n)`, with columns in order; single rows are repeated.

    Args:
        blocks: The blocks; in the first of two are the columns of one row.
        numbers: The numbers of their columns, each block's in order.
    """
    if len(blocks) < 2:
        return blocks[0] if blocks else None
    once, each = blocks
    once = tf.broadcast_to(once, (tf.shape(each)[0], once.shape[1]))
    return tf.gather(tf.concat([once, each], axis=1), np.argsort(numbers), axis=1)


class _Moments:
    """The mean, scale and bounds that are applied to one feature."""

    def __init__(
        self, *, low: float, high: float, mean: float, variance: float, log1p: bool
    ) -> None:
        self.low, self.high, self.log1p = low, high, log1p
        self.mean = mean
        self.fill = math.expm1(mean) if log1p else mean
        scale = math.sqrt(variance)
        size = max(abs(mean), *(abs(_transformed(x, log1p)) for x in (low, high)))
        # As in scikit-learn, a constant is shifted to 0, and not scaled.
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
