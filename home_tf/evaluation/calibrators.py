"""Calibrating probabilities: Platt scaling and isotonic regression.

Both apply a strictly increasing function to a task's logits, so the ranking, and with
it AUC and GAUC, does not change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from home_tf.evaluation.inputs import Floats, labelled_rows
from home_tf.extras import require_extra

Method: TypeAlias = Literal["platt", "isotonic"]

# Isotonic regression fits noise if there are few rows.
_FEWEST_FOR_ISOTONIC = 100
# The logits of probabilities that float32 can distinguish from 0 and 1.
_LARGEST_LOGIT = 15.0


@dataclass(frozen=True)
class Calibrator:
    """A strictly increasing, piecewise linear function of a task's logits.

    Attributes:
        method: How it was fitted: `platt`, or `isotonic`.
        knots: Where one piece ends and the next begins, ascending; none for Platt
            scaling, which is a single line.
        slopes: The slope of each piece, one more than knots.
        intercepts: The intercept of each piece.
    """

    method: Method
    knots: tuple[float, ...]
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]

    def __call__(self, logits: npt.ArrayLike) -> Floats:
        """Calibrates logits of any shape."""
        x = np.asarray(logits, np.float64)
        piece = np.searchsorted(self.knots, x)
        found: Floats = np.take(self.slopes, piece) * x
        return found + np.take(self.intercepts, piece)

    def of_probabilities(self, probabilities: npt.ArrayLike) -> Floats:
        """Calibrates probabilities."""
        return _sigmoid(self(_logit(np.asarray(probabilities, np.float64))))


def fit_calibrators(
    labels: Mapping[str, npt.ArrayLike],
    probabilities: Mapping[str, npt.ArrayLike],
    method: Method,
) -> dict[str, Calibrator]:
    """Fits a calibrator for each task, on rows that the model was not trained on.

    Args:
        labels: `{task: (rows,)}`; 0 or 1, NaN or -1 where missing.
        probabilities: `{task: (rows,)}`, in [0, 1].
        method: `platt`, a line through the logits, fitted by maximum likelihood with
            Platt's targets; or `isotonic`, isotonic regression with its steps joined by
            lines, but `platt` for tasks with fewer than 100 positives or negatives.

    Returns:
        `{task: Calibrator}`. For a task without positives or without negatives, it
        changes nothing.

    Raises:
        HomeError: If labels or probabilities are invalid, or scikit-learn is missing.

    References:
        Platt, "Probabilistic outputs for support vector machines" (1999); Zadrozny and
        Elkan, "Transforming classifier scores into accurate multiclass probability
        estimates" (KDD 2002).
    """
    require_extra("serving", "sklearn")
    return {
        task: _fit(known, _logit(np.asarray(predicted, np.float64)), method)
        for task in labels
        for known, predicted, _ in [labelled_rows(labels[task], probabilities[task])]
    }


def _fit(labels: Floats, logits: Floats, method: Method) -> Calibrator:
    positives = int(labels.sum())
    fewer = min(positives, len(labels) - positives)
    if not fewer:
        return Calibrator(method, (), (1.0,), (0.0,))
    if method == "platt" or fewer < _FEWEST_FOR_ISOTONIC:
        return _fit_platt(labels, logits)
    return _fit_isotonic(labels, logits)


def _fit_platt(labels: Floats, logits: Floats) -> Calibrator:
    from scipy.optimize import brentq
    from sklearn.linear_model import LogisticRegression

    positives = labels.sum()
    negatives = len(labels) - positives
    # Never 0 and 1, so that the slope is finite even if a few rows are separable.
    targets = np.where(
        labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2)
    )
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    model.fit(
        np.tile(logits, 2)[:, None],
        np.repeat([1, 0], len(labels)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:  # no better than chance: correct the mean, and keep the ranking
        rate = positives / len(labels)
        bounds = (-2 * _LARGEST_LOGIT, 2 * _LARGEST_LOGIT)
        slope = 1.0
        intercept = brentq(lambda by: _sigmoid(logits + by).mean() - rate, *bounds)
    return Calibrator("platt", (), (slope,), (intercept,))


def _fit_isotonic(labels: Floats, logits: Floats) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(logits, kind="stable")
    x, y = logits[order], labels[order]
    steps = IsotonicRegression().fit_transform(x, y)
    starts = np.flatnonzero(np.diff(steps, prepend=-1.0))
    counts = np.diff(starts, append=len(x))
    sums = np.add.reduceat(y, starts)
    centers = np.add.reduceat(x, starts)
    rows, positives, center = _merge_pure(counts, sums, centers)
    knots = center / rows
    heights = _logit(positives / rows)
    inner = np.diff(heights) / np.diff(knots)
    slopes = np.concatenate([[1.0], inner, [1.0]])
    at = np.concatenate([knots[:1], knots])
    intercepts = np.concatenate([heights[:1], heights]) - slopes * at
    return Calibrator(
        "isotonic",
        tuple(knots.tolist()),
        tuple(slopes.tolist()),
        tuple(intercepts.tolist()),
    )


def _merge_pure(*steps: npt.NDArray[Any]) -> list[Floats]:
    """Merges the first and the last step with their neighbours until none is pure.

    The probability of a step without positives, or without negatives, has no logit.

    Args:
        *steps: For each step its number of rows, its positives, and the sum of its
            logits; their share of positives grows.
    """
    rows, positives, *_ = steps
    mixed = np.flatnonzero((positives > 0) & (positives < rows))
    if not mixed.size:  # positives and negatives are perfectly separated: one step
        starts = np.array([0])
    else:
        starts = np.arange(mixed[0], mixed[-1] + 1)
        starts[0] = 0
    return [np.add.reduceat(each.astype(np.float64), starts) for each in steps]


def _logit(probabilities: Floats) -> Floats:
    smallest = 1 / (1 + np.exp(_LARGEST_LOGIT))
    p = np.clip(probabilities, smallest, 1 - smallest)
    found: Floats = np.log(p) - np.log1p(-p)
    return found


def _sigmoid(logits: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
    return found
