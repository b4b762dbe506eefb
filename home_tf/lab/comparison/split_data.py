"""A split of a fold in memory, preprocessed once for many trainings."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.config import Config
from home_tf.data import DatasetDirectory
from home_tf.evaluation import valid_labels
from home_tf.features import Preprocessor
from home_tf.training.experiment import Experiment

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class SplitData:
    """The rows of a split, as returned by `ranking_dataset`.

    Attributes:
        features: What the network reads: `{feature: (rows, ...)}`.
        labels: `{task: (rows,)}`; NaN or -1 where missing.
        weights: Sample weights `{task: (rows,)}` of the tasks that have some.
        groups: GAUC's groups, `(rows,)`; None if there are none.
        regression: The tasks whose labels are numbers.
    """

    features: dict[str, npt.NDArray[Any]]
    labels: dict[str, npt.NDArray[Any]]
    weights: dict[str, npt.NDArray[Any]]
    groups: npt.NDArray[Any] | None = None
    regression: frozenset[str] = frozenset()

    def is_known(self, task: str) -> npt.NDArray[np.bool_]:
        """Which rows have a label of a task, `(rows,)`."""
        return valid_labels(self.labels[task], numeric=task in self.regression)

    @classmethod
    def load(
        cls,
        config: Config,
        data: DatasetDirectory,
        split: str,
        preprocessor: Preprocessor,
    ) -> "SplitData":
        """Reads a single split of a dataset directory."""
        experiment = Experiment(config, preprocessor)
        with experiment.explain_broken_records(split):
            dataset = experiment.read(split, _ROWS_AT_ONCE)
            batches = list(dataset.as_numpy_iterator())
        parts = tf.nest.map_structure(lambda *x: np.concatenate(x), *batches)
        found = cls(*parts)
        return replace(found, regression=frozenset(config.regression_tasks))

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.labels.values())))

    def batches(
        self, batch_size: int, order: npt.NDArray[np.intp] | None = None
    ) -> tf.data.Dataset:
        """The rows as batches.

        Args:
            batch_size: Rows per batch.
            order: The order of the rows; by default as stored.

        Returns:
            Batches `(features, labels, weights)`.
        """
        rows = np.arange(self.rows) if order is None else order
        everything = (self.features, self.labels, self.weights)
        # Captured tensors are shared, but constants would be copied.
        tensors = tf.nest.map_structure(tf.convert_to_tensor, everything)

        @tf.autograph.experimental.do_not_convert
        def take(rows: Any) -> Any:
            return tf.nest.map_structure(lambda x: tf.gather(x, rows), tensors)

        return (
            tf.data.Dataset.from_tensor_slices(rows)
            .batch(batch_size)
            .map(take)
            .prefetch(2)
        )
