"""Regression losses, such as for watch time, over the rows with a known label."""

import math
from typing import Any, Literal, get_args

from home_tf.backend import keras, ops
from home_tf.losses.labels import check_number_targets, split_missing_numbers
from home_tf.losses.masked_loss import MaskedLoss

RegressionKind = Literal["squared", "huber", "log1p", "weighted_logistic"]

# The exponential of a larger value would overflow.
_LARGEST_EXPONENT = 80.0


@keras.saving.register_keras_serializable(package="home_tf")
class MaskedRegressionLoss(MaskedLoss):
    """The loss of a regression task; rows without a label are ignored.

    The tower of the task learns labels in units of `scale`, so that its loss is about
    as large as those of other tasks. For an output `o` and a label `y`:

    - `squared`: the loss of a row is `(t - o)^2` with `t = (y - mean) / scale`, and the
      prediction `mean + scale * o`.
    - `huber`: Huber's loss of `t - o`, linear beyond 1, with `t` and the prediction as
      for `squared`.
    - `log1p`: `(t - o)^2` with `t = (log(1 + y) - mean) / scale`; the prediction is
      `exp(mean + scale * o) - 1`, at least 0.
    - `weighted_logistic`: `t * log(1 + e^-o) + log(1 + e^o)` with `t = y / scale`; the
      prediction is `scale * e^o`.

    `weighted_logistic` is what video rankers use for watch time: a logistic regression
    in which a row counts as `t` positives and one negative, so that the odds are the
    expected label. Covington et al. count rows with `y > 0` as positives only, so that
    the odds are the expected label only if such rows are few; here they always are.

    Args:
        kind: The loss, as above.
        mean: The mean of the labels; for `log1p`, of `log(1 + y)`.
        scale: Their standard deviation; for `weighted_logistic`, their mean.
        reduction: `"sum"`, which Keras passes when it rebuilds the loss.
        name: Name of the loss, such as the task's; error messages begin with it.

    Call arguments:
        - `y_true`: Labels, `(batch,)` or `(batch, 1)`: finite, NaN where missing; for
          `log1p` and `weighted_logistic` not negative.
        - `y_pred`: Outputs of the tower, `(batch,)` or `(batch, 1)`.
        - `sample_weight`: Weights of the rows, `(batch,)` or `(batch, 1)`, not
          negative, or None for ones.

    Output shape:
        A scalar, in float32, as `MaskedBinaryCrossentropy` returns it.

    Raises:
        ValueError: If an argument is out of its range, or labels are not numbers.
        tf.errors.InvalidArgumentError: If a label or a weight is invalid. Code
            compiled by XLA raises nothing: there the loss is NaN.

    Examples:
        >>> model.compile("adam", loss={"price": MaskedRegressionLoss("log1p")})

    References:
        Covington, Adams, Sargin: Deep Neural Networks for YouTube Recommendations
        (RecSys 2016), section 4.2.
    """

    def __init__(
        self,
        kind: RegressionKind = "squared",
        *,
        mean: float = 0.0,
        scale: float = 1.0,
        reduction: str = "sum",
        name: str = "masked_regression_loss",
    ) -> None:
        if kind not in get_args(RegressionKind):
            raise ValueError(
                f"`kind` must be one of {', '.join(get_args(RegressionKind))}. "
                f"Received: {kind!r}"
            )
        if not (math.isfinite(mean) and math.isfinite(scale) and scale > 0):
            raise ValueError(
                "`mean` must be finite and `scale` finite and greater than 0. "
                f"Received: mean={mean!r}, scale={scale!r}"
            )
        super().__init__(reduction=reduction, name=name)
        self.kind: RegressionKind = kind
        self.mean, self.scale = float(mean), float(scale)

    @property
    def is_never_negative(self) -> bool:
        """Whether labels and predictions are never negative."""
        return self.kind in ("log1p", "weighted_logistic")

    def check_targets(
        self, where: str, labels: Any, sample_weight: Any = None
    ) -> tuple[Any, Any]:
        """Checks and returns labels, missing ones as NaN, and weights."""
        return check_number_targets(
            where, labels, sample_weight, not_negative=self.is_never_negative
        )

    def split_missing(
        self, labels: Any, outputs: Any, sample_weight: Any = None
    ) -> tuple[Any, Any, Any, Any]:
        """Flattens labels and outputs, and marks the valid rows."""
        return split_missing_numbers(labels, outputs, sample_weight)

    def of_rows(self, labels: Any, outputs: Any) -> Any:
        """The loss of each row; NaN for an invalid label."""
        valid = ops.isfinite(labels)
        if self.is_never_negative:
            valid = valid & (labels >= 0.0)
        labels = ops.where(valid, labels, ops.zeros_like(labels) + math.nan)
        if self.kind == "weighted_logistic":
            wanted = labels / self.scale
            return wanted * ops.softplus(-outputs) + ops.softplus(outputs)
        if self.kind == "log1p":
            labels = ops.log1p(labels)
        error = (labels - self.mean) / self.scale - outputs
        if self.kind == "huber":
            size = ops.abs(error)
            inner = ops.minimum(size, 1.0)
            return inner * (size - inner / 2.0)
        return error * error

    def to_prediction(self, outputs: Any) -> Any:
        """Turns outputs of the tower into numbers in the unit of the labels."""
        if self.kind == "weighted_logistic":
            return self.scale * ops.exp(ops.minimum(outputs, _LARGEST_EXPONENT))
        predicted = self.mean + self.scale * outputs
        if self.kind == "log1p":
            grown = ops.exp(ops.minimum(predicted, _LARGEST_EXPONENT)) - 1.0
            return ops.maximum(grown, 0.0)
        return predicted

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the loss."""
        return {
            "kind": self.kind,
            "mean": self.mean,
            "scale": self.scale,
            "name": self.name,
        }
