"""Tasks that share nothing, as a layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.architecture import Architecture


@keras.saving.register_keras_serializable(package="home_tf")
class SingleTask(Architecture):
    """One expert a task, and nothing shared: what multi-task learning is measured by.

        h_t = f_t(x)                                          for every task t

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the groups play no part.
        expert_units: Widths of an expert's layers; the last is `D`.
        expert: `"relu"`, `"swish"`, or `"home"` (BatchNorm and Swish) for
            Single-Task*; see `ExpertBank`.
        momentum: Momentum of the experts' BatchNorm.
        initial_gamma: What the scales of that BatchNorm start at; see `ExpertBank`.
        kernel_initializer: Initialiser of all kernels; every expert draws its own
            values, also when a seed is given.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        Dict `{task: (batch, D)}`, in the order of `task_groups`.

    Raises:
        ValueError: If an argument is out of its range, a task is named twice, or a
            group is empty or named "shared".

    Example:
        >>> single = SingleTask({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(single.tasks)(single(features))
    """

    def __init__(
        self,
        task_groups: Mapping[str, Sequence[str]],
        *,
        expert_units: Sequence[int] = (128, 64),
        expert: str = "relu",
        momentum: float = 0.9,
        initial_gamma: float = 1.0,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            task_groups,
            expert_units=expert_units,
            expert=expert,
            momentum=momentum,
            initial_gamma=initial_gamma,
            kernel_initializer=kernel_initializer,
            **kwargs,
        )
        self.experts = self._make_experts(len(self.tasks))

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights of the experts, in the order of the tasks."""
        self.experts.build((None, self._fix_width(input_shape)))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """`(batch, features)` to `{task: (batch, D)}`."""
        experts = self.experts(inputs, training=training)
        each = ops.split(experts, len(self.tasks), axis=1)
        return {task: h[:, 0] for task, h in zip(self.tasks, each, strict=True)}
