"""Binary cross-entropy over the rows whose label is known."""

from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.replicas import sum_over_replicas
from home_tf.losses.labels import (
    binary_crossentropy,
    check_targets,
    split_missing,
)


@keras.saving.register_keras_serializable(package="home_tf")
class MaskedBinaryCrossentropy(keras.losses.Loss):
    """Binary cross-entropy of one task, from logits; missing labels do not count.

        loss = sum over valid rows of weight * crossentropy / number of valid rows

    The divisor is the number of valid rows of the global batch. Under a `tf.distribute`
    strategy each replica returns its own rows' share, and the shares add up to the
    loss; `optimizer.apply_gradients` adds up the gradients likewise. A batch with no
    valid row has loss 0 and zero gradients.

    Args:
        reduction: `"sum"`, which Keras passes when it rebuilds the loss.
        name: Name of the loss, such as that of the task, which its errors begin with.

    Call arguments:
        y_true: Labels, `(batch,)` or `(batch, 1)`: 0 or 1, NaN or -1 where missing.
        y_pred: Logits, `(batch,)` or `(batch, 1)`.
        sample_weight: Weights of the rows, `(batch,)` or `(batch, 1)`, not negative, or
            None for ones.

    Returns:
        A scalar, in float32.

    Raises:
        ValueError: If `reduction` is another, or labels or weights are no numbers.
        tf.errors.InvalidArgumentError: If a label or a weight is none of these. Code
            compiled by XLA raises nothing: the loss is NaN then.

    Example:
        >>> model.compile("adam", loss={"click": MaskedBinaryCrossentropy()})

    References:
        HoME (arXiv 2408.05430), the loss below eq. 3.
    """

    def __init__(
        self, *, reduction: str = "sum", name: str = "masked_binary_crossentropy"
    ) -> None:
        if reduction != "sum":
            raise ValueError(
                "`reduction` must be 'sum': the loss divides by the number of valid "
                f"rows itself. Received: {reduction!r}"
            )
        super().__init__(reduction=reduction, name=name)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Returns this replica's share of the loss."""
        y_true, sample_weight = check_targets(self.name, y_true, sample_weight)
        labels, logits, weights, valid = split_missing(y_true, y_pred, sample_weight)
        total = ops.sum(weights * binary_crossentropy(labels, logits))
        return total / ops.maximum(sum_over_replicas(ops.sum(valid)), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {"name": self.name}
