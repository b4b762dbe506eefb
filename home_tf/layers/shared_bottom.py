"""Shared-Bottom as a layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras
from home_tf.layers.architecture import Architecture


@keras.saving.register_keras_serializable(package="home_tf")
class SharedBottom(Architecture):
    """One expert for all tasks.

        h_t = f(x)                                            for every task t

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the groups play no part.
        expert_units: Widths of the expert's layers; the last is `D`.
        expert: `"relu"`, `"swish"`, or `"home"` (BatchNorm and Swish) for
            Shared-Bottom*; see `ExpertBank`.
        momentum: Momentum of the expert's BatchNorm.
        initial_gamma: What the scales of that BatchNorm start at; see `ExpertBank`.
        kernel_initializer: Initialiser of all kernels.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        Dict `{task: (batch, D)}`, in the order of `task_groups`.

    Raises:
        ValueError: If an argument is out of its range, a task is named twice, or a
            group is empty or named "shared".

    Example:
        >>> bottom = SharedBottom({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(bottom.tasks)(bottom(features))

    References:
        Caruana, Multitask Learning, Machine Learning 28 (1997).
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
        self.experts = self._make_experts(1)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights of the expert."""
        self.experts.build((None, self._fix_width(input_shape)))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """`(batch, features)` to `{task: (batch, D)}`, the same for every task."""
        h = self.experts(inputs, training=training)[:, 0]
        return dict.fromkeys(self.tasks, h)
