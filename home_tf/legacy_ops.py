"""The few `keras.ops` that legacy Keras lacks, under their Keras 3 names."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

concatenate = tf.concat
exp = tf.exp
expand_dims = tf.expand_dims
isfinite = tf.math.is_finite
logical_and = tf.logical_and
matmul = tf.matmul
maximum = tf.maximum
relu = tf.nn.relu
reshape = tf.reshape
shape = tf.shape
sigmoid = tf.sigmoid
sign = tf.sign
silu = tf.nn.silu
softmax = tf.nn.softmax
softplus = tf.math.softplus
sqrt = tf.sqrt
stack = tf.stack
tanh = tf.tanh
where = tf.where
zeros_like = tf.zeros_like


def cast(x: Any, dtype: str) -> Any:
    """Casts a tensor to `dtype`."""
    return tf.cast(x, dtype)


def convert_to_tensor(x: Any, dtype: str | None = None) -> Any:
    """Converts a value to a tensor, of `dtype` if it is given."""
    return tf.convert_to_tensor(x, dtype=dtype)


def einsum(subscripts: str, *operands: Any) -> Any:
    """Contracts tensors by Einstein's summation convention."""
    return tf.einsum(subscripts, *operands)


def split(x: Any, indices_or_sections: int, axis: int = 0) -> Any:
    """Splits a tensor into equal parts along an axis."""
    return tf.split(x, indices_or_sections, axis=axis)


def sum(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Sums a tensor over `axis`, or over all axes."""
    return tf.reduce_sum(x, axis=axis)
