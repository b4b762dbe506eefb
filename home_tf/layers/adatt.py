"""The AdaTT-sp layer."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.anatomy import Anatomy, BankParts, GateParts, name_experts
from home_tf.layers.architecture import GatedArchitecture, TaskGroups
from home_tf.layers.expert import Expert, ExpertName
from home_tf.layers.expert_bank import ExpertBank
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.fused import Term, mix
from home_tf.layers.layer import Layer, check_positive
from home_tf.types import Initializer, Shape, Tensor


@keras.saving.register_keras_serializable(package="home_tf")
class AdaTT(GatedArchitecture):
    """Adaptive Task-to-Task Fusion, the variant with task-specific experts only (sp).

    At every level, a task's gate sees the experts of all tasks, and the task's own
    experts are added once more. With `h_t^0` as the input,

        h_t^l = Gate_t(h_t^{l-1}; E_u(h_u^{l-1}) for all tasks u)
                + v_t . E_t(h_t^{l-1})                        for every task t

    The vector `v_t` is learned without a softmax. It starts as the mean over the task's
    own experts; with one expert per task it is fixed at 1.

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the grouping has no effect.
        expert: The kind of expert at every level: an `Expert`, or `"relu"`, `"swish"`
            or `"home"`; the last gives AdaTT*.
        num_levels: Number of levels.
        num_task_experts: Number of experts of each task, at each level.
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
        >>> adatt = AdaTT({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(adatt.tasks)(adatt(features))

    References:
        Li et al., AdaTT: Adaptive Task-to-Task Fusion Network for Multitask Learning in
        Recommendations (KDD 2023), section 3.
    """

    auto_name = "adatt"

    def __init__(
        self,
        task_groups: TaskGroups,
        *,
        expert: Expert | ExpertName = "relu",
        num_levels: int = 2,
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
        self.num_levels = check_positive("num_levels", num_levels)
        self.num_task_experts = check_positive("num_task_experts", num_task_experts)
        self.levels = [self._make_level(i + 1) for i in range(self.num_levels)]

    def _make_level(self, number: int) -> "_AdaTTLevel":
        own, tasks, name = self.num_task_experts, len(self.tasks), f"level_{number}"
        return _AdaTTLevel(
            self._make_experts([own] * tasks, name),
            self._make_gates(own * tasks, tasks, name),
            num_task_experts=own,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, input_shape: Shape) -> None:
        """Creates the weights of all levels."""
        width = self._fix_width(input_shape)
        for level in self.levels:
            level.build((None, width))
            width = self.expert.width
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        """Computes every task's representation.

        Args:
            inputs: The ranking features, `(batch, features)`.
            training: Whether batch normalisation uses the batch statistics.

        Returns:
            `{task: (batch, D)}`.
        """
        h = inputs
        for level in self.levels:
            h = level.call(h, training)
        return dict(zip(self.tasks, h, strict=True))

    def anatomy(self) -> Anatomy:
        """At every level, each task's own experts, and gates that see all experts.

        The extra sum of a task's own experts, weighted by `v_t`, belongs to no gate.
        """
        banks, gates = [], []
        for number, level in enumerate(self.levels, start=1):
            path, last = f"level_{number}", number == self.num_levels
            experts = [
                expert
                for task in self.tasks
                for expert in name_experts(
                    f"{path}/{task}", self.num_task_experts, "task"
                )
            ]
            banks.append(BankParts(level.experts, experts))
            gates.append(
                GateParts(
                    level.gates,
                    [f"{path}/{task}" for task in self.tasks],
                    [experts] * len(self.tasks),
                    self.tasks if last else [None] * len(self.tasks),
                )
            )
        return Anatomy(banks, gates)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_levels": self.num_levels,
            "num_task_experts": self.num_task_experts,
        }


class _AdaTTLevel(Layer):
    """One level: experts for each task, gates over all of them, and `v_t`.

    Args:
        experts: The experts, task after task.
        gates: The gates of the tasks.
        num_task_experts: Number of experts of each task.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        experts: ExpertBank,
        gates: ExpertGate,
        *,
        num_task_experts: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.experts = experts
        self.gates = gates
        self.num_task_experts = num_task_experts

    def build(self, input_shape: Shape) -> None:
        """Creates the weights; `own_weights` is every task's `v_t`, if learned."""
        self.experts.build(input_shape)
        self.gates.build(input_shape)
        if self.num_task_experts > 1:
            self.own_weights = self.add_weight(
                name="own_weights",
                shape=(self.gates.num_gates, self.num_task_experts),
                initializer=keras.initializers.Constant(1 / self.num_task_experts),
            )
        self.built = True

    def call(
        self, h: Tensor | list[Tensor], training: bool | None = None
    ) -> list[Tensor]:
        """Computes the outputs of this level from those of the level below.

        Args:
            h: `h_t` of every task, `(batch, features)`; or one input of all tasks.
            training: Whether batch normalisation uses the batch statistics.

        Returns:
            `h_t` of every task, `(batch, D)`.
        """
        e = self.experts.outputs(h, training)  # E_t(h_t) of every task
        # h_t = Gate_t(h_t; E_u(h_u) for all u) + v_t . E_t(h_t), for all tasks.
        terms = self.gates.terms(h, [e])
        if self.num_task_experts == 1:
            new = mix(terms) + e
        else:
            v = ops.expand_dims(ops.convert_to_tensor(self.own_weights), 0)
            new = mix([*terms, Term(v, e, own=True)])
        return ops.unstack(new, axis=1)
