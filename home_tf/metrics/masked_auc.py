"""Streaming AUC over the rows whose label is known."""

from typing import Any

from home_tf.backend import keras
from home_tf.losses.labels import split_missing


@keras.saving.register_keras_serializable(package="home_tf")
class MaskedAUC(keras.metrics.AUC):
    """`keras.metrics.AUC` from logits that leaves out rows with a missing label.

    Args:
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.AUC`; `from_logits` is True by default.

    Call arguments:
        y_true: Labels, `(batch,)` or `(batch, 1)`; NaN or -1 where missing.
        y_pred: Logits, `(batch,)` or `(batch, 1)`.
        sample_weight: Weights of the rows, or None.
    """

    def __init__(self, name: str = "auc", **kwargs: Any) -> None:
        super().__init__(name=name, **{"from_logits": True, **kwargs})

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Adds a batch."""
        labels, logits, weights, _ = split_missing(y_true, y_pred, sample_weight)
        return super().update_state(labels, logits, sample_weight=weights)
