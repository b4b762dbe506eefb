"""One level of shared experts and task experts, and the gates over them."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import ops
from home_tf.layers.expert_bank import ExpertBank
from home_tf.layers.expert_gate import ExpertGate, of_each_gate
from home_tf.layers.initialization import split_initializer
from home_tf.layers.layer import Layer


class ExpertLevel(Layer):
    """Shared experts, experts for each task, and for each task a gate.

    Private to the package: the architectures that are levels of gated experts say how
    many experts there are and which of them the gates see. In the bank the shared
    experts come first, then those of each task in turn; so they do in a gate.

    Args:
        num_tasks: Number of tasks.
        num_shared_experts: Number of shared experts, or 0.
        num_task_experts: Number of experts of each task, or 0.
        see_all: Whether a task's gate sees all experts, or the shared ones and the
            task's own.
        shared_gate: Whether there is a shared gate too; it sees all experts.
        expert_units: Widths of an expert's layers; the last is `D`.
        expert: `"home"`, `"swish"` or `"relu"`; see `ExpertBank`.
        momentum: Momentum of the experts' BatchNorm.
        initial_gamma: What the scales of that BatchNorm start at; see `ExpertBank`.
        gate_units: Widths of the hidden layers of the gates.
        kernel_initializer: Initialiser of all kernels.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, read by all; or a list of such: what the shared experts
        read, if there are any, and what those of each task read.

    Output shape:
        List of `(batch, D)`: of the shared gate, if there is one, and of each task's.
    """

    def __init__(
        self,
        num_tasks: int,
        *,
        num_shared_experts: int,
        num_task_experts: int,
        see_all: bool,
        shared_gate: bool,
        expert_units: Sequence[int],
        expert: str,
        momentum: float,
        initial_gamma: float,
        gate_units: Sequence[int],
        kernel_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_tasks = num_tasks
        self.num_shared_experts = num_shared_experts
        self.num_task_experts = num_task_experts
        self.see_all = see_all
        counts = [num_shared_experts] + [num_task_experts] * num_tasks
        initializers = split_initializer(kernel_initializer, 3)
        self.experts = ExpertBank(
            [count for count in counts if count],
            units=expert_units,
            expert=expert,
            momentum=momentum,
            initial_gamma=initial_gamma,
            kernel_initializer=initializers[0],
            dtype=self.dtype_policy,
            name="experts",
        )
        self.shared_gate = None
        if shared_gate:
            self.shared_gate = ExpertGate(
                sum(counts),
                hidden_units=gate_units,
                kernel_initializer=initializers[1],
                dtype=self.dtype_policy,
                name="shared_gate",
            )
        self.task_gates = ExpertGate(
            sum(counts) if see_all else num_shared_experts + num_task_experts,
            num_gates=num_tasks,
            hidden_units=gate_units,
            kernel_initializer=initializers[2],
            dtype=self.dtype_policy,
            name="task_gates",
        )

    def build(self, input_shape: Any) -> None:
        """Creates the weights, for one input shape or a list of shapes."""
        self.experts.build(input_shape)
        one = input_shape[0] if isinstance(input_shape, list) else input_shape
        self.task_gates.build(one)
        if self.shared_gate is not None:
            self.shared_gate.build(one)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> list[Any]:
        """Computes the experts, and mixes them by every gate."""
        return self.mix(inputs, self.experts(inputs, training=training))

    def mix(self, inputs: Any, experts: Any) -> list[Any]:
        """What the gates make of the experts `(batch, n, D)`."""
        of_shared, of_tasks = inputs, inputs
        if isinstance(inputs, list):
            of_shared, of_tasks = inputs[0], inputs[-self.num_tasks :]
        if self.see_all:
            mixed = self.task_gates(of_tasks, experts)
        else:
            shared, own = ops.split(experts, [self.num_shared_experts], axis=1)
            mixed = self.task_gates(of_tasks, shared, of_each_gate(own, self.num_tasks))
        outputs: list[Any] = ops.unstack(mixed, axis=1)
        if self.shared_gate is not None:
            outputs.insert(0, self.shared_gate(of_shared, experts))
        return outputs
