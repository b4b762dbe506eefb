"""Describing the content of a dataset directory."""

from collections.abc import Mapping, Sequence

import numpy as np

from home_tf.data import DatasetDirectory
from home_tf.description.describe_ids import describe_ids
from home_tf.description.describe_numbers import describe_label, describe_numbers
from home_tf.description.description import Description
from home_tf.description.id_counts import IdCounts
from home_tf.description.number_counts import NumberCounts
from home_tf.errors import HomeError
from home_tf.files import PathLike
from home_tf.progress import Progress, no_progress

Counts = dict[str, IdCounts | NumberCounts]

_BATCH_ROWS = 16_384
_TENTHS = np.arange(1, 10) / 10


def describe(
    data: DatasetDirectory | PathLike, *, progress: Progress | None = None
) -> Description:
    """Reads every split once, and counts what is in its columns.

    Memory holds one batch of rows and a few counts per column, including those of its
    vocabulary.

    Args:
        data: The dataset directory.
        progress: Called with a stage, how much of it is done, and the total.

    Returns:
        The description of the labels and features of each split, and how far each split
        is from the training rows.

    Raises:
        HomeError: If a file is missing or has changed.
    """
    counter = _Counter(DatasetDirectory.of(data))
    splits = counter.data.schema.splits
    counts = {split: counter.count(split, progress or no_progress) for split in splits}
    labels, features = {}, {}
    for name, column in counter.data.columns.items():
        mine = {split: found[name] for split, found in counts.items()}
        numbers = {s: c for s, c in mine.items() if isinstance(c, NumberCounts)}
        ids = {s: c for s, c in mine.items() if isinstance(c, IdCounts)}
        if ids:
            features[name] = describe_ids(column, ids, counter.places[name])
        elif not column.shape and _is_label(numbers):
            labels[name] = describe_label(numbers)
        else:
            features[name] = describe_numbers(column, numbers, counter.edges[name])
    rows = {name: split.rows for name, split in splits.items()}
    return Description(rows, labels, features)


class _Counter:
    """Counts the splits of a dataset directory.

    Attributes:
        data: The dataset directory.
        places: The position of each value in the vocabulary, for each id column.
        edges: The upper edges of the bins, for each numeric column.
    """

    def __init__(self, data: DatasetDirectory) -> None:
        self.data = data
        columns = data.columns.items()
        ids = [name for name, column in columns if column.dtype != "float32"]
        self.places = {name: self._find_places(name) for name in ids}
        self.edges = {
            name: self._find_edges(name) for name in data.columns if name not in ids
        }

    def count(
        self, split: str, progress: Progress
    ) -> dict[str, IdCounts | NumberCounts]:
        """Reads a split."""
        rows, done = self.data.split(split).rows, 0
        found = {name: self._make_counts(name) for name in self.data.columns}
        for batch in self.data.read(split, batch_size=_BATCH_ROWS):
            for name, values in batch.items():
                found[name].add(values.numpy())
            done += len(values)
            progress(f"reading {split}", done, rows)
        return found

    def _make_counts(self, name: str) -> IdCounts | NumberCounts:
        if name in self.edges:
            return NumberCounts(self.edges[name])
        return IdCounts(self.data.columns[name], self.places[name])

    def _find_places(self, name: str) -> dict[int | str, int] | None:
        if not self.data.has_vocabulary(name):
            return None
        values: Sequence[int | str] = self.data.vocabulary(name).values
        return {value: place for place, value in enumerate(values)}

    def _find_edges(self, name: str) -> list[float]:
        try:
            quantiles = self.data.statistics(name).quantiles
        except HomeError:
            # If no feature needs them, there is one bin, and nothing to compare.
            return []
        return np.unique(np.quantile(quantiles, _TENTHS).astype(np.float32)).tolist()


def _is_label(numbers: Mapping[str, NumberCounts]) -> bool:
    known = sum(one.zeros + one.ones for one in numbers.values())
    return known > 0 and all(one.is_binary for one in numbers.values())
