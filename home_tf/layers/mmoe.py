"""The MMoE layer."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.anatomy import Anatomy, BankParts, GateParts, name_experts
from home_tf.layers.architecture import GatedArchitecture, TaskGroups
from home_tf.layers.expert import Expert, ExpertName
from home_tf.layers.layer import check_positive
from home_tf.types import Initializer, Shape, Tensor


@keras.saving.register_keras_serializable(package="home_tf")
class MMoE(GatedArchitecture):
    """Multi-gate Mixture-of-Experts: shared experts, and a gate for each task.

        h_t = sum_i Softmax(W_t x)_i f_i(x)                   for every task t

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the grouping has no effect.
        expert: The kind of expert: an `Expert`, or `"relu"`, `"swish"` or `"home"`; the
            last gives MMoE*.
        num_experts: Number of experts.
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
        >>> mmoe = MMoE({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(mmoe.tasks)(mmoe(features))

    References:
        Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate
        Mixture-of-Experts (KDD 2018), eq. 6 and 7.
    """

    auto_name = "mmoe"

    def __init__(
        self,
        task_groups: TaskGroups,
        *,
        expert: Expert | ExpertName = "relu",
        num_experts: int = 8,
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
        self.num_experts = check_positive("num_experts", num_experts)
        self.experts = self._make_experts(self.num_experts)
        self.gates = self._make_gates(self.num_experts, len(self.tasks))

    def build(self, input_shape: Shape) -> None:
        """Creates the weights of the experts and gates."""
        x = (None, self._fix_width(input_shape))
        self.experts.build(x)
        self.gates.build(x)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Computes every task's representation.

        Args:
            inputs: `x`, the ranking features, `(batch, features)`.
            training: Whether batch normalisation uses the batch statistics.

        Returns:
            `{task: (batch, D)}`.
        """
        f = self.experts(inputs, training=training)
        # h_t = sum_i Softmax(W_t x)_i f_i(x), eq. 6 and 7.
        h = ops.unstack(self.gates(inputs, f), axis=1)
        return dict(zip(self.tasks, h, strict=True))

    def anatomy(self) -> Anatomy:
        """Shared experts, and a gate for each task that sees all of them."""
        experts = name_experts("shared", self.num_experts, "shared")
        sees = [experts] * len(self.tasks)
        gates = GateParts(self.gates, self.tasks, sees, self.tasks)
        return Anatomy([BankParts(self.experts, experts)], [gates])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "num_experts": self.num_experts}
