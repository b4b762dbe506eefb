"""The experts of one owner at one level of HoME, and the gates around them."""

from collections.abc import Sequence
from typing import Any

from home_tf.layers import fused
from home_tf.layers.anatomy import FeatureGateParts, GateParts, NamedExpert
from home_tf.layers.expert import Expert
from home_tf.layers.expert_bank import ExpertBank
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.feature_gate import FeatureGate, Rank
from home_tf.layers.initialization import derive_initializer
from home_tf.layers.layer import Layer
from home_tf.layers.self_gate import SelfGate
from home_tf.types import Initializer, Shape, Tensor


class ExpertGroup(Layer):
    """Experts that read one input, each kind through its feature gate, and their gates.

    Private to the package: `HoME` has one for every owner (the shared experts, a task
    group) at each level, and rebuilds them itself. At the task level, the one of a
    group also holds the experts and the gates of its tasks.

    Args:
        num_experts: Number of experts behind each feature gate, such as `[2]`, or
            `[2, 1, 1]` for a group with two tasks.
        num_gates: Number of expert gates over these and other experts, and of self
            gates over these experts only; 0 for none.
        num_visible: Number of experts that an expert gate sees.
        num_own: Number of experts that a self gate sees; 0 for no self gates.
        gates_width: Width of the expert gates' input.
        expert: The kind of expert.
        gate_units: Widths of the hidden layers of the gates.
        gate_initializer: Initialiser of the gates' kernels.
        feature_gate: Whether there are feature gates.
        num_loras: Number of low-rank maps in a feature gate.
        rank: Rank of these maps.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        num_experts: Sequence[int],
        *,
        num_gates: int,
        num_visible: int,
        num_own: int,
        expert: Expert,
        gate_units: Sequence[int],
        gate_initializer: Initializer,
        feature_gate: bool,
        num_loras: int,
        rank: Rank,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        common: dict[str, Any] = {"dtype": self.dtype_policy}
        self.experts = ExpertBank(list(num_experts), expert, name="experts", **common)
        self.feature_gates = self.gates = self.self_gates = None
        if feature_gate:
            self.feature_gates = FeatureGate(
                num_gates=len(num_experts),
                num_loras=num_loras,
                rank=rank,
                kernel_initializer=derive_initializer(gate_initializer, "feature"),
                name="feature_gates",
                **common,
            )
        common |= {"num_gates": num_gates, "hidden_units": gate_units}
        if num_gates:
            self.gates = ExpertGate(
                num_visible,
                kernel_initializer=derive_initializer(gate_initializer, "expert"),
                name="gates",
                **common,
            )
        if num_gates and num_own:
            self.self_gates = SelfGate(
                num_own,
                kernel_initializer=derive_initializer(gate_initializer, "self"),
                name="self_gates",
                **common,
            )

    def build(self, input_shape: Shape, gates_shape: Shape = None) -> None:
        """Creates the weights.

        Args:
            input_shape: Shape of the experts' and self gates' input, `(batch,
                features)`.
            gates_shape: Shape of the expert gates' input, if it differs.
        """
        self._gates_read_input = gates_shape is None
        for layer, shape in (
            (self.experts, input_shape),
            (self.feature_gates, input_shape),
            (self.gates, gates_shape or input_shape),
            (self.self_gates, input_shape),
        ):
            if layer is not None:
                layer.build(shape)
        self.built = True

    def gate_parts(
        self,
        names: Sequence[str],
        sees: Sequence[Sequence[NamedExpert]],
        own: Sequence[Sequence[NamedExpert]],
        tasks: Sequence[str | None],
    ) -> list[GateParts]:
        """The gates and self gates, for an `Anatomy`; empty if the owner has none."""
        found = []
        if self.gates is not None:
            found.append(GateParts(self.gates, names, sees, tasks))
        if self.self_gates is not None:
            found.append(GateParts(self.self_gates, names, own, tasks, True))
        return found

    def feature_gate_parts(
        self, experts: Sequence[NamedExpert], *, reads_features: bool
    ) -> list[FeatureGateParts]:
        """The feature gates, for an `Anatomy`, each named after its experts."""
        layer = self.feature_gates
        if layer is None:
            return []
        names = list(dict.fromkeys(expert.path for expert in experts))
        if layer.num_gates == len(experts) != len(names):
            names = [str(expert) for expert in experts]  # one for each expert
        return [FeatureGateParts(layer, names, reads_features)]

    def maps(self) -> list[fused.LinearMap]:
        """The maps that read the input, for `share_input`."""
        gates = [self.self_gates, self.gates if self._gates_read_input else None]
        maps = [gate.mlps.first for gate in gates if gate is not None]
        if self.feature_gates is None:
            return [*maps, self.experts.mlps.first]
        # Their `B` are wide products already: copying them side by side in each call
        # costs small requests more than it gains.
        return [*maps, self.feature_gates.gate.mlps.first]

    def gated_experts(self, reads: int) -> fused.GatedExperts:
        """The weights of all experts, for `fused.level`.

        Args:
            reads: Number of the input that they read.
        """
        gates = self.feature_gates
        return fused.GatedExperts(
            reads,
            self.experts.counts,
            *self.experts.inference_weights(),
            None if gates is None else gates.weights_of_all,
        )

    def outputs(self, x: fused.SharedInput, training: bool | None) -> Tensor:
        """Computes all experts on their gated input (eq. 4, 5, 8-10)."""
        if self.feature_gates is None:
            return self.experts.outputs(x, training)
        return self.experts.outputs(self.feature_gates.gated(x), training)

    def gate(
        self, x: Tensor | fused.SharedInput, seen: list[Tensor], own: Tensor = None
    ) -> list[fused.Term]:
        """`Gate(x; seen, own)` of eq. 6 and 7, for `mix`; see `ExpertGate.terms`."""
        assert self.gates is not None  # HoME calls it only where gates exist
        return self.gates.terms(x, seen, own)

    def self_gate(
        self, x: fused.SharedInput, seen: list[Tensor], own: Tensor = None
    ) -> list[fused.Term]:
        """`SelfGate(x; own)` of eq. 11, for `mix`; nothing if there is none."""
        return [] if self.self_gates is None else self.self_gates.terms(x, seen, own)
