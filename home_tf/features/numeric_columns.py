"""Numbers from record columns: checked, bounded and encoded."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.data import ColumnStatistics, DatasetDirectory
from home_tf.features.numeric_feature import NumericFeature
from home_tf.features.quantile_bounds import quantile_bounds
from home_tf.features.side_by_side import holds_for_all
from home_tf.types import Tensor

# A standard deviation below this share of the numbers' size is rounding in float32.
_ROUNDING = 1e-7


class NumericColumns:
    """The columns of the numeric features, checked, bounded and encoded together.

    Private to the package. Infinity is an error, and so is NaN but in a feature that is
    `nullable`. Numbers outside of what the training rows have are taken for the least
    or the greatest of these.

    Args:
        features: The features by name.
        data: The dataset directory with their statistics.

    Attributes:
        widths: `{feature: width}` of the features that stay numbers, in their order;
            and `{"price is missing": 1}` of those that are nullable.
        bucketized: Names of those that are cut into buckets.
    """

    def __init__(
        self, features: Mapping[str, NumericFeature], data: DatasetDirectory
    ) -> None:
        by_encoding = {
            encoding: [n for n, one in features.items() if one.encoding == encoding]
            for encoding in ("normalized", "piecewise_linear", "bucketized")
        }
        self.bucketized = by_encoding.pop("bucketized")
        self._dense = [name for names in by_encoding.values() for name in names]
        self._names = [*self._dense, *self.bucketized]
        chosen = {name: features[name] for name in self._names}
        self._columns = [one.column or name for name, one in chosen.items()]
        scales = [
            _Scale.of(one, data.statistics(column, needed_by=f"feature `{name}`"))
            for (name, one), column in zip(chosen.items(), self._columns, strict=True)
        ]
        self._nullable = np.array([one.nullable for one in chosen.values()], bool)
        self._use_log1p = np.array(
            [one.transform == "log1p" for one in chosen.values()], bool
        )
        self._low, self._high, self._fill = (
            np.array([getattr(one, name) for one in scales], np.float32)
            for name in ("low", "high", "fill")
        )
        self._pieces = [scales[number].pieces for number in range(len(self._dense))]
        self._indicators = [
            number for number in range(len(self._dense)) if self._nullable[number]
        ]
        self.widths = {
            name: len(pieces)
            for name, pieces in zip(self._dense, self._pieces, strict=True)
        }
        for number in self._indicators:
            self.widths[f"{self._dense[number]} is missing"] = 1

    def __call__(
        self, columns: Mapping[str, Tensor]
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """The numbers of a batch.

        Args:
            columns: `{column: (rows,)}`; of a single row beside others with more, it
                holds for all.

        Returns:
            `(rows, sum of widths)`, the encoded numbers, or None if there are none; and
            `{feature: (rows,)}`, the bounded numbers of the bucketized features, NaN
            where they are missing. In float32.

        Raises:
            tf.errors.InvalidArgumentError: If a number is NaN or infinite that must not
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
            dense = [number for number in alike if number < len(self._dense)]
            cut = alike[len(dense) :]
            if not alike:
                continue
            x, missing = self._read(columns, np.array(alike))
            if dense:
                each = slice(0, len(dense)) if cut else slice(None)
                block = self._encode(
                    x[:, each], None if missing is None else missing[:, each], dense
                )
                blocks.append(block)
                places += self._places(dense)
            if cut:
                x = x if missing is None else tf.where(missing, np.nan, x)
                found = tf.unstack(x[:, len(dense) :], num=len(cut), axis=1)
                names = [self._names[number] for number in cut]
                bucketized |= zip(names, found, strict=True)
        return _in_order(blocks, places), bucketized

    def _read(
        self, columns: Mapping[str, Tensor], chosen: npt.NDArray[np.int_]
    ) -> tuple[Tensor, Tensor | None]:
        """Some columns side by side, inside the bounds, and where they are missing.

        What is missing is filled. None if nothing may be.
        """
        names = [self._columns[number] for number in chosen]
        x = tf.stack([tf.cast(columns[name], tf.float32) for name in names], axis=1)
        valid, nullable = tf.math.is_finite(x), self._nullable[chosen]
        missing = tf.math.is_nan(x) & nullable if nullable.any() else None
        if missing is not None:
            valid |= missing
        check = _check(tf.reduce_all(valid, axis=0), names)
        # In eager code it has raised already, and is no operation.
        with tf.control_dependencies([] if check is None else [check]):
            x = (
                tf.identity(x)
                if missing is None
                else tf.where(missing, self._fill[chosen], x)
            )
        return tf.clip_by_value(x, self._low[chosen], self._high[chosen]), missing

    def _encode(
        self, x: Tensor, missing: Tensor | None, dense: Sequence[int]
    ) -> Tensor:
        """Columns `(rows, n)` as their pieces, and whether each is missing."""
        use_log1p = self._use_log1p[np.array(dense)]
        if use_log1p.any():
            # log1p has no value below -1: a negative count is no more than none at all.
            x = tf.where(use_log1p, tf.math.log1p(tf.maximum(x, 0.0)), x)
        pieces = [self._pieces[number] for number in dense]
        if any(len(each) > 1 for each in pieces):
            repeats = np.repeat(np.arange(len(dense)), [len(p) for p in pieces])
            x = tf.gather(x, repeats, axis=1)
        flat = np.array([piece for each in pieces for piece in each], np.float32)
        x = (x - flat[:, 0]) / flat[:, 1]
        if np.isfinite(flat[:, 2:]).any():
            x = tf.clip_by_value(x, flat[:, 2], flat[:, 3])
        nullable = [i for i, number in enumerate(dense) if self._nullable[number]]
        if missing is None or not nullable:
            return x
        indicators = tf.cast(tf.gather(missing, nullable, axis=1), tf.float32)
        return tf.concat([x, indicators], axis=1)

    def _places(self, dense: Sequence[int]) -> list[int]:
        """Where the columns of `_encode` belong in the whole."""
        starts = np.cumsum([0, *self.widths.values()])
        places = [
            int(starts[number]) + piece
            for number in dense
            for piece in range(len(self._pieces[number]))
        ]
        indicators = [number for number in dense if self._nullable[number]]
        first = int(starts[len(self._dense)])
        return places + [first + self._indicators.index(n) for n in indicators]


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


