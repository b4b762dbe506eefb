"""Several experts of one shape as one layer."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import IS_TENSORFLOW, keras, ops
from home_tf.layers.initialization import PerExpertInitializer, split_initializer
from home_tf.layers.layer import (
    Layer,
    check_choice,
    check_positive,
    check_units,
    last_dimension,
)


@keras.saving.register_keras_serializable(package="home_tf")
class ExpertBank(Layer):
    """A bank of experts: MLPs of one shape that share nothing but their input.

    With `expert="home"` an expert is `Swish(BatchNorm(MLP(x)))` (eq. 4, 5), which cures
    expert collapse: the normalised outputs of all experts have the same scale, and
    Swish does not die as ReLU does. With `expert="relu"` it is the usual
    `ReLU(MLP(x))`. Hidden layers use ReLU either way.

    The batch moments are synchronised over the replicas of a `tf.distribute` strategy.

    Args:
        num_experts: Number of experts.
        units: Widths of an expert's layers; the last is the output width `D`.
        expert: `"home"` or `"relu"`.
        momentum: Momentum of the moving averages of BatchNorm. Keras's own default of
            0.99 lags for hundreds of steps, and an early evaluation suffers from it.
        epsilon: Added to the variance in BatchNorm.
        kernel_initializer: Initialiser of one expert's kernel. Every expert draws its
            own values, also when a seed is given.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, read by all experts, or `(batch, num_experts, features)`,
        one input for each expert.

    Output shape:
        `(batch, num_experts, D)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> experts = ExpertBank(4, units=(128, 64))(features)   # (batch, 4, 64)

    References:
        HoME (arXiv 2408.05430), eq. 4 and 5.
    """

    def __init__(
        self,
        num_experts: int,
        *,
        units: Sequence[int],
        expert: str = "home",
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_experts = check_positive("num_experts", num_experts)
        self.units = check_units("units", units, at_least=1)
        self.expert = check_choice("expert", expert, ("home", "relu"))
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"`momentum` must be in [0, 1). Received: {momentum!r}")
        self.momentum = momentum
        self.epsilon = epsilon
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.batch_norm = self._make_batch_norm() if expert == "home" else None

    def _make_batch_norm(self) -> Any:
        # One BatchNorm over all experts' channels is BatchNorm per expert and
        # dimension.
        return keras.layers.BatchNormalization(
            momentum=self.momentum,
            epsilon=self.epsilon,
            synchronized=IS_TENSORFLOW,
            dtype=self.dtype_policy,
            name="batch_norm",
        )

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the kernels; the columns of expert `i` begin at `i * units`."""
        self._check_input(input_shape)
        initializers = split_initializer(self.kernel_initializer, len(self.units))
        self.kernels, self.biases = [], []
        width = last_dimension(self, input_shape)
        for depth, (units, initializer) in enumerate(
            zip(self.units, initializers, strict=True)
        ):
            columns = self.num_experts * units
            kernel = self.add_weight(
                name=f"kernel_{depth}",
                shape=(width, columns),
                initializer=PerExpertInitializer(initializer, self.num_experts),
            )
            self.kernels.append(kernel)
            if self._has_bias(depth):
                bias = self.add_weight(
                    name=f"bias_{depth}", shape=(columns,), initializer="zeros"
                )
                self.biases.append(bias)
            width = units
        if self.batch_norm is not None:
            self.batch_norm.build((None, self.num_experts * width))
        self.built = True

    def _check_input(self, shape: Sequence[int | None]) -> None:
        if len(shape) == 2 or (len(shape) == 3 and shape[1] == self.num_experts):
            return
        raise ValueError(
            "The input of `ExpertBank` must have shape (batch, features) or (batch, "
            f"num_experts, features) with num_experts={self.num_experts}. Received: "
            f"shape={tuple(shape)}"
        )

    def _has_bias(self, depth: int) -> bool:
        # BatchNorm takes the mean out again, and has an offset of its own.
        return self.batch_norm is None or depth < len(self.units) - 1

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Computes all experts.

        Args:
            inputs: `(batch, features)` or `(batch, num_experts, features)`.
            training: Whether BatchNorm uses the moments of the batch.

        Returns:
            `(batch, num_experts, D)`.
        """
        x = inputs
        for depth in range(len(self.units)):
            x = self._linear(x, depth)
            if depth < len(self.units) - 1:
                x = ops.relu(x)
        if self.batch_norm is None:
            x = ops.relu(x)
        else:
            x = ops.silu(self.batch_norm(x, training=training))  # eq. 4, 5
        return ops.reshape(x, (-1, self.num_experts, self.units[-1]))

    def _linear(self, x: Any, depth: int) -> Any:
        """One linear map of every expert: to `(batch, num_experts * units)`."""
        kernel = self.kernels[depth]
        if depth == 0 and len(x.shape) == 2:
            x = ops.matmul(x, kernel)
        else:
            x = self._linear_each(x, kernel)
        return x + self.biases[depth] if self._has_bias(depth) else x

    def _linear_each(self, x: Any, kernel: Any) -> Any:
        n = self.num_experts
        if len(x.shape) == 3:
            inputs = [x[:, i] for i in range(n)]
        else:
            inputs = ops.split(x, n, axis=-1)
        kernels = ops.split(ops.convert_to_tensor(kernel), n, axis=-1)
        return ops.concatenate(
            [ops.matmul(one, k) for one, k in zip(inputs, kernels, strict=True)],
            axis=-1,
        )

    def compute_output_shape(
        self, input_shape: Sequence[int | None]
    ) -> tuple[Any, ...]:
        """`(batch, num_experts, D)`."""
        return (input_shape[0], self.num_experts, self.units[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "units": list(self.units),
            "expert": self.expert,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
