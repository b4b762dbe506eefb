"""Finding the columns of a configuration that are computed from history."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from home_tf.config.config import Config
from home_tf.config.data_config import DataConfig


@dataclass(frozen=True)
class HistoryFeature:
    """A column that `data.history` or `data.history_lists` computes.

    Attributes:
        kind: A `count` of earlier rows, a `rate` of ones among them, or a `list`.
        history: The name in `data.history`, or the column in `data.history_lists`.
        key: The columns of the key.
        label: The column of zeros and ones of a rate.
    """

    kind: Literal["count", "rate", "list"]
    history: str
    key: tuple[str, ...]
    label: str | None = None


def find_history(column: str, data: DataConfig) -> HistoryFeature | None:
    """Finds the history behind a column, such as `user_is_click_rate`; None if none.

    Args:
        column: The column.
        data: The section `data`.
    """
    if column in data.history_lists:
        key = _as_tuple(data.history_lists[column].key)
        return HistoryFeature("list", column, key)
    name = column.removesuffix("_impressions")
    if name != column and name in data.history:
        return HistoryFeature("count", name, _as_tuple(data.history[name].key))
    for name in sorted(data.history, key=len, reverse=True):
        found = re.fullmatch(rf"{re.escape(name)}_(.+)_rate", column)
        if found:
            key = _as_tuple(data.history[name].key)
            return HistoryFeature("rate", name, key, found[1])
    return None


def history_features(config: Config) -> Mapping[str, HistoryFeature]:
    """Finds the history columns that the features read.

    Args:
        config: The configuration.
    """
    if config.data is None:
        return {}
    columns = {feature.column or name for name, feature in config.features.items()}
    found = {name: find_history(name, config.data) for name in sorted(columns)}
    return {name: one for name, one in found.items() if one is not None}


def _as_tuple(key: str | tuple[str, ...]) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else tuple(key)
