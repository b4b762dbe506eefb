"""What the splits of a dataset directory have in a column."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.data.dataset_directory import DatasetDirectory
from home_tf.data.schema import Column

_BATCH_ROWS = 16_384


@dataclass
class ColumnSummary:
    """What a split has in a column, counted batch by batch.

    Padding of lists is left out: a list is missing if it is empty.

    Attributes:
        column: Its type and shape.
        known: The values of the training rows, if there is a vocabulary.
        rows: Number of rows.
        missing: Rows without a value.
        values: Number of values, those of all lists together.
        unknown: How many of them no training row has.
        total: Their sum (numbers).
        ones: How many are 1 (numbers); None if there is another than 0 and 1.
        distinct: The different values (ids).
    """

    column: Column
    known: frozenset[Any] | None = None
    rows: int = 0
    missing: int = 0
    values: int = 0
    unknown: int = 0
    total: float = 0.0
    ones: int | None = 0
    distinct: set[Any] = field(default_factory=set)

    def add(self, batch: npt.NDArray[Any]) -> None:
        """Counts rows, `(rows, ...)`."""
        is_number = self.column.dtype == "float32"
        missing = b"" if self.column.dtype == "string" else -1
        present = ~np.isnan(batch) if is_number else batch != missing
        self.rows += len(batch)
        by_row = present.reshape(len(batch), -1).any(axis=1)
        self.missing += int(np.count_nonzero(~by_row))
        values = batch[present]
        self.values += len(values)
        if is_number:
            self._add_numbers(values)
        else:
            self._add_ids(values)

    def _add_numbers(self, values: npt.NDArray[Any]) -> None:
        self.total += float(values.sum(dtype=np.float64))
        if self.ones is not None:
            is_binary = bool(np.isin(values, (0, 1)).all())
            self.ones = self.ones + int((values == 1).sum()) if is_binary else None

    def _add_ids(self, values: npt.NDArray[Any]) -> None:
        found, counts = np.unique(values, return_counts=True)
        listed = [v.decode() if isinstance(v, bytes) else v for v in found.tolist()]
        self.distinct.update(listed)
        if self.known is not None:
            pairs = zip(listed, counts.tolist(), strict=True)
            self.unknown += sum(count for v, count in pairs if v not in self.known)


def summarize(data: DatasetDirectory, split: str) -> dict[str, ColumnSummary]:
    """Reads a split and counts what is in its columns.

    Args:
        data: The dataset directory.
        split: Name of the split.

    Returns:
        A summary for each column.

    Raises:
        HomeError: If the split is unknown, or a file is not what was written.
    """
    found = {
        name: ColumnSummary(column, _known(data, name))
        for name, column in data.columns.items()
    }
    for batch in data.read(split, batch_size=_BATCH_ROWS):
        for name, values in batch.items():
            found[name].add(values.numpy())
    return found


def _known(data: DatasetDirectory, column: str) -> frozenset[Any] | None:
    if not data.has_vocabulary(column):
        return None
    return frozenset(data.vocabulary(column).values)
