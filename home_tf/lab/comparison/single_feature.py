"""The minimum for any model: ranking by a single feature."""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from home_tf.evaluation import auc, mean_of_defined
from home_tf.features.feature_embedding import NUMERIC_FEATURES
from home_tf.lab.comparison.split_data import SplitData
from home_tf.lab.comparison.target_statistics import TargetStatistics

Ids = Callable[[SplitData], npt.NDArray[np.int64]]

# Bins of numbers, with about equal numbers of training rows.
_BINS = 20


def single_feature_auc(
    train: SplitData, validation: SplitData, test: SplitData
) -> dict[str, float | None]:
    """Computes the AUC of ranking by the positive rate of a feature's values.

    The feature, such as the video, is the one that does best on the validation rows.
    Numbers are features of this kind, in bins, only if nothing is categorical.

    Args:
        train: The rows on which the rates are counted.
        validation: The rows that pick the feature.
        test: The rows to rank.

    Returns:
        `{task: AUC}`, None where it is undefined; empty without a feature of a single
        value.
    """
    features = _categories(train) or _binned_numbers(train)
    if not features:
        return {}
    scores = [
        float(mean_of_defined(list(_aucs(ids, train, validation).values())))
        for ids in features
    ]
    best = features[int(np.argmax(np.nan_to_num(scores)))]
    found = _aucs(best, train, test)
    return {task: None if np.isnan(value) else value for task, value in found.items()}


def _aucs(ids_of: Ids, train: SplitData, rows: SplitData) -> dict[str, float]:
    ids, found = ids_of(train), {}
    for task, labels in train.labels.items():
        known = train.is_known(task)
        statistics = TargetStatistics(ids[known], labels[known])
        found[task] = auc(
            rows.labels[task],
            statistics.of(ids_of(rows)),
            numeric=task in train.regression,
        )
    return found


def _categories(train: SplitData) -> list[Ids]:
    return [
        partial(_category, name=name)
        for name, values in train.features.items()
        if name != NUMERIC_FEATURES and values.ndim == 1
    ]


def _category(rows: SplitData, *, name: str) -> npt.NDArray[np.int64]:
    return rows.features[name].astype(np.int64)


def _binned_numbers(train: SplitData) -> list[Ids]:
    numbers = train.features.get(NUMERIC_FEATURES)
    if numbers is None:
        return []
    edges = np.quantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1], axis=0)
    return [
        partial(_bin, column=column, edges=edges[:, column])
        for column in range(numbers.shape[1])
    ]


def _bin(
    rows: SplitData, *, column: int, edges: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    values = rows.features[NUMERIC_FEATURES][:, column]
    return np.searchsorted(edges, values, side="right").astype(np.int64)
