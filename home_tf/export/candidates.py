"""The candidates that are stored in an export."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.config import CandidatesConfig
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.export.requests import Columns, to_inputs
from home_tf.training.experiment import Experiment

# The candidates found so far are sorted again with each batch.
_BATCH_ROWS = 2**17


def read_candidates(experiment: Experiment) -> "Candidates | None":
    """Reads the candidates for the export of an experiment, if it stores any.

    Raises:
        HomeError: See `Candidates.read`.
    """
    config, columns = experiment.config, experiment.preprocessor.columns
    if config.serving.candidates is None:
        return None
    names = columns.keys() - config.request_columns
    return Candidates.read(experiment.data, config.serving.candidates, names)


class Candidates(tf.Module):
    """Candidates whose columns are looked up by the column that identifies them.

    Args:
        column: The column that identifies a candidate.
        columns: `{column: (candidates,)}` or `(candidates, length)`, including that
            one; each candidate once, in the form that the signature `rank` takes.
    """

    def __init__(self, column: str, columns: Columns) -> None:
        super().__init__(name="candidates")
        self.column = column
        names = tf.constant(columns[column])
        rows = tf.range(tf.size(names, tf.int64))
        self._row_of = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(names, rows), default_value=-1
        )
        self._names = names
        self._values = {
            name: tf.Variable(values, trainable=False, name=name)
            for name, values in columns.items()
            if name != column
        }

    @property
    def columns(self) -> Columns:
        """The columns of all candidates."""
        tensors = {self.column: self._names, **self._values}
        return {name: tensor.numpy() for name, tensor in tensors.items()}

    def first(self, number: int) -> Columns:
        """The columns of the first candidates, up to a number."""
        return {name: values[:number] for name, values in self.columns.items()}

    @classmethod
    def read(
        cls, data: DatasetDirectory, config: CandidatesConfig, columns: Collection[str]
    ) -> "Candidates":
        """Reads the latest row of every candidate from all splits of a directory.

        Args:
            data: The dataset directory.
            config: Defines what identifies a candidate, and which row is its latest.
            columns: The columns of a candidate, including the identifying one.

        Raises:
            HomeError: If `latest_by` is not a numeric column of the directory, or no
                row identifies a candidate.
        """
        _check_latest_by(data, config.latest_by)
        missing: Any = data.columns[config.column].missing
        missing = missing.encode() if isinstance(missing, str) else missing
        names = sorted({*columns, config.latest_by})
        found: Columns = {}
        for split in data.schema.splits:
            batches = data.read(split, batch_size=_BATCH_ROWS, columns=names)
            for rows in batches.as_numpy_iterator():
                named = rows[config.column] != missing
                rows = {name: values[named] for name, values in rows.items()}
                found = _latest(_join(found, rows), config)
        if not found or not len(found[config.column]):
            raise HomeError(
                f"{data}: no row has a value in `{config.column}`, so there are no "
                "candidates"
            )
        return cls(config.column, to_inputs({name: found[name] for name in columns}))

    def __call__(self, names: Any) -> dict[str, Any]:
        """Looks up all columns of some candidates.

        Args:
            names: `(rows,)`; an unknown one is an invalid argument.

        Returns:
            `{column: (rows,)}` or `(rows, length)`.
        """
        rows = self._row_of.lookup(names)
        unknown = tf.boolean_mask(names, rows < 0)
        check = tf.raw_ops.Assert(
            condition=tf.equal(tf.size(unknown), 0),
            data=[
                f"this export holds no candidate with such a `{self.column}`:",
                unknown,
            ],
            summarize=10,
        )
        with tf.control_dependencies([check]):
            rows = tf.identity(rows)
        found = {name: tf.gather(x, rows) for name, x in self._values.items()}
        return {self.column: names, **found}


def _check_latest_by(data: DatasetDirectory, name: str) -> None:
    column = data.columns.get(name)
    if column is None or column.dtype == "string" or column.shape:
        kind = column and f"holds {column.dtype} of shape {list(column.shape)}"
        raise HomeError(
            f"{data}: `serving.candidates.latest_by` must be a column with a number "
            f"in each row. Received: {name!r}, which {kind or 'is not a column here'}"
        )


def _join(first: Columns, second: Columns) -> Columns:
    if not first:
        return second
    return {name: np.concatenate([first[name], x]) for name, x in second.items()}


def _latest(rows: Columns, config: CandidatesConfig) -> Columns:
    """Keeps each candidate's row with the largest `latest_by`, the last if equal."""
    order: npt.NDArray[Any] = np.argsort(rows[config.latest_by], kind="stable")[::-1]
    _, first = np.unique(rows[config.column][order], return_index=True)
    return {name: values[order[first]] for name, values in rows.items()}
