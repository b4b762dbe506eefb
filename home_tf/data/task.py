"""A behaviour to predict."""

from dataclasses import dataclass

from home_tf.data.task_space import TaskSpace
from home_tf.hints import NotNegative, check_fields


@dataclass(frozen=True, kw_only=True)
class Task:
    """A behaviour to predict.

    Attributes:
        group: The task group, as the hierarchy of HoME has it.
        label: The record column of the label; by default the task's name. 0 or 1, NaN
            or -1 where it is missing.
        loss_weight: Factor of the task's loss in the sum over the tasks.
        sample_weight: The record column of the rows' weights in this task's loss.
        space: The rows on which the label is defined; elsewhere it counts as missing.

    Raises:
        HomeError: If the loss weight is negative or not finite.
    """

    group: str
    label: str | None = None
    loss_weight: NotNegative = 1.0
    sample_weight: str | None = None
    space: TaskSpace | None = None

    def __post_init__(self) -> None:
        check_fields(self)
