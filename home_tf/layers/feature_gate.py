"""The gate over the elements of an input."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.initialization import SideBySide, split_initializer
from home_tf.layers.layer import ONE_INPUT, Layer, check_positive

# Gates of narrow inputs are computed together. Those of wider ones are faster one by
# one on a CPU: its caches hold the values of one gate but not of all, and the gradient
# of taking them apart copies them.
_WIDE = 256


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
        num_gates: Number of feature gates that read the same input, each with maps of
            its own. By default one, whose output is no list.
        kernel_initializer: Initialiser of the `B` of each map and of the mixtures'
            gates.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, |v|)`.

    Output shape:
        `(batch, |v|)`; or, if `num_gates` is given, a list of as many.

    Raises:
        ValueError: If an argument is out of its range, or if `rank` is not given and
            `L` does not divide `|v|`.

    Example:
        >>> gated = FeatureGate(num_loras=2, rank=64)(features)   # (batch, |v|)

    References:
        HoME (arXiv 2408.05430), eq. 8-10.
    """

    input_rule = ONE_INPUT

    def __init__(
        self,
        *,
        num_loras: int = 2,
        rank: int | None = None,
        num_gates: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_loras = check_positive("num_loras", num_loras)
        self.rank = None if rank is None else check_positive("rank", rank)
        self.num_gates = (
            None if num_gates is None else check_positive("num_gates", num_gates)
        )
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self._lora_initializer, gate_initializer = split_initializer(
            self.kernel_initializer, 2
        )
        self.gate = ExpertGate(
            self.num_loras,
            num_gates=self.num_gates or 1,
            kernel_initializer=gate_initializer,
            dtype=self.dtype_policy,
            name="gate",
        )

    @property
    def _num_maps(self) -> int:
        return (self.num_gates or 1) * self.num_loras

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates `B` (`down`) and `A` (`up`) of all maps, map after map."""
        width = self._fix_width(input_shape)
        ranks = self._num_maps * self._rank_for(width)
        self.down_kernel = self.add_weight(
            name="down",
            shape=(width, ranks),
            initializer=SideBySide(self._lora_initializer, self._num_maps),
        )
        self.up_kernel = self.add_weight(
            name="up", shape=(ranks, width), initializer="zeros"
        )
        self.gate.build(input_shape)
        self.built = True

    def _rank_for(self, width: int) -> int:
        if self.rank is not None:
            return self.rank
        if width % self.num_loras:
            raise ValueError(
                "`num_loras` must divide the input width when `rank` is not given. "
                f"Received: num_loras={self.num_loras}, input width={width}. Give "
                "`rank` (`lora_rank` of HoME), or change the width of an embedding."
            )
        return width // self.num_loras

    def call(self, inputs: Any, logits: Any = None) -> Any:
        """Scales the input.

        Args:
            inputs: `v`, `(batch, |v|)`.
            logits: Those of `self.gate` on the inputs, `(batch, num_gates * L)`, where
                they have been computed together with those of other gates.

        Returns:
            `(batch, |v|)`, or a list of them.
        """
        values = self._gate_values(inputs, logits)
        if isinstance(values, list):
            return self._one_or_list([inputs * one for one in values])
        return self._one_or_list(ops.unstack(inputs * values, axis=0))

    def gate_values(self, inputs: Any) -> Any:
        """`FeaGate(v)` of eq. 9: `(batch, |v|)`, each value in (0, 2); or a list."""
        values = self._gate_values(inputs)
        if not isinstance(values, list):
            values = ops.unstack(values, axis=0)
        return self._one_or_list(values)

    def _one_or_list(self, values: list[Any]) -> Any:
        return values if self.num_gates else values[0]

    def _gate_values(self, inputs: Any, logits: Any = None) -> Any:
        """A list of `(batch, |v|)`; or, of narrow inputs, `(num_gates, batch, |v|)`."""
        gates, loras = self.num_gates or 1, self.num_loras
        # Half of it, since 2 * Sigmoid(x) = 1 + tanh(x / 2).
        down = 0.5 * ops.matmul(inputs, self.down_kernel)
        up = ops.convert_to_tensor(self.up_kernel)
        if logits is None:
            logits = self.gate.mlps([inputs], readers=[gates])
        logits = ops.cast(logits, "float32")
        rank, width = self.up_kernel.shape[0] // self._num_maps, inputs.shape[-1]
        if width < _WIDE:
            down = ops.reshape(down, (-1, gates, loras, rank))
            logits = ops.reshape(ops.transpose(logits), (gates, loras, -1, 1))
            return 1.0 + self._mix(
                ops.unstack(ops.transpose(down, (2, 1, 0, 3)), axis=0),
                ops.unstack(ops.reshape(up, (gates, loras, rank, width)), axis=1),
                ops.unstack(logits, axis=1),
            )
        downs, logits = (ops.split(x, self._num_maps, axis=-1) for x in (down, logits))
        ups = ops.split(up, self._num_maps, axis=0)
        of_each = [
            slice(first, first + loras) for first in range(0, self._num_maps, loras)
        ]
        one = ops.convert_to_tensor(1.0, dtype=self.compute_dtype)
        return [one + self._mix(downs[i], ups[i], logits[i]) for i in of_each]

    def _mix(self, downs: list[Any], ups: list[Any], logits: list[Any]) -> Any:
        """`FeaGate(v) - 1` of one gate, or of all, stacked in front.

        Args:
            downs: `v B / 2` of each map, `([gates,] batch, rank)`.
            ups: `A` of each map, `([gates,] rank, |v|)`.
            logits: The weight of each map, `([gates,] batch, 1)`.

        Returns:
            `([gates,] batch, |v|)`.
        """
        *others, last = [
            ops.tanh(ops.matmul(down, up)) for down, up in zip(downs, ups, strict=True)
        ]
        # The weights sum to 1, so that the last is not needed. Written so, it is 0 to
        # the last bit where the maps are zero.
        mean = last
        for weight, value in zip(self._weights(logits), others, strict=True):
            mean = mean + weight * (value - last)
        return mean

    def _weights(self, logits: list[Any]) -> list[Any]:
        """The weights of all maps but the last."""
        if len(logits) == 2:
            # The same as a softmax over two.
            weights = [ops.sigmoid(logits[0] - logits[1])]
        elif len(logits) > 2:
            weights = ops.unstack(
                ops.softmax(ops.stack(logits, axis=0), axis=0), axis=0
            )
            weights = weights[:-1]
        else:
            weights = []
        return [ops.cast(weight, self.compute_dtype) for weight in weights]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Any:
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
