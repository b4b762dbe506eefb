"""Binary cross-entropy over the rows whose label is known."""

from typing import Any

from home_tf.backend import keras, ops
from home_tf.losses.labels import binary_crossentropy, check_targets, split_missing
from home_tf.losses.masked_loss import MaskedLoss


@keras.saving.register_keras_serializable(package="home_tf")
class MaskedBinaryCrossentropy(MaskedLoss):
    """Binary cross-entropy of one task, from logits; missing labels do not count.

        loss = sum over valid rows of weight * crossentropy / number of valid rows

    `MaskedLoss` says how replicas share it, and what a batch without labels does.

    Args:
        reduction: `"sum"`, which Keras passes when it rebuilds the loss.
        name: Name of the loss, such as that of the task, which its errors begin with.

    Call arguments:
        - `y_true`: Labels, `(batch,)` or `(batch, 1)`: 0 or 1, NaN or -1 where missing.
        - `y_pred`: Logits, `(batch,)` or `(batch, 1)`.
        - `sample_weight`: Weights of the rows, `(batch,)` or `(batch, 1)`, not
          negative, or None for ones.

    Output shape:
        A scalar, in float32.

    Raises:
        ValueError: If `reduction` is another, or labels or weights are no numbers.
        tf.errors.InvalidArgumentError: If a label or a weight is none of these. Code
            compiled by XLA raises nothing: the loss is NaN then.

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
        """Returns labels, missing ones as -1, and weights, checked."""
        return check_targets(where, labels, sample_weight)

    def split_missing(
        self, labels: Any, outputs: Any, sample_weight: Any = None
    ) -> tuple[Any, Any, Any, Any]:
        """Flattens labels and logits and tells the valid rows apart."""
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
