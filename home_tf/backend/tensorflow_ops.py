"""TensorFlow's operations with the names and arguments of `keras.ops`."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import tensorflow as tf

abs = tf.abs
broadcast_to = tf.broadcast_to
clip = tf.clip_by_value
concatenate = tf.concat
cumsum = tf.cumsum
exp = tf.exp
expand_dims = tf.expand_dims
isfinite = tf.math.is_finite
isnan = tf.math.is_nan
log = tf.math.log
log1p = tf.math.log1p
matmul = tf.matmul
maximum = tf.maximum
minimum = tf.minimum
reshape = tf.reshape
shape = tf.shape
sigmoid = tf.sigmoid
sign = tf.sign
silu = tf.nn.silu
softmax = tf.nn.softmax
softplus = tf.math.softplus
sqrt = tf.sqrt
squeeze = tf.squeeze
stack = tf.stack
tanh = tf.tanh
transpose = tf.transpose
unstack = tf.unstack
where = tf.where
zeros_like = tf.zeros_like


def add(x1: Any, x2: Any) -> Any:
    """Adds a bias, `x2`, to the last axis.

    As a bias, it is fused with a product before it, and its gradient is a single
    operation.
    """
    return tf.nn.bias_add(x1, x2)


def cast(x: Any, dtype: str) -> Any:
    """Casts a tensor to `dtype`."""
    return tf.cast(x, dtype)


def convert_to_tensor(x: Any, dtype: str | None = None) -> Any:
    """Converts a value to a tensor, of `dtype` if it is given."""
    return tf.convert_to_tensor(x, dtype=dtype)


def einsum(subscripts: str, *operands: Any) -> Any:
    """Contracts tensors by Einstein's summation convention."""
    return tf.einsum(subscripts, *operands)


def flip(x: Any, axis: int) -> Any:
    """Reverses the order of a tensor's elements along an axis."""
    return tf.reverse(x, [axis])


def relu(x: Any) -> Any:
    """The positive part of a tensor; NaN stays NaN.

    With oneDNN, TensorFlow fuses a product, its bias and its own ReLU into an operation
    that turns NaN into 0.
    """
    return tf.maximum(x, tf.zeros((), x.dtype))


def segment_sum(data: Any, segment_ids: Any, num_segments: int) -> Any:
    """Sums the elements of each segment; `(num_segments,)`."""
    return tf.math.unsorted_segment_sum(data, segment_ids, num_segments)


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> Any:
    """Splits a tensor along an axis: into equal parts, or where a part begins."""
    if isinstance(indices_or_sections, int):
        return tf.split(x, indices_or_sections, axis=axis)
    bounds = [0, *indices_or_sections, x.shape[axis]]
    sizes = [end - begin for begin, end in pairwise(bounds)]
    return tf.split(x, sizes, axis=axis)


def sum(x: Any, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Any:
    """Sums a tensor over `axis`, or over all axes."""
    return tf.reduce_sum(x, axis=axis, keepdims=keepdims)


def take(x: Any, indices: Sequence[int], axis: int) -> Any:
    """Takes elements of a tensor along an axis."""
    return tf.gather(x, indices, axis=axis)
