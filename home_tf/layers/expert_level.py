"""One level of experts that belong to owners, and the owners' gates."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import ops
from home_tf.layers.expert_bank import ExpertBank
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.initialization import split_initializer
from home_tf.layers.layer import Layer, last_dimension


class ExpertLevel(Layer):
    """Experts of several owners in one bank, and for each owner a gate over some.

    Private to the package: the architectures say how many experts an owner has, and
    whose experts its gate sees. An owner is a task, or what the tasks share.

    Args:
        num_experts: Number of experts of each owner, in the order of the bank.
        visible: For each owner, the owners (by index) whose experts its gate sees, in
            the gate's order. An owner that sees none has no gate.
        expert_units: Widths of an expert's layers; the last is `D`.
        expert: `"home"` or `"relu"`; see `ExpertBank`.
        momentum: Momentum of the experts' BatchNorm.
        gate_units: Widths of the hidden layers of the gates.
        kernel_initializer: Initialiser of all kernels.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, read by all, or a list of such, one for each owner.

    Output shape:
        List of `(batch, D)`, one for each gate.
    """

    def __init__(
        self,
        num_experts: Sequence[int],
        *,
        visible: Sequence[Sequence[int]],
        expert_units: Sequence[int],
        expert: str,
        momentum: float,
        gate_units: Sequence[int],
        kernel_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_experts = tuple(num_experts)
        self.visible = tuple(self._experts_of(*owners) for owners in visible)
        experts, *gates = split_initializer(kernel_initializer, 1 + len(visible))
        self.experts = ExpertBank(
            sum(num_experts),
            units=expert_units,
            expert=expert,
            momentum=momentum,
            kernel_initializer=experts,
            dtype=self.dtype_policy,
            name="experts",
        )
        self.gates = [
            ExpertGate(
                len(seen),
                hidden_units=gate_units,
                kernel_initializer=initializer,
                dtype=self.dtype_policy,
            )
            for seen, initializer in zip(self.visible, gates, strict=True)
            if seen
        ]

    def _experts_of(self, *owners: int) -> tuple[int, ...]:
        """The places in the bank of the experts of some owners."""
        first = [sum(self.num_experts[:owner]) for owner in owners]
        return tuple(
            start + i
            for start, owner in zip(first, owners, strict=True)
            for i in range(self.num_experts[owner])
        )

    def build(self, input_shape: Any) -> None:
        """Creates the weights, for one input shape or a list of one an owner."""
        one_each = isinstance(input_shape, list)
        shape = input_shape[0] if one_each else input_shape
        width = last_dimension(self, shape)
        experts = (sum(self.num_experts),) if one_each else ()
        self.experts.build((None, *experts, width))
        for gate in self.gates:
            gate.build((None, width))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> list[Any]:
        """`(batch, features)`, or a list of one an owner, to a list of `(batch, D)`."""
        return self.mix(inputs, self.call_experts(inputs, training))

    def call_experts(self, inputs: Any, training: bool | None) -> Any:
        """The outputs of all experts: `(batch, n, D)`."""
        if isinstance(inputs, list):
            each = zip(inputs, self.num_experts, strict=True)
            inputs = ops.stack([x for x, n in each for _ in range(n)], axis=1)
        return self.experts(inputs, training=training)

    def mix(self, inputs: Any, experts: Any) -> list[Any]:
        """What the gates make of the experts: a list of `(batch, D)`."""
        if not isinstance(inputs, list):
            inputs = [inputs] * len(self.visible)
        together = self._select(experts)
        gates = iter(self.gates)
        return [
            next(gates)(x, together[seen])
            for x, seen in zip(inputs, self.visible, strict=True)
            if seen
        ]

    def _select(self, experts: Any) -> dict[tuple[int, ...], Any]:
        """What each gate sees: `(batch, n, D)`, by the experts' places in the bank."""
        everything = tuple(range(sum(self.num_experts)))
        some = {seen for seen in self.visible if seen not in ((), everything)}
        selected = {everything: experts}
        if some:
            # Split once: the gradient of a slice for each gate would be as large as
            # all experts together.
            single = ops.split(experts, len(everything), axis=1)
            for seen in sorted(some):
                selected[seen] = ops.concatenate([single[i] for i in seen], axis=1)
        return selected
