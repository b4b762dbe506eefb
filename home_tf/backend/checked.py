"""Checking values while a graph runs."""

from typing import Any

from home_tf.backend import IS_TENSORFLOW
from home_tf.types import Tensor


def checked(values: Tensor, valid: Tensor, message: str) -> Tensor:
    """Returns values as they are, or raises while the graph runs.

    Code compiled by XLA raises nothing, and neither do backends other than TensorFlow:
    there the caller must make sure that the result is NaN.

    Args:
        values: Tensor of numbers, of which an error shows the lowest and the highest.
        valid: Tensor of booleans of that shape.
        message: What must be, for the error.

    Raises:
        tf.errors.InvalidArgumentError: If an element of `valid` is false.
    """
    if not IS_TENSORFLOW:
        return values
    import tensorflow as tf

    shown: list[Any] = [f"{message} Received: lowest and highest"]
    shown += [tf.reduce_min(values), tf.reduce_max(values)]
    check = tf.raw_ops.Assert(condition=tf.reduce_all(valid), data=shown)
    # In eager code it has already raised, and there is no operation.
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(values)
