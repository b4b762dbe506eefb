"""From record columns to ids and numbers, with Keras preprocessing layers.

The lookups run in the input pipeline and in the serving graph, never in the
trained step.
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import tensorflow as tf

from home_tf.backend import keras
from home_tf.config import CategoricalFeature, Config, NumericFeature
from home_tf.data import RecordSchema
from home_tf.errors import HomeError
from home_tf.features.feature_embedding import (
    NUMERIC_FEATURES,
    EmbeddedFeature,
    EmbeddingTable,
)

MISSING_ID, MISSING_NAME = -1, ""


class Preprocessor(tf.Module):
    """Turns a batch of record columns into the network's inputs.

    Args:
        config: The configuration; its `features` say what to do with which column.
        data: The prepared folder, with its schema, vocabularies and statistics.

    Attributes:
        tables: `{table: EmbeddingTable}` for `FeatureEmbedding`.
        embedded_features: `{feature: EmbeddedFeature}` for `FeatureEmbedding`.
        numeric_features: Names of the normalised numeric features, in their order.
        columns: `{column: (dtype, shape)}` that a call reads.

    Raises:
        HomeError: If a column is missing or has the wrong dtype, or if the folder lacks
            the vocabulary or the statistics of a column.
    """

    def __init__(self, config: Config, data: str | Path) -> None:
        super().__init__(name="preprocessor")
        self._data = Path(data)
        self._schema = RecordSchema.load(data)
        self._features = dict(config.features)
        self._check_columns()
        self._statistics = self._read_statistics()
        self._make_lookups()
        self._make_numeric_layers()

    @property
    def columns(self) -> dict[str, Any]:
        """The record columns that a call reads, by name."""
        names = {feature.column or name for name, feature in self._features.items()}
        return {name: c for name, c in self._schema.columns.items() if name in names}

    def __call__(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Preprocesses a batch.

        Args:
            columns: `{column: (batch, *shape)}` as `home_tf.data.read` gives them;
                integers may be int64, too. Further columns are ignored.

        Returns:
            `{feature: ids}`, `(batch,)` or `(batch, length)`, and `numeric_features`,
            `(batch, n)`.
        """
        outputs = {
            name: self._lookups[name](columns[self._features[name].column or name])
            for name in self.embedded_features
        }
        if self.numeric_features:
            outputs[NUMERIC_FEATURES] = self._numbers(columns)
        return outputs

    def _numbers(self, columns: Mapping[str, Any]) -> Any:
        """The normalised numeric features, `(batch, n)`."""
        numbers = []
        for name, feature in self._numeric.items():
            number = tf.cast(columns[feature.column or name], tf.float32)
            # log1p has no value below -1: a negative count is no more than none at all.
            log1p = feature.transform == "log1p"
            numbers.append(tf.math.log1p(tf.maximum(number, 0.0)) if log1p else number)
        return self._normalization(tf.stack(_as_long(numbers), axis=1))

    def rates(self, labels: Sequence[str]) -> dict[str, float]:
        """The share of ones in label columns of the training rows.

        Args:
            labels: Names of the columns.

        Returns:
            `{label: share}`, never 0 or 1 in full, so that it has log-odds.

        Raises:
            HomeError: If there are no statistics of a column, or they cannot be those
                of zeros and ones.
        """
        found = {label: self._rate(label) for label in labels}
        return {label: min(max(rate, 1e-6), 1 - 1e-6) for label, rate in found.items()}

    def _rate(self, label: str) -> float:
        reader = f"label `{label}`"
        mean = self._statistic(label, "mean", reader)
        # Of a label quantiles may be left out.
        given = self._statistics_of(label, reader).get("quantiles")
        lowest = min([mean, *self._quantiles(label, reader)]) if given else mean
        if lowest < 0 or mean > 1:
            raise HomeError(
                f"{self._statistics_file}: the mean of {reader} should be the share of "
                f"ones, between 0 and 1. Received: mean {mean:g}, lowest {lowest:g}. "
                "Leave missing labels (NaN or -1) out of its statistics, or set "
                "`model.initial_rates: false`"
            )
        return mean

    def _check_columns(self) -> None:
        for name, feature in self._features.items():
            column = feature.column or name
            if column not in self._schema.columns:
                raise HomeError(
                    f"{self._data}: feature `{name}` reads column {column!r}, which "
                    "is not in the prepared data. Name one of its columns: "
                    f"{', '.join(sorted(self._schema.columns))}"
                )
            found = self._schema.columns[column]
            if isinstance(feature, NumericFeature):
                if found.dtype == "string" or found.shape != ():
                    raise HomeError(
                        f"{self._data}: feature `{name}` is numeric, but column "
                        f"{column!r} has dtype {found.dtype} and shape {found.shape}. "
                        "Make it `type: categorical`"
                    )
            elif found.dtype == "float32":
                raise HomeError(
                    f"{self._data}: feature `{name}` is categorical, but column "
                    f"{column!r} has dtype float32. Make it `type: numeric` with "
                    "`encoding: bucketized`"
                )

    def _make_lookups(self) -> None:
        self._lookups: dict[str, Any] = {}
        self.tables: dict[str, EmbeddingTable] = {}
        self.embedded_features: dict[str, EmbeddedFeature] = {}
        owners_first = sorted(
            self._features.items(),
            key=lambda item: bool(getattr(item[1], "table", None)),
        )
        for name, feature in owners_first:
            if isinstance(feature, CategoricalFeature):
                if feature.table is not None:
                    self._lookups[name] = self._lookups[feature.table]
                else:
                    self._make_categorical_lookup(name, feature)
            elif feature.encoding == "bucketized":
                self._make_bucket_lookup(name, feature)
        for name, feature in self._features.items():
            if name in self._lookups:
                self.embedded_features[name] = EmbeddedFeature(
                    table=getattr(feature, "table", None) or name,
                    pooling=getattr(feature, "pooling", "mean"),
                    attend_with=getattr(feature, "attend_with", None),
                )

    def _make_categorical_lookup(self, name: str, feature: CategoricalFeature) -> None:
        column = feature.column or name
        is_string = self._schema.columns[column].dtype == "string"
        missing = MISSING_NAME if is_string else MISSING_ID
        if feature.encoding == "hashed":
            assert feature.buckets is not None  # checked by the schema
            size = feature.buckets + 1
            lookup = keras.layers.Hashing(num_bins=size, mask_value=missing)
        else:
            kind = (
                keras.layers.StringLookup if is_string else keras.layers.IntegerLookup
            )
            lookup = kind(
                vocabulary=self._vocabulary(column, is_string, feature.min_count),
                mask_token=missing,
                num_oov_indices=feature.oov_buckets,
            )
            size = lookup.vocabulary_size()
        self._lookups[name] = lookup
        self.tables[name] = EmbeddingTable(size=int(size), width=feature.width or 0)

    def _make_bucket_lookup(self, name: str, feature: NumericFeature) -> None:
        assert feature.buckets is not None  # checked by the schema
        quantiles = self._quantiles(feature.column or name, f"feature `{name}`")
        last = len(quantiles) - 1
        at = [round(i * last / feature.buckets) for i in range(1, feature.buckets)]
        boundaries = sorted({quantiles[i] for i in at})
        self._lookups[name] = keras.layers.Discretization(bin_boundaries=boundaries)
        size = len(boundaries) + 1
        self.tables[name] = EmbeddingTable(size=size, width=feature.width or 0)

    def _make_numeric_layers(self) -> None:
        self._numeric = {
            name: feature
            for name, feature in self._features.items()
            if isinstance(feature, NumericFeature) and name not in self._lookups
        }
        self.numeric_features = list(self._numeric)
        means, variances = [], []
        for name, feature in self._numeric.items():
            prefix = "log1p_" if feature.transform == "log1p" else ""
            column, reader = feature.column or name, f"feature `{name}`"
            means.append(self._statistic(column, f"{prefix}mean", reader))
            variances.append(self._statistic(column, f"{prefix}variance", reader))
        if self.numeric_features:
            self._normalization = keras.layers.Normalization(
                axis=-1, mean=means, variance=variances
            )
            self._normalization.build((None, len(means)))

    def _vocabulary(self, column: str, is_string: bool, min_count: int) -> list[Any]:
        path = self._data / "vocabularies" / f"{column}.csv"
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = [
                    (row["value"], int(row["count"])) for row in csv.DictReader(file)
                ]
        except FileNotFoundError:
            raise HomeError(
                f"{path}: no such vocabulary. Prepare the data again, or give the "
                "feature `encoding: hashed`"
            ) from None
        except (KeyError, TypeError, ValueError):
            raise HomeError(
                f"{path}: a vocabulary has the columns value,count. Prepare the data "
                "again"
            ) from None
        values = [value for value, count in rows if count >= min_count]
        if is_string:
            return [value for value in values if value != MISSING_NAME]
        return [int(value) for value in values if int(value) != MISSING_ID]

    @property
    def _statistics_file(self) -> Path:
        return self._data / "statistics.json"

    def _read_statistics(self) -> dict[str, Any]:
        try:
            text = self._statistics_file.read_text(encoding="utf-8")
            statistics: dict[str, Any] = json.loads(text)
            if not isinstance(statistics, dict):
                raise ValueError
        except (FileNotFoundError, ValueError):  # the latter from JSON too
            raise HomeError(
                f"{self._statistics_file}: no readable statistics of the training "
                "rows. Prepare the data again"
            ) from None
        return statistics

    def _statistics_of(self, column: str, reader: str) -> dict[str, Any]:
        if not isinstance(self._statistics.get(column), dict):
            raise HomeError(
                f"{self._statistics_file}: no statistics of column {column!r}, which "
                f"{reader} needs. Prepare the data again"
            )
        found: dict[str, Any] = self._statistics[column]
        return found

    def _statistic(self, column: str, key: str, reader: str) -> float:
        found = self._statistics_of(column, reader).get(key)
        if not _is_number(found):
            raise HomeError(
                f"{self._statistics_file}: `{column}.{key}`, which {reader} needs, "
                f"should be a finite number. Received: {found!r}"
            )
        return float(found)

    def _quantiles(self, column: str, reader: str) -> list[float]:
        found = self._statistics_of(column, reader).get("quantiles")
        if not isinstance(found, list) or not found or not all(map(_is_number, found)):
            raise HomeError(
                f"{self._statistics_file}: `{column}.quantiles`, which {reader} needs, "
                "should be a list of finite numbers, those at equal steps from 0 to "
                f"100 %. Received: {str(found)[:100]}"
            )
        return [float(value) for value in found]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _as_long(columns: list[Any]) -> list[Any]:
    """Columns `(batch,)`; one of a single value is repeated for all rows."""
    longer = [column for column in columns if column.shape[0] != 1]
    if len(longer) in (0, len(columns)):
        return columns
    rows = tf.shape(longer[0])
    return [
        tf.broadcast_to(column, rows) if column.shape[0] == 1 else column
        for column in columns
    ]
