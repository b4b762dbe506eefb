"""From record columns to ids and numbers.

The lookups run in the input pipeline and in the serving graph, never in the
training step.
"""

from collections.abc import Callable, Mapping

import tensorflow as tf

from home_tf.data import Column, DatasetDirectory
from home_tf.features.categorical_feature import CategoricalFeature
from home_tf.features.feature import Feature, check_columns, check_references
from home_tf.features.feature_embedding import (
    NUMERIC_FEATURES,
    EmbeddedFeature,
    EmbeddingTable,
)
from home_tf.features.lookups import (
    count_ids,
    find_vocabulary,
    make_bucketing,
    make_hashing,
)
from home_tf.features.numeric_columns import NumericColumns
from home_tf.features.numeric_feature import NumericFeature
from home_tf.features.vocabularies import (
    DenseVocabularies,
    HashedVocabulary,
    Vocabulary,
)
from home_tf.types import KerasLayer, Tensor


class Preprocessor(tf.Module):
    """Turns a batch of record columns into the network's inputs.

    Args:
        features: `{name: CategoricalFeature or NumericFeature}`, in the order of the
            ranking input.
        data: The dataset directory, with its schema, vocabularies and statistics.

    Attributes:
        features: The features by name.
        data: The dataset directory.
        tables: `{table: EmbeddingTable}` for `FeatureEmbedding`.
        embedded_features: `{feature: EmbeddedFeature}` for `FeatureEmbedding`.
        numeric_features: Names of the numbers after the embeddings, in order: the
            normalised features, and `price is missing` for each nullable one.

    Raises:
        HomeError: If features do not fit together, a column is missing or has the
            wrong dtype, or if the directory lacks the vocabulary or the statistics of
            a column.

    Examples:
        >>> features = {
        ...     "user_id": CategoricalFeature(width=16, min_count=5),
        ...     "price": NumericFeature(transform="log1p"),
        ... }
        >>> preprocessor = Preprocessor(features, DatasetDirectory("records"))
    """

    def __init__(self, features: Mapping[str, Feature], data: DatasetDirectory) -> None:
        super().__init__(name="preprocessor")
        check_references(features)
        check_columns(features, data)
        self.features = dict(features)
        self.data = data
        lookups = self._find_lookups()
        self._embedded = list(lookups)
        self._one_by_one, self._together = _make_callable(lookups)
        self.tables = self._make_tables(lookups)
        self.embedded_features = self._make_embedded_features()
        numeric = {k: f for k, f in features.items() if isinstance(f, NumericFeature)}
        self._numeric = NumericColumns(numeric, data)
        self.numeric_features = self._numeric.names

    @property
    def columns(self) -> dict[str, Column]:
        """The record columns that a call reads, by name."""
        names = {feature.column or name for name, feature in self.features.items()}
        return {name: c for name, c in self.data.columns.items() if name in names}

    def __call__(self, columns: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Preprocesses a batch.

        Args:
            columns: `{column: (batch, *shape)}` as `DatasetDirectory.read` returns
                them; integers may also be int64. Further columns are ignored.

        Returns:
            `{feature: ids}`, `(batch,)` or `(batch, length)`, and `numeric_features`,
            `(batch, n)`.

        Raises:
            tf.errors.InvalidArgumentError: If a number is infinite, or NaN in a feature
                that is not `nullable`; the message names the column.
        """
        numbers, to_bucketize = self._numeric(columns)
        values = {
            name: to_bucketize[name]
            if name in to_bucketize
            else columns[self.features[name].column or name]
            for name in self._embedded
        }
        found = {name: look(values[name]) for name, look in self._one_by_one.items()}
        if self._together is not None:
            rest = {name: x for name, x in values.items() if name not in found}
            found |= self._together(rest)
        outputs = {name: found[name] for name in self._embedded}
        if numbers is not None:
            outputs[NUMERIC_FEATURES] = numbers
        return outputs

    def _find_lookups(self) -> dict[str, KerasLayer | Vocabulary]:
        own = {
            name: self._find_lookup(name, feature)
            for name, feature in self.features.items()
            if not getattr(feature, "table", None)
        }
        owners = {
            name: getattr(feature, "table", None) or name
            for name, feature in self.features.items()
        }
        return {
            name: own[owner] for name, owner in owners.items() if own[owner] is not None
        }

    def _find_lookup(
        self, name: str, feature: Feature
    ) -> KerasLayer | Vocabulary | None:
        """The lookup of a feature with its own table; None for a plain number."""
        if isinstance(feature, NumericFeature):
            if feature.encoding == "bucketized":
                return make_bucketing(name, feature, self.data)
            return None
        column = feature.column or name
        if feature.buckets is not None:
            return make_hashing(column, feature.buckets, self.data)
        return find_vocabulary(column, feature, self.data)

    def _make_tables(
        self, lookups: Mapping[str, KerasLayer | Vocabulary]
    ) -> dict[str, EmbeddingTable]:
        return {
            name: EmbeddingTable(count_ids(lookup), self.features[name].width or 0)
            for name, lookup in lookups.items()
            if not getattr(self.features[name], "table", None)
        }

    def _make_embedded_features(self) -> dict[str, EmbeddedFeature]:
        embedded = {}
        for name in self._embedded:
            feature = self.features[name]
            embedded[name] = EmbeddedFeature(table=name)
            if isinstance(feature, CategoricalFeature):
                embedded[name] = EmbeddedFeature(
                    table=feature.table or name,
                    pooling=feature.pooling,
                    attend_with=feature.attend_with,
                )
        return embedded


def _make_callable(
    lookups: Mapping[str, KerasLayer | Vocabulary],
) -> tuple[dict[str, Callable[[Tensor], Tensor]], DenseVocabularies | None]:
    """Makes the lookups of single features, and of all that are looked up together."""
    vocabularies = {n: v for n, v in lookups.items() if isinstance(v, Vocabulary)}
    dense = {name: one for name, one in vocabularies.items() if one.is_dense}
    hashed = {
        id(one): HashedVocabulary(one)
        for one in vocabularies.values()
        if not one.is_dense
    }
    one_by_one = {
        name: hashed[id(one)] if isinstance(one, Vocabulary) else one
        for name, one in lookups.items()
        if name not in dense
    }
    return one_by_one, DenseVocabularies(dense) if dense else None
