"""Smoothed label rates by category, which trees read instead of ids."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class TargetStatistics:
    """The smoothed positive rate of a task for each id.

        rate(id) = (positives(id) + smoothing * mean) / (rows(id) + smoothing)

    The training rows themselves get rates that were counted on other training rows
    (each of five parts from the four others): a rate that includes a row's own label
    would leak it.

    Args:
        ids: Ids of the training rows that have a label, `(rows,)`.
        labels: Their labels, 0 or 1, `(rows,)`.
        smoothing: Weight of the overall rate, in rows.
    """

    def __init__(self, ids: Array, labels: Array, *, smoothing: float = 20.0) -> None:
        self._ids, self._labels, self._smoothing = ids, labels, smoothing
        self._size = int(ids.max(initial=0)) + 1
        self._mean = float(labels.mean()) if labels.size else 0.0
        self._rates = self._rates_of(np.ones(len(ids), bool))

    def _rates_of(self, rows: npt.NDArray[np.bool_]) -> Array:
        ids, labels = self._ids[rows], self._labels[rows]
        seen = np.bincount(ids, minlength=self._size)
        positives = np.bincount(ids, weights=labels, minlength=self._size)
        total = seen + self._smoothing
        return (positives + self._smoothing * self._mean) / total

    def of_training_rows(self, seed: int, parts: int = 5) -> Array:
        """The rates of the training rows, `(rows,)`."""
        part = np.random.default_rng(seed).integers(parts, size=len(self._ids))
        rates = np.empty(len(self._ids))
        for number in range(parts):
            mine = part == number
            rates[mine] = self._rates_of(~mine)[self._ids[mine]]
        return rates

    def of(self, ids: Array) -> Array:
        """The rates of other rows; unknown ids have the overall rate."""
        known = ids < self._size
        return np.where(known, self._rates[np.where(known, ids, 0)], self._mean)
