"""A function of many rows, computed slice by slice."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from home_tf.types import Tensor


def in_slices(
    function: Callable[[Tensor], Tensor], spec: Any, *, rows: int, columns: int
) -> Any:
    """Computes a function of rows in slices of equal size, in parallel.

    A large operation over all rows cannot reuse what the one before it left in the
    CPU's caches, and if operations have one thread each, it keeps only one CPU busy.

    Args:
        function: From `(batch, width)` to `(batch, columns)`, row by row.
        spec: The `tf.TensorSpec` of its input.
        rows: Maximum number of rows in a slice.
        columns: Number of output columns.

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
