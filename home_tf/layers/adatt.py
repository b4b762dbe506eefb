"""AdaTT-sp as a layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.architecture import LevelledArchitecture
from home_tf.layers.expert_gate import of_each_gate
from home_tf.layers.expert_level import ExpertLevel
from home_tf.layers.initialization import split_initializer
from home_tf.layers.layer import check_positive


@keras.saving.register_keras_serializable(package="home_tf")
class AdaTT(LevelledArchitecture):
    """Adaptive Task-to-Task Fusion, the variant with experts of the tasks only (sp).

    At every level a task's gate sees the experts of all tasks, and the task's own
    experts are added once more. With `h_t^0` the input,

        h_t^l = Gate_t(h_t^{l-1}; E_u(h_u^{l-1}) for all tasks u)
                + v_t . E_t(h_t^{l-1})                        for every task t

    The vector `v_t` is learned and free: no softmax. It starts at the mean of the own
    experts; with one expert a task it is fixed at 1.

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the groups play no part.
        expert_units: Widths of an expert's layers, at every level; the last is `D`.
        num_levels: Number of levels.
        num_task_experts: Number of experts of each task, at each level.
        expert: `"relu"`, `"swish"`, or `"home"` (BatchNorm and Swish) for
            AdaTT*; see `ExpertBank`.
        momentum: Momentum of the experts' BatchNorm.
        initial_gamma: What the scales of that BatchNorm start at; see `ExpertBank`.
        gate_units: Widths of the hidden layers of the gates.
        kernel_initializer: Initialiser of all kernels; every expert and gate draws its
            own values, also when a seed is given.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        Dict `{task: (batch, D)}`, in the order of `task_groups`.

    Raises:
        ValueError: If an argument is out of its range, a task is named twice, or a
            group is empty or named "shared".

    Example:
        >>> adatt = AdaTT({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(adatt.tasks)(adatt(features))

    References:
        Li et al., AdaTT: Adaptive Task-to-Task Fusion Network for Multitask Learning in
        Recommendations (KDD 2023), section 3.
    """

    def __init__(
        self,
        task_groups: Mapping[str, Sequence[str]],
        *,
        expert_units: Sequence[int] = (128, 64),
        num_levels: int = 2,
        num_task_experts: int = 1,
        expert: str = "relu",
        momentum: float = 0.9,
        initial_gamma: float = 1.0,
        gate_units: Sequence[int] = (),
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            task_groups,
            expert_units=expert_units,
            expert=expert,
            momentum=momentum,
            initial_gamma=initial_gamma,
            gate_units=gate_units,
            kernel_initializer=kernel_initializer,
            **kwargs,
        )
        self.num_levels = check_positive("num_levels", num_levels)
        self.num_task_experts = check_positive("num_task_experts", num_task_experts)
        initializers = split_initializer(self.kernel_initializer, self.num_levels)
        self.levels = [
            _AdaTTLevel(
                len(self.tasks),
                num_shared_experts=0,
                num_task_experts=self.num_task_experts,
                see_all=True,
                shared_gate=False,
                kernel_initializer=initializer,
                **self._level_arguments(),
            )
            for initializer in initializers
        ]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_levels": self.num_levels,
            "num_task_experts": self.num_task_experts,
        }


class _AdaTTLevel(ExpertLevel):
    """A level whose outputs have the owners' own experts added."""

    def build(self, input_shape: Any) -> None:
        """Creates the weights; `own_weights` has `v_t` of every task, if it is free."""
        super().build(input_shape)
        if self.num_task_experts > 1:
            self.own_weights = self.add_weight(
                name="own_weights",
                shape=(self.num_tasks, self.num_task_experts),
                initializer=keras.initializers.Constant(1 / self.num_task_experts),
            )

    def call(self, inputs: Any, training: bool | None = None) -> list[Any]:
        """Mixes the experts, and adds every task's own."""
        experts = self.experts(inputs, training=training)
        own = ops.unstack(self._own(experts), axis=1)
        mixed = self.mix(inputs, experts)
        return [a + b for a, b in zip(mixed, own, strict=True)]

    def _own(self, experts: Any) -> Any:
        """`v_t . E_t` of every task: `(batch, tasks, D)`."""
        if self.num_task_experts == 1:
            return experts
        own = of_each_gate(experts, self.num_tasks)
        return ops.einsum("tn,btnd->btd", self.own_weights, own)
