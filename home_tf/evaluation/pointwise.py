"""Metrics of probabilities: log loss and calibration."""

import numpy as np
import numpy.typing as npt

from home_tf.errors import HomeError, check_at_least
from home_tf.evaluation.inputs import Array, Floats, labelled_rows
from home_tf.evaluation.proportions import wilson_interval


def log_loss(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """The mean binary cross-entropy, in nats.

    Probabilities of exactly 0 and 1 are moved inwards by the precision of their dtype,
    so that a saturated sigmoid costs much but not infinitely much.

    Args:
        labels: `(rows,)` or `(rows, 1)`; 0 or 1, NaN or -1 where missing. Rows without
            a label are left out.
        probabilities: `(rows,)` or `(rows, 1)`, in [0, 1].

    Returns:
        The mean over the rows with a label; NaN if there are none.

    Raises:
        HomeError: If the lengths differ, a label is not 0, 1 or missing, or a
            probability is NaN or outside [0, 1].
    """
    known, predicted, smallest = _labelled_probabilities(labels, probabilities)
    if not known.size:
        return float("nan")
    predicted = np.clip(predicted, smallest, 1 - smallest)
    likelihood = np.where(known == 1, predicted, 1 - predicted)
    return float(-np.log(likelihood).mean())


def calibration(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """The mean probability over the share of positives: 1 is calibrated.

    Args:
        labels: As in `log_loss`.
        probabilities: As in `log_loss`.

    Returns:
        A ratio, above 1 if too many positives are predicted; NaN without positives.

    Raises:
        HomeError: As in `log_loss`.
    """
    known, predicted, _ = _labelled_probabilities(labels, probabilities)
    positives = known.sum()
    return float(predicted.sum() / positives) if positives else float("nan")


def calibration_curve(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike, *, bins: int = 10
) -> list[dict[str, float]]:
    """Mean probability and share of positives, in bins of rising probability.

    Args:
        labels: As in `log_loss`.
        probabilities: As in `log_loss`.
        bins: Number of bins, with as equal numbers of rows as possible; fewer if there
            are fewer rows with a label.

    Returns:
        For each bin its `rows`, `predicted` (the mean probability), `observed` (the
        share of positives), and `low` and `high`, the 95 % Wilson interval of that
        share; no bin without rows.

    Raises:
        HomeError: As in `log_loss`, or if `bins` is less than 1.
    """
    check_at_least("bins", bins, 1)
    known, predicted, _ = _labelled_probabilities(labels, probabilities)
    order = np.argsort(predicted, kind="stable")
    found = []
    for rows in np.array_split(order, bins):
        if rows.size:
            low, high = wilson_interval(float(known[rows].sum()), rows.size)
            found.append(
                {
                    "rows": int(rows.size),
                    "predicted": float(predicted[rows].mean()),
                    "observed": float(known[rows].mean()),
                    "low": low,
                    "high": high,
                }
            )
    return found


def _labelled_probabilities(
    labels: npt.ArrayLike, probabilities: npt.ArrayLike
) -> tuple[Floats, Floats, float]:
    """Selects labels and probabilities of labelled rows, and the dtype's precision."""
    known, predicted, _ = labelled_rows(labels, probabilities)
    outside = (predicted < 0) | (predicted > 1)
    if outside.any():
        raise HomeError(
            "`probabilities` must be in [0, 1]; are these logits? "
            f"Received: {predicted[outside][0]}"
        )
    return known, predicted.astype(np.float64), _precision(predicted)


def _precision(values: Array) -> float:
    dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    return float(np.finfo(dtype).eps)
