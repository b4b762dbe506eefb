"""The gate over the elements of an input."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from home_tf.backend import keras, ops
from home_tf.layers.expert_gate import ExpertGate
from home_tf.layers.initialization import SideBySide, split_initializer
from home_tf.layers.layer import ONE_INPUT, Layer, check_positive

# In training, gates of wide inputs are computed one by one: a CPU's caches hold the
# values of one, but not of all, and the gradient of taking them apart copies them.
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

    def call(
        self, inputs: Any, logits: Any = None, training: bool | None = None
    ) -> Any:
        """Scales the input.

        Args:
            inputs: `v`, `(batch, |v|)`.
            logits: Those of `self.gate` on the inputs, `(batch, num_gates * L)`, where
                they have been computed together with those of other gates.
            training: Whether gradients are going to be taken; what is computed is the
                same.

        Returns:
            `(batch, |v|)`, or a list of them.
        """
        mixtures = self._mixtures(inputs, logits)
        if training is True and inputs.shape[-1] >= _WIDE:
            each = _each_gate(mixtures)
            return self._one_or_list([inputs * _values(m) for m in each])
        return self._one_or_list(ops.unstack(inputs * _values(mixtures), axis=0))

    def gate_values(self, inputs: Any) -> Any:
        """`FeaGate(v)` of eq. 9: `(batch, |v|)`, each value in (0, 2); or a list."""
        values = _values(self._mixtures(inputs))
        return self._one_or_list(ops.unstack(values, axis=0))

    def _one_or_list(self, values: list[Any]) -> Any:
        return values if self.num_gates else values[0]

    def _mixtures(self, inputs: Any, logits: Any = None) -> "_Mixtures":
        # The gates come first, so that to take them apart copies nothing.
        gates, loras = self.num_gates or 1, self.num_loras
        rank = self.down_kernel.shape[1] // self._num_maps
        down = 0.5 * ops.matmul(inputs, self.down_kernel)
        down = ops.reshape(down, (-1, gates, loras, rank))
        up = ops.convert_to_tensor(self.up_kernel)
        up = ops.reshape(up, (gates, loras, rank, inputs.shape[-1]))
        if logits is None:
            logits = self.gate.mlps([inputs], readers=[gates])
        return _Mixtures(
            ops.unstack(ops.transpose(down, (2, 1, 0, 3)), axis=0),
            ops.unstack(up, axis=1),
            self._weights(logits),
        )

    def _weights(self, logits: Any) -> list[Any]:
        """Those of all maps but the last: `(num_gates, batch, 1)` each."""
        if self.num_loras == 1:
            return []
        logits = ops.transpose(ops.cast(logits, "float32"))
        logits = ops.reshape(logits, (self.num_gates or 1, self.num_loras, -1, 1))
        if self.num_loras == 2:
            # The same as a softmax over two.
            first, second = ops.unstack(logits, axis=1)
            weights = [ops.sigmoid(first - second)]
        else:
            weights = ops.unstack(ops.softmax(logits, axis=1), axis=1)[:-1]
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


class _Mixtures(NamedTuple):
    """What the values of gates are computed of: of each map, for one gate or for all.

    Attributes:
        downs: `v B / 2` of each map, `(batch, rank)` or `(gates, batch, rank)`.
        ups: `A` of each map, `(rank, |v|)` or `(gates, rank, |v|)`.
        weights: Of each map but the last, `(batch, 1)` or `(gates, batch, 1)`.
    """

    downs: list[Any]
    ups: list[Any]
    weights: list[Any]


def _each_gate(mixtures: _Mixtures) -> list[_Mixtures]:
    """The mixture of each gate."""
    fields = [[ops.unstack(x, axis=0) for x in field] for field in mixtures]
    return [
        _Mixtures(*([x[gate] for x in field] for field in fields))
        for gate in range(len(fields[0][0]))
    ]


def _values(mixtures: _Mixtures) -> Any:
    """`FeaGate(v)` of eq. 9: `(batch, |v|)`, or `(gates, batch, |v|)`."""
    # 2 * Sigmoid(x) = 1 + tanh(x / 2), and a mixture's weights sum to 1, so that the
    # last is not needed. Written so, the gate is 1 to the last bit where the maps are
    # zero.
    products = zip(mixtures.downs, mixtures.ups, strict=True)
    *others, last = [ops.tanh(ops.matmul(down, up)) for down, up in products]
    mean = last
    for weight, value in zip(mixtures.weights, others, strict=True):
        mean = mean + weight * (value - last)
    return 1.0 + mean
