"""Counting how often each id of a column occurs in a split."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.data import Column

# At most this many distinct values are counted, to bound memory.
MOST_DISTINCT = 100_000


class IdCounts:
    """Counts of a column of ids in a split, batch by batch.

    Padding of lists is left out: a list is missing if it is empty.

    Args:
        column: Its type and shape.
        places: The position of each value in the vocabulary, if there is one.

    Attributes:
        rows: Number of rows.
        missing: Rows without a value.
        values: Number of values, those of all lists together.
        counts: How often each value of the vocabulary occurs, in its order.
        unknown: Number of values that are not in the vocabulary.
        distinct: The distinct values if there is no vocabulary, at most
            `MOST_DISTINCT`.
    """

    def __init__(self, column: Column, places: Mapping[Any, int] | None) -> None:
        self._column, self._places = column, places
        self.rows = self.missing = self.values = self.unknown = 0
        self.counts = np.zeros(len(places or ()), np.int64)
        self.distinct: set[Any] = set()

    def add(self, batch: npt.NDArray[Any]) -> None:
        """Counts rows, `(rows, ...)`."""
        is_text = self._column.dtype == "string"
        present = batch != (b"" if is_text else self._column.missing)
        self.rows += len(batch)
        by_row = present.reshape(len(batch), -1).any(axis=1)
        self.missing += int(np.count_nonzero(~by_row))
        values = batch[present]
        self.values += len(values)
        self._add_counts(_count_texts(values) if is_text else _count_integers(values))

    def _add_counts(self, counts: Mapping[Any, int]) -> None:
        if self._places is None:
            self._add_distinct(counts)
            return
        places = [self._places.get(value, -1) for value in counts]
        found, seen = np.array(places, np.intp), np.array([*counts.values()], np.int64)
        known = found >= 0
        self.counts[found[known]] += seen[known]
        self.unknown += int(seen[~known].sum())

    def _add_distinct(self, values: Iterable[Any]) -> None:
        if len(self.distinct) < MOST_DISTINCT:
            self.distinct.update(values)


def _count_texts(values: npt.NDArray[Any]) -> dict[str, int]:
    counts = Counter(values.tolist())
    return {value.decode(errors="replace"): n for value, n in counts.items()}


def _count_integers(values: npt.NDArray[Any]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