def _in_order(blocks: list[Tensor], numbers: list[int]) -> Tensor | None:
    """Blocks `(rows, n)` as one, its columns in order; those of one row are repeated.

    Args:
        blocks: The blocks; in the first of two are the columns of one row.
        numbers: The numbers of their columns, each block's in order.
    """
    if len(blocks) < 2:
        return blocks[0] if blocks else None
    once, each = blocks
    once = tf.broadcast_to(once, (tf.shape(each)[0], once.shape[1]))
    return tf.gather(tf.concat([once, each], axis=1), np.argsort(numbers), axis=1)


# What is taken away, what it is divided by, and the bounds of what comes out.
_Piece = tuple[float, float, float, float]


class _Scale:
    """What is done to the numbers of one feature.

    Attributes:
        low: The least number of the training rows.
        high: The greatest.
        fill: What stands for a missing one.
        pieces: What is done to the transformed number for each column that it becomes.
    """

    def __init__(
        self, low: float, high: float, fill: float, pieces: Sequence[_Piece]
    ) -> None:
        self.low, self.high, self.fill, self.pieces = low, high, fill, pieces

    @classmethod
    def of(cls, feature: NumericFeature, statistics: ColumnStatistics) -> "_Scale":
        log1p = feature.transform == "log1p"
        quantiles = statistics.quantiles
        mean = statistics.log1p_mean if log1p else statistics.mean
        if feature.encoding == "piecewise_linear":
            assert feature.buckets is not None  # the feature has checked it
            bounds = quantile_bounds(quantiles, feature.buckets)
            pieces = [
                (first, second - first, 0.0, 1.0)
                for first, second in pairwise(
                    dict.fromkeys(_transformed(x, log1p) for x in bounds)
                )
            ] or [(quantiles[0], 1.0, 0.0, 1.0)]
        elif feature.encoding == "normalized":
            variance = statistics.log1p_variance if log1p else statistics.variance
            ends = (_transformed(x, log1p) for x in (quantiles[0], quantiles[-1]))
            scale = _not_zero(math.sqrt(variance), max(abs(mean), *map(abs, ends)))
            pieces = [(mean, scale, -math.inf, math.inf)]
        else:
            pieces = []
        fill = math.expm1(mean) if log1p else mean
        return cls(quantiles[0], quantiles[-1], fill, pieces)


def _not_zero(scale: float, size: float) -> float:
    # As scikit-learn has it, a constant is moved to 0, and not scaled.
    return scale if scale > _ROUNDING * abs(size) else 1.0


def _transformed(number: float, log1p: bool) -> float:
    return math.log1p(max(number, 0.0)) if log1p else number
