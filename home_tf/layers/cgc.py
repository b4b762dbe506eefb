"""CGC as a layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras
from home_tf.layers.architecture import LevelledArchitecture
from home_tf.layers.expert_level import ExpertLevel
from home_tf.layers.layer import check_positive


@keras.saving.register_keras_serializable(package="home_tf")
class CGC(LevelledArchitecture):
    """Customized Gate Control: shared experts, and experts for each task.

    A task's gate sees the task's own experts and the shared ones. With `v` the input,

        h_t = Gate_t(v; E_shared(v), E_t(v))                  for every task t

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the groups play no part.
        expert_units: Widths of an expert's layers; the last is `D`.
        num_shared_experts: Number of shared experts.
        num_task_experts: Number of experts of each task.
        expert: `"relu"`, `"swish"`, or `"home"` (BatchNorm and Swish) for
            CGC*; see `ExpertBank`.
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
        >>> cgc = CGC({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(cgc.tasks)(cgc(features))

    References:
        Tang et al., Progressive Layered Extraction (PLE) (RecSys 2020), section 4.1.
    """

    def __init__(
        self,
        task_groups: Mapping[str, Sequence[str]],
        *,
        expert_units: Sequence[int] = (128, 64),
        num_shared_experts: int = 2,
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
        self.num_shared_experts = check_positive(
            "num_shared_experts", num_shared_experts
        )
        self.num_task_experts = check_positive("num_task_experts", num_task_experts)
        self.levels = [
            ExpertLevel(
                len(self.tasks),
                num_shared_experts=self.num_shared_experts,
                num_task_experts=self.num_task_experts,
                see_all=False,
                shared_gate=False,
                kernel_initializer=self.kernel_initializer,
                **self._level_arguments(),
            )
        ]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_shared_experts": self.num_shared_experts,
            "num_task_experts": self.num_task_experts,
        }
