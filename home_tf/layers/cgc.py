"""The CGC layer."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.anatomy import Anatomy, BankParts, GateParts, name_experts
from home_tf.layers.architecture import GatedArchitecture, TaskGroups
from home_tf.layers.expert import Expert, ExpertName
from home_tf.layers.fused import mix
from home_tf.layers.layer import check_positive
from home_tf.types import Initializer, Shape, Tensor


@keras.saving.register_keras_serializable(package="home_tf")
class CGC(GatedArchitecture):
    """Customized Gate Control: shared experts, and experts for each task.

    A task's gate sees the task's own experts and the shared ones. With `v` as the
    input,

        h_t = Gate_t(v; E_shared(v), E_t(v))                  for every task t

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the grouping has no effect.
        expert: The kind of expert: an `Expert`, or `"relu"`, `"swish"` or `"home"`; the
            last gives CGC*.
        num_shared_experts: Number of shared experts.
        num_task_experts: Number of experts of each task.
        gate_units: Widths of the hidden layers of the gates.
        gate_initializer: Initialiser of the gates' kernels; every gate draws its own
            values, even with a seed.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        Dict `{task: (batch, D)}`, in the order of `task_groups`.

    Raises:
        ValueError: If an argument is out of its range, a task is named twice, or a
            group is empty or named "shared".

    Examples:
        >>> cgc = CGC({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(cgc.tasks)(cgc(features))

    References:
        Tang et al., Progressive Layered Extraction (PLE) (RecSys 2020), section 4.1.
    """

    auto_name = "cgc"

    def __init__(
        self,
        task_groups: TaskGroups,
        *,
        expert: Expert | ExpertName = "relu",
        num_shared_experts: int = 2,
        num_task_experts: int = 1,
        gate_units: Sequence[int] = (),
        gate_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            task_groups,
            expert=expert,
            gate_units=gate_units,
            gate_initializer=gate_initializer,
            **kwargs,
        )
        self.num_shared_experts = check_positive(
            "num_shared_experts", num_shared_experts
        )
        self.num_task_experts = check_positive("num_task_experts", num_task_experts)
        shared, own, tasks = num_shared_experts, num_task_experts, len(self.tasks)
        self.experts = self._make_experts([shared] + [own] * tasks)
        self.gates = self._make_gates(shared + own, tasks)

    def build(self, input_shape: Shape) -> None:
        """Creates the weights of the experts and gates."""
        v = (None, self._fix_width(input_shape))
        self.experts.build(v)
        self.gates.build(v)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Computes every task's representation.

        Args:
            inputs: `v`, the ranking features, `(batch, features)`.
            training: Whether batch normalisation uses the batch statistics.

        Returns:
            `{task: (batch, D)}`.
        """
        v = inputs
        # E_s(v), then E_t(v) of every task.
        e = self.experts.outputs(v, training)
        e_shared, e_own = ops.split(e, [self.num_shared_experts], axis=1)
        # h_t = Gate_t(v; E_s(v), E_t(v)), for all tasks.
        h = mix(self.gates.terms(v, [e_shared], e_own))
        return dict(zip(self.tasks, ops.unstack(h, axis=1), strict=True))

    def anatomy(self) -> Anatomy:
        """Shared and task-specific experts, and a gate for each task that sees both."""
        shared = name_experts("shared", self.num_shared_experts, "shared")
        own = [name_experts(t, self.num_task_experts, "task") for t in self.tasks]
        sees = [[*shared, *mine] for mine in own]
        experts = [*shared, *(expert for mine in own for expert in mine)]
        gates = GateParts(self.gates, self.tasks, sees, self.tasks)
        return Anatomy([BankParts(self.experts, experts)], [gates])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_shared_experts": self.num_shared_experts,
            "num_task_experts": self.num_task_experts,
        }
