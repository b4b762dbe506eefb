"""Checks that there is something to learn for every task."""

from collections.abc import Mapping

import numpy as np

from home_tf.data import DatasetDirectory, Task
from home_tf.errors import HomeError
from home_tf.evaluation import valid_labels
from home_tf.training.ranking_dataset import (
    check_columns,
    columns_of_tasks,
    read_labels,
)

_ROWS_AT_ONCE = 2**16


def check_tasks(data: DatasetDirectory, tasks: Mapping[str, Task]) -> None:
    """Checks that the training rows have a positive label for every task.

    For a regression task, they must have two different labels. Reads only as many rows
    as it takes to find them.

    Args:
        data: The dataset directory.
        tasks: The tasks by name.

    Raises:
        HomeError: If a task has no known label, or none that is positive, or all
            numbers are the same.
    """
    columns = columns_of_tasks(tasks)
    check_columns(data, columns)
    names = list(dict.fromkeys(columns.values()))
    known = dict.fromkeys(tasks, 0)
    first = dict.fromkeys(tasks, np.zeros(0))
    sought = set(tasks)
    for rows in data.read("train", batch_size=_ROWS_AT_ONCE, columns=names):
        for task in sorted(sought):
            labels = read_labels(task, tasks[task], rows).numpy()
            numeric = tasks[task].is_regression
            labels = labels[valid_labels(labels, numeric=numeric)]
            first[task] = first[task] if known[task] else labels[:1]
            known[task] += len(labels)
            if (labels != first[task] if numeric else labels == 1).any():
                sought.remove(task)
        if not sought:
            return
    for task in tasks:
        if task in sought:
            _refuse(data, task, tasks[task], known[task])


def _refuse(data: DatasetDirectory, name: str, task: Task, known: int) -> None:
    space = task.space
    where = "" if space is None else f" where `{space.column}` is {space.equals:g}"
    lacking = "no two different labels" if task.is_regression else "no positive label"
    found = f"{lacking} among {known:,} known ones" if known else "no label"
    raise HomeError(
        f"{data}: task `{name}` has {found} in the training rows{where} (column "
        f"{task.label or name!r}), so there is nothing to learn. Remove it from "
        "`tasks`, or choose other data"
    )
