"""The multi-layer perceptron of gates and towers."""

from collections.abc import Sequence
from typing import Any

from home_tf.backend import keras
from home_tf.layers.initialization import split_initializer
from home_tf.layers.layer import Layer, check_units


class MLP(Layer):
    """Dense layers with ReLU between them and nothing after the last.

    Private to the package: gates and towers own one each and rebuild it themselves.

    Args:
        units: Widths of the layers; the last is the output's.
        kernel_initializer: Initialiser of the kernels, each with its own values.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        units: Sequence[int],
        *,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = check_units("units", units, at_least=1)
        initializers = split_initializer(kernel_initializer, len(self.units))
        self.dense_layers = [
            keras.layers.Dense(
                width,
                activation="relu" if depth < len(self.units) - 1 else None,
                kernel_initializer=initializer,
                dtype=self.dtype_policy,
                name=f"dense_{depth}",
            )
            for depth, (width, initializer) in enumerate(
                zip(self.units, initializers, strict=True)
            )
        ]

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights of every layer."""
        shape = tuple(input_shape)
        for dense in self.dense_layers:
            dense.build(shape)
            shape = (*shape[:-1], dense.units)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """`(batch, features)` to `(batch, units[-1])`."""
        x = inputs
        for dense in self.dense_layers:
            x = dense(x)
        return x

    def compute_output_shape(
        self, input_shape: Sequence[int | None]
    ) -> tuple[Any, ...]:
        """`(batch, units[-1])`."""
        return (*input_shape[:-1], self.units[-1])
