"""The ten tasks: which they are, and how they are read off a log row."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.errors import HomeError

Array = npt.NDArray[Any]

WATCH = ("effective_view", "long_view", "finish")
INTER = (
    "is_click",
    "comment_open",
    "is_profile_enter",
    "is_like",
    "is_comment",
    "is_follow",
    "is_forward",
)
TASKS = WATCH + INTER

# Tasks that the log holds as a 0/1 column under the task's own name.
LOGGED = tuple(
    task for task in TASKS if task not in ("effective_view", "finish", "comment_open")
)

EFFECTIVE_VIEW_MS = 3000
FINISHED_SHARE = 0.95
MISSING = -1


def labels(log: Mapping[str, Array], *, where: object) -> npt.NDArray[np.int8]:
    """Derives the labels of log rows.

    Args:
        log: Log columns, each `(rows,)`: the 0/1 columns of `LOGGED`, and
            `play_time_ms`, `duration_ms`, `comment_stay_time` in milliseconds.
        where: Where the rows come from, for the error.

    Returns:
        `(rows, tasks)` in the order of `TASKS`: 0, 1, or -1 for a missing label:
        whether a video of unknown duration (`duration_ms` of 0) was finished.

    Raises:
        HomeError: If a 0/1 column holds another value.
    """
    play, duration = log["play_time_ms"], log["duration_ms"]
    derived = {
        "effective_view": play >= EFFECTIVE_VIEW_MS,
        "finish": np.where(duration > 0, play >= FINISHED_SHARE * duration, MISSING),
        "comment_open": log["comment_stay_time"] > 0,
    }
    columns = [
        derived[task] if task in derived else _checked(task, log[task], where)
        for task in TASKS
    ]
    return np.stack(columns, axis=1).astype(np.int8)


def _checked(task: str, values: Array, where: object) -> Array:
    wrong = values[(values != 0) & (values != 1)]
    if wrong.size:
        raise HomeError(
            f"{where}: column `{task}` must hold 0 or 1. Received: {wrong[0]}"
        )
    return values
