"""From records to batches of features, labels and sample weights."""

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from home_tf.data import DatasetDirectory, Task
from home_tf.errors import HomeError
from home_tf.features import Preprocessor
from home_tf.losses.labels import check_labels, check_numbers, check_weights
from home_tf.types import Tensor

_GROUP_BY = "evaluation.group_by"


def ranking_dataset(
    data: DatasetDirectory,
    split: str,
    preprocessor: Preprocessor,
    tasks: Mapping[str, Task],
    *,
    batch_size: int,
    group_by: str | None = None,
    **read_options: Any,
) -> tf.data.Dataset:
    """Makes a dataset to train or evaluate on.

    Args:
        data: The dataset directory.
        split: Name of the split.
        preprocessor: Does the lookups, here in the input pipeline.
        tasks: What to predict, by name.
        batch_size: Rows per batch.
        group_by: The column of GAUC's groups; if given, it is the last part of a batch.
        **read_options: Options of `DatasetDirectory.read`, such as `shuffle_rows` and
            `seed`.

    Returns:
        Batches `(features, labels, sample_weights)`, and `groups`, `(batch,)`, if
        wanted. Labels and sample weights are dicts by task, `(batch,)`; sample weights
        contain only the tasks that have them.

    Raises:
        HomeError: If a column is missing or of the wrong kind, or a file is missing or
            has changed.
    """
    wanted = columns_of_tasks(tasks)
    if group_by is not None:
        wanted[_GROUP_BY] = group_by
    check_columns(data, wanted)
    names = list(dict.fromkeys([*preprocessor.columns, *wanted.values()]))

    # AutoGraph would find nothing to convert, but looking takes seconds.
    @tf.autograph.experimental.do_not_convert
    def to_batch(columns: Mapping[str, Tensor]) -> tuple[Any, ...]:
        labels = {name: read_labels(name, t, columns) for name, t in tasks.items()}
        weights = _sample_weights(tasks, columns, labels)
        batch = (preprocessor(columns), labels, weights)
        return batch if group_by is None else (*batch, columns[group_by])

    return data.read(
        split,
        batch_size=batch_size,
        columns=names,
        transform=to_batch,
        **read_options,
    )


def columns_of_tasks(tasks: Mapping[str, Task]) -> dict[str, str]:
    """The columns that tasks read, by the key of the configuration that names each."""
    columns = {}
    for name, task in tasks.items():
        columns[f"tasks.{name}.label"] = task.label or name
        if task.sample_weight is not None:
            columns[f"tasks.{name}.sample_weight"] = task.sample_weight
        if task.space is not None:
            columns[f"tasks.{name}.space.column"] = task.space.column
    return columns


def check_columns(data: DatasetDirectory, columns: Mapping[str, str]) -> None:
    """Checks that the columns of tasks and groups exist and are of the right kind.

    Args:
        data: The dataset directory.
        columns: The columns, by the key of the configuration that names each.

    Raises:
        HomeError: If a column is missing or of the wrong kind.
    """
    for key, column in columns.items():
        if column not in data.columns:
            raise HomeError(
                f"{data}: `{key}` is column {column!r}, which is not in the dataset "
                f"directory. Its columns are: {', '.join(sorted(data.columns))}"
            )
        refused, kind = (
            ("float32", "an integer or a string")
            if key == _GROUP_BY
            else ("string", "a number")
        )
        found = data.columns[column]
        if found.shape != () or found.dtype == refused:
            raise HomeError(
                f"{data}: `{key}` is column {column!r}, which must hold {kind} in each "
                f"row. Received: dtype {found.dtype}, shape {list(found.shape)}"
            )


def read_labels(name: str, task: Task, columns: Mapping[str, Tensor]) -> Tensor:
    """Reads the labels of a task: 0, 1, or NaN or -1 where missing.

    For a regression task they are numbers, or NaN where missing.

    Args:
        name: The task's name, for the error.
        task: The task.
        columns: `{column: (rows,)}`, including those that the task reads.

    Returns:
        `(rows,)` in float32.

    Raises:
        tf.errors.InvalidArgumentError: If a label is anything else.
    """
    column = task.label or name
    where = f"column `{column}`, task `{name}`"
    if task.is_regression:
        labels = check_numbers(
            where, columns[column], not_negative=task.is_never_negative
        )
    else:
        labels = check_labels(where, columns[column])
    if task.space is None:
        return labels
    defined = tf.cast(columns[task.space.column], tf.float32) == task.space.equals
    return tf.where(defined, labels, math.nan if task.is_regression else -1.0)


def _sample_weights(
    tasks: Mapping[str, Task],
    columns: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    weights = {}
    for name, task in tasks.items():
        if task.sample_weight is not None:
            where = f"column `{task.sample_weight}`, task `{name}`"
            y = labels[name]
            known = ~tf.math.is_nan(y) if task.is_regression else y >= 0.0
            found = tf.cast(columns[task.sample_weight], tf.float32)
            weights[name] = check_weights(where, tf.where(known, found, 0.0))
    return weights
