"""The cross network of DCN-v2 as a layer."""

from typing import Any

from home_tf.backend import keras, ops
from home_tf.layers.initialization import derive_initializer, with_seed
from home_tf.layers.layer import ONE_INPUT, Layer, check_positive
from home_tf.types import Initializer, Shape, Tensor


@keras.saving.register_keras_serializable(package="home_tf")
class CrossNetwork(Layer):
    """Products of features, of a degree that grows with each layer (DCN-v2).

        x_(l+1) = x_0 * (W_l x_l + b_l) + x_l                 full rank
        x_(l+1) = x_0 * (U_l V_l x_l + b_l) + x_l             with `rank`

    The output is as wide as the input, so that it can stand before any layer that takes
    features: experts then read what two or more features are together.

    Args:
        num_layers: Number of cross layers; the last has products of one feature more.
        rank: Width between the two kernels of a layer; by default there is one full
            kernel, of the input width squared.
        kernel_initializer: Initialiser of the kernels; every one draws its own values.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, features)`.

    Output shape:
        `(batch, features)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> crossed = CrossNetwork(num_layers=2, rank=64)(features)
        >>> representations = HoME(task_groups)(crossed)

    References:
        Wang et al., DCN V2 (arXiv 2008.13535), eq. 1 and 2.
    """

    auto_name = "cross_network"
    input_rule = ONE_INPUT

    def __init__(
        self,
        num_layers: int = 2,
        *,
        rank: int | None = None,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_layers = check_positive("num_layers", num_layers)
        self.rank = None if rank is None else check_positive("rank", rank)
        self.kernel_initializer = with_seed(kernel_initializer)

    def build(self, input_shape: Shape) -> None:
        """Creates the weights of all layers."""
        width = self._fix_width(input_shape)
        between = [] if self.rank is None else [self.rank]
        sizes = [width, *between, width]
        self.kernels = [
            [
                self.add_weight(
                    name=f"kernel_{layer}" if not between else f"kernel_{layer}_{i}",
                    shape=(sizes[i], sizes[i + 1]),
                    initializer=derive_initializer(self.kernel_initializer, layer, i),
                )
                for i in range(len(sizes) - 1)
            ]
            for layer in range(self.num_layers)
        ]
        self.biases = [
            self.add_weight(name=f"bias_{layer}", shape=(width,), initializer="zeros")
            for layer in range(self.num_layers)
        ]
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """`(batch, features)` to `(batch, features)`."""
        x = inputs
        for kernels, bias in zip(self.kernels, self.biases, strict=True):
            product = x
            for kernel in kernels:
                product = ops.matmul(product, ops.cast(kernel, self.compute_dtype))
            x = inputs * (product + ops.cast(bias, self.compute_dtype)) + x
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "rank": self.rank,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
