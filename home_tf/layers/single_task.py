"""The Single-Task layer: tasks that share nothing."""

from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.anatomy import Anatomy, BankParts, name_experts
from home_tf.layers.architecture import Architecture, TaskGroups
from home_tf.layers.expert import Expert, ExpertName
from home_tf.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="home_tf")
class SingleTask(Architecture):
    """One expert per task and nothing shared: the baseline of multi-task learning.

        h_t = f_t(x)                                          for every task t

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the grouping has no effect.
        expert: The kind of expert: an `Expert`, or `"relu"`, `"swish"` or `"home"`; the
            last gives Single-Task*.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        Dict `{task: (batch, D)}`, in the order of `task_groups`.

    Raises:
        ValueError: If an argument is out of its range, a task is named twice, or a
            group is empty or named "shared".

    Examples:
        >>> single = SingleTask({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(single.tasks)(single(features))
    """

    auto_name = "single_task"

    def __init__(
        self,
        task_groups: TaskGroups,
        *,
        expert: Expert | ExpertName = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(task_groups, expert=expert, **kwargs)
        self.experts = self._make_experts(len(self.tasks))

    def build(self, input_shape: Shape) -> None:
        """Creates the weights of the experts, in the order of the tasks."""
        self.experts.build((None, self._fix_width(input_shape)))
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """`(batch, features)` to `{task: (batch, D)}`."""
        f = self.experts(inputs, training=training)
        h = ops.unstack(f, axis=1)  # h_t = f_t(x)
        return dict(zip(self.tasks, h, strict=True))

    def anatomy(self) -> Anatomy:
        """One expert per task."""
        experts = [name_experts(task, 1, "task")[0] for task in self.tasks]
        return Anatomy([BankParts(self.experts, experts)])
