"""PLE as a layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras
from home_tf.layers.architecture import LevelledArchitecture
from home_tf.layers.expert_level import ExpertLevel
from home_tf.layers.initialization import split_initializer
from home_tf.layers.layer import check_positive


@keras.saving.register_keras_serializable(package="home_tf")
class PLE(LevelledArchitecture):
    """Progressive Layered Extraction: levels of CGC, one on the other.

    Each level has shared experts, which read the shared output of the level below, and
    experts for each task, which read the task's. Below the last level there is a shared
    gate too, and it sees all experts of its level. With `v = h_t^0 = h_s^0` the input,

        h_t^l = Gate_t(h_t^{l-1}; E_t(h_t^{l-1}), E_s(h_s^{l-1}))   for every task t
        h_s^l = Gate_s(h_s^{l-1}; E_s(h_s^{l-1}), E_t(h_t^{l-1}) for all t)

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the groups play no part.
        expert_units: Widths of an expert's layers, at every level; the last is `D`.
        num_levels: Number of levels; with one it is CGC.
        num_shared_experts: Number of shared experts of each level.
        num_task_experts: Number of experts of each task, at each level.
        expert: `"relu"`, `"swish"`, or `"home"` (BatchNorm and Swish) for
            PLE*; see `ExpertBank`.
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
        >>> ple = PLE({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(ple.tasks)(ple(features))

    References:
        Tang et al., Progressive Layered Extraction (PLE) (RecSys 2020), section 4.2.
    """

    def __init__(
        self,
        task_groups: Mapping[str, Sequence[str]],
        *,
        expert_units: Sequence[int] = (128, 64),
        num_levels: int = 2,
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
        self.num_levels = check_positive("num_levels", num_levels)
        self.num_shared_experts = check_positive(
            "num_shared_experts", num_shared_experts
        )
        self.num_task_experts = check_positive("num_task_experts", num_task_experts)
        initializers = split_initializer(self.kernel_initializer, self.num_levels)
        self.levels = [
            ExpertLevel(
                len(self.tasks),
                num_shared_experts=self.num_shared_experts,
                num_task_experts=self.num_task_experts,
                see_all=False,
                shared_gate=level < self.num_levels,
                kernel_initializer=initializer,
                **self._level_arguments(),
            )
            for level, initializer in enumerate(initializers, start=1)
        ]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_levels": self.num_levels,
            "num_shared_experts": self.num_shared_experts,
            "num_task_experts": self.num_task_experts,
        }
