"""The PLE layer."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.anatomy import Anatomy, BankParts, GateParts, name_experts
from home_tf.layers.architecture import GatedArchitecture, TaskGroups
from home_tf.layers.expert import Expert, ExpertName
from home_tf.layers.expert_bank import ExpertBank
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.fused import mix
from home_tf.layers.layer import Layer, check_positive
from home_tf.types import Initializer, Shape, Tensor


@keras.saving.register_keras_serializable(package="home_tf")
class PLE(GatedArchitecture):
    """Progressive Layered Extraction: stacked levels of CGC.

    Each level has shared experts, which read the shared output of the level below, and
    experts for each task, which read the task's output. Below the last level there is
    also a shared gate, which sees all experts of its level. With `v = h_t^0 = h_s^0` as
    the input,

        h_t^l = Gate_t(h_t^{l-1}; E_t(h_t^{l-1}), E_s(h_s^{l-1}))   for every task t
        h_s^l = Gate_s(h_s^{l-1}; E_s(h_s^{l-1}), E_t(h_t^{l-1}) for all t)

    Args:
        task_groups: `{group: [task, ...]}`, as for `HoME`; the grouping has no effect.
        expert: The kind of expert at every level: an `Expert`, or `"relu"`, `"swish"`
            or `"home"`; the last gives PLE*.
        num_levels: Number of levels; one level is CGC.
        num_shared_experts: Number of shared experts of each level.
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
        >>> ple = PLE({"watch": ["long_view"], "inter": ["click", "like"]})
        >>> logits = TaskTowers(ple.tasks)(ple(features))

    References:
        Tang et al., Progressive Layered Extraction (PLE) (RecSys 2020), section 4.2.
    """

    auto_name = "ple"

    def __init__(
        self,
        task_groups: TaskGroups,
        *,
        expert: Expert | ExpertName = "relu",
        num_levels: int = 2,
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
        self.num_levels = check_positive("num_levels", num_levels)
        self.num_shared_experts = check_positive(
            "num_shared_experts", num_shared_experts
        )
        self.num_task_experts = check_positive("num_task_experts", num_task_experts)
        self.levels = [self._make_level(i + 1) for i in range(self.num_levels)]

    def _make_level(self, number: int) -> "_PLELevel":
        shared, own = self.num_shared_experts, self.num_task_experts
        name, tasks = f"level_{number}", len(self.tasks)
        shared_gate = None
        if number < self.num_levels:
            everything = shared + own * tasks
            shared_gate = self._make_gates(everything, 1, name, name="shared_gate")
        return _PLELevel(
            self._make_experts([shared] + [own] * tasks, name),
            self._make_gates(shared + own, tasks, name),
            shared_gate,
            num_shared_experts=shared,
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
        h_shared = h_tasks = inputs
        for level in self.levels:
            h_shared, h_tasks = level.call(h_shared, h_tasks, training)
        return dict(zip(self.tasks, h_tasks, strict=True))

    def anatomy(self) -> Anatomy:
        """At every level, shared and task-specific experts, and the tasks' gates.

        Below the last level there is also a shared gate, which sees all of them.
        """
        banks, gates = [], []
        for number, level in enumerate(self.levels, start=1):
            path, last = f"level_{number}", number == self.num_levels
            shared = name_experts(f"{path}/shared", self.num_shared_experts, "shared")
            own = [
                name_experts(f"{path}/{task}", self.num_task_experts, "task")
                for task in self.tasks
            ]
            experts = [*shared, *(expert for mine in own for expert in mine)]
            banks.append(BankParts(level.experts, experts))
            gates.append(
                GateParts(
                    level.gates,
                    [f"{path}/{task}" for task in self.tasks],
                    [[*shared, *mine] for mine in own],
                    self.tasks if last else [None] * len(self.tasks),
                )
            )
            if level.shared_gate is not None:
                name = f"{path}/shared"
                gates.append(GateParts(level.shared_gate, [name], [experts], [None]))
        return Anatomy(banks, gates)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_levels": self.num_levels,
            "num_shared_experts": self.num_shared_experts,
            "num_task_experts": self.num_task_experts,
        }


class _PLELevel(Layer):
    """One level: shared experts, experts for each task, and their gates.

    Args:
        experts: The shared experts, then those of each task.
        gates: The gates of the tasks.
        shared_gate: The shared gate; None at the last level.
        num_shared_experts: Number of shared experts.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        experts: ExpertBank,
        gates: ExpertGate,
        shared_gate: ExpertGate | None,
        *,
        num_shared_experts: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.experts = experts
        self.gates = gates
        self.shared_gate = shared_gate
        self.num_shared_experts = num_shared_experts

    def build(self, input_shape: Shape) -> None:
        """Creates the weights, for inputs `(batch, features)`."""
        for part in (self.experts, self.gates, self.shared_gate):
            if part is not None:
                part.build(input_shape)
        self.built = True

    def call(
        self,
        h_shared: Tensor,
        h_tasks: Tensor | list[Tensor],
        training: bool | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Computes the outputs of this level from those of the level below.

        Args:
            h_shared: `h_s`, `(batch, features)`.
            h_tasks: `h_t` of every task; or one input that all of them, and the shared
                experts, read.
            training: Whether batch normalisation uses the batch statistics.

        Returns:
            `h_s`, or None at the last level, and `h_t` of every task, `(batch, D)`.
        """
        several = isinstance(h_tasks, list)
        # E_s(h_s), then E_t(h_t) of every task.
        e = self.experts.outputs([h_shared, *h_tasks] if several else h_tasks, training)
        e_shared, e_own = ops.split(e, [self.num_shared_experts], axis=1)
        # h_t = Gate_t(h_t; E_t(h_t), E_s(h_s)), for all tasks.
        new_tasks = mix(self.gates.terms(h_tasks, [e_shared], e_own))
        new_shared = None
        if self.shared_gate is not None:
            # h_s = Gate_s(h_s; E_s(h_s), E_t(h_t) for all t).
            new_shared = mix(self.shared_gate.terms(h_shared, [e]))
            new_shared = ops.squeeze(new_shared, axis=1)
        return new_shared, ops.unstack(new_tasks, axis=1)
