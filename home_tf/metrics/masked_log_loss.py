"""Streaming log loss over the rows with a known label."""

from typing import Any

from home_tf.backend import keras, ops
from home_tf.losses.labels import binary_crossentropy, split_missing


@keras.saving.register_keras_serializable(package="home_tf")
class MaskedLogLoss(keras.metrics.Metric):
    """Log loss: `MaskedBinaryCrossentropy` over all rows seen, on all replicas.

    Args:
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        - `y_true`: Labels, `(batch,)` or `(batch, 1)`; NaN or -1 where missing.
        - `y_pred`: Logits, `(batch,)` or `(batch, 1)`.
        - `sample_weight`: Weights of the rows, or None.
    """

    def __init__(self, name: str = "log_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(name="total", shape=(), initializer="zeros")
        self.count = self.add_weight(name="count", shape=(), initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch."""
        labels, logits, weights, valid = split_missing(y_true, y_pred, sample_weight)
        losses = weights * binary_crossentropy(labels, logits)
        self.total.assign_add(ops.sum(losses))
        self.count.assign_add(ops.sum(valid))

    def result(self) -> Any:
        """The mean loss over the valid rows; NaN if there are none."""
        return self.total / self.count
