"""Moments and quantiles of columns, over rows that are never all in memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.files import write_json

Array = npt.NDArray[Any]

SAMPLE_ROWS = 200_000
QUANTILES = 101


class RunningStatistics:
    """Mean, variance (also of log(1 + x)) and quantiles of float columns.

    Moments are exact: blocks are merged by the formula of Chan, Golub and LeVeque.
    Quantiles (0, 1, ..., 100 %) are exact up to `sample_rows` rows; of more rows those
    between the least and the greatest number are of a uniform sample. NaN is skipped.
    Negative numbers count as 0 under the logarithm.

    Args:
        columns: The columns to describe.
        sample_rows: How many rows the sample for the quantiles holds.
        seed: Seed of the sample.
    """

    def __init__(
        self, columns: Sequence[str], *, sample_rows: int = SAMPLE_ROWS, seed: int = 0
    ) -> None:
        self._columns = tuple(columns)
        self._raw = _Moments(len(columns))
        self._log1p = _Moments(len(columns))
        self._low = np.full(len(columns), np.inf)
        self._high = np.full(len(columns), -np.inf)
        self._random = np.random.default_rng(seed)
        self._sample_rows = sample_rows
        self._sampled: list[tuple[Array, Array]] = []

    def add(self, rows: Mapping[str, Array]) -> None:
        """Adds rows.

        Args:
            rows: At least the columns, `(rows,)` each.
        """
        block = np.stack([rows[name] for name in self._columns], axis=1)
        self._raw.add(block.astype(np.float64))
        self._log1p.add(np.log1p(np.maximum(block, 0).astype(np.float64)))
        if len(block):
            self._low = np.fmin(self._low, np.fmin.reduce(block, axis=0))
            self._high = np.fmax(self._high, np.fmax.reduce(block, axis=0))
        self._add_to_sample(block)

    def save(self, file: Path) -> None:
        """Writes the statistics as JSON: an object for each column.

        Args:
            file: The file to write, with keys `mean`, `variance`, `log1p_mean`,
                `log1p_variance` and `quantiles` for each column. A column without
                any number has a mean and a variance of 0 and no quantiles.
        """
        _, sample = self._sample()
        described = {
            name: {
                "mean": float(self._raw.mean[column]),
                "variance": float(self._raw.variance[column]),
                "log1p_mean": float(self._log1p.mean[column]),
                "log1p_variance": float(self._log1p.variance[column]),
                "quantiles": self._quantiles(column, sample[:, column]),
            }
            for column, name in enumerate(self._columns)
        }
        write_json(file, described)

    def _quantiles(self, column: int, values: Array) -> list[float]:
        values = values[~np.isnan(values)]
        if self._low[column] > self._high[column]:
            return []
        levels = np.linspace(0, 1, QUANTILES)[1:-1]
        # Nothing of a column that is almost empty may be in the sample.
        inner = np.quantile(values, levels) if values.size else self._low[[column]]
        ends = self._low[column], self._high[column]
        return [float(value) for value in (ends[0], *inner, ends[1])]

    def _add_to_sample(self, block: npt.NDArray[np.float32]) -> None:
        # Every row draws a key; the rows with the smallest keys are a uniform sample.
        self._sampled.append((self._random.random(len(block)), block))
        if sum(len(keys) for keys, _ in self._sampled) > 2 * self._sample_rows:
            self._sampled = [self._sample()]

    def _sample(self) -> tuple[Array, Array]:
        if not self._sampled:
            return np.zeros(0), np.zeros((0, len(self._columns)), np.float32)
        keys = np.concatenate([keys for keys, _ in self._sampled])
        rows = np.concatenate([rows for _, rows in self._sampled])
        kept = np.argsort(keys)[: self._sample_rows]
        return keys[kept], rows[kept]


class _Moments:
    """Mean and sum of squared deviations of columns, merged block by block."""

    def __init__(self, columns: int) -> None:
        self.count = np.zeros(columns)
        self.mean = np.zeros(columns)
        self._squares = np.zeros(columns)

    @property
    def variance(self) -> Array:
        """The population variance, `(columns,)`."""
        return np.asarray(self._squares / np.maximum(self.count, 1))

    def add(self, block: npt.NDArray[np.float64]) -> None:
        known = ~np.isnan(block)
        count = np.count_nonzero(known, axis=0)
        mean = np.where(known, block, 0).sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(known, block - mean, 0) ** 2).sum(axis=0)
        total = np.maximum(self.count + count, 1)
        shift = mean - self.mean
        self._squares += squares + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.count += count
