"""Clipping by the joint norm of all gradients, over all replicas."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from home_tf.backend import IS_LEGACY
from home_tf.backend.replicas import sum_over_replicas


class ClipsByGlobalNorm:
    """A mixin, before an optimizer class of either Keras: `global_clipnorm`.

    Private to the package. Keras takes the norm of a sparse gradient before it adds up
    the rows of an id that a batch looks up several times, and Keras 3 clips each
    replica's gradients separately, so the norm of the actual update can be many times
    as large.
    """

    # Provided by the optimizer.
    global_clipnorm: float | None

    def _clip_gradients(self, grads: Sequence[Any]) -> list[Any]:
        if not self.global_clipnorm:
            return super()._clip_gradients(grads)  # type: ignore[misc]
        given = [gradient for gradient in grads if gradient is not None]
        # Legacy Keras has already added up the replicas' gradients.
        together = given if IS_LEGACY else sum_over_replicas(given)
        norm = tf.sqrt(tf.add_n([_squared_norm(gradient) for gradient in together]))
        scale = self.global_clipnorm / tf.maximum(norm, self.global_clipnorm)
        return [
            gradient if gradient is None else _scaled(gradient, scale)
            for gradient in grads
        ]


def _squared_norm(gradient: Any) -> Any:
    values = gradient
    if isinstance(gradient, tf.IndexedSlices):
        _, places = tf.unique(gradient.indices)
        number = tf.size(places)
        values = tf.math.unsorted_segment_sum(gradient.values, places, number)
    return tf.reduce_sum(tf.square(tf.cast(values, tf.float32)))


def _scaled(gradient: Any, scale: Any) -> Any:
    if isinstance(gradient, tf.IndexedSlices):
        values = _scaled(gradient.values, scale)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return gradient * tf.cast(scale, gradient.dtype)
