"""What any network has to beat: ranking by how well one thing was received so far."""

from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.config import Config
from home_tf.evaluation import auc, mean_of_defined
from home_tf.features import CategoricalFeature
from home_tf.lab.comparison.split_data import SplitData
from home_tf.lab.comparison.target_statistics import TargetStatistics


def popularity_auc(
    config: Config, train: SplitData, validation: SplitData, test: SplitData
) -> dict[str, float | None]:
    """The AUC of ranking by the rate of positives of one feature's value.

    The feature, such as the video, is the one that does best on the validation rows.

    Args:
        config: The features and the tasks.
        train: The rows on which the rates are counted.
        validation: The rows that pick the feature.
        test: The rows to rank.

    Returns:
        `{task: AUC}`, None where it is undefined; empty without a categorical feature
        of a single value.
    """
    single = [
        name
        for name, feature in config.features.items()
        if isinstance(feature, CategoricalFeature) and train.features[name].ndim == 1
    ]
    scores = {
        name: mean_of_defined(list(_aucs(name, train, validation).values()))
        for name in single
    }
    if not scores:
        return {}
    best = max(scores, key=lambda name: float(np.nan_to_num(scores[name])))
    found = _aucs(best, train, test)
    return {task: None if np.isnan(value) else value for task, value in found.items()}


def _aucs(name: str, train: SplitData, rows: SplitData) -> dict[str, float]:
    ids, found = _ids(train.features[name]), {}
    for task, labels in train.labels.items():
        known = labels >= 0  # NaN is not
        statistics = TargetStatistics(ids[known], labels[known])
        scores = statistics.of(_ids(rows.features[name]))
        found[task] = auc(rows.labels[task], scores)
    return found


def _ids(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return values.astype(np.int64)
