"""A function of many rows, computed slice by slice."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from home_tf.types import Tensor


def in_slices(
    function: Callable[[Tensor], Tensor], spec: Any, *, rows: int, columns: int
) -> Any:
    """Computes a function of rows in slices of equal size, side by side.

    A large operation over all rows finds nothing in a CPU's caches that the one before
    it wrote there, and where an operation has one thread, it keeps one CPU busy.

    Args:
        function: From `(batch, width)` to `(batch, columns)`, row by row.
        spec: The `tf.TensorSpec` of its input.
        rows: The most rows of a slice.
        columns: Those of the output.

    Returns:
        A concrete function that computes the same.
    """

    @tf.function(autograph=False)
    def sliced(inputs: Tensor) -> Tensor:
        total = tf.shape(inputs)[0]
        number = tf.maximum(-(-total // rows), 1)
        size = -(-total // number)
        shape = tf.TensorShape((None, columns))
        outputs = tf.TensorArray(
            spec.dtype, number, infer_shape=False, element_shape=shape
        )

        def add(i: Tensor, outputs: tf.TensorArray) -> tuple[Tensor, tf.TensorArray]:
            found = function(inputs[i * size : (i + 1) * size])
            return i + 1, outputs.write(i, found)

        _, outputs = tf.while_loop(lambda i, _: i < number, add, (0, outputs))
        return tf.ensure_shape(outputs.concat(), shape)

    return sliced.get_concrete_function(spec)
