"""Reads the impressions that are older than the logs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from home_tf.errors import HomeError
from home_tf.prepare.csv_stream import Columns, integers
from home_tf.prepare.tasks import MISSING, TASKS

Array = npt.NDArray[Any]

KNOWN_TASKS = ("is_like", "long_view")
_COLUMNS = ("user_id", "pos_from_end", "video_id", *KNOWN_TASKS)


def read_history(files: Sequence[Path]) -> Columns:
    """Reads history files whole: they hold a bounded number of rows a user.

    Args:
        files: `history_impressions*.parquet`, possibly none.

    Returns:
        `user_id`, `video_id` and `pos_from_end` (-1 is a user's most recent
        impression), int64 of `(rows,)`, and `labels`, `(rows, tasks)` int8, in which
        only the tasks of `KNOWN_TASKS` are not missing.

    Raises:
        HomeError: If a file cannot be read, lacks a column, or holds a wrong value.
    """
    parts = [_read(file) for file in files]
    empty = {name: np.zeros(0, np.int64) for name in _COLUMNS}
    log = {
        name: np.concatenate([empty[name], *(part[name] for part in parts)])
        for name in _COLUMNS
    }
    labels = np.full((len(log["user_id"]), len(TASKS)), MISSING, np.int8)
    for task in KNOWN_TASKS:
        labels[:, TASKS.index(task)] = log.pop(task)
    return {**log, "labels": labels}


def _read(file: Path) -> Columns:
    try:
        table = pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise HomeError(f"{file} could not be read: {error}") from error
    missing = [name for name in _COLUMNS if name not in table.column_names]
    if missing:
        raise HomeError(f"{file} has no column `{'`, `'.join(missing)}`")
    columns: Columns = {
        name: integers(table, name, file, signed=name == "pos_from_end")
        for name in _COLUMNS
    }
    for task in KNOWN_TASKS:
        if columns[task].size and columns[task].max() > 1:
            raise HomeError(f"{file}: column `{task}` must hold 0 or 1")
    return columns
