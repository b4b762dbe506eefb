"""Errors of predicted numbers, such as watch times."""

import numpy as np
import numpy.typing as npt

from home_tf.evaluation.inputs import labelled_rows


def mean_absolute_error(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """The mean of `|prediction - label|`, in the unit of the labels.

    Args:
        labels: `(rows,)` or `(rows, 1)`; NaN where missing. Rows without a label are
            left out.
        predictions: `(rows,)` or `(rows, 1)`.

    Returns:
        The mean over the rows with a label; NaN if there are none.

    Raises:
        HomeError: If the lengths differ, a label is infinite, or a prediction is NaN.
    """
    known, predicted, _ = labelled_rows(labels, predictions, numeric=True)
    return float(np.abs(predicted - known).mean()) if known.size else float("nan")


def root_mean_squared_error(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """The root of the mean of `(prediction - label)^2`, in the unit of the labels.

    Args:
        labels: As in `mean_absolute_error`.
        predictions: As in `mean_absolute_error`.

    Returns:
        The root over the rows with a label; NaN if there are none.

    Raises:
        HomeError: As in `mean_absolute_error`.
    """
    known, predicted, _ = labelled_rows(labels, predictions, numeric=True)
    if not known.size:
        return float("nan")
    return float(np.sqrt(np.square(predicted.astype(np.float64) - known).mean()))


def total_ratio(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """The sum of the predictions over the sum of the labels: 1 is calibrated.

    Args:
        labels: As in `mean_absolute_error`.
        predictions: As in `mean_absolute_error`.

    Returns:
        The ratio; NaN if the labels sum to 0.

    Raises:
        HomeError: As in `mean_absolute_error`.
    """
    known, predicted, _ = labelled_rows(labels, predictions, numeric=True)
    total = known.sum()
    return float(predicted.sum(dtype=np.float64) / total) if total else float("nan")
