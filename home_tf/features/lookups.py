"""Lookups: from a feature's column to ids of its embedding table."""

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from home_tf.backend import keras
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.features.categorical_feature import CategoricalFeature
from home_tf.features.numeric_feature import NumericFeature
from home_tf.features.vocabularies import Vocabulary
from home_tf.types import KerasLayer, Tensor


@dataclass(frozen=True)
class Bucketing:
    """Maps numbers to the numbers of their buckets.

    Attributes:
        boundaries: The lower bounds of the buckets, ascending; below the first is
            bucket 0.
        nullable: Whether there is an additional last bucket for missing numbers.
    """

    boundaries: Sequence[float]
    nullable: bool = False

    @property
    def num_ids(self) -> int:
        """Number of buckets."""
        return len(self.boundaries) + 1 + self.nullable

    def __call__(self, x: Tensor) -> Tensor:
        """Maps numbers of any shape to int32 of that shape."""
        found = tf.raw_ops.Bucketize(input=x, boundaries=list(self.boundaries))
        if not self.nullable:
            return found
        return tf.where(tf.math.is_nan(x), self.num_ids - 1, found)


def make_hashing(column: str, buckets: int, data: DatasetDirectory) -> KerasLayer:
    """Makes a lookup that hashes values into buckets; 0 is the missing value."""
    missing = data.columns[column].missing
    return keras.layers.Hashing(num_bins=buckets + 1, mask_value=missing)


def find_vocabulary(
    column: str, feature: CategoricalFeature, data: DatasetDirectory
) -> Vocabulary:
    """Finds the vocabulary of a feature."""
    values = _values_to_number(column, feature, data)
    return Vocabulary(values, feature.oov_buckets)


def _values_to_number(
    column: str, feature: CategoricalFeature, data: DatasetDirectory
) -> list[int] | list[str]:
    vocabulary = data.vocabulary(column)
    found = vocabulary.seen(feature.min_count)
    if found:
        return found
    if not vocabulary.values:
        raise HomeError(
            f"{data}: no training row has a value in column {column!r}, all are "
            "missing. Remove it from the features, or prepare other data"
        )
    raise HomeError(
        f"{data}: no value of column {column!r} occurs in `min_count` "
        f"{feature.min_count} training rows, the most frequent in "
        f"{max(vocabulary.counts)}. Use a smaller `min_count`"
    )


def make_bucketing(
    name: str, feature: NumericFeature, data: DatasetDirectory
) -> Bucketing:
    """Makes buckets with equal shares of the training rows."""
    assert feature.buckets is not None  # checked by the feature
    statistics = data.statistics(feature.column or name, needed_by=f"feature `{name}`")
    quantiles = statistics.quantiles
    last = len(quantiles) - 1
    at = [round(i * last / feature.buckets) for i in range(1, feature.buckets)]
    return Bucketing(sorted({quantiles[i] for i in at}), feature.nullable)


def count_ids(lookup: KerasLayer | Vocabulary) -> int:
    """Counts the ids of a lookup: the size of its embedding table."""
    if isinstance(lookup, Vocabulary | Bucketing):
        return lookup.num_ids
    return int(lookup.num_bins)
