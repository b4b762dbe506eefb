"""Several experts of the same kind as one layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.replicas import num_replicas
from home_tf.layers import fused
from home_tf.layers.batch_norm import BatchNorm
from home_tf.layers.expert import Expert, ExpertName
from home_tf.layers.layer import (
    Layer,
    check_positive,
    check_units,
    is_rank,
    is_shape,
)
from home_tf.layers.parallel_mlps import ParallelMLPs
from home_tf.layers.recording import record
from home_tf.types import Shape, Tensor, Weight


@keras.saving.register_keras_serializable(package="home_tf")
class ExpertBank(Layer):
    """A bank of experts: MLPs of the same kind that share only their input.

        E_k(x) = Swish(BatchNorm(MLP_k(x)))                   for HoME's (eq. 4, 5)

    The batch statistics are synchronised over the replicas of the `tf.distribute`
    strategy under which the layer is built.

    Args:
        num_experts: Number of experts `n`; or a sequence of numbers that add up to `n`,
            for groups of experts that each read their own input.
        expert: The kind of expert: an `Expert`, or `"home"`, `"swish"` or `"relu"`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, read by all experts; `(batch, n, features)`, one input for
        each expert; or, if `num_experts` is a sequence, a list of `(batch, features)`,
        one for each group of experts.

    Output shape:
        `(batch, n, D)`.

    Raises:
        ValueError: If an argument is out of its range.

    Examples:
        >>> experts = ExpertBank(4, Expert.home(units=(128, 64)))(v)   # (batch, 4, 64)

    References:
        HoME (arXiv 2408.05430), eq. 4 and 5.
    """

    input_rule = (
        "a tensor of shape (batch, features) or (batch, n, features), with n = "
        "`num_experts`; or, if that is a sequence, a list of as many tensors (batch, "
        "features)"
    )

    def __init__(
        self,
        num_experts: int | Sequence[int],
        expert: Expert | ExpertName | Mapping[str, Any] = "home",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_experts = (
            check_units("num_experts", num_experts, at_least=1)
            if isinstance(num_experts, Sequence)
            else check_positive("num_experts", num_experts)
        )
        self.expert = Expert.of(expert)
        self.mlps = ParallelMLPs(
            sum(self.counts),
            self.expert.units,
            # Batch normalisation removes the mean, and has its own offset.
            use_last_bias=not self.expert.batch_norm,
            kernel_initializer=self.expert.kernel_initializer,
        )
        self.batch_norm = self._make_batch_norm() if self.expert.batch_norm else None

    @property
    def counts(self) -> list[int]:
        """Number of experts in each group."""
        n = self.num_experts
        return [n] if isinstance(n, int) else list(n)

    def _make_batch_norm(self) -> BatchNorm:
        # Normalising all experts' channels is normalising each expert and dimension.
        scale = self.expert.batch_norm_initial_scale
        return BatchNorm(
            momentum=self.expert.batch_norm_momentum,
            epsilon=self.expert.batch_norm_epsilon,
            gamma_initializer=keras.initializers.Constant(scale),
            dtype=self.dtype_policy,
            name="batch_norm",
        )

    def build(self, input_shape: Shape) -> None:
        """Creates the weights of all experts."""
        first = input_shape if is_shape(input_shape) else input_shape[0]
        self.mlps.build(self, self._fix_width(first))
        if self.batch_norm is not None:
            # Keras's synchronised statistics are slower, even with one replica.
            self.batch_norm.synchronized = num_replicas() > 1
            self.batch_norm.build((None, self.mlps.num_mlps * self.expert.width))
        self.built = True

    def _accepts(self, shapes: Any) -> bool:
        if isinstance(shapes, list):
            return len(shapes) == len(self.counts) and all(
                is_rank(2, shape) for shape in shapes
            )
        one_each = is_rank(3, shapes) and shapes and shapes[1] == self.mlps.num_mlps
        return is_rank(2, shapes) or bool(one_each)

    def call(
        self, inputs: Tensor | list[Tensor], training: bool | None = None
    ) -> Tensor:
        """Computes all experts.

        Args:
            inputs: The experts' input; see the input shape above.
            training: Whether batch normalisation uses the batch statistics.

        Returns:
            `(batch, n, D)`.
        """
        if not isinstance(inputs, (list, tuple)) and len(inputs.shape) == 3:
            return self._outputs(ops.unstack(inputs, axis=1), [], training)
        return self.outputs(inputs, training)

    def outputs(
        self, inputs: Tensor | fused.SharedInput | list[Tensor], training: bool | None
    ) -> Tensor:
        """Computes what `call` returns, from one input or one per group of experts."""
        return self._outputs(inputs, self.counts, training)

    def _outputs(
        self,
        inputs: Tensor | fused.SharedInput | list[Tensor],
        readers: Sequence[int],
        training: bool | None,
    ) -> Tensor:
        """Applies what follows the MLPs in eq. 5: `(batch, n, D)`."""
        if fused.are_weights_constant():
            x = self.mlps.with_weights(*self.inference_weights())(inputs, readers)
        else:
            x = self.mlps(inputs, readers)
            if self.batch_norm is not None:
                x = self.batch_norm(x, training=training)
        shape = (-1, self.mlps.num_mlps, self.expert.width)
        outputs = ops.reshape(self.activate(x), shape)
        record(self, "outputs", lambda: outputs)
        return outputs

    def activate(self, x: Tensor) -> Tensor:
        """Applies the output activation."""
        # The gradient of TensorFlow's own Swish is not saved with an export, and
        # loading one would warn about it.
        swish = self.expert.activation == "swish"
        return x * ops.sigmoid(x) if swish else ops.relu(x)

    def inference_weights(self) -> tuple[list[Weight], list[Weight]]:
        """Kernels and biases of the MLPs, with batch normalisation folded in."""
        kernels, biases = self.mlps.kernels, self.mlps.biases
        norm = self.batch_norm
        if norm is None:
            return kernels, biases
        averages = (norm.moving_mean, norm.moving_variance)
        kernel, bias = fused.fold_batch_norm(
            kernels[-1], norm.gamma, norm.beta, averages, norm.epsilon
        )
        return [*kernels[:-1], kernel], [*biases, bias]

    def compute_output_shape(self, input_shape: Shape) -> tuple[Any, ...]:
        """`(batch, n, D)`."""
        first = input_shape if is_shape(input_shape) else input_shape[0]
        return (first[0], self.mlps.num_mlps, self.expert.width)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        n = self.num_experts
        return {
            **super().get_config(),
            "num_experts": n if isinstance(n, int) else list(n),
            "expert": self.expert.get_config(),
        }
