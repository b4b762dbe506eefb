"""MMoE as a layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras
from home_tf.layers.architecture import LevelledArchitecture
from home_tf.layers.expert_level import ExpertLevel
from home_tf.layers.layer import check_positive


@keras.saving.register_keras_serializable(package="home_tf")
class MMoE(LevelledArchitecture):
    """Multi-gate Mixture-of-Experts: shared experts, and a gate for each task.

        h_t = sum_i Softmax(W_t x)_i f_i(x)                   for every task t

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the groups play no part.
        expert_units: Widths of an expert's layers; the last is `D`.
        num_experts: Number of experts.
        expert: `"relu"`, `"swish"`, or `"home"` (BatchNorm and Swish) for
            MMoE*; see `ExpertBank`.
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
        >>> mmoe = MMoE({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(mmoe.tasks)(mmoe(features))

    References:
        Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate
        Mixture-of-Experts (KDD 2018), eq. 6 and 7.
    """

    def __init__(
        self,
        task_groups: Mapping[str, Sequence[str]],
        *,
        expert_units: Sequence[int] = (128, 64),
        num_experts: int = 8,
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
        self.num_experts = check_positive("num_experts", num_experts)
        self.levels = [
            ExpertLevel(
                len(self.tasks),
                num_shared_experts=self.num_experts,
                num_task_experts=0,
                see_all=True,
                shared_gate=False,
                kernel_initializer=self.kernel_initializer,
                **self._level_arguments(),
            )
        ]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "num_experts": self.num_experts}
