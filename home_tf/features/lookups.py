"""What turns a feature's column into ids of its embedding table."""

from home_tf.backend import keras
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.features.categorical_feature import CategoricalFeature
from home_tf.features.numeric_feature import NumericFeature
from home_tf.features.vocabularies import Vocabulary
from home_tf.types import KerasLayer


def make_hashing(column: str, buckets: int, data: DatasetDirectory) -> KerasLayer:
    """Hashes values over buckets; 0 is the missing value."""
    missing = data.columns[column].missing
    return keras.layers.Hashing(num_bins=buckets + 1, mask_value=missing)


def find_vocabulary(
    column: str, feature: CategoricalFeature, data: DatasetDirectory
) -> Vocabulary:
    """The vocabulary of a feature."""
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
            "missing. Leave it out of the features, or prepare other data"
        )
    raise HomeError(
        f"{data}: no value of column {column!r} was seen in `min_count` "
        f"{feature.min_count} training rows, the most frequent in "
        f"{max(vocabulary.counts)}. Take a smaller `min_count`"
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


def count_ids(lookup: KerasLayer | Vocabulary) -> int:
    """The number of ids that a lookup gives: the size of its embedding table."""
    if isinstance(lookup, Vocabulary):
        return lookup.num_ids
    if isinstance(lookup, keras.layers.Hashing):
        return int(lookup.num_bins)
    return len(lookup.bin_boundaries) + 1
