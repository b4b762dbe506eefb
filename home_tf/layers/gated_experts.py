"""Experts behind feature gates."""

from collections.abc import Sequence
from typing import Any

from home_tf.layers.expert_bank import ExpertBank
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.feature_gate import FeatureGate
from home_tf.layers.initialization import split_initializer
from home_tf.layers.layer import Layer


class GatedExperts(Layer):
    """Groups of experts that read the same input, each behind its feature gate.

    Private to the package: a level of `HoME` is made of them, and rebuilds them itself.

    Args:
        num_experts: Number of experts of each group; `n` in all.
        feature_gate: Whether there are feature gates.
        feature_gate_scope: `"group"` or `"expert"`, what has a feature gate of its own.
        expert_units, expert, momentum, initial_gamma: As in `HoME`.
        num_loras, lora_rank, kernel_initializer: As in `HoME`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        `(batch, n, D)`.
    """

    def __init__(
        self,
        num_experts: Sequence[int],
        *,
        expert_units: Sequence[int],
        expert: str,
        momentum: float,
        initial_gamma: float,
        feature_gate: bool,
        feature_gate_scope: str,
        num_loras: int,
        lora_rank: int | None,
        kernel_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if feature_gate_scope == "expert":
            num_experts = [1] * sum(num_experts)
        experts_initializer, gate_initializer = split_initializer(kernel_initializer, 2)
        self.experts = ExpertBank(
            list(num_experts),
            units=expert_units,
            expert=expert,
            momentum=momentum,
            initial_gamma=initial_gamma,
            kernel_initializer=experts_initializer,
            dtype=self.dtype_policy,
            name="experts",
        )
        self.feature_gates = None
        if feature_gate:
            self.feature_gates = FeatureGate(
                num_gates=len(num_experts),
                num_loras=num_loras,
                rank=lora_rank,
                kernel_initializer=gate_initializer,
                dtype=self.dtype_policy,
                name="feature_gates",
            )

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights of the experts and their feature gates."""
        self.experts.build(input_shape)
        if self.feature_gates is not None:
            self.feature_gates.build(input_shape)
        self.built = True

    @property
    def gates(self) -> list[ExpertGate]:
        """The gates of the feature gates' mixtures: one layer, or none."""
        return [] if self.feature_gates is None else [self.feature_gates.gate]

    def call(
        self, inputs: Any, logits: Sequence[Any] = (), training: bool | None = None
    ) -> Any:
        """Computes all experts, each on its gated input (eq. 10).

        Args:
            inputs: `(batch, features)`.
            logits: Those of `gates` on the inputs, where they have been computed
                together with other gates'.
            training: Whether the experts' BatchNorm uses the moments of the batch.

        Returns:
            `(batch, n, D)`.
        """
        if self.feature_gates is not None:
            inputs = self.feature_gates(inputs, *logits)
        return self.experts(inputs, training=training)

    def compute_output_shape(
        self, input_shape: Sequence[int | None]
    ) -> tuple[Any, ...]:
        """`(batch, n, D)`."""
        return self.experts.compute_output_shape(input_shape)
