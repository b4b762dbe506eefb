"""Calibrators as part of the serving graph."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from home_tf.evaluation import Calibrator
from home_tf.types import Tensor


def make_calibration(
    calibrators: Mapping[str, Calibrator], tasks: Sequence[str]
) -> Callable[[Tensor], Tensor]:
    """Makes a function that calibrates the logits of all tasks at once.

    Args:
        calibrators: `{task: Calibrator}`; other tasks stay as they are.
        tasks: The tasks in the order of the logits.

    Returns:
        A function from logits `(batch, tasks)` to calibrated ones.
    """
    if not calibrators:
        return lambda logits: logits
    same = Calibrator("platt", (), (1.0,), (0.0,))
    chosen = [calibrators.get(task, same) for task in tasks]
    slopes, intercepts = (
        _padded([getattr(one, name) for one in chosen], 0.0)
        for name in ("slopes", "intercepts")
    )
    if slopes.shape[1] == 1:
        return lambda logits: logits * slopes[:, 0] + intercepts[:, 0]
    knots = _padded([one.knots for one in chosen], np.inf)
    first = slopes.shape[1] * np.arange(len(tasks), dtype=np.int32)[:, None]

    def calibrate(logits: Tensor) -> Tensor:
        x = tf.transpose(logits)
        piece = tf.searchsorted(knots, x) + first
        x = tf.gather(slopes.ravel(), piece) * x + tf.gather(intercepts.ravel(), piece)
        return tf.transpose(x)

    return calibrate


def _padded(values: Sequence[Sequence[float]], fill: float) -> npt.NDArray[np.float32]:
    """Turns lists of numbers into an array, padding the short ones."""
    width = max(map(len, values))
    return np.array([[*v, *[fill] * (width - len(v))] for v in values], np.float32)
