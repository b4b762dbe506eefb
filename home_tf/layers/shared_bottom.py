"""The Shared-Bottom layer."""

from typing import Any

from home_tf.backend import keras
from home_tf.layers.anatomy import Anatomy, BankParts, name_experts
from home_tf.layers.architecture import Architecture, TaskGroups
from home_tf.layers.expert import Expert, ExpertName
from home_tf.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="home_tf")
class SharedBottom(Architecture):
    """Shared-Bottom: one expert for all tasks.

        h_t = f(x)                                            for every task t

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the grouping has no effect.
        expert: The kind of expert: an `Expert`, or `"relu"`, `"swish"` or `"home"`; the
            last gives Shared-Bottom*.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        Dict `{task: (batch, D)}`, in the order of `task_groups`.

    Raises:
        ValueError: If an argument is out of its range, a task is named twice, or a
            group is empty or named "shared".

    Examples:
        >>> bottom = SharedBottom({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(bottom.tasks)(bottom(features))

    References:
        Caruana, Multitask Learning, Machine Learning 28 (1997).
    """

    auto_name = "shared_bottom"

    def __init__(
        self,
        task_groups: TaskGroups,
        *,
        expert: Expert | ExpertName = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(task_groups, expert=expert, **kwargs)
        self.experts = self._make_experts(1)

    def build(self, input_shape: Shape) -> None:
        """Creates the weights of the expert."""
        self.experts.build((None, self._fix_width(input_shape)))
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """`(batch, features)` to `{task: (batch, D)}`, the same for every task."""
        f = self.experts(inputs, training=training)
        return dict.fromkeys(self.tasks, f[:, 0])  # h_t = f(x)

    def anatomy(self) -> Anatomy:
        """One shared expert."""
        return Anatomy([BankParts(self.experts, name_experts("shared", 1, "shared"))])
