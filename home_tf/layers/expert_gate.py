"""The gate that mixes experts."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.layer import Layer, check_positive, check_units
from home_tf.layers.mlp import MLP


@keras.saving.register_keras_serializable(package="home_tf")
class ExpertGate(Layer):
    """Mixes the experts that it sees: `Sum(Softmax(MLP(x)), experts)` (eq. 1-3).

    Which experts a gate sees is decided by what is passed to it: the hierarchy mask of
    HoME is a choice of experts, not a matrix of zeros.

    Args:
        num_experts: Number of experts that the gate sees.
        hidden_units: Widths of the hidden ReLU layers of the gate's MLP.
        kernel_initializer: Initialiser of the gate's kernels.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: What the gate decides by, `(batch, features)`.
        experts: What it mixes, `(batch, num_experts, D)`.

    Output shape:
        `(batch, D)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> mixed = ExpertGate(4)(features, experts)   # (batch, 64)

    References:
        HoME (arXiv 2408.05430), eq. 1-3.
    """

    def __init__(
        self,
        num_experts: int,
        *,
        hidden_units: Sequence[int] = (),
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_experts = check_positive("num_experts", num_experts)
        self.hidden_units = check_units("hidden_units", hidden_units)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.mlp = MLP(
            (*self.hidden_units, self.num_experts),
            kernel_initializer=self.kernel_initializer,
            dtype=self.dtype_policy,
            name="mlp",
        )

    def build(
        self, inputs_shape: Sequence[int | None], experts_shape: Any = None
    ) -> None:
        """Creates the weights of the gate's MLP."""
        self.mlp.build(inputs_shape)
        self.built = True

    def call(self, inputs: Any, experts: Any) -> Any:
        """Mixes the experts: `(batch, features)`, `(batch, n, D)` to `(batch, D)`."""
        return weighted_sum(self.gate_values(inputs), experts)

    def gate_values(self, inputs: Any) -> Any:
        """The weight of each expert, `(batch, num_experts)`, computed in float32."""
        logits = ops.cast(self.mlp(inputs), "float32")
        return ops.cast(self._activate(logits), self.compute_dtype)

    def _activate(self, logits: Any) -> Any:
        if self.num_experts == 1:
            return ops.zeros_like(logits) + 1.0  # Keras 3 warns of a softmax over one
        return ops.softmax(logits, axis=-1)

    def compute_output_shape(
        self, inputs_shape: Sequence[int | None], experts_shape: Sequence[int | None]
    ) -> tuple[Any, ...]:
        """`(batch, D)`."""
        return (inputs_shape[0], experts_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "hidden_units": list(self.hidden_units),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def weighted_sum(weights: Any, experts: Any) -> Any:
    """`Sum(w, E)` of eq. 3: `(batch, n)` and `(batch, n, D)` to `(batch, D)`."""
    return ops.einsum("bn,bnd->bd", weights, experts)
