"""BatchNorm over the last axis."""

from typing import Any

from home_tf.backend import IS_TENSORFLOW, keras, ops


class BatchNorm(keras.layers.BatchNormalization):
    """Keras's BatchNorm of `(batch, channels)`, in the forms that are fastest here.

    Private to the package: `ExpertBank` owns one and rebuilds it. In training it is one
    operation of TensorFlow, and its gradient another, where Keras composes it of many.
    That operation knows neither replicas nor other weights than those in float32; for
    them the layer is Keras's own. For inference `scale_and_shift` is the same map.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalises by the moments of the batch in training, else by the averages."""
        uses_the_batch = training is True and self.trainable
        if not (uses_the_batch and self._is_one_operation):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = ops.batch_norm(
            ops.cast(inputs, "float32"), self.gamma, self.beta, self.epsilon
        )
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        return ops.cast(outputs, self.compute_dtype)

    @property
    def _is_one_operation(self) -> bool:
        in_float32 = self.variable_dtype == "float32"
        return IS_TENSORFLOW and in_float32 and not self.synchronized

    def _move(self, average: Any, value: Any) -> None:
        average.assign(average * self.momentum + value * (1.0 - self.momentum))

    def scale_and_shift(self) -> tuple[Any, Any]:
        """What inference multiplies by, and what it then adds: each `(channels,)`."""
        deviation = ops.sqrt(self.moving_variance + self.epsilon)
        scale = self.gamma / deviation
        shift = self.beta - self.moving_mean * scale
        return ops.cast(scale, self.compute_dtype), ops.cast(shift, self.compute_dtype)
