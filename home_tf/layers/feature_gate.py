"""The gate over the elements of its input."""

from collections.abc import Sequence
from typing import Any, Literal

from home_tf.backend import keras, ops
from home_tf.layers import fused
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.initialization import SideBySide, derive_initializer, with_seed
from home_tf.layers.layer import ONE_INPUT, Layer, check_positive
from home_tf.layers.recording import record
from home_tf.types import Initializer, Shape, Tensor

Rank = int | Literal["paper"] | None


@keras.saving.register_keras_serializable(package="home_tf")
class FeatureGate(Layer):
    """Scales every element of its input by a value in (0, 2) (eq. 8-10).

        FeaLoRA_l(v) = 2 * Sigmoid(v B_l A_l)     B_l: |v| x rank, A_l: rank x |v|
        FeaGate(v)   = Sum(Softmax(MLP(v)), {FeaLoRA_1, ..., FeaLoRA_L})
        output       = v * FeaGate(v)

    Through its gate, each expert sees the features that it needs, so that sparse tasks
    do not lose their own experts (expert underfitting). `A` starts at zero, so every
    gate is exactly 1 at step 0.

    Args:
        num_loras: Number `L` of low-rank maps in the mixture; 2 was best in the paper.
        rank: Rank of each map. By default the largest integer not above `|v| / L`,
            which gives about `2 |v|^2 + L |v|` parameters whatever `L` is: twice a
            dense map. `"paper"` is exactly `|v| / L`, as in the paper, and rejects an
            input whose width `L` does not divide. A smaller rank has `2 L |v| rank + L
            |v|` parameters (plus `L` for the gate's bias in either case).
        num_gates: Number of feature gates that read the same input, each with its own
            maps. By default one, and the output is not a list.
        kernel_initializer: Initialiser of the `B` of each map and of the mixtures'
            gates.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, |v|)`.

    Output shape:
        `(batch, |v|)`; or, if `num_gates` is given, a list of that many.

    Raises:
        ValueError: If an argument is out of its range, or if `rank` is `"paper"` and
            `L` does not divide `|v|`.

    Examples:
        >>> gated = FeatureGate(num_loras=2, rank=64)(features)   # (batch, |v|)

    References:
        HoME (arXiv 2408.05430), eq. 8-10.
    """

    input_rule = ONE_INPUT

    def __init__(
        self,
        *,
        num_loras: int = 2,
        rank: Rank = None,
        num_gates: int | None = None,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_loras = check_positive("num_loras", num_loras)
        self.rank = check_rank("rank", rank)
        self.num_gates = (
            None if num_gates is None else check_positive("num_gates", num_gates)
        )
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self._seeded_initializer = with_seed(self.kernel_initializer)
        self.gate = ExpertGate(
            self.num_loras,
            num_gates=self.num_gates or 1,
            kernel_initializer=derive_initializer(self._seeded_initializer, "gate"),
            dtype=self.dtype_policy,
            name="gate",
        )

    @property
    def _num_maps(self) -> int:
        return (self.num_gates or 1) * self.num_loras

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates `B` (`down`) and `A` (`up`) of all maps, one after the other."""
        width = self._fix_width(input_shape)
        ranks = self._num_maps * self._rank_for(width)
        initializer = derive_initializer(self._seeded_initializer, "down")
        self.down_kernel = self.add_weight(
            name="down",
            shape=(width, ranks),
            initializer=SideBySide(initializer, self._num_maps),
        )
        self.up_kernel = self.add_weight(
            name="up", shape=(ranks, width), initializer="zeros"
        )
        self.gate.build(input_shape)
        self.built = True

    def _rank_for(self, width: int) -> int:
        if isinstance(self.rank, int):
            return self.rank
        if self.rank == "paper" and width % self.num_loras:
            raise ValueError(
                "`num_loras` must divide the input width when `rank` is 'paper'. "
                f"Received: num_loras={self.num_loras}, input width={width}. Leave "
                "`rank` (`lora_rank` of HoME) out, or change the width of an embedding."
            )
        return max(1, width // self.num_loras)

    @property
    def _down(self) -> fused.LinearMap:
        parts = fused.num_down_parts(self.down_kernel.shape[0], self._num_maps)
        return fused.LinearMap(self.down_kernel, parts=parts)

    @property
    def weights_of_all(self) -> fused.FeatureGates:
        """The weights, for `fused.level`."""
        return fused.FeatureGates(
            self.down_kernel, self.up_kernel, self.gate.mlps.first, self.num_loras
        )

    def call(self, inputs: Tensor) -> Tensor | list[Tensor]:
        """Scales the input: `(batch, |v|)`, or a list of them."""
        return self._one_or_list(self.gated(inputs))

    def gated(self, inputs: Tensor | fused.SharedInput) -> list[Tensor]:
        """`v FeaGate(v)` of every gate (eq. 10), `(batch, |v|)` each."""
        record(self, "values", lambda: self.gate_values(fused.tensor_of(inputs)))
        return fused.feature_gates(
            fused.tensor_of(inputs),
            fused.linear(inputs, self._down),
            self.up_kernel,
            self.gate.mlps(inputs),
            self.num_gates or 1,
        )

    def gate_values(self, inputs: Tensor) -> Tensor | list[Tensor]:
        """`FeaGate(v)` of eq. 9: `(batch, |v|)`, each value in (0, 2); or a list."""
        ones = ops.zeros_like(inputs) + 1.0
        values = fused.feature_gates(
            ones,
            fused.linear(inputs, self._down),
            self.up_kernel,
            self.gate.mlps(inputs),
            self.num_gates or 1,
        )
        return self._one_or_list(values)

    def _one_or_list(self, values: list[Any]) -> Any:
        return values if self.num_gates else values[0]

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """`(batch, |v|)`, or a list of them."""
        return self._one_or_list([tuple(input_shape)] * (self.num_gates or 1))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_loras": self.num_loras,
            "rank": self.rank,
            "num_gates": self.num_gates,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def check_rank(name: str, rank: Rank) -> Rank:
    """Returns a rank of low-rank maps as `FeatureGate` takes it; raises if invalid.

    Raises:
        ValueError: If it is not a positive integer, `"paper"` or None.
    """
    if rank is None or rank == "paper":
        return rank
    if isinstance(rank, str):
        raise ValueError(
            f"`{name}` must be a positive integer, 'paper' or None. Received: {rank!r}"
        )
    return check_positive(name, rank)
