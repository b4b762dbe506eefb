"""All metrics of all tasks, ready to be written as JSON."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.errors import HomeError
from home_tf.evaluation.bootstrap import bootstrap_over_groups
from home_tf.evaluation.errors_of_numbers import (
    mean_absolute_error,
    root_mean_squared_error,
    total_ratio,
)
from home_tf.evaluation.inputs import group_codes, vector
from home_tf.evaluation.mean_of_defined import mean_of_defined
from home_tf.evaluation.pointwise import calibration, log_loss
from home_tf.evaluation.ranking import auc, gauc


def evaluate_tasks(
    labels: Mapping[str, npt.ArrayLike],
    probabilities: Mapping[str, npt.ArrayLike],
    groups: npt.ArrayLike | None = None,
    *,
    regression: Collection[str] = (),
    replicates: int = 500,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluates every task on the rows with a known label.

    Args:
        labels: For each task `(rows,)` or `(rows, 1)`; 0 or 1, NaN or -1 where missing.
            For a regression task, any numbers, and NaN where missing.
        probabilities: For the same tasks, `(rows,)` or `(rows, 1)`, in [0, 1]; for a
            regression task, the predicted numbers.
        groups: `(rows,)` of integers or strings: the user of each row, -1 or `""` if
            unknown; such rows do not count in GAUC. None leaves GAUC out.
        regression: The regression tasks.
        replicates: Number of bootstrap replicates over users, or rows if there are no
            users; 0 skips the intervals, which saves most of the time on large data.
        seed: Seed of the bootstrap.

    Returns:
        A dict of plain Python values, None where a metric is not defined:
        `auc`, `gauc`, `log_loss`, `calibration`: `{task: value}`;
        `auc_interval`, `gauc_interval`: `{task: [low, high]}`, 95 % intervals;
        `examples`, `positives`: `{task: number}` of the rows with a label;
        `mean_auc`, `mean_gauc`: means over the tasks where the metric is defined;
        `rows_without_group`: the number of rows whose user is unknown.
        Without groups, there is no GAUC and no `rows_without_group`. With regression
        tasks there are also `mae` and `rmse`, in the unit of the labels; the AUC of
        such a task is the share of pairs in the right order, and its calibration is the
        sum of the predictions over the sum of the labels.

    Raises:
        HomeError: If the tasks or lengths do not match, a label is not 0, 1 or missing,
            or a probability is NaN or outside [0, 1]; the message names the task.
    """
    _check_tasks(labels, probabilities)
    rows = len(vector("labels", next(iter(labels.values()))))
    # Strings are slow to sort, but their codes are not.
    users = None if groups is None else group_codes(groups, rows)[1]
    results: dict[str, Any] = {}
    for task in labels:
        try:
            values = _evaluate(
                labels[task],
                probabilities[task],
                users,
                replicates,
                seed,
                numeric=task in regression,
            )
        except HomeError as error:
            raise HomeError(f"task `{task}`: {error}") from None
        for metric, value in values.items():
            results.setdefault(metric, dict.fromkeys(labels))[task] = value
    for metric in ("auc", "gauc"):
        if metric in results:
            mean = mean_of_defined(list(results[metric].values()))
            results[f"mean_{metric}"] = _plain(float(mean))
    if users is not None:
        results["rows_without_group"] = int((users < 0).sum())
    return results


def _evaluate(
    labels: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    users: npt.NDArray[np.intp] | None,
    replicates: int,
    seed: int,
    *,
    numeric: bool,
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "auc": _plain(auc(labels, probabilities, numeric=numeric)),
        "auc_interval": None,
        **(_of_numbers if numeric else _of_classes)(labels, probabilities),
    }
    if users is not None:
        values["gauc"] = _plain(gauc(labels, probabilities, users, numeric=numeric))
        values["gauc_interval"] = None
    if replicates:
        intervals = bootstrap_over_groups(
            labels,
            probabilities,
            users,
            replicates=replicates,
            seed=seed,
            numeric=numeric,
        )
        for metric, ends in intervals.items():
            plain = [_plain(end) for end in ends]
            values[f"{metric}_interval"] = None if None in plain else plain
    return values


def _of_classes(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> dict[str, Any]:
    known = vector("labels", labels)
    return {
        "log_loss": _plain(log_loss(labels, probabilities)),
        "calibration": _plain(calibration(labels, probabilities)),
        "examples": int((known >= 0).sum()),
        "positives": int((known == 1).sum()),
    }


def _of_numbers(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> dict[str, Any]:
    return {
        "mae": _plain(mean_absolute_error(labels, predictions)),
        "rmse": _plain(root_mean_squared_error(labels, predictions)),
        "log_loss": None,
        "calibration": _plain(total_ratio(labels, predictions)),
        "examples": int((~np.isnan(vector("labels", labels))).sum()),
        "positives": None,
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _check_tasks(labels: Mapping[str, Any], probabilities: Mapping[str, Any]) -> None:
    if not labels or set(labels) != set(probabilities):
        raise HomeError(
            "`labels` and `probabilities` must have the same tasks, at least one. "
            f"Received: {sorted(labels)} and {sorted(probabilities)}"
        )
