"""The gate that mixes experts."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.fused import SharedInput, Term, mix
from home_tf.layers.layer import Layer, check_positive, check_units, is_rank, is_shape
from home_tf.layers.parallel_mlps import ParallelMLPs
from home_tf.layers.recording import record
from home_tf.types import Initializer, Shape, Tensor


@keras.saving.register_keras_serializable(package="home_tf")
class ExpertGate(Layer):
    """Mixes the experts that it sees: `Sum(Softmax(MLP(x)), experts)` (eq. 1-3).

    A gate sees the experts that are passed to it: the hierarchy mask of HoME is a
    choice of experts, not a matrix of zeros.

    Args:
        num_experts: Number of experts `n` that the gate sees.
        num_gates: Number of parallel gates, each with its own weights and over the same
            number of experts. By default one, and the output has no axis for gates.
        hidden_units: Widths of the hidden ReLU layers of a gate's MLP.
        kernel_initializer: Initialiser of one gate's kernels. Every gate draws its own
            values, even with a seed.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        - `inputs`: The input of the gates, `(batch, features)`, or a list with one
          input per gate.
        - `experts`: The experts that every gate sees, `(batch, n, D)`; fewer if each
          gate has experts of its own.
        - `own_experts`: The experts that only one gate sees, `(batch, num_gates,
          n_own, D)`, or None. Their weights come last.

    Output shape:
        `(batch, D)`, or `(batch, num_gates, D)` if `num_gates` is given.

    Raises:
        ValueError: If an argument is out of its range.

    Examples:
        >>> mixed = ExpertGate(4)(features, experts)                # (batch, 64)
        >>> mixed = ExpertGate(4, num_gates=10)(features, experts)  # (batch, 10, 64)

    References:
        HoME (arXiv 2408.05430), eq. 1-3.
    """

    input_rule = (
        "a tensor of shape (batch, features), or a list of `num_gates` such tensors"
    )

    def __init__(
        self,
        num_experts: int,
        *,
        num_gates: int | None = None,
        hidden_units: Sequence[int] = (),
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_experts = check_positive("num_experts", num_experts)
        self.num_gates = (
            None if num_gates is None else check_positive("num_gates", num_gates)
        )
        self.hidden_units = check_units("hidden_units", hidden_units)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.mlps = ParallelMLPs(
            self.num_gates or 1,
            (*self.hidden_units, self.num_experts),
            kernel_initializer=self.kernel_initializer,
        )

    def build(
        self,
        inputs_shape: Shape,
        experts_shape: Shape = None,
        own_experts_shape: Shape = None,
    ) -> None:
        """Creates the weights of the gates' MLPs."""
        first = inputs_shape if is_shape(inputs_shape) else inputs_shape[0]
        self.mlps.build(self, self._fix_width(first))
        self.built = True

    def _accepts(self, shapes: Any) -> bool:
        if isinstance(shapes, list):
            return len(shapes) == self.mlps.num_mlps and all(
                is_rank(2, shape) for shape in shapes
            )
        return is_rank(2, shapes)

    def _check_experts(self, experts: Tensor, own_experts: Tensor | None) -> None:
        for name, x, axes in (
            ("experts", experts, "(batch, n, D)"),
            ("own_experts", own_experts, "(batch, num_gates, n_own, D)"),
        ):
            if x is not None and len(x.shape) != len(axes.split(",")):
                raise ValueError(
                    f"`{name}` of `{type(self).__name__}` (layer {self.name!r}) must "
                    f"have shape {axes}. Received: {tuple(x.shape)}"
                )
        common = experts.shape[1]
        own = 0 if own_experts is None else own_experts.shape[2]
        if common + own != self.num_experts:
            raise ValueError(
                f"`{type(self).__name__}` must get as many experts as it has weights "
                f"for. Received: num_experts={self.num_experts}, {common} `experts` "
                f"and {own} `own_experts` of each gate"
            )

    def call(
        self,
        inputs: Tensor | list[Tensor],
        experts: Tensor,
        own_experts: Tensor | None = None,
    ) -> Tensor:
        """Mixes the experts of every gate."""
        self._check_experts(experts, own_experts)
        # Legacy Keras casts only a layer's first argument.
        experts = ops.cast(experts, self.compute_dtype)
        if own_experts is not None:
            _, gates, number, width = own_experts.shape
            own_experts = ops.cast(own_experts, self.compute_dtype)
            own_experts = ops.reshape(own_experts, (-1, gates * number, width))
        mixed = mix(self.terms(inputs, [experts], own_experts))
        return mixed if self.num_gates else ops.squeeze(mixed, axis=1)

    def terms(
        self,
        inputs: Tensor | SharedInput | list[Tensor],
        experts: Sequence[Tensor],
        own_experts: Tensor | None = None,
    ) -> list[Term]:
        """The terms that `mix` adds up for these gates: eq. 3.

        Args:
            inputs: The input of the gates.
            experts: The experts that every gate sees, in parts `(batch, n, D)`.
            own_experts: Those that only one gate sees, `(batch, gates * n_own, D)`.
        """
        weights = self.gate_values(inputs)
        if self.num_gates is None:
            weights = ops.expand_dims(weights, 1)
        ends, end = [], 0
        for part in experts:
            end += part.shape[1]
            ends.append(end)
        if own_experts is None:
            ends.pop()
        each = ops.split(weights, ends, axis=-1) if ends else [weights]
        terms = [Term(w, e) for w, e in zip(each, experts, strict=False)]
        if own_experts is not None:
            terms.append(Term(each[-1], own_experts, own=True))
        return terms

    def gate_values(self, inputs: Tensor | SharedInput | list[Tensor]) -> Tensor:
        """The weight of each expert, computed in float32.

        Args:
            inputs: The input of the gates, `(batch, features)`, or a list with one
                input per gate.

        Returns:
            `(batch, n)`, or `(batch, num_gates, n)` if `num_gates` is given.
        """
        logits = ops.cast(self.mlps(inputs), "float32")
        gates = (self.num_gates,) if self.num_gates else ()
        logits = ops.reshape(logits, (-1, *gates, self.num_experts))
        weights = ops.cast(self._activate(logits), self.compute_dtype)
        record(self, "weights", lambda: weights)
        return weights

    def _activate(self, logits: Tensor) -> Tensor:
        if self.num_experts == 1:
            return ops.zeros_like(logits) + 1.0  # Keras 3 warns about softmax over one
        if self.num_experts == 2:
            # Equal to a softmax, which is slow over a short axis on a CPU.
            return ops.sigmoid(logits - ops.flip(logits, axis=-1))
        return ops.softmax(logits, axis=-1)

    def compute_output_shape(
        self,
        inputs_shape: Shape,
        experts_shape: Sequence[int | None],
        own_experts_shape: Shape = None,
    ) -> tuple[Any, ...]:
        """`(batch, D)`, or `(batch, num_gates, D)`."""
        gates = (self.num_gates,) if self.num_gates else ()
        return (experts_shape[0], *gates, experts_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "num_gates": self.num_gates,
            "hidden_units": list(self.hidden_units),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
