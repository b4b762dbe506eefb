"""Several experts of one shape as one layer."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras, ops
from home_tf.backend.replicas import num_replicas
from home_tf.layers.batch_norm import BatchNorm
from home_tf.layers.layer import (
    Layer,
    check_choice,
    check_positive,
    check_units,
    is_rank,
    is_shape,
)
from home_tf.layers.parallel_mlps import ParallelMLPs

EXPERTS = ("home", "swish", "relu")


@keras.saving.register_keras_serializable(package="home_tf")
class ExpertBank(Layer):
    """A bank of experts: MLPs of one shape that share nothing but their input.

    With `expert="home"` an expert is `Swish(BatchNorm(MLP(x)))` (eq. 4, 5), which cures
    expert collapse: the normalised outputs of all experts have the same scale, and
    Swish does not die as ReLU does. With `expert="relu"` it is the usual
    `ReLU(MLP(x))`; with `expert="swish"` it is HoME's without BatchNorm, which on small
    data costs the rare tasks more than it gives. Hidden layers always use ReLU.

    The batch moments are synchronised over the replicas of the `tf.distribute` strategy
    under which the layer is built.

    Args:
        num_experts: Number of experts `n`; or a sequence of numbers that add up to `n`,
            for groups of experts that each read an input of their own.
        units: Widths of an expert's layers; the last is the output width `D`.
        expert: `"home"`, `"swish"` or `"relu"`.
        momentum: Momentum of the moving averages of BatchNorm. Keras's own default of
            0.99 lags for hundreds of steps, and an early evaluation suffers from it.
        initial_gamma: What the scales of BatchNorm start at. With 1, an expert's output
            is several times larger at first than a plain expert's; a smaller one, such
            as 0.1, makes rare tasks over-fit less on small data.
        epsilon: Added to the variance in BatchNorm.
        kernel_initializer: Initialiser of one expert's kernel. Every expert draws its
            own values, also when a seed is given.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`, read by all experts; `(batch, n, features)`, one input for
        each expert; or, if `num_experts` is a sequence, a list of `(batch, features)`,
        one for each group of experts.

    Output shape:
        `(batch, n, D)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> experts = ExpertBank(4, units=(128, 64))(features)   # (batch, 4, 64)

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
        *,
        units: Sequence[int],
        expert: str = "home",
        momentum: float = 0.9,
        initial_gamma: float = 1.0,
        epsilon: float = 1e-3,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_experts = (
            check_units("num_experts", num_experts, at_least=1)
            if isinstance(num_experts, Sequence)
            else check_positive("num_experts", num_experts)
        )
        self.units = check_units("units", units, at_least=1)
        self.expert = check_choice("expert", expert, EXPERTS)
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"`momentum` must be in [0, 1). Received: {momentum!r}")
        if not initial_gamma > 0.0:
            raise ValueError(
                f"`initial_gamma` must be positive. Received: {initial_gamma!r}"
            )
        self.momentum = momentum
        self.initial_gamma = initial_gamma
        self.epsilon = epsilon
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        # BatchNorm takes the mean out again, and has an offset of its own.
        self.mlps = ParallelMLPs(
            sum(self._counts),
            self.units,
            use_last_bias=expert != "home",
            kernel_initializer=self.kernel_initializer,
            dtype=self.dtype_policy,
            name="mlps",
        )
        self.batch_norm = self._make_batch_norm() if expert == "home" else None

    @property
    def _counts(self) -> list[int]:
        """Number of experts in each group."""
        n = self.num_experts
        return [n] if isinstance(n, int) else list(n)

    def _make_batch_norm(self) -> Any:
        # One BatchNorm over all experts' channels is BatchNorm per expert and
        # dimension.
        return BatchNorm(
            momentum=self.momentum,
            epsilon=self.epsilon,
            gamma_initializer=keras.initializers.Constant(self.initial_gamma),
            dtype=self.dtype_policy,
            name="batch_norm",
        )

    def build(self, input_shape: Any) -> None:
        """Creates the weights of all experts."""
        first = input_shape if is_shape(input_shape) else input_shape[0]
        self.mlps.build((None, self._fix_width(first)))
        if self.batch_norm is not None:
            # Keras's synchronised moments are slower, also where there is one replica.
            self.batch_norm.synchronized = num_replicas() > 1
            self.batch_norm.build((None, self.mlps.num_mlps * self.units[-1]))
        self.built = True

    def _accepts(self, shapes: Any) -> bool:
        if isinstance(shapes, list):
            return len(shapes) == len(self._counts) and all(
                is_rank(2, shape) for shape in shapes
            )
        one_each = is_rank(3, shapes) and shapes and shapes[1] == self.mlps.num_mlps
        return is_rank(2, shapes) or bool(one_each)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Computes all experts.

        Args:
            inputs: What the experts read; see the input shape above.
            training: Whether BatchNorm uses the moments of the batch.

        Returns:
            `(batch, n, D)`.
        """
        inputs, readers = self._inputs_and_readers(inputs)
        x = self.mlps(inputs, readers=readers)
        if self.batch_norm is not None:
            x = self.batch_norm(x, training=training)
        # TensorFlow's own Swish has a gradient that is not saved with an export, and
        # loading one would warn of it.
        x = ops.relu(x) if self.expert == "relu" else x * ops.sigmoid(x)
        return ops.reshape(x, (-1, self.mlps.num_mlps, self.units[-1]))

    def _inputs_and_readers(self, inputs: Any) -> tuple[list[Any], list[int]]:
        if isinstance(inputs, (list, tuple)):
            return list(inputs), self._counts
        if len(inputs.shape) == 3:
            return ops.unstack(inputs, axis=1), [1] * self.mlps.num_mlps
        return [inputs], [self.mlps.num_mlps]

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """`(batch, n, D)`."""
        first = input_shape if is_shape(input_shape) else input_shape[0]
        return (first[0], self.mlps.num_mlps, self.units[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        n = self.num_experts
        return {
            **super().get_config(),
            "num_experts": n if isinstance(n, int) else list(n),
            "units": list(self.units),
            "expert": self.expert,
            "momentum": self.momentum,
            "initial_gamma": self.initial_gamma,
            "epsilon": self.epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
