"""Joining several features' ids or values into one tensor, and splitting it again."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from home_tf.backend import ops


def is_several(x: Any) -> bool:
    """Whether a feature has several ids per row."""
    return len(x.shape) == 2


def number_of(x: Any) -> int:
    """The number of ids per row of a feature."""
    return int(x.shape[1]) if is_several(x) else 1


def holds_for_all(x: Any) -> bool:
    """Whether there is a single row, which applies to all."""
    return bool(x.shape[0] == 1)


def join(features: Iterable[Any]) -> Any:
    """Joins integer tensors `(rows,)` and `(rows, n)` into `(rows, sum of n)`."""
    parts: list[Any] = []
    run: list[Any] = []
    for x in features:
        if is_several(x):
            parts += [*_stacked(run), x]
            run = []
        else:
            run.append(x)
    parts += _stacked(run)
    return parts[0] if len(parts) == 1 else ops.concatenate(_alike(parts), axis=1)


def _stacked(run: Sequence[Any]) -> list[Any]:
    return [ops.stack(_alike(run), axis=1)] if run else []


def _alike(parts: Sequence[Any]) -> list[Any]:
    """Casts integers to a common dtype if they differ."""
    if len({str(x.dtype) for x in parts}) == 1:
        return list(parts)
    return [ops.cast(x, "int64") for x in parts]


def take_apart(x: Any, counts: Sequence[int]) -> list[Any]:
    """Splits `(rows, n, ...)` into parts with the given numbers of columns."""
    if len(counts) == 1:
        return [x]
    parts: list[Any] = ops.split(x, list(accumulate(counts))[:-1], axis=1)
    return parts
