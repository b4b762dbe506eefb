"""The layers that turn a feature's column into ids of its embedding table."""

from typing import Any

from home_tf.backend import keras
from home_tf.data import DatasetDirectory
from home_tf.features.categorical_feature import CategoricalFeature
from home_tf.features.numeric_feature import NumericFeature
from home_tf.types import KerasLayer


def make_hashing(column: str, buckets: int, data: DatasetDirectory) -> KerasLayer:
    """Hashes values over buckets; 0 is the missing value."""
    missing = data.columns[column].missing
    return keras.layers.Hashing(num_bins=buckets + 1, mask_value=missing)


def make_vocabulary_lookup(
    column: str, feature: CategoricalFeature, data: DatasetDirectory
) -> KerasLayer:
    """Numbers the values of the vocabulary; 0 is the missing value."""
    kind: Any = keras.layers.IntegerLookup
    if data.columns[column].dtype == "string":
        kind = keras.layers.StringLookup
    return kind(
        vocabulary=data.vocabulary(column).seen(feature.min_count),
        mask_token=data.columns[column].missing,
        num_oov_indices=feature.oov_buckets,
    )


def make_bucketing(
    name: str, feature: NumericFeature, data: DatasetDirectory
) -> KerasLayer:
    """Cuts numbers into buckets that hold equal shares of the training rows."""
    assert feature.buckets is not None  # the feature has checked it
    statistics = data.statistics(feature.column or name, needed_by=f"feature `{name}`")
    quantiles = statistics.quantiles
    last = len(quantiles) - 1
    at = [round(i * last / feature.buckets) for i in range(1, feature.buckets)]
    boundaries = sorted({quantiles[i] for i in at})
    return keras.layers.Discretization(bin_boundaries=boundaries)


def count_ids(lookup: KerasLayer) -> int:
    """The number of ids that a lookup gives: the size of its embedding table."""
    if isinstance(lookup, keras.layers.Hashing):
        return int(lookup.num_bins)
    if isinstance(lookup, keras.layers.Discretization):
        return len(lookup.bin_boundaries) + 1
    return int(lookup.vocabulary_size())
