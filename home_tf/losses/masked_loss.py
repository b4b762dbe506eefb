"""The base of the losses: missing labels, sample weights and replicas."""

from abc import abstractmethod
from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.replicas import sum_over_replicas


class MaskedLoss(keras.losses.Loss):
    """The mean loss over the rows with a known label.

        loss = sum over valid rows of weight * loss of the row / number of valid rows

    The divisor is the number of valid rows of the global batch. Under a `tf.distribute`
    strategy each replica returns its own rows' share, and the shares add up to the
    loss; `optimizer.apply_gradients` adds up the gradients in the same way. A batch
    with no valid row has loss 0 and zero gradients.

    Args:
        reduction: `"sum"`, which Keras passes when it rebuilds the loss.
        name: Name of the loss, such as the task's; error messages begin with it.

    Raises:
        ValueError: If `reduction` is not `"sum"`.
    """

    def __init__(self, *, reduction: str = "sum", name: str) -> None:
        if reduction != "sum":
            raise ValueError(
                "`reduction` must be 'sum': the loss divides by the number of valid "
                f"rows itself. Received: {reduction!r}"
            )
        super().__init__(reduction=reduction, name=name)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Returns this replica's share of the loss, a scalar in float32."""
        y_true, sample_weight = self.check_targets(self.name, y_true, sample_weight)
        labels, outputs, weights, valid = self.split_missing(
            y_true, y_pred, sample_weight
        )
        total = ops.sum(weights * self.of_rows(labels, outputs))
        return total / ops.maximum(sum_over_replicas(ops.sum(valid)), 1.0)

    @abstractmethod
    def check_targets(
        self, where: str, labels: Any, sample_weight: Any = None
    ) -> tuple[Any, Any]:
        """Checks and returns labels and weights, `(batch,)` in float32.

        Args:
            where: What they belong to, such as "task 'click'", for the error message.
            labels: `(batch,)` or `(batch, 1)`.
            sample_weight: `(batch,)` or `(batch, 1)`, or None.
        """

    @abstractmethod
    def split_missing(
        self, labels: Any, outputs: Any, sample_weight: Any = None
    ) -> tuple[Any, Any, Any, Any]:
        """Flattens labels and outputs, and marks the valid rows.

        Returns:
            Labels with missing ones as 0, outputs, weights with 0 for missing labels,
            and validity as 0 or 1; each `(batch,)` in float32.
        """

    @abstractmethod
    def of_rows(self, labels: Any, outputs: Any) -> Any:
        """The loss of each row, `(batch,)`, for known labels."""

    @abstractmethod
    def to_prediction(self, outputs: Any) -> Any:
        """Turns the outputs of the task's tower into the served predictions."""
