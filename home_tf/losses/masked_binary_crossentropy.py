"""Binary cross-entropy over the rows with a known label."""

from typing import Any

from home_tf.backend import keras, ops
from home_tf.losses.labels import binary_crossentropy, check_targets, split_missing
from home_tf.losses.masked_loss import MaskedLoss


@keras.saving.register_keras_serializable(package="home_tf")
class MaskedBinaryCrossentropy(MaskedLoss):
    """Binary cross-entropy of one task, from logits; rows without a label are ignored.

        loss = sum over valid rows of weight * crossentropy / number of valid rows

    `MaskedLoss` describes how replicas share it, and batches without labels.

    Args:
        reduction: `"sum"`, which Keras passes when it rebuilds the loss.
        name: Name of the loss, such as the task's; error messages begin with it.

    Call arguments:
        - `y_true`: Labels, `(batch,)` or `(batch, 1)`: 0 or 1, NaN or -1 where missing.
        - `y_pred`: Logits, `(batch,)` or `(batch, 1)`.
        - `sample_weight`: Weights of the rows, `(batch,)` or `(batch, 1)`, not
          negative, or None for ones.

    Output shape:
        A scalar, in float32.

    Raises:
        ValueError: If `reduction` is not `"sum"`, or labels or weights are not numbers.
        tf.errors.InvalidArgumentError: If a label or a weight is invalid. Code
            compiled by XLA raises nothing: there the loss is NaN.

    Examples:
        >>> model.compile("adam", loss={"click": MaskedBinaryCrossentropy()})

    References:
        HoME (arXiv 2408.05430), the loss below eq. 3.
    """

    def __init__(
        self, *, reduction: str = "sum", name: str = "masked_binary_crossentropy"
    ) -> None:
        super().__init__(reduction=reduction, name=name)

    def check_targets(
        self, where: str, labels: Any, sample_weight: Any = None
    ) -> tuple[Any, Any]:
        """Checks and returns labels, missing ones as -1, and weights."""
        return check_targets(where, labels, sample_weight)

    def split_missing(
        self, labels: Any, outputs: Any, sample_weight: Any = None
    ) -> tuple[Any, Any, Any, Any]:
        """Flattens labels and logits, and marks the valid rows."""
        return split_missing(labels, outputs, sample_weight)

    def of_rows(self, labels: Any, outputs: Any) -> Any:
        """The cross-entropy of each row."""
        return binary_crossentropy(labels, outputs)

    def to_prediction(self, outputs: Any) -> Any:
        """Logits to probabilities."""
        return ops.sigmoid(outputs)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {"name": self.name}
