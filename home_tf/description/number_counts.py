"""Counting how the numbers of a column are distributed in a split."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


class NumberCounts:
    """Counts of a column of numbers in a split, batch by batch.

    Args:
        edges: The upper edges of all bins but the last, ascending.

    Attributes:
        rows: Number of rows.
        missing: Rows without a number.
        values: Number of numbers.
        total: Their sum.
        least: The smallest number; infinity if there is none.
        greatest: The largest number; minus infinity if there is none.
        zeros: How many are 0.
        ones: How many are 1.
        minus_ones: How many are -1, which can mean a missing label.
        counts: How many are in each bin, `(len(edges) + 1,)`.
    """

    def __init__(self, edges: Sequence[float]) -> None:
        # In the dtype of the records, so that a number never exceeds its own bin edge.
        self._edges = np.array(edges, np.float32)
        self.rows = self.missing = self.values = 0
        self.zeros = self.ones = self.minus_ones = 0
        self.total, self.least, self.greatest = 0.0, math.inf, -math.inf
        self.counts = np.zeros(len(edges) + 1, np.int64)

    def add(self, batch: npt.NDArray[np.float32]) -> None:
        """Counts rows, `(rows, ...)`; NaN is missing."""
        present = ~np.isnan(batch)
        self.rows += len(batch)
        by_row = present.reshape(len(batch), -1).any(axis=1)
        self.missing += int(np.count_nonzero(~by_row))
        values = batch[present]
        if values.size:
            self._add_values(values)

    def _add_values(self, values: npt.NDArray[Any]) -> None:
        self.values += len(values)
        self.total += float(values.sum(dtype=np.float64))
        self.least = min(self.least, float(values.min()))
        self.greatest = max(self.greatest, float(values.max()))
        self.zeros += int(np.count_nonzero(values == 0))
        self.ones += int(np.count_nonzero(values == 1))
        self.minus_ones += int(np.count_nonzero(values == -1))
        bins = np.searchsorted(self._edges, values)
        self.counts += np.bincount(bins, minlength=len(self.counts))

    @property
    def is_binary(self) -> bool:
        """Whether every number is 0, 1, or -1 for missing."""
        return self.values == self.zeros + self.ones + self.minus_ones
