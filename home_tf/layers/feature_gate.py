"""The gate over the elements of an input."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.expert_gate import ExpertGate, weighted_sum
from home_tf.layers.initialization import split_initializer
from home_tf.layers.layer import Layer, check_positive, last_dimension


@keras.saving.register_keras_serializable(package="home_tf")
class FeatureGate(Layer):
    """Scales every element of its input by a value in (0, 2) (eq. 8-10).

        FeaLoRA_l(v) = 2 * Sigmoid(v B_l A_l)     B_l: |v| x rank, A_l: rank x |v|
        FeaGate(v)   = Sum(Softmax(MLP(v)), {FeaLoRA_1, ..., FeaLoRA_L})
        output       = v * FeaGate(v)

    Experts that read a gated input each see the features that they need, so that sparse
    tasks keep experts of their own (expert underfitting). `A` starts at zero, so that
    every gate is exactly 1 at step 0.

    Args:
        num_loras: Number `L` of low-rank maps in the mixture; 2 was best in the paper.
        rank: Rank of each map. By default `|v| / L`, as in the paper, which has
            `2 |v|^2 + L |v|` parameters whatever `L` is: twice a dense map. A smaller
            rank costs `2 L |v| rank + L |v|` (the gate's bias is `L` more either way).
        kernel_initializer: Initialiser of the `B` of each map and of the mixture's
            gate.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, |v|)`.

    Output shape:
        `(batch, |v|)`.

    Raises:
        ValueError: If an argument is out of its range, or if `rank` is not given and
            `L` does not divide `|v|`.

    Example:
        >>> gated = FeatureGate(num_loras=2, rank=64)(features)   # (batch, |v|)

    References:
        HoME (arXiv 2408.05430), eq. 8-10.
    """

    def __init__(
        self,
        *,
        num_loras: int = 2,
        rank: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_loras = check_positive("num_loras", num_loras)
        self.rank = None if rank is None else check_positive("rank", rank)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        *self._lora_initializers, gate_initializer = split_initializer(
            self.kernel_initializer, self.num_loras + 1
        )
        self.gate = ExpertGate(
            self.num_loras,
            kernel_initializer=gate_initializer,
            dtype=self.dtype_policy,
            name="gate",
        )

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates `B` (`down`) and `A` (`up`) of every map."""
        width = last_dimension(self, input_shape)
        rank = self._rank_for(width)
        self.down_kernels = [
            self.add_weight(
                name=f"down_{i}", shape=(width, rank), initializer=initializer
            )
            for i, initializer in enumerate(self._lora_initializers)
        ]
        self.up_kernels = [
            self.add_weight(name=f"up_{i}", shape=(rank, width), initializer="zeros")
            for i in range(self.num_loras)
        ]
        self.gate.build(input_shape)
        self.built = True

    def _rank_for(self, width: int) -> int:
        if self.rank is not None:
            return self.rank
        if width % self.num_loras:
            raise ValueError(
                "`num_loras` must divide the input width when `rank` is not given. "
                f"Received: num_loras={self.num_loras}, input width={width}. Give "
                "`rank`, or change the width of an embedding."
            )
        return width // self.num_loras

    def call(self, inputs: Any) -> Any:
        """Scales the input: `(batch, |v|)` to `(batch, |v|)`."""
        return inputs * self.gate_values(inputs)

    def gate_values(self, inputs: Any) -> Any:
        """`FeaGate(v)` of eq. 9: `(batch, |v|)`, each value in (0, 2)."""
        loras = [
            ops.matmul(ops.matmul(inputs, down), up)
            for down, up in zip(self.down_kernels, self.up_kernels, strict=True)
        ]
        # 2 * Sigmoid(x) = 1 + tanh(x / 2), and the mixture's weights sum to 1. Written
        # so, the gate is 1 to the last bit where the maps are zero.
        deviations = ops.tanh(ops.stack(loras, axis=1) * 0.5)
        return 1.0 + weighted_sum(self.gate.gate_values(inputs), deviations)

    def compute_output_shape(
        self, input_shape: Sequence[int | None]
    ) -> tuple[Any, ...]:
        """`(batch, |v|)`."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_loras": self.num_loras,
            "rank": self.rank,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
