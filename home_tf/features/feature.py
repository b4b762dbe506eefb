"""Checks of features: references to each other, and to columns."""

from collections.abc import Mapping
from typing import TypeAlias

from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.features.categorical_feature import CategoricalFeature
from home_tf.features.feature_embedding import NUMERIC_FEATURES
from home_tf.features.numeric_feature import NumericFeature

Feature: TypeAlias = CategoricalFeature | NumericFeature
"""What a column is to the model: ids to embed, or a number."""


def check_references(features: Mapping[str, Feature]) -> None:
    """Checks the features' names, and those that `table` and `attend_with` name.

    Raises:
        HomeError: If one is not a categorical feature, has another embedding table, or
            does not have its own table.
    """
    if NUMERIC_FEATURES in features:
        raise HomeError(
            f"no feature can be named {NUMERIC_FEATURES!r}: that is the name of all "
            "numeric features together"
        )
    categorical = {
        name: feature
        for name, feature in features.items()
        if isinstance(feature, CategoricalFeature)
    }
    for name, feature in categorical.items():
        for key in ("table", "attend_with"):
            other = getattr(feature, key)
            if other is not None and other not in categorical:
                raise HomeError(
                    f"`features.{name}.{key}` names {other!r}, which is not a "
                    "categorical feature. The categorical features: "
                    f"{sorted(categorical)}"
                )
        query = feature.attend_with
        if query and (feature.table or name) != (categorical[query].table or query):
            raise HomeError(
                f"`features.{name}.attend_with` names {query!r}, which has another "
                "embedding table: share one with `table`"
            )
        if feature.table and categorical[feature.table].table:
            raise HomeError(
                f"`features.{name}.table` names {feature.table!r}, which has no table "
                f"of its own; use {categorical[feature.table].table!r}"
            )


def check_columns(features: Mapping[str, Feature], data: DatasetDirectory) -> None:
    """Checks that a dataset directory has the columns that features read.

    Raises:
        HomeError: If a column is missing, or of another kind than its feature.
    """
    for name, feature in features.items():
        column = feature.column or name
        if column not in data.columns:
            raise HomeError(
                f"{data}: feature `{name}` reads column {column!r}, which is not in "
                "the dataset directory. Name one of its columns: "
                f"{', '.join(sorted(data.columns))}"
            )
        found = data.columns[column]
        if isinstance(feature, NumericFeature):
            if found.dtype == "string" or found.shape != ():
                raise HomeError(
                    f"{data}: feature `{name}` is numeric, but column {column!r} has "
                    f"dtype {found.dtype} and shape {found.shape}. Make it `type: "
                    "categorical`"
                )
        elif found.dtype == "float32":
            raise HomeError(
                f"{data}: feature `{name}` is categorical, but column {column!r} has "
                "dtype float32. Make it `type: numeric` with `encoding: bucketized`"
            )
