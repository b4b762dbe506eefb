"""Batch normalisation over the last axis."""

from home_tf.backend import IS_TENSORFLOW, keras, ops
from home_tf.backend.names import scoped_build
from home_tf.layers.fused import batch_norm
from home_tf.types import Shape, Tensor

# A limit of the operation on a GPU.
_SMALLEST_EPSILON = 1.001e-5


class BatchNorm(keras.layers.BatchNormalization):
    """Keras's batch normalisation of `(batch, channels)`, as one TensorFlow operation.

    Private to the package: `ExpertBank` owns one and rebuilds it. Keras composes it of
    many operations, and its gradient of even more. Whatever the single operation cannot
    do is left to Keras: statistics over several replicas, weights not in float32,
    masks, tiny epsilons, and a `training` tensor, which legacy Keras allows.
    """

    @scoped_build
    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        super().build(input_shape)

    def _support_zero_size_input(self) -> bool:
        # With it, a replica without rows would keep its averages in legacy Keras, while
        # the others move theirs to the statistics of all replicas.
        support: bool = super()._support_zero_size_input()
        return support and not self.synchronized

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Normalises by batch statistics in training, else by the moving averages."""
        of_batch = training is True and self.trainable
        one_operation = (
            IS_TENSORFLOW
            and mask is None
            and (training is None or isinstance(training, bool))
            and self.variable_dtype == "float32"
            and self.epsilon >= _SMALLEST_EPSILON
            and not (of_batch and self.synchronized)
        )
        if not one_operation:
            return super().call(inputs, training=training, mask=mask)
        averages = (self.moving_mean, self.moving_variance)
        outputs, *moments = batch_norm(
            ops.cast(inputs, "float32"),
            self.gamma,
            self.beta,
            None if of_batch else averages,
            self.epsilon,
        )
        if of_batch:
            for average, value in zip(averages, moments, strict=True):
                moved = average * self.momentum + value * (1.0 - self.momentum)
                average.assign(moved)
        return ops.cast(outputs, self.compute_dtype)
