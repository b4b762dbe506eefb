"""A behaviour to predict."""

from dataclasses import dataclass
from typing import Literal

from home_tf.data.task_space import TaskSpace
from home_tf.errors import HomeError
from home_tf.hints import NotNegative, check_fields


@dataclass(frozen=True, kw_only=True)
class Task:
    """A behaviour to predict.

    Attributes:
        group: The task group in HoME's hierarchy.
        type: `binary`, a behaviour that happens or does not, or `regression`, a number
            such as a watch time, a price or a rating.
        loss: The loss of a regression task: `squared` (the default), `huber`, `log1p`
            (squared error of the logarithm) or `weighted_logistic` (whose odds are the
            number); the last two are for numbers that are not negative.
        label: The record column of the label; by default the task's name. It holds 0 or
            1, and NaN or -1 where missing; for a regression task any number, and NaN
            where missing.
        loss_weight: Factor of the task's loss in the sum over the tasks.
        sample_weight: The record column with the sample weights in this task's loss.
        space: The rows on which the label is defined; elsewhere it counts as missing.

    Raises:
        HomeError: If the loss weight is negative or not finite, or `loss` is given to a
            binary task.
    """

    group: str
    type: Literal["binary", "regression"] = "binary"
    loss: Literal["squared", "huber", "log1p", "weighted_logistic"] | None = None
    label: str | None = None
    loss_weight: NotNegative = 1.0
    sample_weight: str | None = None
    space: TaskSpace | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.loss is not None and not self.is_regression:
            raise HomeError(
                "`loss` requires `type: regression`: the loss of a binary task is "
                f"always cross-entropy. Received: {self.loss}"
            )

    @property
    def is_regression(self) -> bool:
        """Whether the label is a number."""
        return self.type == "regression"

    @property
    def is_never_negative(self) -> bool:
        """Whether labels and predictions are not negative."""
        return not self.is_regression or self.loss in ("log1p", "weighted_logistic")
